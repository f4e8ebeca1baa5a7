"""csv, parquet and arrow files, and frames."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from pathlib import Path

import pandas as pd

from likely.data.source import Rows, Source
from likely.errors import DataError

__all__ = ["COMPRESSED", "SUFFIXES", "checked", "read"]

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".arrow", ".feather")
COMPRESSED = ([".csv", ".gz"], [".tsv", ".gz"], [".txt", ".gz"])
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]


def checked(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """A frame with distinct column names and rows.

    Raises
    ------
    DataError
        If names are doubled, or there are no rows or columns.

    """
    names = [str(name) for name in frame.columns]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(f"{what} has more than one column named {doubled[0]!r}; rename them")
    if frame.shape[1] == 0:
        raise DataError(f"{what} has no columns")
    if frame.shape[0] == 0:
        raise DataError(f"{what} has a header but no rows")
    named = frame.set_axis(names, axis=1)
    return named.assign(**{name: _numbers(named[name]) for name in names if named[name].dtype == object})


def _numbers(column: pd.Series) -> pd.Series:
    """Numbers that came as Python objects (decimals of parquet, frames put together by hand), as numbers."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("decimal", "floating", "mixed-integer-float"):
        return column.astype("float64")
    return column.infer_objects() if kind in ("integer", "boolean") else column


def read(path: Path) -> Source:
    """Read a table as it is: integers, floats and strings keep their types."""
    suffix = path.suffix.lower()
    notices: list[str] = []
    try:
        if suffix in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        elif suffix in (".arrow", ".feather"):
            frame = _arrow(path)
        else:
            frame = _csv(path, _text(path, notices), notices)
    except DataError:
        raise
    except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:
        raise DataError(f"{path} cannot be read as {suffix[1:]}: {' '.join(str(error).split())[:160]}") from error
    return Source("table", {"all": Rows(checked(frame, str(path)))}, path, tuple(notices))


def _arrow(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import feather, ipc

    with path.open("rb") as file:
        head = file.read(6)
    if head[:4] == b"FEA1" or head == b"ARROW1":
        return feather.read_feather(path)
    with pa.memory_map(str(path)) as mapped, ipc.open_stream(mapped) as stream:
        return stream.read_pandas()


def _text(path: Path, notices: list[str]) -> str:
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        raw = gzip.decompress(raw)
    if b"\0" in raw[:4096]:
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return raw.decode("utf-16")
        raise DataError(f"{path} is not text: it holds zero bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        notices.append(f"{path.name} is not UTF-8; it was read as Windows-1252")
        return raw.decode("cp1252", errors="replace")


def _csv(path: Path, text: str, notices: list[str]) -> pd.DataFrame:
    if not text.strip():
        raise DataError(f"{path} is empty")
    separator = "\t" if ".tsv" in path.suffixes else _separator(text)
    header = next(row for row in csv.reader(io.StringIO(text), delimiter=separator) if row)
    numeric = all(re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", cell) for cell in header)
    names = [f"c{i}" for i in range(len(header))] if numeric else header
    if numeric:
        notices.append(f"{path.name} has no header row; its columns are named c0 to c{len(header) - 1}")
    elif len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path} has more than one column named {doubled!r}; rename them")
    _check_widths(path, text, separator, len(header))
    return pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None if numeric else 0,
        names=names,
        index_col=False,
        keep_default_na=False,
        na_values=MISSING,
        low_memory=False,
    )


def _separator(text: str) -> str:
    """The one among comma, semicolon, tab and bar that cuts the first lines into the most equal fields."""
    lines = [line for line in text[:65536].splitlines()[:20] if line.strip()]
    counts = {mark: [len(row) for row in csv.reader(lines, delimiter=mark)] for mark in ",;\t|"}
    return max(counts, key=lambda mark: (len(set(counts[mark])) == 1 and counts[mark][0] > 1, counts[mark][0]))


def _check_widths(path: Path, text: str, separator: str, width: int) -> None:
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        for row in reader:
            if row and len(row) != width:
                raise DataError(f"{path}, line {reader.line_num}: {len(row)} fields where the first line has {width}")
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error
