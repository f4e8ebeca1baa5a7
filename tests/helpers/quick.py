"""Runs whose verbs cost little."""

from __future__ import annotations

from functools import partialmethod

import pytest

import likely
from likely.evaluation.baselines import warped

__all__ = ["quick_reports"]


def quick_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports take few samples, anneal no row, and try few mixtures."""
    monkeypatch.setattr(likely.Run, "assess", partialmethod(likely.Run.assess, samples=20, anneal=0))
    monkeypatch.setattr(warped, "COUNTS", (1, 2))
