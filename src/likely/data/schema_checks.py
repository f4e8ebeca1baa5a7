"""Checks that the entries of a stored schema are possible, and consistent with each other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from likely.data.dtypes import dtype_of
from likely.data.kinds import Kind
from likely.errors import quoted

if TYPE_CHECKING:
    from torch import Tensor

    from likely.data.schema import Column, Schema

__all__ = ["demand_consistent", "demand_consistent_conditions"]

MAX_CELLS, MAX_AXES = 2**31, 8  # of a row
UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns")


def demand_consistent(schema: Schema) -> None:
    """Check that a schema from a file, which anyone may have written, is one that could have been inferred.

    Raises
    ------
    ValueError
        If it could not.

    """
    shape, names = schema.event_shape, [column.name for column in schema.columns]
    if not 1 <= len(shape) <= MAX_AXES or min(shape) < 1 or math.prod(shape) > MAX_CELLS:
        raise ValueError(f"rows of shape {str(shape)[:60]}")
    if len(set(names)) < len(names):
        raise ValueError("two columns have one name")
    modelled = len(schema.modelled)
    if modelled != 1 if schema.cells_alike else shape != (modelled,):
        raise ValueError(f"{modelled} modelled columns for rows of shape {shape}")
    for column in schema.columns:
        _demand_column(column)


def demand_consistent_conditions(schema: Schema, tensors: Mapping[str, Tensor], rows: int) -> None:
    """Check the stored conditions of training rows, `y` of `(rows, conditions)`; of an earlier version there are none.

    Raises
    ------
    ValueError
        If they are those of other columns or rows, or no values of them.

    """
    if not tensors:
        return
    columns, y = schema.conditions, tensors.get("y")
    if y is None or len(tensors) > 1 or str(y.dtype) != "torch.float64" or y.shape != (rows, len(columns)) or not rows:
        raise ValueError(f"conditions that are not {len(columns)} numbers for each of {rows} rows")
    if not y.isfinite().all():
        raise ValueError("conditions that are not finite")
    for column, values in zip(columns, y.T, strict=True):
        codes = (values == values.round()) & (values >= 0) & (values < len(column.categories))
        if column.coded and not codes.all():
            raise ValueError(f"codes of the condition {column.name[:40]!r} that are no categories")
        if column.exposure and not (values > 0).all():
            raise ValueError(f"exposures {column.name[:40]!r} that are not above 0")


def _demand_column(column: Column) -> None:
    what = f"column {column.name[:40]!r}"
    for name in (column.dtype, column.inner, column.came):
        dtype = None if name is None else dtype_of(name)
        if isinstance(dtype, np.dtype) and dtype.kind not in "biufmMO":
            raise ValueError(f"{what} is of type {quoted(name)}")
    if column.low is not None and column.high is not None and column.low > column.high:
        raise ValueError(f"{what} goes from {column.low} to {column.high}")
    if column.hard and (column.low is None or column.high is None):
        raise ValueError(f"{what} has hard limits, and not both ends of them")
    if column.kind == Kind.DATE and not _is_date(column.origin):
        raise ValueError(f"{what} has dates since {str(column.origin)[:40]!r}, which is none")
    if column.coded and not column.categories:
        raise ValueError(f"{what} has no categories")
    if any(isinstance(value, (list, dict)) for value in column.categories):
        raise ValueError(f"{what} has categories that are no values")
    if column.unit is not None and column.unit not in UNITS:
        raise ValueError(f"{what} has dates in units of {column.unit[:20]!r}")
    if column.limits is not None and not column.limits[0] < column.limits[1]:
        raise ValueError(f"{what} has limits without room between them")
    _demand_rising(what, "knots", [x for x, _ in column.knots])
    _demand_rising(what, "knots", [y for _, y in column.knots])
    _demand_rising(what, "atoms", column.atoms)
    _demand_rising(what, "spikes", column.spikes)
    _demand_rising(what, "resolutions", [0, *(multiple for multiple, _ in column.resolutions)])


def _is_date(text: str | None) -> bool:
    try:
        date = np.datetime64(text or "NaT")
    except ValueError:
        return False
    return not np.isnat(date) and np.datetime_data(date.dtype)[0] in UNITS


def _demand_rising(what: str, name: str, numbers: Sequence[float]) -> None:
    if any(not low < high for low, high in itertools.pairwise(numbers)):
        raise ValueError(f"{what} has {name} that do not rise")
