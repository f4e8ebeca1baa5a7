"""Missing cells of a column as it was given, filled; the observed ones stay as they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from likely.data.dtypes import came_as, is_decimals, is_duration, name_of, restored
from likely.data.schema import Column

__all__ = ["fill_cells"]

LOSSES = (TypeError, ValueError, OverflowError, ArithmeticError, NotImplementedError, pa.ArrowException)


def fill_cells(column: Column, given: pd.Series, new: pd.Series, missing: np.ndarray) -> tuple[pd.Series, str | None]:
    """The column as it was given with its missing cells replaced.

    Its type stays, or becomes that of the training rows where missing cells alone kept it from that (numbers that NaN
    made floats). A float is rounded to the precision of the type; where it cannot hold a new value otherwise, the type
    is the next that holds every value exactly.

    Parameters
    ----------
    column
        Of the schema.
    given
        `(rows,)`, of any type.
    new
        One value for each missing cell, in the type of the training rows.
    missing
        `(rows,)` boolean: which cells are missing.

    Returns
    -------
    (pandas.Series, str | None)
        The column, and what is to be said where its type had to change.

    """
    dtype = given.dtype
    nothing = bool(missing.all()) and _says_nothing(dtype)
    same = column.came == name_of(dtype) and not isinstance(dtype, pd.SparseDtype)
    if nothing or same or is_duration(name_of(dtype)):
        own = restored(new, column.came)
        if nothing or own.dtype == dtype:
            return _joined(given, own, missing, own.dtype), None
        new = own
    if isinstance(dtype, pd.SparseDtype):
        dense, _ = fill_cells(column, given.sparse.to_dense(), new, missing)
        filled = dense.astype(pd.SparseDtype(dense.dtype, dtype.fill_value))
        return filled, _conversion(column, dtype, filled.dtype) if filled.dtype.kind != dtype.kind else None
    if _held_back(given[~missing], new.dtype):
        return _joined(given, new, missing, new.dtype), None
    if isinstance(dtype, pd.CategoricalDtype):
        added = [value for value in dict.fromkeys(new.tolist()) if value not in dtype.categories]
        filled = given.cat.add_categories(added) if added else given.copy()
        filled[missing] = new.tolist()
        return filled, f"column {column.name!r}: {added!r:.200} became categories of it" if added else None
    for wanted in (dtype, *_wider(dtype, new.dtype)):
        if wanted is not dtype and not _equal(given[~missing], _cast(given[~missing], wanted)):
            continue
        cast = _fitted(column, given[~missing], new, wanted)
        if cast is not None:
            filled = _joined(given, cast, missing, wanted)
            return filled, None if wanted == dtype else _conversion(column, dtype, wanted)
    return _joined(given, new, missing, np.dtype(object)), _conversion(column, dtype, np.dtype(object))


def _conversion(column: Column, was: Any, now: Any) -> str:
    return f"column {column.name!r}: {was} cannot hold what is put into missing cells; it became {now}"


def _says_nothing(dtype: Any) -> bool:
    """The type is what libraries give a column without any value."""
    null = isinstance(dtype, pd.ArrowDtype) and pa.types.is_null(dtype.pyarrow_dtype)
    return null or (isinstance(dtype, np.dtype) and dtype.kind in "fO")


def _held_back(seen: pd.Series, dtype: Any) -> bool:
    """Floats or objects are the values that an integer or boolean type has, all of them exactly."""
    if not isinstance(seen.dtype, np.dtype) or seen.dtype.kind not in "fO":
        return False
    if not (pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
        return False
    if seen.dtype.kind == "O":
        known = (bool, np.bool_) if pd.api.types.is_bool_dtype(dtype) else (int, np.integer)
        if any(not isinstance(value, known) or (isinstance(value, bool) and int in known) for value in seen.tolist()):
            return False
    again = _cast(seen, dtype)
    return _equal(seen, again) and not np.signbit(seen.to_numpy(np.float64)[seen.to_numpy() == 0]).any()


def _cast(values: pd.Series, dtype: Any) -> pd.Series | None:
    try:
        with np.errstate(all="ignore"):
            return values.astype(dtype)
    except LOSSES:
        return None


def _equal(values: pd.Series, others: pd.Series | None) -> bool:
    """Python compares numbers of all types exactly."""
    if others is None:
        return False
    try:
        return all(bool(one == other) for one, other in zip(values.tolist(), others.tolist(), strict=True))
    except TypeError:
        return False


def _fitted(column: Column, seen: pd.Series, new: pd.Series, dtype: Any) -> pd.Series | None:
    """New values in a type, or `None` where it cannot hold them."""
    if pd.api.types.is_object_dtype(dtype):
        decimals = len(seen) and all(isinstance(value, Decimal) for value in seen.tolist())
        texts = len(seen) and all(isinstance(value, str) for value in seen.tolist())
        if decimals and pd.api.types.is_numeric_dtype(new.dtype):
            numbers = new.astype(np.float64)
            return restored(numbers, column.came if is_decimals(column.came) else came_as(seen, numbers))
        return _texts(column, new).astype(object) if texts else new.astype(object)
    if pd.api.types.is_string_dtype(dtype):
        return _texts(column, new).astype(dtype)
    arrow = dtype.pyarrow_dtype if isinstance(dtype, pd.ArrowDtype) else None
    if arrow is not None and pa.types.is_decimal(arrow) and pd.api.types.is_numeric_dtype(new.dtype):
        step = Decimal(1).scaleb(-arrow.scale)
        return _cast(pd.Series([Decimal(repr(float(v))).quantize(step) for v in new.tolist()], dtype=object), dtype)
    cast = _cast(new, dtype)
    if cast is None or cast.isna().any():
        return None
    if pd.api.types.is_float_dtype(dtype) and pd.api.types.is_numeric_dtype(new.dtype):
        return cast if np.isfinite(cast.to_numpy(np.float64)).all() else None
    return cast if _equal(new, cast) else None


def _texts(column: Column, new: pd.Series) -> pd.Series:
    """New values as texts, numbers in the column's way of writing."""
    if column.written is not None and pd.api.types.is_numeric_dtype(new.dtype):
        return pd.Series(column.written.texts(new.to_numpy(np.float64), column.per_unit), dtype=object)
    return pd.Series([str(value) for value in new.tolist()], dtype=object)


def _wider(dtype: Any, own: Any) -> list[Any]:
    """Types that hold more than one does, of its own family first; then that of the training rows."""
    if isinstance(dtype, pd.ArrowDtype):
        more: list[Any] = [pd.ArrowDtype(pa.int64()), pd.ArrowDtype(pa.float64())]
    elif isinstance(dtype, pd.api.extensions.ExtensionDtype):
        more = [pd.Int64Dtype(), pd.Float64Dtype()]
    else:
        more = [np.dtype(np.float64)]
    if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        more = []
    return [*more, own]


def _joined(given: pd.Series, new: pd.Series, missing: np.ndarray, dtype: Any) -> pd.Series:
    """Observed cells and new ones in one type that holds both."""
    if given.dtype == dtype:
        values = given.array.copy()
        values[missing] = new.astype(dtype).array
        return pd.Series(values, given.index, dtype, given.name)
    order = np.argsort(np.concatenate([np.flatnonzero(~missing), np.flatnonzero(missing)]))
    seen = given[~missing].astype(dtype)
    parts = [part for part in (seen, new.astype(dtype)) if len(part)]
    return pd.concat(parts, ignore_index=True).iloc[order].set_axis(given.index).rename(given.name)
