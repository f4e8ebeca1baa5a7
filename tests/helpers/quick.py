"""Runs whose verbs cost little."""

from __future__ import annotations

from functools import partialmethod

import pytest

import likely

__all__ = ["quick_reports"]


def quick_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports take few samples and anneal no row."""
    monkeypatch.setattr(likely.Run, "assess", partialmethod(likely.Run.assess, samples=20, anneal=0))
