"""Types that columns came in: their names, and values of plain types put back into them."""

from __future__ import annotations

import decimal
import math
import re
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = ["PER_SECOND", "came_as", "dtype_of", "is_decimals", "is_duration", "name_of", "restored", "seconds"]

Dtype: TypeAlias = np.dtype | pd.api.extensions.ExtensionDtype

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
SPARSE = re.compile(r"Sparse\[(.+), (.+)\]")
DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)")
DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>")
DECIMALS = re.compile(r"object of decimals to (\d+)")
REFUSED = (TypeError, ValueError, OverflowError, NotImplementedError, decimal.InvalidOperation, pa.ArrowException)


def name_of(dtype: Dtype) -> str:
    """A type's name, which `dtype_of` reads."""
    if isinstance(dtype, pd.StringDtype) and dtype.storage == "python" and dtype.na_value is pd.NA:
        return "string[python]"
    return str(dtype)


def dtype_of(text: str) -> Dtype:
    """The type of that name; those of parametric arrow and sparse types, which pandas does not read, too.

    Raises
    ------
    TypeError
        If there is none.

    """
    if text.endswith("[pyarrow]"):
        return pd.ArrowDtype(_arrow_type(text.removesuffix("[pyarrow]")))
    if match := SPARSE.fullmatch(text):
        inner = np.dtype(match[1])
        fill = match[2] == "True" if inner.kind == "b" else inner.type(match[2]).item()
        return pd.SparseDtype(inner, fill)
    if text in ("float96", "float128"):
        return np.dtype(np.longdouble)
    if DECIMALS.fullmatch(text):
        return np.dtype(object)
    dtype: Dtype = pd.api.types.pandas_dtype(text)
    return dtype


def _arrow_type(text: str) -> pa.DataType:
    if match := DECIMAL.fullmatch(text):
        return getattr(pa, f"decimal{match[1]}")(int(match[2]), int(match[3]))
    if match := DICTIONARY.fullmatch(text):
        return pa.dictionary(_arrow_type(match[2]), _arrow_type(match[1]), ordered=match[3] == "1")
    if text.startswith("timestamp["):
        unit, _, zone = text.removeprefix("timestamp[").removesuffix("]").partition(", tz=")
        return pa.timestamp(unit, zone or None)
    return pa.string_view() if text == "string_view" else pa.type_for_alias(text)


def came_as(given: pd.Series, plain: pd.Series) -> str | None:
    """The name of the type that a column came in, for `restored`; `None` where its plain type is that."""
    if given.dtype != object:
        name = name_of(given.dtype)
        return None if name == str(plain.dtype) else name
    kind = pd.api.types.infer_dtype(given, skipna=True) if plain.dtype.kind == "f" else ""
    if kind.startswith("timedelta"):
        return name_of(given.infer_objects().dtype)
    if kind != "decimal":
        return None
    exponents = [-int(one.as_tuple().exponent) for one in given.dropna() if one.is_finite()]
    return f"object of decimals to {max(0, *exponents)}"


def is_decimals(name: str | None) -> bool:
    """Whether that is the name of a type of Python's decimals."""
    return name is not None and DECIMALS.fullmatch(name) is not None


def is_duration(name: str | None) -> bool:
    """Whether that is the name of a type of durations."""
    return name is not None and name.startswith(("timedelta64", "duration"))


def seconds(value: Any) -> float:
    """Seconds of a duration, or of a text such as `2h 30min`; NaN for anything else."""
    try:
        return float(pd.Timedelta(value).total_seconds())
    except (TypeError, ValueError):
        return math.nan


def restored(values: pd.Series, came: str | None) -> pd.Series:
    """Values of a plain type in the type that their column came in; as they are where that cannot hold them.

    Parameters
    ----------
    values
        As `sources.plain` gives them.
    came
        Name of the type; `None` where it was plain.

    """
    if came is None:
        return values
    if match := DECIMALS.fullmatch(came):
        return _decimals(values, int(match[1]))
    dtype = dtype_of(came)
    if is_duration(came):
        values = _durations(values, getattr(dtype, "numpy_dtype", dtype))
    if isinstance(dtype, pd.ArrowDtype) and pa.types.is_decimal(dtype.pyarrow_dtype):
        values = _within(values, dtype.pyarrow_dtype)
    try:
        return _cast(values, dtype)
    except REFUSED:
        return values


def _durations(values: pd.Series, dtype: np.dtype) -> pd.Series:
    """Seconds as durations; one that the type cannot hold is put on its limit."""
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    whole = np.floor(np.nan_to_num(numbers))
    per_second, most = PER_SECOND[np.datetime_data(dtype)[0]], 2.0**62
    rest = np.rint((np.nan_to_num(numbers) - whole) * per_second).astype(np.int64)
    inside = np.clip(whole, -most / per_second, most / per_second).astype(np.int64)
    durations = (inside * per_second + rest).view(dtype)
    durations[np.isnan(numbers)] = np.timedelta64("NaT")
    return pd.Series(durations, index=values.index, name=values.name)


def _decimals(values: pd.Series, places: int) -> pd.Series:
    """Python's decimals, to so many places."""
    decimals = [None if pd.isna(value) else decimal.Decimal(f"{float(value):.{places}f}") for value in values.tolist()]
    return pd.Series(decimals, index=values.index, dtype=object, name=values.name)


def _within(values: pd.Series, kind: pa.DataType) -> pd.Series:
    """A draw beyond what a decimal can hold is put on its limit."""
    most = float(10 ** (kind.precision - kind.scale)) * (1 - 2.0**-52) - 10.0**-kind.scale
    return values.clip(-most, most)


def _cast(values: pd.Series, dtype: Dtype) -> pd.Series:
    """The values in a type, in which they may be rounded; an error of `REFUSED` where it cannot hold such values."""
    if isinstance(dtype, pd.ArrowDtype):
        return values if values.dtype == dtype else _arrow(values, dtype.pyarrow_dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(dtype)


def _arrow(values: pd.Series, kind: pa.DataType) -> pd.Series:
    array = pa.array(values.tolist(), from_pandas=True) if values.dtype == object else pa.Array.from_pandas(values)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type).dictionary_encode()
        array = pa.DictionaryArray.from_arrays(
            array.indices.cast(kind.index_type), array.dictionary, ordered=kind.ordered
        )
    return pd.Series(pd.arrays.ArrowExtensionArray(array.cast(kind)), index=values.index, name=values.name)
