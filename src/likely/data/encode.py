"""Rows as they came -> encoded rows. Everything that can be wrong with a value is found here."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from likely.data import dates
from likely.data.atoms import on_atoms
from likely.data.bad_row import BadRowError
from likely.data.cells import missing_cells, numbers_of
from likely.data.channels import inward
from likely.data.conditions import Given, series, span, within
from likely.data.encoded import EncodedRows, ResidentRows
from likely.data.kinds import Kind
from likely.data.numeric import MAX_INTEGER
from likely.data.schema import Column, Schema
from likely.errors import DataError, quoted

__all__ = ["encode", "encode_given", "is_byte", "on_grid"]

MAX_BYTE = 255  # whole numbers up to here are stored as uint8
CHUNK_CELLS = 2**17  # cells that are encoded at once: 1 MiB in float64

LISTED_SLACK = 2.5e-7  # relative: by how much single precision rounds a listed number


def encode(
    schema: Schema, values: pd.DataFrame | np.ndarray, given: Given | None = None, *, may_overwrite: bool = False
) -> EncodedRows:
    """Check rows against the schema and encode them: categories as codes, everything else in data units.

    A cell without a value holds the column's mean (on its grid and within its range), 0 where it is binary and code −1
    where it is coded; `observed` says which these are.

    Parameters
    ----------
    schema
        Fixed by the training rows.
    values
        A frame with the schema's columns in any order (others are ignored), or an array `(rows, *event)`.
    given
        Values of the conditions that are not among the values, or replace those that are.
    may_overwrite
        Whether the values may be overwritten, as nobody needs them any more: two-valued bytes become codes in place.

    Raises
    ------
    DataError
        If a column is missing, the shape differs, or a value is no number or date where one is needed, infinite, or
        beyond a hard limit; if a condition has no value, or a category that was not seen in training.
    ConfigError
        If `given` names something that is no condition, or has the wrong number of values.

    """
    if schema.cells_alike:
        covariates = encode_given(schema, given, len(values))
        coded, observed = _encode_array(schema, np.asarray(values), may_overwrite=may_overwrite)
        return ResidentRows(coded, schema.binarize, schema.columns[0].high, covariates, observed)
    frame = _as_frame(schema, values)
    series = dict(frame.items())
    columns, masks = zip(*(_encode_column(column, series[column.name]) for column in schema.modelled), strict=True)
    covariates = encode_given(schema, given, len(frame), frame)
    numbers, observed = (torch.from_numpy(np.stack(parts, axis=1)) for parts in (columns, masks))
    return ResidentRows(numbers, covariates=covariates, observed=None if observed.all() else observed)


def encode_given(schema: Schema, given: Given | None, rows: int, frame: pd.DataFrame | None = None) -> Tensor | None:
    """The conditions' values, `(rows, conditions)` float64, or `None` for a model of P(x) alone.

    Parameters
    ----------
    schema
        Fixed by the training rows.
    given
        Condition -> one value, or one a row.
    rows
        How many.
    frame
        Where values are that are not given.

    Raises
    ------
    DataError, ConfigError
        As `encode`.

    """
    columns = [_encode_condition(column, values) for column, values in series(schema, given, rows, frame)]
    for column, numbers in zip(schema.conditions, columns, strict=True):
        alone = given is not None and column.name in given and np.ndim(given[column.name]) == 0
        if alone and not column.coded and not column.exposure and len(numbers):
            _note_extrapolation(column, float(numbers[0]))
    return torch.from_numpy(np.stack(columns, axis=1)) if columns else None


def _note_extrapolation(column: Column, number: float) -> None:
    if not float(column.low or 0) <= number <= float(column.high or 0):
        at = dates.shown(column, number)
        warnings.warn(
            f"condition {column.name!r}: training rows had {span(column)}, so P(x|y) at {at} is extrapolated",
            stacklevel=2,
        )


def _encode_condition(column: Column, values: pd.Series) -> np.ndarray:
    """A condition's values as numbers; a category that training rows lack is refused, and a grid is not needed."""
    missing, _ = missing_cells(values)
    if missing.any():
        row = values.index[int(missing.argmax())]
        raise DataError(f"condition {column.name!r}, row {row}: the value is missing; P(x|y) needs it")
    if column.coded:
        codes = _lookup(column, values)
        if (codes < 0).any():
            unseen = values.tolist()[int((codes < 0).argmax())]
            raise DataError(
                f"condition {column.name!r}: {quoted(unseen)} was not seen in training, so P(x|y) knows nothing of it; "
                f"known: {span(column)}; leave such rows out"
            )
        return codes
    numbers = _numbers(column, values)
    if column.exposure and (numbers <= 0).any():
        place = int((numbers <= 0).argmax())
        raise DataError(
            f"exposure {column.name!r}, row {values.index[place]}: {numbers[place]:g} is not above 0; counts are in "
            "proportion to it: leave such rows out"
        )
    if column.exposure:
        return numbers
    if pd.api.types.is_integer_dtype(column.dtype) and (numbers != np.round(numbers)).any():
        value = numbers[int((numbers != np.round(numbers)).argmax())]
        raise DataError(f"condition {column.name!r} is an integer ({column.dtype}), got {value:g}")
    return numbers


def fill(column: Column) -> float:
    """The number that stands in an unobserved cell of a column."""
    if column.coded:
        return -1.0
    if column.kind == Kind.BINARY:
        return 0.0
    if column.kind == Kind.LISTED:
        return float(min(column.categories, key=lambda number: abs(number - column.mean)))
    mean = column.mean if column.per_unit is None else float(on_grid(column.per_unit, np.float64(column.mean)))
    return min(max(mean, column.low or 0.0), column.high or 0.0) if column.low is not None else mean


def _encode_array(schema: Schema, array: np.ndarray, *, may_overwrite: bool) -> tuple[Tensor, Tensor | None]:
    column = schema.columns[0]
    if array.shape[1:] != schema.given_shape:
        raise _other_shape(schema, array.shape)
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise DataError(f"expected numbers, got an array of dtype {array.dtype}")
    observed = None
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        if np.isinf(array).any():
            row, *where = (int(place) for place in np.argwhere(np.isinf(array))[0])
            raise BadRowError(
                row, f", cell {tuple(where)} is infinite; expected a number, or NaN where nothing is known"
            )
        observed = torch.from_numpy(_owned(inward(schema, ~np.isnan(array))))
        empty = column.low if column.kind == Kind.BINARY else fill(column)
        array = np.where(np.isnan(array), array.dtype.type(empty), array)
    numbers = _numbers_of_array(schema, column, inward(schema, array), may_overwrite=may_overwrite)
    return torch.from_numpy(_owned(numbers)), observed


def _other_shape(schema: Schema, rows: tuple[int, ...]) -> DataError:
    shape, wanted = rows[1:], ", ".join(map(str, schema.given_shape))
    message = f"each row must have shape {schema.given_shape}, as in training; got {shape}"
    if rows == schema.given_shape:
        message += ": this is one row alone; x[None] makes it rows"
    elif [axis for axis in shape if axis > 1] == [axis for axis in schema.given_shape if axis > 1]:
        message += f": x.reshape(-1, {wanted}) gives it its axes"
    elif len(shape) == 3 and schema.given_shape == (*shape[1:], shape[0]):
        message += ": its channels are first; np.moveaxis(x, 1, -1) puts them last"
    elif len(shape) == 3 and schema.given_shape == (shape[2], *shape[:2]):
        message += ": its channels are last; np.moveaxis(x, -1, 1) puts them first"
    return DataError(message)


def _numbers_of_array(schema: Schema, column: Column, array: np.ndarray, *, may_overwrite: bool) -> np.ndarray:
    if column.kind == Kind.BINARY and not schema.binarize:
        reused = may_overwrite and array.dtype.itemsize == 1 and array.flags.c_contiguous and array.flags.writeable
        return _two_valued(column, array, array.view(np.uint8) if reused else np.empty(array.shape, np.uint8))
    if schema.binarize and column.high != 1 and array.size and array.max() <= 1 and np.isin(array, (0, 1)).all():
        array = array * column.high  # 0/1 already, such as samples of this run
    if column.hard and array.size and not _within(column, array):
        _check_limits(column, array)
    if schema.binarize and not is_byte(column):
        return array.astype(np.float32)
    if column.per_unit is None:
        return array.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)
    whole = array.dtype.kind in "biu" and column.per_unit == 1
    return _compact(column, array if whole else _snapped(column, array.astype(np.float64), "the array"))


def _two_valued(column: Column, array: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Write the codes 0 and 1 of the lower and the upper value, `(rows, *event)` uint8; some rows at a time."""
    own = np.dtype(column.dtype)
    rows = max(1, CHUNK_CELLS // max(1, array[:1].size))
    for first in range(0, len(array), rows):
        part = array[first : first + rows]
        floats = own.kind == part.dtype.kind == "f"
        coarser = min(own, part.dtype, key=lambda one: one.itemsize) if floats else np.dtype(np.float64)
        seen = part.astype(coarser, copy=False) if floats else part
        low, high = coarser.type(column.low), coarser.type(column.high)
        upper = seen == high
        known = upper | (seen == low)
        if not known.all():
            row, *where = (int(place) for place in np.argwhere(~known)[0])
            raise BadRowError(
                first + row,
                f", cell {tuple(where)} holds {part[(row, *where)]}, which is neither {column.low:.10g} nor "
                f"{column.high:.10g}, the only two values of the training data",
            )
        codes[first : first + rows] = upper
    return codes


def is_byte(column: Column) -> bool:
    """Whether cells of an array are kept as bytes: two values, or whole numbers from 0 to at most 255."""
    if column.kind == Kind.BINARY and column.per_unit == 1:
        return column.high is not None and column.high <= MAX_BYTE
    return (
        column.kind == Kind.LEVELS
        and column.per_unit == 1
        and (column.low or 0) >= 0
        and (column.high or 0) <= MAX_BYTE
    )


def _compact(column: Column, numbers: np.ndarray) -> np.ndarray:
    """Values on a grid in the type that the column asks for, whatever type they came in; a wider one for strays.

    Bytes become float32 in a batch and others float64, so that a batch never depends on what a few rows hold.
    """
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 0.0)
    farthest = max(-low, high)
    if is_byte(column):
        narrow: type[np.generic] = np.uint8 if low >= 0 and high <= MAX_BYTE else np.float32
        return numbers.astype(narrow if farthest <= 2**24 else np.float64, copy=False)
    whole = column.per_unit == 1 and max(-(column.low or 0), column.high or 0, farthest) < 2**31
    return numbers.astype(np.int32 if whole else np.float64, copy=False)


def _owned(array: np.ndarray) -> np.ndarray:
    """In one piece that may be written to, as tensors are; the array itself where it is."""
    return np.require(array, requirements=["C", "W"])


def on_grid(per_unit: int, values: np.ndarray | np.float64) -> np.ndarray:
    """Values at the nearest multiples of 1/per_unit, correctly rounded to float64."""
    return np.asarray(np.round(values.astype(np.float64) * per_unit) / per_unit + 0.0)  # no -0.0


def _snapped(column: Column, numbers: np.ndarray, what: str) -> np.ndarray:
    """Numbers put on the recorded grid, with a warning where some are off it: each is scored as its cell."""
    snapped = on_grid(column.per_unit or 1, numbers)
    moved = int((np.abs(snapped - numbers) > 1e-5 / (column.per_unit or 1) + 1e-6 * np.abs(numbers)).sum())
    if moved:
        warnings.warn(
            f"{what}: {moved} of {numbers.size} values are off the recorded grid of step {column.step:g}; "
            "each is scored as the cell it lies in",
            stacklevel=2,
        )
    return snapped


def _within(column: Column, array: np.ndarray) -> bool:
    """Whether integers keep to the limits; of other numbers it is not known."""
    return array.dtype.kind in "biu" and bool(array.min() >= column.low and array.max() <= column.high)


def _check_limits(column: Column, values: np.ndarray, index: pd.Index | None = None) -> None:
    """Refuse a cell beyond hard limits: of a column of a table, whose rows have names, or of an array."""
    low, high = column.low, column.high
    beyond = (values < low) | (values > high)
    if column.per_unit == 1 and values.dtype.kind == "f":
        beyond |= values != np.round(values)
    if beyond.any():
        row, *where = (int(place) for place in np.argwhere(beyond)[0])
        said = (
            f"{values[(row, *where)]}, which is not among the {column.kind} values {low:g} to {high:g} that are allowed"
        )
        if index is None:
            raise BadRowError(row, f", cell {tuple(where)} holds {said}")
        raise DataError(f"column {column.name!r}: row {index[row]} holds {said}")


def _at_limits(column: Column, numbers: np.ndarray, values: pd.Series) -> np.ndarray:
    """Numbers in which those that are a declared limit, but for rounding in single precision, are put on it."""
    if column.limits is None or values.dtype != np.float32:
        return numbers
    snapped = numbers.copy()
    for limit in column.limits:
        snapped[numbers == float(np.float32(limit))] = limit
    return snapped


def _check_declared(column: Column, numbers: np.ndarray, values: pd.Series) -> None:
    """Refuse numbers whose cells lie beyond the limits that were declared."""
    if column.limits is None:
        return
    low, high = column.limits
    cells = numbers if column.per_unit is None else on_grid(column.per_unit, numbers)
    beyond = (cells < low) | (cells > high)
    if beyond.any():
        place = int(beyond.argmax())
        value = dates.shown(column, numbers[place]) if column.kind == Kind.DATE else f"{numbers[place]:.10g}"
        raise DataError(
            f"column {column.name!r}: row {values.index[place]} holds {value}, beyond its declared limits: "
            f"{within(column)}"
        )


def _as_frame(schema: Schema, values: pd.DataFrame | np.ndarray) -> pd.DataFrame:
    if isinstance(values, pd.DataFrame):
        frame = values.rename(columns=str)
        missing = [column.name for column in schema.modelled if column.name not in frame.columns]
        if missing:
            raise DataError(f"column {missing[0]!r} is missing; the model needs {[c.name for c in schema.modelled]}")
        return frame
    names = [column.name for column in schema.columns if column not in schema.beside]
    if values.ndim != 2 or values.shape[1] != len(names):
        raise DataError(f"expected an array (rows, {len(names)}), got shape {values.shape}")
    return pd.DataFrame(values, columns=names)


def _encode_column(column: Column, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Numbers `(rows,)` float64, and which of them are observed."""
    missing, _ = missing_cells(values)
    numbers = np.full(len(values), fill(column))
    numbers[~missing] = _encode_present(column, values[~missing] if missing.any() else values)
    return numbers, ~missing


def _encode_present(column: Column, values: pd.Series) -> np.ndarray:
    if column.coded:
        codes = _lookup(column, values)
        _note_numbers(column, values, codes)
        if len(codes) and (codes < 0).all():
            warnings.warn(f"column {column.name!r}: none of the values was seen in training", stacklevel=2)
        return codes
    numbers = _at_limits(column, _numbers(column, values), values)
    _check_declared(column, numbers, values)
    if column.kind == Kind.LISTED:
        return _listed(column, numbers)
    if column.per_unit is None:
        return on_atoms(column, numbers)
    return _snapped(column, numbers, f"column {column.name!r}")


def _note_numbers(column: Column, values: pd.Series, codes: np.ndarray) -> None:
    """Warn where numbers are given for a column of strings: zeros in front of them are lost."""
    strings = any(isinstance(category, str) for category in column.categories)
    unseen = int((codes < 0).sum())
    if unseen and strings and column.format is None and pd.api.types.is_numeric_dtype(values.dtype):
        warnings.warn(
            f"column {column.name!r}: the run has strings there, such as {column.categories[0]!r}, and numbers are "
            f"given, {unseen} of {len(values)} not seen in training; give strings, so that zeros in front stay",
            stacklevel=2,
        )


def _listed(column: Column, numbers: np.ndarray) -> np.ndarray:
    """The listed number that each number is, but for rounding; all others become one number that is not listed."""
    known = np.array(column.categories, dtype=np.float64)
    nearest = known[np.abs(numbers[:, None] - known).argmin(1)]
    near = np.abs(numbers - nearest) <= LISTED_SLACK * np.abs(nearest)
    if len(numbers) and not near.any():
        warnings.warn(f"column {column.name!r}: none of the values was seen in training", stacklevel=2)
    return np.asarray(np.where(near, nearest, known[-1] + np.ptp(known)))


def _numbers(column: Column, values: pd.Series) -> np.ndarray:
    """Finite numbers, within the hard limits."""
    numbers = dates.encode(column, values) if column.kind == Kind.DATE else numbers_of(values, column.written)
    if not np.isfinite(numbers).all():
        place = int((~np.isfinite(numbers)).argmax())
        value, row = values.tolist()[place], values.index[place]
        needed = "not a finite number" if column.kind != Kind.DATE else f"no date such as {dates.shown(column, 0)}"
        raise DataError(f"column {column.name!r}, row {row}: {quoted(value)} is {needed}")
    if pd.api.types.is_integer_dtype(values.dtype) and len(values):
        largest = max(int(values.min()), int(values.max()), key=abs)
        if abs(largest) > MAX_INTEGER:
            warnings.warn(
                f"column {column.name!r} holds {largest}, which float64 cannot tell from its neighbours; it is scored "
                "as the nearest that it can",
                stacklevel=2,
            )
    if column.hard:
        _check_limits(column, numbers, values.index)
    return numbers


def _lookup(column: Column, values: pd.Series) -> np.ndarray:
    """The categories' places; -1 for one that was not seen in training."""
    index = pd.Index(list(column.categories))
    if column.format is not None or pd.api.types.is_datetime64_any_dtype(values.dtype):
        values = dates.iso(values)
    numbers, given = (pd.api.types.is_numeric_dtype(data.dtype) for data in (index, values))
    if numbers and not given:
        values = pd.Series(numbers_of(values))
    elif given and not numbers:
        values = values.astype(str)
    return np.asarray(index.get_indexer(pd.Index(values.to_numpy())), dtype=np.float64)
