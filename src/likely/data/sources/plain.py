"""Columns of types that hold the same values in another way, as types that results can be given back in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = ["plain"]


def plain(column: pd.Series) -> pd.Series:
    """The same values: sparse ones dense, in the machine's byte order, long doubles and arrow's decimals as float64.

    Arrow's dictionaries become what they hold. Any other column is given back as it is.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        return column.astype(dtype.subtype)
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        if dtype.itemsize > 8:
            return column.astype("float64")
        return column if dtype.isnative else column.astype(dtype.newbyteorder("="))
    if isinstance(dtype, pd.ArrowDtype):
        kind = dtype.pyarrow_dtype
        if pa.types.is_decimal(kind):
            return column.map(float, na_action="ignore").astype(pd.ArrowDtype(pa.float64()))
        if pa.types.is_dictionary(kind):
            return column.astype(pd.ArrowDtype(kind.value_type))
    return column
