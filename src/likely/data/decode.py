"""Encoded rows -> rows as they came."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from torch import Tensor

from likely.data import dates
from likely.data.channels import outward
from likely.data.encode import on_grid
from likely.data.kinds import Form, Kind
from likely.data.schema import Column, Schema
from likely.errors import DataError

__all__ = ["decode"]


def decode(
    schema: Schema, values: Tensor, covariates: Tensor | None = None, observed: Tensor | None = None
) -> pd.DataFrame | np.ndarray:
    """Encoded values back to the form and the types that the training rows had.

    Parameters
    ----------
    schema
        Fixed by the training rows.
    values
        `(rows, *event)` in data units; a value off the grid (a mean, say) keeps its decimals in real columns and in
        arrays, and is rounded to the recorded resolution in tables.
    covariates
        `(rows, conditions)`: given back in their places in a table.
    observed
        `(rows, *event)` boolean: cells that are not come back missing. Where the type of a column has no word for that,
        it becomes pandas' nullable type of the same width; an array of integers becomes one of floats.

    """
    array = values.detach().cpu().numpy()
    known = None if observed is None else observed.detach().cpu().numpy()
    if schema.cells_alike:
        decoded = _decode_array(schema, array)
        return outward(
            schema, decoded if known is None or known.all() else np.where(known, decoded, np.float32(np.nan))
        )
    columns = {
        c.name: _decode_column(c, array[:, i], None if known is None else known[:, i])
        for i, c in enumerate(schema.modelled)
    }
    if covariates is not None:
        given = covariates.detach().cpu().numpy()
        free = [replace(c, per_unit=None) for c in schema.conditions]  # a number that is given lies on no grid
        columns |= {c.name: _decode_column(c, given[:, i], None) for i, c in enumerate(free)}
    if schema.form == Form.TABLE:
        return pd.DataFrame({c.name: columns[c.name] for c in schema.columns if c.name in columns})
    nothing = pd.Series(np.full(len(array), np.nan))
    columns |= {c.name: nothing for c in schema.columns if c.left_out}
    kept = [c.name for c in schema.columns if c not in schema.beside and c.name in columns]
    return np.asarray(pd.DataFrame({name: columns[name] for name in kept}))


def _decode_array(schema: Schema, array: np.ndarray) -> np.ndarray:
    column = schema.columns[0]
    dtype = np.dtype(np.uint8 if schema.binarize else column.dtype)
    if column.kind == Kind.BINARY and not schema.binarize and (column.low, column.high) != (0, 1):
        share = array.astype(np.float64)
        array = (column.low or 0.0) * (1 - share) + (column.high or 0.0) * share
    if dtype.kind in "iub" and not (array == np.round(array)).all():
        return array.astype(np.float32 if dtype.itemsize <= 2 else np.float64)
    return (_within(dtype, array) if dtype.kind in "iu" else array).astype(dtype)


def _within(dtype: np.dtype, array: np.ndarray) -> np.ndarray:
    """A draw beyond what the type can hold is put on its limit: a cast would wrap around."""
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(array, max(limits.min, -(2**53)), min(limits.max, 2**53)))


def _decode_column(column: Column, values: np.ndarray, observed: np.ndarray | None) -> pd.Series:
    missing = np.zeros(len(values), dtype=bool) if observed is None else ~observed
    if column.coded:
        missing = missing | (values < 0)
        decoded = _decode_codes(column, np.where(missing, -1, values).astype(np.int64))
    elif column.kind == Kind.DATE:
        decoded = dates.decode(column, values)
    else:
        rounded = values if column.per_unit is None else on_grid(column.per_unit, values)
        if pd.api.types.is_integer_dtype(_dtype(column.dtype)):
            if not np.isfinite(rounded[~missing]).all():
                raise DataError(f"column {column.name!r}: the model gives numbers that are not finite; fit again")
            rounded = _within(np.dtype(column.dtype.lower().partition("[")[0]), rounded)
        texts = column.written is not None and not pd.api.types.is_numeric_dtype(_dtype(column.dtype))
        if column.written is not None and texts:
            rounded = np.array(column.written.texts(rounded, column.per_unit), dtype=object)
        numbers = pd.Series(rounded) if column.inner is None else pd.Series(rounded).astype(column.inner)
        decoded = numbers.astype(_dtype(column.dtype))
    return _masked(decoded, missing)


def _decode_codes(column: Column, codes: np.ndarray) -> pd.Series:
    """Categories; anything stands where the code is −1."""
    if column.dtype == "category":
        known = pd.Index(list(column.categories), dtype=column.inner)
        return pd.Series(pd.Categorical.from_codes(codes, categories=known, ordered=column.kind == Kind.ORDERED))
    categories = np.array(column.categories, dtype=object)[codes]
    is_date = column.format is not None or pd.api.types.is_datetime64_any_dtype(_dtype(column.dtype))
    return dates.from_iso(column, categories) if is_date else pd.Series(categories).astype(_dtype(column.dtype))


def _masked(values: pd.Series, missing: np.ndarray) -> pd.Series:
    if not missing.any():
        return values
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        values = values.astype("boolean" if dtype.kind == "b" else dtype.name.replace("u", "U").replace("i", "I", 1))
    return values.mask(missing)


def _dtype(text: str) -> str | pd.api.extensions.ExtensionDtype:
    """The type of that name; one that pandas takes for another of its types is made."""
    return pd.ArrowDtype(pa.string()) if text == "string[pyarrow]" else text
