"""The rows of one part of the data that a run was fitted on, as they came."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from likely.data import Rows
from likely.errors import ConfigError, DataError, quoted
from likely.run.forms import packed

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["PARTS", "part_of", "rows_of_part"]

PARTS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


def rows_of_part(run: Run, part: str) -> Rows:
    """The rows of a part, with their labels, and as they were given.

    Raises
    ------
    ConfigError
        If there is no part of that name.
    DataError
        If the part is empty, or the data of the fit are gone.

    """
    if part not in PARTS:
        raise ConfigError(f"part must be train, val or test, got {quoted(part)}")
    kind = PARTS[part]
    if not len(getattr(run.division, kind)):
        raise DataError(f"this run has no {kind} rows: all rows trained or validated")
    if run.home.source is None and not run.record.data.path:
        raise DataError(
            "this run was fitted on data in memory, which a stored run does not keep; the numbers of its rows are in "
            f"run.division.{kind}"
        )
    source = run.training_source()
    rows, whole = run.division.rows(source, kind), source.splits[run.division.origin[kind]].read().given
    return rows if whole is None else replace(rows, given=_taken(whole, getattr(run.division, kind)))


def _taken(frame: pd.DataFrame, index: np.ndarray) -> pd.DataFrame:
    """Rows by their numbers, of any byte order."""
    taken = pd.DataFrame({i: column.array[index] for i, (_, column) in enumerate(frame.items())}, frame.index[index])
    taken.columns, taken.attrs = frame.columns, dict(frame.attrs)
    return taken


def part_of(run: Run, part: str) -> Any:
    """The rows of a part in the form of the data; see `Run.split`."""
    rows = rows_of_part(run, part)
    values = rows.values.copy() if rows.given is None else rows.given
    return packed(run.record.data.container, values)
