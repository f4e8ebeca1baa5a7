"""All training rows looked at once, in chunks: what a sample of them may lack, and how many cells are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from likely.data.cells import missing_cells
from likely.data.cells_alike import NAME
from likely.data.columns import MAX_CATEGORIES
from likely.data.schema import Schema
from likely.data.source import Rows

__all__ = ["Survey", "surveyed"]

MAX_NUMBERS = 256  # different numbers of a column up to which a row of each is kept: those that may be listed or codes
MAX_ENDS = 4096  # columns of a matrix up to which the rows with the ends of each are kept; beyond, those of all cells

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Survey:
    """What all training rows hold.

    Attributes
    ----------
    rows
        How many there are.
    numbers
        Those rows that a sample needs to have what all have: for each column a row with its least and one with its
        greatest value, one with each category, and one that misses it; ascending.
    missing
        Column -> how many cells have no value; of an array whose cells are of one kind under the name of its cells.

    """

    rows: int
    numbers: np.ndarray
    missing: dict[str, int]

    def exact(self, schema: Schema) -> Schema:
        """The schema, inferred from a sample that has these rows, with the counts of all training rows."""
        columns = (
            replace(
                column,
                missing=self.missing.get(column.name, column.missing),
                reserve=1 / (self.rows + 1) if column.reserve else 0.0,
            )
            for column in schema.columns
        )
        return replace(schema, rows=self.rows, columns=tuple(columns))


@dataclass(eq=False)
class _Ends:
    """The rows with the least and the greatest values of some numbers."""

    low: np.ndarray
    high: np.ndarray
    rows: np.ndarray  # (2, numbers): of the least and of the greatest; -1 where no row has a value yet

    @classmethod
    def of(cls, count: int) -> _Ends:
        return cls(np.full(count, np.inf), np.full(count, -np.inf), np.full((2, count), -1))

    def add(self, values: np.ndarray, numbers: np.ndarray) -> None:
        """Take in values `(rows, numbers)`, float64 with NaN where there is none."""
        known = ~np.isnan(values)
        for place, part, better in (
            (0, np.where(known, values, np.inf), np.less),
            (1, np.where(known, values, -np.inf), np.greater),
        ):
            best = self.high if place else self.low
            at = part.argmax(0) if place else part.argmin(0)
            ends = np.take_along_axis(part, at[None], 0)[0]
            improved = better(ends, best)
            best[improved] = ends[improved]
            self.rows[place, improved] = numbers[at[improved]]


@dataclass(eq=False)
class _Column:
    """What one column of frames, or the labels beside arrays, hold."""

    ends: _Ends = field(default_factory=lambda: _Ends.of(1))
    known: dict[object, int] | None = field(default_factory=dict)  # value -> a row that holds it; `None`: too many
    missing: int = 0
    lacking: list[int] = field(default_factory=list)  # the first row without a value

    def add(self, values: pd.Series, numbers: np.ndarray) -> None:
        missing, _ = missing_cells(values)
        self.missing += int(missing.sum())
        if missing.any() and not self.lacking:
            self.lacking.append(int(numbers[missing.argmax()]))
        present, numbers = values[~missing], numbers[~missing]
        if not len(present):
            return
        ordered = _as_floats(present)
        if ordered is not None:
            self.ends.add(ordered[:, None], numbers)
        if self.known is not None:
            first = ~present.duplicated().to_numpy()
            for value, number in zip(present[first].tolist(), numbers[first].tolist(), strict=True):
                self.known.setdefault(value, number)
            if len(self.known) > (MAX_CATEGORIES if ordered is None else MAX_NUMBERS):
                self.known = None

    @property
    def numbers(self) -> Iterator[int]:
        yield from self.lacking
        yield from self.ends.rows[self.ends.rows >= 0].tolist()
        yield from ({} if self.known is None else self.known).values()


def _as_floats(values: pd.Series) -> np.ndarray | None:
    """Numbers and dates as float64, for their order; `None` for what has none."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return None
    if pd.api.types.is_numeric_dtype(values.dtype):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return np.asarray(values.to_numpy("datetime64[ns]").astype(np.int64).astype(np.float64))
    return None


def surveyed(chunks: Iterator[tuple[np.ndarray, Rows]], total: int, progress: Progress | None = None) -> Survey:
    """What all training rows hold.

    Parameters
    ----------
    chunks
        The numbers of some training rows, and these rows; of arrays and pictures as they came.
    total
        How many rows there are, for the progress.
    progress
        Called with (rows looked at, rows).

    """
    columns: dict[str, _Column] = {}
    cells: _Ends | None = None
    missing: np.ndarray | int = 0
    rows, lacking = 0, list[int]()
    for numbers, part in chunks:
        rows += len(part)
        if not len(part):
            continue
        if isinstance(part.values, pd.DataFrame):
            for name, values in part.values.items():
                columns.setdefault(str(name), _Column()).add(values, numbers)
        else:
            flat = part.values.reshape(len(part), -1)
            if flat.dtype.kind == "f":
                nothing = np.isnan(flat)
                new = nothing.any(0) & (np.asarray(missing) == 0)  # cells that no row before misses
                lacking += numbers[np.unique(nothing[:, new].argmax(0))].tolist() if new.any() else []
                missing = missing + nothing.sum(0)
            several = part.values.ndim == 2 and flat.shape[1] <= MAX_ENDS
            cells = cells or _Ends.of(flat.shape[1] if several else 1)
            for ends in (flat,) if several else (_least(flat), -_least(-flat.astype(np.float64))):
                cells.add((ends if several else ends[:, None]).astype(np.float64), numbers)
        for name in part.label_names:
            columns.setdefault(name, _Column()).add(pd.Series(part.values_named(name)), numbers)
        if progress is not None:
            progress(int(numbers[-1]) + 1, total)
    kept = [number for column in columns.values() for number in column.numbers]
    kept += lacking
    kept += [] if cells is None else cells.rows[cells.rows >= 0].tolist()
    counts = {name: column.missing for name, column in columns.items()}
    if isinstance(missing, np.ndarray):
        counts = {f"x{i}": int(count) for i, count in enumerate(missing)} | {NAME: int(missing.sum())} | counts
    return Survey(rows, np.unique(np.array(kept, np.int64)), counts)


def _least(flat: np.ndarray) -> np.ndarray:
    """The least value of each row, `(rows,)` float64; NaN where it has none."""
    if flat.dtype.kind != "f":
        return np.asarray(flat.min(1), np.float64)
    low = np.where(np.isnan(flat), np.inf, flat).min(1)
    return np.asarray(np.where(np.isinf(low), np.nan, low))
