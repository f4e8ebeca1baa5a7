"""Text with separated fields: csv and its kin."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from likely.data.cells import NUMBER
from likely.data.sources.typed import typed
from likely.errors import DataError

__all__ = ["check_names", "read_delimited"]

SHOWN = 8
HEADER = re.compile(rf"\s*{NUMBER}\s*", re.ASCII)


def read_delimited(path: Path, notices: list[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read separated text as it is, and say in `notices` what had to be decided.

    Fields are integers, floats or booleans where all of a column's are, and strings as they stand elsewhere.

    Parameters
    ----------
    path
        A text file, gzipped or not; the separator is a tab in `.tsv` files and sniffed among `, ; tab |` elsewhere.
    notices
        Sentences are added here.

    Returns
    -------
    (pandas.DataFrame, dict)
        The table, and for each column with missing cells the word that stood there most often, if any did.

    Raises
    ------
    DataError
        If it is not text, is empty, names a column twice, has a line of another width than the first, or
        a number that float64 cannot tell.

    """
    text = _text(path, notices)
    if not text.strip():
        raise DataError(f"{path} is empty; expected lines of separated fields")
    separator = "\t" if ".tsv" in [suffix.lower() for suffix in path.suffixes] else _separator(text)
    header = next(row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row)
    numeric = all(HEADER.fullmatch(cell) for cell in header)
    names = _numbered(path, header, notices) if numeric else _named(path, header, notices)
    lines = _count(path, text, separator, len(header))

    raw = pd.read_csv(
        io.StringIO(text, newline=""),
        sep=separator,
        header=None if numeric else 0,
        names=names,
        index_col=False,
        dtype="str",
        na_filter=False,
        low_memory=False,
    )
    blank = lines - len(raw) - (not numeric)
    if blank:
        notices.append(f"{path.name}: {blank} blank line(s) were left out")
    if len(header) == 1 and " " in header[0].strip():
        notices.append(f"{path.name} was read as one column: it holds no comma, semicolon, tab or bar")
    columns = {name: typed(f"{path.name}: column {name!r}", texts, notices) for name, texts in raw.items()}
    tokens = {str(name): column.token for name, column in columns.items() if column.token is not None}
    for token in sorted(set(tokens.values())):
        found = [name for name, its in tokens.items() if its == token]
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        notices.append(f"{path.name}: {token!r} was read as missing in {', '.join(found[:SHOWN])}{more}")
    return pd.DataFrame({name: column.values for name, column in columns.items()}), tokens


def check_names(names: list[str], what: str) -> None:
    """Raise a `DataError` about `what` where two columns have one name."""
    doubled = next((name for name, count in Counter(names).items() if count > 1), None)
    if doubled is not None:
        raise DataError(f"{what} has more than one column named {doubled!r}; rename them")


def _text(path: Path, notices: list[str]) -> str:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _whole(path, raw.decode("utf-16"))
    try:
        return _whole(path, raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        pass
    for encoding, name in (("cp1252", "Windows-1252"), ("latin-1", "Latin-1")):
        try:
            text = _whole(path, raw.decode(encoding))
        except UnicodeDecodeError:
            continue
        notices.append(f"{path.name} is not UTF-8; it was read as {name}")
        return text
    raise AssertionError("Latin-1 decodes every byte")


def _whole(path: Path, text: str) -> str:
    if "\0" in text:
        raise DataError(f"{path} is not text: it holds zero bytes; expected lines of separated fields")
    return text.rstrip("\r\n")


def _separator(text: str) -> str:
    """The one among comma, semicolon, tab and bar that cuts the first lines into the most equal fields."""
    start = text[:1_000_000]
    lines = start.splitlines()
    if len(start) < len(text) and len(lines) > 1:
        lines.pop()
    lines = [line for line in lines if line.strip()][:20]
    counts = {mark: _widths(lines, mark) for mark in ",;\t|"}
    return max(counts, key=lambda mark: (len(set(counts[mark])) == 1 and counts[mark][0] > 1, counts[mark][0]))


def _widths(lines: list[str], mark: str) -> list[int]:
    try:
        return [len(row) for row in csv.reader(lines, delimiter=mark)]
    except csv.Error:  # a long line that this mark does not cut
        return [0]


def _numbered(path: Path, header: list[str], notices: list[str]) -> list[str]:
    called = "its column is named c0" if len(header) == 1 else f"its columns are named c0 to c{len(header) - 1}"
    notice = f"{path.name} has no header row; {called}"
    if len(header) > 1 and [cell.strip() for cell in header] == [str(i) for i in range(len(header))]:
        notice += "; its first line, which could be a header of column numbers, was read as a row"
    notices.append(notice)
    return [f"c{i}" for i in range(len(header))]


def _named(path: Path, header: list[str], notices: list[str]) -> list[str]:
    names = [cell if cell.strip() else f"c{i}" for i, cell in enumerate(header)]
    for i, cell in enumerate(header):
        if not cell.strip():
            notices.append(f"{path.name}: column {i + 1} has no name; it is called c{i}")
    check_names(names, str(path))
    return names


def _count(path: Path, text: str, separator: str, width: int) -> int:
    """How many lines there are (a quoted field may span several), each checked to have `width` fields or be blank."""
    count = 0
    for number, row in _numbered_rows(path, text, separator):
        count += 1
        blank = not row or (len(row) == 1 and not row[0].strip())
        if not blank and len(row) != width:
            raise DataError(
                f"{path}, line {number}: {len(row)} field(s), but the first line has {width}; "
                "mend that line, or quote the field that holds the separator"
            )
    return count


def _numbered_rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; is a quote left open above?") from error
