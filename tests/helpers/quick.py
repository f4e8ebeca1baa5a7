"""Runs whose verbs cost little."""

from __future__ import annotations

import pytest

from likely.evaluation.baselines import warped
from likely.report import collect

__all__ = ["quick_reports"]


def quick_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports take few samples, anneal no row, and try few mixtures."""
    monkeypatch.setattr(collect, "ROW_DRAWS", 20)
    monkeypatch.setattr(collect, "ANNEALED", 0)
    monkeypatch.setattr(warped, "COUNTS", (1, 2))
