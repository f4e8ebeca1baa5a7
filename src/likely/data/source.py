"""What comes in, before anything is inferred: rows as they are, in named splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data.kinds import Form
from likely.data.number_formats import NumberFormat

__all__ = ["LABEL", "Delimited", "RowStore", "Rows", "Source"]

LABEL = "label"


@dataclass(frozen=True)
class Delimited:
    """How a text file of separated fields is written.

    Attributes
    ----------
    separator, decimal
        The mark between fields, and the one before the decimals of numbers.
    encoding
        As Python names it.

    """

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"


class RowStore(ABC):
    """What a reader gives: the rows of one split, wherever they are held; some of them are read as `Rows`."""

    @abstractmethod
    def __len__(self) -> int:
        """How many rows."""

    @abstractmethod
    def read(self, index: np.ndarray | None = None) -> Rows:
        """The rows with these numbers, in that order, in memory; all rows unless given."""

    @property
    @abstractmethod
    def event(self) -> tuple[int, ...]:
        """The shape of one row: `(columns,)` of a table."""

    def chunks(self, size: int, first: int = 0) -> Iterator[Rows]:
        """All rows from one on, in their order, at most so many at a time."""
        for start in range(first, len(self), size):
            yield self.read(np.arange(start, min(start + size, len(self))))


@dataclass(frozen=True, eq=False)
class Rows(RowStore):
    """Some rows of one source, as they came, in memory.

    Attributes
    ----------
    values
        A `DataFrame` (form `table`), or an array `(rows, *event)` (forms `array` and `images`;
        images are uint8, or uint16 where the files have 16 bits, `(rows, height, width)` when grey and
        `(rows, height, width, 3)` in colour).
    labels
        `(rows,)` class labels that came beside the data: kept, not modelled.
    beside
        More labels of the rows, a column each: kept, not modelled. `None` for none.
    tokens
        Column -> what stood in its missing cells most often, where the reader took it away (` ?`).
    written
        Column -> how its numbers stood in the text that the reader made numbers of.
    given
        The same frame with the names and the types that it came with, where it is a whole source.

    """

    values: pd.DataFrame | np.ndarray
    labels: np.ndarray | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    beside: pd.DataFrame | None = None
    written: Mapping[str, NumberFormat] = field(default_factory=dict)
    given: pd.DataFrame | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.values)

    def read(self, index: np.ndarray | None = None) -> Rows:
        """The rows with these numbers; of an array a view, where they lie one after the other; all are these rows."""
        if index is None:
            return self
        if isinstance(self.values, pd.DataFrame):
            values: pd.DataFrame | np.ndarray = self.values.iloc[index]
        elif len(index) and index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
            values = self.values[index[0] : index[-1] + 1]
        else:
            values = self.values[index]
        labels = None if self.labels is None else self.labels[index]
        beside = None if self.beside is None else self.beside.iloc[index].reset_index(drop=True)
        return Rows(values, labels, self.tokens, beside, self.written)

    @property
    def event(self) -> tuple[int, ...]:
        """The shape of one row: `(columns,)` of a table."""
        return self.values.shape[1:]

    @property
    def label_names(self) -> list[str]:
        """What the labels are called that came beside the rows."""
        first = [] if self.labels is None else [LABEL]
        return first + ([] if self.beside is None else [str(name) for name in self.beside.columns])

    def values_named(self, name: str) -> np.ndarray | None:
        """The labels, or other values beside the rows, of that name, `(rows,)`; `None` if there are none."""
        if name == LABEL:
            return self.labels
        return self.beside[name].to_numpy() if self.beside is not None and name in self.beside else None


@dataclass(frozen=True, eq=False)
class Source:
    """A data set as it came: its form, its splits, and what the reader has to say about it.

    Attributes
    ----------
    form
        `table` for data frames and csv/parquet/arrow files, `array` for npy/npz/ndarray/tensor,
        `images` for IDX pictures and image folders. Results are given back in the same form.
    splits
        `{"all": rows}` when the source is not divided, else any of `train`, `val`, `test`. Rows that would fill too
        much memory are no `Rows` but stores that hold none, and read those that are asked for.
    path
        Where it was read from; `None` for data in memory.
    notices
        One sentence for each thing done to the data that the user should know.
    text
        How the text file is written that it was read from.

    """

    form: Form
    splits: Mapping[str, RowStore]
    path: Path | None = None
    notices: tuple[str, ...] = field(default=())
    text: Delimited | None = None

    @property
    def streamed(self) -> bool:
        """Whether rows are read when they are asked for, because all of them would fill too much memory."""
        return any(not isinstance(rows, Rows) for rows in self.splits.values())
