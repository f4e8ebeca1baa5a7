"""What a lower room calls and a higher room does: `likely/__init__.py`, which is above all rooms, connects the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

__all__ = ["ReportWriter", "report_writer", "set_report_writer"]


class ReportWriter(Protocol):
    """Writes the report of a run to a path, or into the run's directory, and returns where it is."""

    def __call__(self, run: Any, path: str | Path | None = None, *, overwrite: bool = False) -> Path: ...


_writers: list[ReportWriter] = []


def set_report_writer(writer: ReportWriter) -> None:
    """Set what `Run.report` calls."""
    _writers[:] = [writer]


def report_writer() -> ReportWriter:
    """The function that `Run.report` calls: what was set last."""
    return _writers[0]
