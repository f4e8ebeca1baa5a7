"""Verbs on the rows of DATA, however many there are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from likely.cli.many import Target, Work, deliver, identity, part_rows, stamp
from likely.data import Rows, RowStore, Source
from likely.data.bad_row import bad_rows_named_by
from likely.data.kinds import Form
from likely.run.reading import source_of, store_of

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["DataRows", "as_table", "is_table"]

Verb = Callable[["Run", Source, int], Any]  # what a verb makes of a part: the run, its rows, the number of the first


@dataclass(frozen=True)
class DataRows:
    """The rows of DATA that a verb is about.

    Attributes
    ----------
    run, data
        The run, and where the rows are.
    source, store
        As they were opened, and those of it that the verb is about.

    """

    run: Run
    data: str
    source: Source
    store: RowStore

    @classmethod
    def opened(cls, run: Run, data: str) -> DataRows:
        """Open DATA for a run."""
        source = source_of(run, data)
        return cls(run, data, source, store_of(run, source))

    def parts(self, first: int = 0) -> Iterator[tuple[int, Source]]:
        """The rows from a part on: the number of its first row, and it as a source."""
        size, row = part_rows(self.run.schema.dims), 0
        row = first * size
        for rows in self.store.chunks(size, row):
            held = rows
            if isinstance(self.store, Rows) and self.store.given is not None:
                held = replace(rows, given=self.store.given.iloc[row : row + len(rows)])
            yield row, Source(self.source.form, {"all": held}, self.source.path, (), self.source.text)
            row += len(rows)

    def deliver(self, verb: str, asked: Mapping[str, Any], of_part: Verb, target: Target, *, frames: bool) -> None:
        """Compute and write what a verb makes of the rows, a part at a time.

        Parameters
        ----------
        verb, asked
            Its name, and its options.
        of_part
            What it makes of a part.
        target, frames
            Where that goes, and whether it is a frame.

        """
        for notice in self.source.notices if self.source.form == Form.TABLE else ():
            warnings.warn(notice, stacklevel=2)
        quiet = replace(self.run, progress=False)

        def results(first: int) -> Iterator[Any]:
            for row, part in self.parts(first):
                with bad_rows_named_by(np.arange(row, row + len(part.splits["all"]))):
                    result = of_part(quiet, part, row)
                yield result

        size = part_rows(self.run.schema.dims)
        known = {"verb": verb, **identity(self.run), "data": stamp(self.data), "rows": len(self.store), "part": size}
        deliver(Work(verb, {**known, **asked}, len(self.store), size, frames, results), self.run.schema, target)


def is_table(run: Run, output: Path | None) -> bool:
    """Whether rows in the form of the data are written as a table: those of one, or lines of numbers as text."""
    if run.schema.form == Form.TABLE:
        return True
    suffix = "" if output is None else output.suffix.lower()
    return len(run.schema.event_shape) == 1 and suffix not in ("", ".npy")


def as_table(result: Any, *, frames: bool) -> Any:
    """Rows of an array as a table with columns x0, x1, ..., where they are to be one."""
    if not frames or isinstance(result, pd.DataFrame):
        return result
    return pd.DataFrame(result, columns=[f"x{i}" for i in range(result.shape[1])])
