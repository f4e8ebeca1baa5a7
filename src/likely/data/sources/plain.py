"""Columns of types that hold the same values in another way, as types that the model reads."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa

from likely.data.dtypes import PER_SECOND

__all__ = ["plain", "rounded"]


def plain(column: pd.Series) -> pd.Series:
    """The values of a column in a type that the model reads: dense, in the machine's byte order, decimals as float64.

    Arrow's dictionaries become what they hold, its dates and times pandas' own, durations seconds in float64. Any other
    column is given back as it is; `dtypes.restored` is the way back.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        return plain(column.astype(dtype.subtype))
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        if dtype.itemsize > 8:
            return column.astype("float64")
        return column if dtype.isnative else column.astype(dtype.newbyteorder("="))
    if isinstance(dtype, np.dtype) and dtype.kind == "m":
        return _seconds(column)
    return _unpacked(column, dtype.pyarrow_dtype) if isinstance(dtype, pd.ArrowDtype) else column


def _unpacked(column: pd.Series, kind: pa.DataType) -> pd.Series:
    if pa.types.is_decimal(kind):
        return column.map(float, na_action="ignore").astype(pd.ArrowDtype(pa.float64()))
    if pa.types.is_dictionary(kind):
        return plain(column.astype(pd.ArrowDtype(kind.value_type)))
    if kind == pa.string_view():
        return column.astype(pd.ArrowDtype(pa.string()))
    if pa.types.is_date(kind):
        return plain(column.astype(pd.ArrowDtype(pa.timestamp("s" if kind == pa.date32() else "ms"))))
    if pa.types.is_timestamp(kind):
        zone = "" if kind.tz is None else f", {kind.tz}"
        return column.astype(f"datetime64[{kind.unit}{zone}]")
    if pa.types.is_duration(kind):
        return _seconds(column.astype(f"timedelta64[{kind.unit}]"))
    return column


def _seconds(column: pd.Series) -> pd.Series:
    """Durations in seconds, correctly rounded; beyond 2^53 units whole seconds and the rest of one are added."""
    per_second = PER_SECOND[np.datetime_data(column.dtype)[0]]
    passed = column.to_numpy().astype(np.int64)
    whole, rest = np.divmod(passed, per_second)
    seconds = np.where(np.abs(passed) < 2**53, passed / per_second, whole + rest / per_second)
    return pd.Series(np.where(column.isna(), np.nan, seconds), index=column.index, name=column.name)


def rounded(frame: pd.DataFrame, names: Collection[str]) -> tuple[str, ...]:
    """One sentence for each column of these names with decimals, long doubles or durations that float64 rounds."""
    sentences = []
    for name, column in frame.items():
        exact = _exact(column) if str(name) in names else None
        if exact is not None and not exact.all():
            first = column.dropna().iloc[int((~exact).argmax())]
            sentences.append(
                f"column {str(name)!r}: {int((~exact).sum())} of {len(exact)} values, such as {first!s:.60}, have more "
                "digits than float64 tells, and are rounded for the model; what is observed comes back as it is"
            )
    return tuple(sentences)


def _exact(column: pd.Series) -> np.ndarray | None:
    """Which observed values come back from float64 as they are written; `None` for types whose values always do."""
    dtype = column.dtype
    arrow = dtype.pyarrow_dtype if isinstance(dtype, pd.ArrowDtype) else None
    if arrow is not None and pa.types.is_duration(arrow):
        return _exact(column.astype(f"timedelta64[{arrow.unit}]"))
    known = column.dropna()
    if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize > 8:
        long = known.to_numpy()
        return np.asarray(long.astype(np.float64) == long)
    if isinstance(dtype, np.dtype) and dtype.kind == "m":
        per_second = PER_SECOND[np.datetime_data(dtype)[0]]
        pairs = zip(_seconds(known).tolist(), known.to_numpy().astype(np.int64).tolist(), strict=True)
        return np.array([round(Fraction(seconds) * per_second) == passed for seconds, passed in pairs], dtype=bool)
    decimals = arrow is not None and pa.types.is_decimal(arrow)
    if not decimals and not (dtype.kind == "O" and pd.api.types.infer_dtype(column, skipna=True) == "decimal"):
        return None
    return np.array([not one.is_finite() or Decimal(repr(float(one))) == one for one in known], dtype=bool)
