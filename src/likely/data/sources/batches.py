"""Rows of tables that arrow reads a batch at a time: parquet and arrow files, and data sets of pyarrow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from likely.data.kinds import Form
from likely.data.source import Rows, RowStore, Source
from likely.data.sources.delimited import check_names
from likely.data.sources.places import Places
from likely.data.sources.tables import FEWER, NULLABLE, checked, demand_plain, frame_of_table, whole
from likely.errors import DataError
from likely.files import demand_room

__all__ = ["BATCH_ROWS", "Part", "Seen", "TableRows", "recut", "rows_source", "seen_in"]

BATCH_ROWS = 4096  # that are decoded at once while single rows are looked for


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one file, or of a part of it.

    Attributes
    ----------
    rows
        How many.
    path
        Of the file, for messages.
    batches
        At most so many rows at a time, in their order, as tables of one schema; of the columns named, all unless given.

    """

    rows: int
    path: Path
    batches: Callable[[int, Sequence[str] | None], Iterator[pa.Table]]


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of the columns of all rows, so that some of them are read in the same types.

    Attributes
    ----------
    missing
        Columns of integers and truths that have missing values.
    categories
        Column that is a dictionary -> all that it holds.

    """

    missing: frozenset[str]
    categories: Mapping[str, pd.Index]


class TableRows(RowStore):
    """Rows that are read a batch at a time; none is held.

    Parameters
    ----------
    parts
        They follow one another.
    schema
        Of all of them.
    place
        The file or folder, for messages.
    seen
        What is known of the columns; found by a look at those that need it unless given.
    size
        The bytes that all rows would fill.

    Raises
    ------
    DataError
        If a name is doubled, or a column holds lists or structs.

    """

    def __init__(self, parts: Sequence[Part], schema: pa.Schema, place: Path, size: int, seen: Seen | None) -> None:
        check_names(schema.names, str(place))
        demand_plain(schema, str(place))
        self._parts, self._schema, self._place, self._size = list(parts), schema, place, size
        self._places = Places([part.rows for part in parts])
        if not len(self._places):
            raise DataError(f"{place} has columns but no rows; expected at least one row")
        self._seen = seen_in(self._parts, schema) if seen is None else seen
        self._index = _range_of(schema, len(self._places))
        first = self.read(np.arange(1)).values
        self._event = first.shape[1:]

    def __len__(self) -> int:
        return len(self._places)

    @property
    def event(self) -> tuple[int, ...]:
        """`(columns,)`."""
        return self._event

    @property
    def index_names(self) -> list[str]:
        """The columns that the file calls its index, which are no columns of the rows."""
        with whole(self._place, "a table"):
            return [str(name) for name in self._schema.empty_table().to_pandas().index.names if name is not None]

    def table(self) -> pa.Table:
        """All rows.

        Raises
        ------
        DataError
            If they would fill more memory than they may.

        """
        demand_room(self._size, f"{self._place}, unpacked,", FEWER)
        with whole(self._place, "a table"):
            return pa.concat_tables([one for part in self._parts for one in part.batches(BATCH_ROWS, None)])

    def read(self, index: np.ndarray | None = None) -> Rows:
        """The rows with these numbers; what holds none of them is not decoded."""
        if index is None:
            return self._rows(self.table(), np.arange(len(self)))
        numbers = self._places.checked(index)
        if not len(numbers):
            return self.read(np.arange(1)).read(numbers)
        with whole(self._place, "a table"):
            found = [(where, _taken(self._parts[part], inner)) for part, where, inner in self._places.parts(numbers)]
            table = pa.concat_tables([rows for _, rows in found]).unify_dictionaries()
            order = np.argsort(np.concatenate([where for where, _ in found]), kind="stable")
            table = table.take(pa.array(order))
        return self._rows(table, numbers)

    def chunks(self, size: int, first: int = 0) -> Iterator[Rows]:
        """All rows from one on, in their order, at most so many at a time."""
        with whole(self._place, "a table"):
            for table in recut(self._from(first, size), size):
                yield self._rows(table, np.arange(first, first + len(table)))
                first += len(table)

    def _from(self, first: int, size: int) -> Iterator[pa.Table]:
        for number, part in enumerate(self._parts):
            before = first - self._places.start(number)
            if before >= part.rows:
                continue
            for table in part.batches(size, None):
                if before < len(table):
                    yield table.slice(max(before, 0))
                before -= len(table)

    def _rows(self, table: pa.Table, numbers: np.ndarray) -> Rows:
        """Rows of a file as a frame, in the types that all rows have together."""
        table.validate(full=True)
        frame = frame_of_table(table.unify_dictionaries(), self._place, self._seen.missing)
        if isinstance(frame.index, pd.RangeIndex):
            frame.index = pd.Index(self._index.start + self._index.step * numbers)
        for name, categories in self._seen.categories.items():
            if name in frame.columns:
                frame[name] = frame[name].cat.set_categories(categories)
        for name, kind in zip(table.column_names, table.schema.types, strict=True):
            if name in frame.columns and pa.types.is_boolean(kind) and name in self._seen.missing:
                frame[name] = frame[name].astype("boolean")
            elif name in frame.columns and pa.types.is_decimal(kind):
                frame[name] = frame[name].astype("float64")
        return Rows(checked(frame, str(self._place)), given=frame)


def rows_source(store: TableRows, path: Path | None, called: Path, *, streamed: bool) -> Source:
    """Rows that are read a batch at a time as a source: all of them at once, unless they stay where they are."""
    names = store.index_names
    notices = (f"{called.name}: the index {', '.join(map(repr, names))} is not modelled",) if names else ()
    return Source(Form.TABLE, {"all": store if streamed else store.read()}, path, notices)


def recut(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows, exactly so many at a time but for the last."""
    held: list[pa.Table] = []
    count = 0
    for table in tables:
        first = 0
        while first < len(table):
            taken = table.slice(first, size - count)
            held.append(taken)
            first, count = first + len(taken), count + len(taken)
            if count == size:
                yield pa.concat_tables(held)
                held, count = [], 0
    if held:
        yield pa.concat_tables(held)


def seen_in(parts: Sequence[Part], schema: pa.Schema, known: Mapping[str, bool] | None = None) -> Seen:
    """What is known of the columns, by a look at those that need it.

    Parameters
    ----------
    parts, schema
        The rows.
    known
        Column -> whether it has missing values, where the file says so.

    """
    missing = dict(known or {})
    coded = [one.name for one in schema if pa.types.is_dictionary(one.type)]
    unsure = [
        one.name
        for one in schema
        if one.name not in missing and (one.type in NULLABLE or pa.types.is_boolean(one.type))
    ]
    held: dict[str, dict[object, None]] = {name: {} for name in coded}
    kinds = {}
    for part in parts if coded or unsure else ():
        for table in part.batches(BATCH_ROWS, [*coded, *unsure]):
            for name in unsure:
                missing[name] = missing.get(name, False) or bool(table.column(name).null_count)
            for name in coded:
                for chunk in table.column(name).chunks:
                    kinds[name] = chunk.dictionary.type
                    held[name].update(dict.fromkeys(chunk.dictionary.to_pylist()))
    categories = {
        name: pd.Index(pa.array([one for one in held[name] if one is not None], kind).to_pandas())
        for name, kind in kinds.items()
    }
    return Seen(frozenset(name for name, has in missing.items() if has), categories)


def _taken(part: Part, inner: np.ndarray) -> pa.Table:
    """Rows of a part, in the order of `inner`."""
    order = np.argsort(inner, kind="stable")
    wanted, found, first = inner[order], [], 0
    for table in part.batches(BATCH_ROWS, None):
        begin, end = np.searchsorted(wanted, [first, first + len(table)])
        if end > begin:
            found.append(table.take(pa.array(wanted[begin:end] - first)))
        first += len(table)
        if end == len(wanted):
            break
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_tables(found).unify_dictionaries().take(pa.array(back))


def _range_of(schema: pa.Schema, rows: int) -> range:
    """The numbers of the rows, as the frame had them that was written."""
    said = (schema.metadata or {}).get(b"pandas")
    indices = json.loads(said).get("index_columns", []) if said else []
    told = indices[0] if len(indices) == 1 and isinstance(indices[0], dict) else {}
    if told.get("kind") == "range":
        numbers = range(told["start"], told["stop"], told["step"])
        if len(numbers) == rows:
            return numbers
    return range(rows)
