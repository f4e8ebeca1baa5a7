"""Arrays and pictures whose cells are all of one kind: whether they are, and of which."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np

from likely.data.bad_row import BadRowError
from likely.data.kinds import Form, Kind
from likely.data.numeric import DECIMAL, MAX_INTEGER, MAX_REAL, SCALED, per_unit, recorded_to
from likely.data.schema import REQUESTED, Column, Schema
from likely.data.tally import Tally, chunks, tally
from likely.errors import ConfigError, DataError, quoted

__all__ = ["NAME", "cells_notice", "cells_of", "has_cells_alike"]

NAME = "x"
KINDS: tuple[Kind, ...] = (Kind.LEVELS, Kind.BINARY, Kind.REAL, Kind.GRID)
GRIDS = (*SCALED, *DECIMAL)
BYTE, HALF = 255, 127  # the range of a byte's levels; half of it, from which levels are taken for the whole
MIN_COLUMNS = 16  # of an array of whole numbers whose cells are of one kind: narrower ones have kinds of their own


def has_cells_alike(array: np.ndarray) -> bool:
    """Whether the cells of a matrix `(rows, columns)` are of one kind, as those of any other array always are.

    They are where they take two values in all; where they are bytes that use more than half of 0 to 255; and, of 16
    columns or more, where they are integers from 0 to at most 255 and most columns reach the largest of them.
    """
    few = tally(array, most=2)
    if few is not None and _two(few):
        return True
    if array.dtype == np.uint8 and int(array.max()) - int(array.min()) > HALF:
        return True
    if array.shape[1] < MIN_COLUMNS or any(not _whole(part) for part in chunks(array)):
        return False
    lows, highs = np.fmin.reduce(array, 0), np.fmax.reduce(array, 0)
    if np.isnan(highs).all():
        return False
    top = np.nanmax(highs)
    return bool(np.nanmin(lows) == 0 and top <= BYTE and np.median(np.nan_to_num(highs)) == top)


def cells_of(array: np.ndarray, form: Form, wanted: str | None) -> Column:
    """What all cells of an array are: their values decide, never the type that holds them.

    In this order: two values are `binary`; pictures of 8 bits, and bytes that span more than half of 0 to 255, are
    `levels` 0 to 255, hard limits; other values on a grid are `levels` from the least to the largest of the training
    rows, with a reserve of 1/(rows + 1) for others; the rest is `real`. The span is what counts, not how many values
    there are: the largest and the least grey of a few pictures tell how bright their source can be, while few cells
    never show half of 256 values.

    Parameters
    ----------
    array
        `(rows, *event)`, NaN where a cell is missing.
    form
        `images` where they were read from picture files.
    wanted
        `levels`, `binary`, `real` or `grid` (which has no ends), where the user knows better.

    Raises
    ------
    DataError
        If there is nothing to learn from, a cell is infinite, or a number is too large for float64.
    ConfigError
        If the kind is not one of these, or the values do not fit it.

    """
    _demand_numbers(array)
    if wanted is not None and wanted not in KINDS:
        near = difflib.get_close_matches(wanted, KINDS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"the cells of an array can be {', '.join(KINDS)}, got {quoted(wanted)}{hint}")
    counted = tally(array)
    parts = [counted.values] if counted is not None else chunks(array)
    low, high = _range(parts)
    common: dict[str, Any] = {"dtype": str(array.dtype), "missing": array.size - _count(array, counted)}
    bytes_ = array.dtype == np.uint8 and (form == Form.IMAGES or high - low > HALF)
    if counted is not None and (binary := _binary(counted, wanted, common)):
        return binary
    if wanted == Kind.BINARY:
        held = "more than two values" if counted is None or len(counted.values) > 2 else f"nothing but {low:g}"
        raise ConfigError(f"the cells cannot be binary: they hold {held}; --binarize makes levels 0/1")
    if low == high and not bytes_:
        raise DataError(f"every cell of the training rows is {array.dtype.type(low)}: there is nothing to learn")
    grid = per_unit(counted.values.astype(np.float64), array.dtype, GRIDS) if counted is not None else _grid(array)
    if wanted in (Kind.LEVELS, Kind.GRID) and grid is None:
        raise ConfigError(f"the cells cannot be {wanted}: they are {recorded_to(grid)}; they can be real")
    common |= {"low": low, "high": high} | (_moments(array) if counted is None else _weighed(counted, grid))
    if wanted == Kind.REAL or grid is None:
        return Column(NAME, kind=Kind.REAL, reason=REQUESTED if wanted else recorded_to(grid), **common)
    if wanted == Kind.GRID:
        return Column(NAME, kind=Kind.GRID, reason=REQUESTED, per_unit=grid, **common)
    requested = f"{REQUESTED}: " if wanted else ""
    if bytes_:
        common |= {"low": 0.0, "high": float(BYTE)}
        return Column(NAME, kind=Kind.LEVELS, reason=f"{requested}8 bits, 0 to 255", per_unit=1, hard=True, **common)
    why = f"{requested}{recorded_to(grid)} from {low:.10g} to {high:.10g}"
    return Column(NAME, kind=Kind.LEVELS, reason=why, per_unit=grid, reserve=1 / (len(array) + 1), **common)


def cells_notice(schema: Schema) -> tuple[str, ...]:
    """What the cells of an array were inferred as, and the option that says otherwise; nothing if requested."""
    column = schema.columns[0]
    if not schema.cells_alike or schema.binarize or column.requested or column.kind == Kind.REAL:
        return ()
    if column.kind == Kind.BINARY:
        what = f"every cell is {column.low:.10g} or {column.high:.10g}: any other value is an error"
        return (f"{what}; --column {NAME}=levels says otherwise",)
    beyond = "any other value is an error" if column.hard else f"others have mass {column.reserve:.2g} together"
    otherwise = f"--limits LOW:HIGH or --column {NAME}=real says otherwise"
    return (f"the cells were inferred as levels ({column.reason}), {beyond}; {otherwise}",)


def _demand_numbers(array: np.ndarray) -> None:
    if 0 in array.shape:
        raise DataError(f"the array has no cells: shape {array.shape}")
    if array.dtype.kind == "f" and np.isinf(array).any():
        row, cell = np.argwhere(np.isinf(array.reshape(len(array), -1)))[0]
        where = tuple(int(place) for place in np.unravel_index(cell, array.shape[1:]))
        raise BadRowError(int(row), f", cell {where} is infinite; expected a number, or NaN where nothing is known")


def _two(counted: Tally) -> bool:
    return len(counted.values) == 2 < int(counted.counts.sum())


def _whole(part: np.ndarray) -> bool:
    return part.dtype.kind in "biu" or bool((np.isfinite(part) & (part == np.round(part))).all())


def _range(parts: Iterable[np.ndarray]) -> tuple[float, float]:
    ends = [end.item() for part in parts if part.size for end in (part.min(), part.max())]
    if not ends:
        raise DataError("every cell of the training rows is missing: there is nothing to learn")
    largest = max(map(abs, ends))
    if largest > (MAX_INTEGER if isinstance(largest, int) else MAX_REAL):
        raise DataError(
            f"the array holds {largest:.4g}, too large to be told from its neighbours or squared in float64; "
            "shift or rescale it"
        )
    return float(min(ends)), float(max(ends))


def _count(array: np.ndarray, counted: Tally | None) -> int:
    return sum(part.size for part in chunks(array)) if counted is None else int(counted.counts.sum())


def _binary(counted: Tally, wanted: str | None, common: dict[str, Any]) -> Column | None:
    """Two values, as 0 for the lower and 1 for the upper; 0 and 1 where the user says so and one of them is lacking."""
    ends = counted.values.astype(np.float64)
    if wanted == Kind.BINARY and np.isin(ends, (0, 1)).all():
        low, high = 0.0, 1.0
    elif _two(counted) and wanted in (None, Kind.BINARY):
        low, high = ends.tolist()
    else:
        return None
    share = float(counted.counts[ends == high].sum() / counted.counts.sum())
    scale = float(np.sqrt(share * (1 - share))) or 1.0
    why = REQUESTED if wanted else f"only {low:.10g} and {high:.10g}"
    return Column(
        NAME, kind=Kind.BINARY, reason=why, low=low, high=high, per_unit=1, hard=True, mean=share, scale=scale, **common
    )


def _grid(array: np.ndarray) -> int | None:
    return next(
        (one for one in GRIDS if all(per_unit(_doubles(part), array.dtype, (one,)) for part in chunks(array))),
        None,
    )


def _weighed(counted: Tally, grid: int | None) -> dict[str, float]:
    """Mean and scale of values that were counted, on their grid: the same whatever type holds them."""
    x, shares = _doubles(counted.values), counted.counts / counted.counts.sum()
    x = x if grid is None else np.round(x * grid) / grid
    mean = float(x @ shares)
    return {"mean": mean, "scale": float(np.sqrt((x - mean) ** 2 @ shares)) or 1.0}


def _moments(array: np.ndarray) -> dict[str, float]:
    count = sum(part.size for part in chunks(array))
    mean = sum(float(_doubles(part).sum()) for part in chunks(array)) / count
    square = sum(float(((_doubles(part) - mean) ** 2).sum()) for part in chunks(array)) / count
    return {"mean": mean, "scale": float(np.sqrt(square)) or 1.0}


def _doubles(part: np.ndarray) -> np.ndarray:
    return part.astype(np.float64)
