"""Rows of text files too large to be held: cut at the places of their lines, then read as any text is."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data.source import Delimited, Rows, RowStore
from likely.data.sources.by_schema import settled
from likely.data.sources.columns_alike import demand_same_names
from likely.data.sources.delimited import (
    Layout,
    Table,
    cut,
    encodings,
    fields_of,
    layout_of,
    no_text,
    no_utf8,
    rows_in,
    text_of,
    typed_table,
)
from likely.data.sources.places import Places
from likely.data.sources.reading import Reading
from likely.data.sources.tables import checked
from likely.errors import DataError

__all__ = ["TextRows", "read_texts", "rows_of_table"]

BLOCK_ROWS = 64  # between two places that are kept
HEAD_BYTES = 2**22  # of a file, by which it is found how it is written: more than the million characters looked at
UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
FIRST_ROWS = 10_000  # by which the decimal mark of a streamed file is told


@dataclass(frozen=True, eq=False)
class _File:
    """Where the rows of a file lie: the place in bytes of every 64th, and that of the end."""

    path: Path
    layout: Layout
    codec: str
    starts: np.ndarray
    rows: int

    def text(self, first: int, last: int) -> str:
        """The lines of blocks."""
        with self.path.open("rb") as file:
            file.seek(int(self.starts[first]))
            return file.read(int(self.starts[last] - self.starts[first])).decode(self.codec)

    def lines(self, index: np.ndarray) -> str:
        """The lines of these rows; a row may have several, and blank ones may stand between those that follow."""
        blocks = index // BLOCK_ROWS
        if index[-1] - index[0] == len(index) - 1 and bool((np.diff(index) == 1).all()):
            first, last = int(blocks[0]), int(blocks[-1])
            skipped, kept = int(index[0]) - first * BLOCK_ROWS, int(index[-1]) + 1 - last * BLOCK_ROWS
            if first == last:
                return "".join(self._rows(first)[skipped:kept])
            between = self.text(first + 1, last)
            return "".join([*self._rows(first)[skipped:], between, *self._rows(last)[:kept]])
        held = {block: self._rows(block) for block in np.unique(blocks).tolist()}
        return "".join([held[row // BLOCK_ROWS][row % BLOCK_ROWS] for row in index.tolist()])

    def _rows(self, block: int) -> list[str]:
        """The lines of each row of a block, with their ends."""
        text = self.text(block, block + 1)
        cuts = list(_ends(self.path, io.StringIO(text, newline=""), self.layout))
        starts = [0, *(stop for stop, _ in cuts)]
        rows = [text[start:stop] for start, (stop, blank) in zip(starts, cuts, strict=False) if not blank]
        return [row if row.endswith(("\n", "\r")) else row + "\n" for row in rows]


class TextRows(RowStore):
    """Rows of text files, one file after the other; only the places of their lines are held.

    Without a schema the columns of the rows that are read together have the types that these rows tell.

    Parameters
    ----------
    paths, place
        Files that are not gzipped, of the same columns; what to call them in messages.
    notices
        Sentences on how they are written are added here.
    reading
        What is known of them.

    Raises
    ------
    DataError
        If a file is no text, has a line of another width than its first, or other columns than the first file.

    """

    def __init__(self, paths: Sequence[Path], place: Path, notices: list[str], reading: Reading) -> None:
        self._paths, self._place, self._reading = list(paths), place, reading
        self._files = [_file(path, notices, reading) for path in paths]
        self._names = list(self._files[0].layout.names)
        for file in self._files:
            demand_same_names(file.layout.names, file.path, self._names, self._files[0].path)
        self._places = Places([file.rows for file in self._files])
        if not len(self):
            raise DataError(f"{place} has columns but no rows; expected at least one row")
        self.text: Delimited = self._table(np.arange(min(len(self), FIRST_ROWS))).text

    def __len__(self) -> int:
        return len(self._places)

    @property
    def event(self) -> tuple[int, ...]:
        """`(columns,)`."""
        return (len(self._names),)

    def read(self, index: np.ndarray | None = None) -> Rows:
        """The rows with these numbers; their columns have the types of the schema, or those that these rows tell."""
        if index is None:
            return rows_of_table(read_texts(self._paths, self._place, [], self._reading), self._place)
        numbers = self._places.checked(index)
        if not len(numbers):
            return self.read(np.arange(1)).read(numbers)
        return rows_of_table(self._table(numbers), self._place)

    def _table(self, numbers: np.ndarray) -> Table:
        raws, order = [], []
        for part, where, inner in self._places.parts(numbers):
            file = self._files[part]
            raw = cut(file.lines(inner), file.layout, headed=False)
            if len(raw) != len(inner):
                raise DataError(f"{file.path} has changed while it was read; leave it as it is, and start again")
            raws.append(raw[self._names])
            order.append(where)
        raw = pd.concat(raws, ignore_index=True) if len(raws) > 1 else raws[0]
        raw = raw.iloc[np.argsort(np.concatenate(order), kind="stable")].set_axis(pd.Index(numbers))
        table = typed_table(self._place.name, raw, self._files[0].layout, [], self._reading)
        known = self._reading.known
        return replace(
            table,
            frame=table.frame.assign(
                **{name: settled(values, known[name]) for name, values in table.frame.items() if name in known}
            ),
        )


def read_texts(paths: Sequence[Path], place: Path, notices: list[str], reading: Reading) -> Table:
    """All rows of several text files; what a column holds is told by all of them together.

    Raises
    ------
    DataError
        If a file is no text, has a line of another width than its first, or other columns than the first file.

    """
    raws: list[pd.DataFrame] = []
    layouts: list[Layout] = []
    for path in paths:
        text, encoding = text_of(path, notices, reading.encoding)
        layout, said = layout_of(path, text, encoding, notices, reading)
        demand_same_names(layout.names, path, layouts[0].names if layouts else layout.names, paths[0])
        layouts.append(layout)
        raws.append(fields_of(path, text[said:], layout, notices)[list(layouts[0].names)])
    raw = pd.concat(raws, ignore_index=True) if len(raws) > 1 else raws[0]
    return typed_table(place.name, raw, layouts[0], notices, reading)


def rows_of_table(table: Table, place: Path) -> Rows:
    """What was read of text files, checked."""
    frame = checked(table.frame, str(place))
    return Rows(frame, tokens=table.tokens, written=table.written, given=table.frame)


def _file(path: Path, notices: list[str], reading: Reading) -> _File:
    """Look at all lines of a file once: whether it is text, and where its rows begin."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[:2] in UTF16:
        return _indexed(path, head, "utf-16", notices, reading)
    for encoding in encodings(reading.encoding):
        own: list[str] = []
        try:
            found = _indexed(path, head, encoding, own, reading)
        except UnicodeDecodeError:
            continue
        notices += ([] if encoding == "utf-8" else [no_utf8(path, encoding)]) + own
        return found
    raise AssertionError("Latin-1 decodes every byte")


def _indexed(path: Path, head: bytes, encoding: str, notices: list[str], reading: Reading) -> _File:
    codec, mark = UTF16.get(head[:2], encoding), 2
    if encoding != "utf-16":
        mark = 3 if encoding == "utf-8" and head.startswith(codecs.BOM_UTF8) else 0
    whole = len(head) < HEAD_BYTES
    text = codecs.getincrementaldecoder(codec)().decode(head[mark:], final=whole)
    layout, said = layout_of(path, text.rstrip("\r\n") if whole else text, encoding, notices, reading)
    start = mark + len(text[:said].encode(codec))
    starts, rows, blank, blank_since = [start], 0, 0, 0
    headed = layout.headed
    with path.open("rb") as file:
        file.seek(start)
        lines = io.TextIOWrapper(file, encoding=codec, newline="")
        for stop, empty in _ends(path, lines, layout, codec):
            if empty:
                blank_since += 1
                continue
            blank, blank_since = blank + blank_since, 0
            if headed:
                headed, starts = False, [start + stop]
                continue
            rows += 1
            if rows % BLOCK_ROWS == 0:
                starts.append(start + stop)
            end = start + stop
    if rows % BLOCK_ROWS and rows:
        starts.append(end)
    if blank:
        notices.append(f"{path.name}: {blank} blank line(s) were left out")
    return _File(path, layout, codec, np.array(starts, dtype=np.int64), rows)


def _ends(path: Path, lines: Iterable[str], layout: Layout, codec: str | None = None) -> Iterator[tuple[int, bool]]:
    """Where each row ends, in characters or in bytes, and whether it is a blank line, which is no row."""
    place, last, wide = 0, "", codec is not None and codec.startswith("utf-16")

    def counted() -> Iterator[str]:
        nonlocal place, last
        for last in lines:
            if "\0" in last:
                raise no_text(path)
            plain = codec is None or (not wide and last.isascii())
            place += len(last) if plain else len(last.encode(str(codec)))
            yield last

    for row in rows_in(path, counted(), layout.separator, len(layout.names)):
        yield place, len(row) < 2 and not last.strip(" \t\r\n")
