"""Text with separated fields: csv and its kin."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from likely.data.cells import NUMBER
from likely.data.number_formats import NumberFormat
from likely.data.schema import Column
from likely.data.source import Delimited
from likely.data.sources.fields import read_columns, several
from likely.data.sources.reading import Reading
from likely.errors import DataError
from likely.files import inflated, is_gzip

__all__ = [
    "FOUND",
    "TEXT_COST",
    "Layout",
    "Table",
    "check_names",
    "cut",
    "encodings",
    "fields_of",
    "layout_of",
    "no_text",
    "no_utf8",
    "rows_in",
    "text_of",
    "typed_table",
]

FOUND = Reading()
SEP = re.compile(r"\ufeff?sep=(.)[ \t]*(?:\r\n|\n|\r)", re.IGNORECASE)
COMMA = re.compile(r'\s*"?[-+]?[0-9][0-9.]*(,[0-9]+)?"?\s*', re.ASCII)
WINDOWS = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}
MARKS, INDEX = ",;\t|", "index"
FEWER = "give fewer rows, or another format: parquet, npy"
UNPACK = "give it unpacked (gunzip): such text is read a part at a time"
TEXT_COST = 8  # bytes of memory for a byte of text, so that the peak, about 13, stays within what is free
MAX_COLUMNS = 100_000  # of a table: each takes about a millisecond and a likelihood of its own
HEADER = re.compile(rf"\s*{NUMBER}\s*", re.ASCII)


@dataclass(frozen=True, eq=False)
class Table:
    """A text file as a table.

    Attributes
    ----------
    frame
        Integers, floats or booleans where all of a column's fields are, and strings as they stand elsewhere.
    tokens, written
        Column -> the word that stood most often where a value is missing; how its numbers are written, if not plainly.
    text
        How the file is written.

    """

    frame: pd.DataFrame
    tokens: dict[str, str]
    written: dict[str, NumberFormat]
    text: Delimited


@dataclass(frozen=True)
class Layout:
    """How the lines of one file are cut into columns.

    Attributes
    ----------
    separator, encoding
        The mark between fields; as Python names it.
    names
        Of the columns, in the file's order.
    headed
        Whether the first line has these names.

    """

    separator: str
    encoding: str
    names: tuple[str, ...]
    headed: bool


def layout_of(path: Path, text: str, encoding: str, notices: list[str], reading: Reading = FOUND) -> tuple[Layout, int]:
    """How a file is written, by its beginning, and how many characters come before its first line.

    Raises
    ------
    DataError
        If it is empty, names a column twice, or has too many columns.

    """
    said = SEP.match(text)
    text = text[said.end() :] if said else text
    if not text.strip():
        raise DataError(f"{path} is empty; expected lines of separated fields")
    separator = reading.mark or (said[1] if said else None) or _separator(path, text, reading)
    width = text.split("\n", 1)[0].count(separator) + 1
    if width > MAX_COLUMNS:
        raise DataError(f"{path}: {width:,} columns, expected at most {MAX_COLUMNS:,}; give so many as an array, npy")
    header = next(row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row)
    numeric = all(_is_number(cell, separator) for cell in header) and not reading.named(header)
    names = _numbered(path, header, notices) if numeric else _named(path, header, notices, reading.known)
    if len(header) == 1 and " " in header[0].strip():
        notices.append(f"{path.name} was read as one column: it holds no comma, semicolon, tab or bar")
    return Layout(separator, encoding, tuple(names), not numeric), said.end() if said else 0


def fields_of(path: Path, text: str, layout: Layout, notices: list[str]) -> pd.DataFrame:
    """The fields of all lines as they stand, a column each; blank lines are left out, and a notice says so.

    Raises
    ------
    DataError
        If a line has another width than the first.

    """
    lines = _count(path, text, layout.separator, len(layout.names))
    raw = cut(text, layout, headed=layout.headed)
    blank = lines - len(raw) - layout.headed
    if blank:
        notices.append(f"{path.name}: {blank} blank line(s) were left out")
    return raw


def cut(text: str, layout: Layout, *, headed: bool) -> pd.DataFrame:
    """The fields of lines as they stand, a column each; the first line is left out where it has the names."""
    return pd.read_csv(
        io.StringIO(text, newline=""),
        sep=layout.separator,
        header=0 if headed else None,
        names=list(layout.names),
        index_col=False,
        dtype="str",
        na_filter=False,
        low_memory=False,
    )


def typed_table(name: str, raw: pd.DataFrame, layout: Layout, notices: list[str], reading: Reading = FOUND) -> Table:
    """The fields of a file, or of several, in the types of their columns.

    Raises
    ------
    DataError
        If float64 cannot tell a number, or a field is not of the type that the column has in the run.

    """
    columns, decimal = read_columns(name, raw, reading, notices)
    tokens = {name: column.token for name, column in columns.items() if column.token is not None}
    notices += [
        f"{name}: {token!r} was read as missing in {several(tokens, token)}" for token in sorted(set(tokens.values()))
    ]
    written = {name: column.written for name, column in columns.items() if column.written is not None}
    notices += [
        f"{name}: numbers were read in {several(written, way)} ({way})"
        for way in sorted(set(written.values()), key=str)
    ]
    frame = pd.DataFrame({name: column.values for name, column in columns.items()}).set_axis(raw.index)
    return Table(frame, tokens, written, Delimited(layout.separator, decimal, layout.encoding))


def check_names(names: list[str], what: str) -> None:
    """Raise a `DataError` about `what` where two columns have one name."""
    doubled = next((name for name, count in Counter(names).items() if count > 1), None)
    if doubled is not None:
        raise DataError(f"{what} has more than one column named {doubled!r}; rename them")


def text_of(path: Path, notices: list[str], encoding: str) -> tuple[str, str]:
    """The text and its encoding: UTF-8 or 16 where it can be, then that of the run's rows, then what Windows has."""
    raw = inflated(path, TEXT_COST, UNPACK if is_gzip(path) else FEWER)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _whole(path, raw.decode("utf-16")), "utf-16"
    try:
        return _whole(path, raw.decode("utf-8-sig")), "utf-8"
    except UnicodeDecodeError:
        pass
    for other in encodings(encoding)[1:]:
        try:
            text = _whole(path, raw.decode(other))
        except UnicodeDecodeError:
            continue
        notices.append(no_utf8(path, other))
        return text, other
    raise AssertionError("Latin-1 decodes every byte")


def encodings(known: str) -> list[str]:
    """What a file without a mark may be written in, in the order of trial; `known` is that of the run's rows."""
    return list(dict.fromkeys(["utf-8", *([known] if known in WINDOWS else []), *WINDOWS]))


def no_utf8(path: Path, encoding: str) -> str:
    """The notice of another encoding."""
    return f"{path.name} is not UTF-8; it was read as {WINDOWS[encoding]}"


def _whole(path: Path, text: str) -> str:
    if "\0" in text:
        raise no_text(path)
    return text.rstrip("\r\n")


def no_text(path: Path) -> DataError:
    """What is said of a file with zero bytes."""
    return DataError(f"{path} is not text: it holds zero bytes; expected lines of separated fields")


def _separator(path: Path, text: str, reading: Reading) -> str:
    """The mark that finds the run's columns in the first line; else that which cuts lines into most equal fields."""
    start = text[:1_000_000]
    lines = start.splitlines()
    if len(start) < len(text) and len(lines) > 1:
        lines.pop()
    lines = [line for line in lines if line.strip()][:20]
    text_of = None if reading.schema is None else reading.schema.text
    own = "" if text_of is None else text_of.separator
    mark_of_columns = next((mark for mark in own + MARKS if reading.named(_cells(lines[0], mark))), None)
    if mark_of_columns is not None:
        return mark_of_columns
    if own and set(_widths(lines, own)) == {len(reading.known)}:
        return own
    if ".tsv" in [suffix.lower() for suffix in path.suffixes]:
        return "\t"
    counts = {mark: _widths(lines, mark) for mark in MARKS}
    even = {mark for mark in MARKS if len(set(counts[mark])) == 1 and counts[mark][0] > 1}
    if {",", ";"} <= even and all(COMMA.fullmatch(field or "0") for line in lines[1:] for field in line.split(";")):
        return ";"
    return max(MARKS, key=lambda mark: (mark in even, counts[mark][0]))


def _cells(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark))
    except csv.Error:  # a long line that this mark does not cut
        return [line]


def _widths(lines: list[str], mark: str) -> list[int]:
    try:
        return [len(row) for row in csv.reader(lines, delimiter=mark)]
    except csv.Error:  # a long line that this mark does not cut
        return [0]


def _is_number(cell: str, separator: str) -> bool:
    return bool(HEADER.fullmatch(cell) or (separator != "," and COMMA.fullmatch(cell)))


def _numbered(path: Path, header: list[str], notices: list[str]) -> list[str]:
    called = "its column is named c0" if len(header) == 1 else f"its columns are named c0 to c{len(header) - 1}"
    notice = f"{path.name} has no header row; {called}"
    if len(header) > 1 and [cell.strip() for cell in header] == [str(i) for i in range(len(header))]:
        notice += "; its first line, which could be a header of column numbers, was read as a row"
    notices.append(notice)
    return [f"c{i}" for i in range(len(header))]


def _named(path: Path, header: list[str], notices: list[str], known: Mapping[str, Column]) -> list[str]:
    """Names of columns; a first one without is called index, as tables are written with theirs."""
    names = [cell if cell.strip() else f"c{i}" for i, cell in enumerate(header)]
    if not header[0].strip() and len(header) > 1 and INDEX not in header and names[0] not in known:
        names[0] = INDEX
    for i, cell in enumerate(header):
        if not cell.strip():
            notices.append(f"{path.name}: column {i + 1} has no name; it is called {names[i]}")
    check_names(names, str(path))
    return names


def _count(path: Path, text: str, separator: str, width: int) -> int:
    """How many lines there are (a quoted field may span several), each checked to have `width` fields or be blank."""
    return sum(1 for _ in rows_in(path, io.StringIO(text, newline=""), separator, width))


def rows_in(path: Path, lines: Iterable[str], separator: str, width: int) -> Iterator[list[str]]:
    """The fields of each row, checked to have `width` fields or be blank; a quoted field may span several lines.

    Raises
    ------
    DataError
        If a row has another width, or a quote is left open.

    """
    reader = csv.reader(lines, delimiter=separator)
    try:
        for row in reader:
            if len(row) != width and row and (len(row) > 1 or row[0].strip()):
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(row)} field(s), but the first line has {width}; "
                    "mend that line, or quote the field that holds the separator"
                )
            yield row
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; is a quote left open above?") from error
