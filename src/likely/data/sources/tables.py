"""Frames, and what files of tables have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from likely.data.kinds import Form
from likely.data.source import Rows, Source
from likely.data.sources.delimited import check_names
from likely.data.sources.plain import plain
from likely.errors import DataError, InputError, quoted
from likely.files import demand_room

__all__ = ["FEWER", "checked", "demand_plain", "frame_of_table", "frame_source", "table_source", "whole"]

INFERRED = ("integer", "boolean", "datetime", "datetime64", "timedelta", "timedelta64")
FEWER = "give fewer rows or columns"
NULLABLE = {getattr(pa, name.lower())(): getattr(pd, f"{name}Dtype")() for name in
            ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")}  # fmt: skip


def checked(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """The frame, checked to have distinct column names, rows, and one plain value in each cell.

    Parameters
    ----------
    frame
        As it came; it is not changed.
    what
        What to call it in messages.

    Raises
    ------
    DataError
        If names are doubled, there are no rows or columns, or a column holds lists, complex numbers or signalling NaN.

    """
    names = [str(name) for name in frame.columns]
    check_names(names, what)
    if frame.shape[1] == 0:
        raise DataError(f"{what} has no columns; expected at least one")
    if frame.shape[0] == 0:
        raise DataError(f"{what} has columns but no rows; expected at least one row")
    named = frame.set_axis(names, axis=1)
    dtypes = dict(zip(names, named.dtypes, strict=True))
    objects = [name for name, dtype in dtypes.items() if pd.api.types.is_object_dtype(dtype)]
    for name in [*objects, *(name for name, dtype in dtypes.items() if dtype.kind == "c")]:
        kind = _unplain(named[name])
        if kind:
            column = f"frame[{name!r}]"
            cures = {"complex": f"{column}.to_numpy().real and .imag", "dict": f"pd.json_normalize({column})"}
            cure = cures.get(kind.split()[-1], f"arrays of one shape go in as np.stack({column})")
            raise DataError(
                f"{what}, column {name!r} holds {kind}; expected one number or string a cell, so expand it: {cure}"
            )
        signalling = next((i for i, v in enumerate(named[name]) if isinstance(v, Decimal) and v.is_snan()), None)
        if signalling is not None:
            where = f"{what}, column {name!r}, row {named.index[signalling]}"
            raise DataError(f"{where}: a signalling NaN cannot be compared; give None where nothing is known")
    named = named.assign(**{name: _numbers(named[name]) for name in objects})
    plain_columns = {name: plain(column) for name, column in named.items()}
    return named.assign(**{name: column for name, column in plain_columns.items() if column.dtype != named[name].dtype})


def frame_source(frame: pd.DataFrame) -> Source:
    """A frame in memory, as a source."""
    return Source(Form.TABLE, {"all": Rows(checked(frame, "the frame"), given=frame)})


def table_source(table: pa.Table, path: Path) -> Source:
    """The rows of an arrow table that a file holds; integers beside missing values stay integers."""
    check_names(table.column_names, str(path))
    table.validate(full=True)
    demand_room(table.nbytes + 8 * table.num_rows * table.num_columns + _seen(table), str(path), FEWER)
    frame = frame_of_table(table, path, {one.name for one in table.schema if table.column(one.name).null_count})
    indices = [name for name in frame.index.names if name is not None]
    notices = (f"{path.name}: the index {', '.join(map(repr, indices))} is not modelled",) if indices else ()
    return Source(Form.TABLE, {"all": Rows(checked(frame, str(path)), given=frame)}, path, notices)


def frame_of_table(table: pa.Table, path: Path, missing: Collection[str]) -> pd.DataFrame:
    """Rows of a file as a frame; integers in the columns that have missing values, here or elsewhere, stay integers.

    Raises
    ------
    DataError
        If what the file says of its columns is damaged.

    """
    try:
        frame = table.to_pandas()
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: what it says about its columns is damaged ({error!r}); write it anew") from error
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in frame.columns and column.type in NULLABLE and name in missing:
            frame[name] = pd.Series(column.to_pandas(types_mapper=NULLABLE.get).array, index=frame.index)
    return frame


def demand_plain(schema: pa.Schema, what: str) -> None:
    """Refuse columns of lists or structs before they are read.

    Raises
    ------
    DataError
        If there is one.

    """
    for one in schema:
        kind = one.type.value_type if pa.types.is_dictionary(one.type) else one.type
        if pa.types.is_nested(kind):
            raise DataError(
                f"{what}, column {quoted(one.name)} holds values of type {str(kind)[:60]}; expected one number or "
                "string a cell, so expand it, or save arrays of one shape as npy"
            )


def _seen(table: pa.Table) -> int:
    """Bytes of texts that are views of others, each counted as often as it is seen."""
    views = [column for column in table.columns if column.type in (pa.string_view(), pa.binary_view())]
    chunks = [chunk for column in views for chunk in column.chunks if len(chunk)]
    lengths = [np.frombuffer(one.buffers()[1], np.int32)[4 * one.offset :][: 4 * len(one) : 4] for one in chunks]
    return sum(int(length.clip(0).sum(dtype=np.int64)) for length in lengths)


def _unplain(column: pd.Series) -> str | None:
    if column.dtype.kind == "c":
        return "values of type complex"
    odd = next((value for value in column if isinstance(value, (list, tuple, dict, set, np.ndarray))), None)
    return None if odd is None else f"values of type {type(odd).__name__}"


def _numbers(column: pd.Series) -> pd.Series:
    """What came as Python objects (decimals of parquet, frames put together by hand), as numbers, truths or times."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("decimal", "floating", "mixed-integer-float"):
        try:
            return column.astype("float64")
        except OverflowError:  # an integer of hundreds of digits: refused with its row, where it is encoded
            return column
    if kind in ("integer", "boolean") and column.isna().any():
        try:
            return column.astype("Int64" if kind == "integer" else "boolean")
        except (OverflowError, TypeError):
            return column
    return column.infer_objects() if kind in INFERRED else column


@contextmanager
def whole(path: Path, kind: str) -> Iterator[None]:
    """Turn what pyarrow and pandas raise at a bad file into a `DataError` about `path`."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged file makes pyarrow and pandas raise almost anything
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{path} cannot be read as {kind}: {reason}; expected a whole, undamaged file") from error
