"""Columns of texts as the numbers and dates that they say, to count and to draw them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from likely.data import dates
from likely.data.cells import missing_cells, numbers_of
from likely.data.kinds import Kind
from likely.data.schema import Column

__all__ = ["as_numbers"]


def as_numbers(column: Column, values: pd.Series) -> pd.Series:
    """The values of a column in a type of numbers or dates, where its texts are read as such; others as they are."""
    if not column.numeric or pd.api.types.is_numeric_dtype(values.dtype) or values.dtype.kind in "mM":
        return values
    missing, _ = missing_cells(values)
    if missing.all():
        return values
    present = values[~missing]
    if column.kind == Kind.DATE:
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            return values
        return pd.Series(pd.DatetimeIndex(dates.stamps(present, column.format)), present.index).reindex(values.index)
    numbers = np.full(len(values), np.nan)
    numbers[~missing] = numbers_of(present, column.written)
    return pd.Series(numbers, values.index)
