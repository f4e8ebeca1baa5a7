"""What a column of numbers is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from likely.data.kinds import Kind
from likely.data.resolution import resolutions, resolutions_in_words
from likely.data.schema import REQUESTED, Column
from likely.errors import DataError

__all__ = [
    "MAX_INTEGER",
    "listed",
    "moments",
    "numeric",
    "per_unit",
    "recorded_to",
    "requested_numeric",
    "skewed",
    "zero_one",
]

MAX_LEVELS = 256  # integers that a column of levels spans: those of a byte
DECIMAL = tuple(10**decimals for decimals in range(7))  # steps per 1 of a grid: none to six decimals
SCALED = (1, 15, 16, 255, 256)  # steps per 1 of levels that were divided into 0..1
MAX_INTEGER = 2**53  # the next integer is no float64
MAX_REAL = 1e150  # its square is a float64
MIN_TAIL_LEVELS = 50  # integers that levels span from which a long tail makes them a count
MIN_RATIO = 100.0  # of the largest to the least value from which positive numbers may be even in their logarithm
MAX_LISTED = 32  # distinct numbers of a listed column: each has a mass of its own
MIN_LISTED_ROWS = 5  # rows for each of them on average
# A grid holds though one row in 200 and one number in 20 is off it (a slip, a converted unit), of at most 3 decimals.
STRAY_ROWS, STRAY_NUMBERS, STRAY_DECIMALS = 200, 20, 4


def moments(values: np.ndarray) -> dict[str, Any]:
    """Mean and scale of numbers, by the names of `Column`; the scale is 1 where nothing varies."""
    numbers = np.asarray(values, dtype=np.float64)
    return {"mean": float(numbers.mean()), "scale": float(numbers.std()) or 1.0}


def numeric(name: str, values: pd.Series, *, listing: bool = True) -> Column:
    """The column that observed numbers make, of the kind that they are inferred as.

    In this order: 0 and 1 alone (of a boolean type: binary; else two categories); one value;
    `listed`, at most 32 distinct numbers, each in five rows on average; `levels`, integers that span fewer than 256;
    `count`, integers from near 0 on (the least is at most half of the largest) that span more, or that trail off (span
    at least 50, half of them in the lowest eighth, the largest met once or in fewer than one row of 200); `positive`,
    numbers above 0 whose largest is over 100 times the least and whose 5%, 50% and 95% quantiles are more even in the
    logarithm; `grid`, decimals of up to six digits and other integers; `real`. What is on a grid may have been recorded
    to several steps (`resolution.resolutions`). Without `listing` no column is `listed`.

    Raises
    ------
    DataError
        If a number is not finite, or too large for float64 to tell it from its neighbours.

    """
    numbers, dtype = _checked(name, values), str(values.dtype)
    distinct = pd.unique(numbers)
    few = set(distinct.tolist()) if len(distinct) <= 2 else set()
    if pd.api.types.is_bool_dtype(values.dtype):
        return zero_one(name, dtype, numbers, "only 0 and 1")
    if len(distinct) == 1 or few == {0.0, 1.0}:
        values_held = tuple(sorted(values.drop_duplicates().tolist()))
        kind: Kind = Kind.CATEGORICAL if len(values_held) == 2 else Kind.CONSTANT
        reason = "only 0 and 1" if len(values_held) == 2 else f"always {values_held[0]}"
        return Column(name, dtype, kind, reason, categories=values_held, reserve=1 / (len(numbers) + 1))
    low, high = float(numbers.min()), float(numbers.max())
    grid = per_unit(numbers, values.dtype, DECIMAL)
    stray = ""
    if grid is None and (nearly := nearly_per_unit(numbers, values.dtype)):
        off = ~_on_grid(numbers, nearly, _rounding(values.dtype))
        stray, grid = f", {int(off.sum())} of {len(numbers)} numbers aside", nearly
        numbers = np.round(numbers * nearly) / nearly
        distinct = pd.unique(numbers)
        low, high = float(numbers.min()), float(numbers.max())
    common: dict[str, Any] = {"low": low, "high": high, "per_unit": grid, **moments(numbers)}
    if listing and len(distinct) <= MAX_LISTED and len(numbers) >= MIN_LISTED_ROWS * len(distinct):
        return listed(name, dtype, numbers, f"{len(distinct)} different numbers from {low:.10g} to {high:.10g}")
    recorded = recorded_to(grid) + stray
    common["resolutions"] = resolutions(numbers, grid)
    coarse = resolutions_in_words(grid, common["resolutions"])
    if grid == 1 and (reason := _counts(numbers, low, high)):
        return Column(name, dtype, Kind.COUNT, reason + coarse, reserve=1 / (len(numbers) + 1), **common)
    if grid == 1 and high - low < MAX_LEVELS:
        reason = f"{recorded} from {low:.10g} to {high:.10g}{coarse}"
        return Column(name, dtype, Kind.LEVELS, reason, reserve=1 / (len(numbers) + 1), **common)
    if skewed(numbers):
        reason = f"{recorded} above 0, from {low:g} to {high:g}{coarse}"
        return Column(name, dtype, Kind.POSITIVE, reason, reserve=1 / (len(numbers) + 1), **common)
    return Column(name, dtype, Kind.REAL if grid is None else Kind.GRID, recorded + coarse, **common)


def listed(name: str, dtype: str, numbers: np.ndarray, reason: str) -> Column:
    """A column that holds a few numbers; any other number is one event, met in one row of n + 1."""
    distinct = np.unique(numbers)
    rounded = per_unit(numbers, np.dtype(np.float64))
    return Column(
        name,
        dtype,
        Kind.LISTED,
        reason,
        low=float(distinct[0]),
        high=float(distinct[-1]),
        per_unit=rounded,
        categories=tuple(distinct.tolist()),
        reserve=1 / (len(numbers) + 1),
        **moments(numbers),
    )


def skewed(numbers: np.ndarray) -> bool:
    """Whether numbers above 0 are more even in the logarithm: of the kind `positive`."""
    low, high = float(numbers.min()), float(numbers.max())
    return low > 0 and high > MIN_RATIO * low and _even_in_logarithm(numbers)


def _checked(name: str, values: pd.Series) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        place = int((~np.isfinite(numbers)).argmax())
        raise DataError(
            f"column {name!r}, row {values.index[place]}: {numbers[place]} is not a finite number; leave the cell "
            "empty where nothing is known"
        )
    whole = pd.api.types.is_integer_dtype(values.dtype)
    largest = max(abs(int(values.min())), abs(int(values.max()))) if whole else float(np.abs(numbers).max())
    if largest > (MAX_INTEGER if whole else MAX_REAL):
        raise DataError(
            f"column {name!r} holds {largest:.4g}, too large to be told from its neighbours or squared in float64; "
            f"shift or rescale it, or leave it out with --column {name}=ignore"
        )
    return np.asarray(numbers)


def recorded_to(grid: int | None) -> str:
    """The grid of multiples of 1/grid, or that there is none, in words."""
    if grid is None:
        return "real numbers on no grid"
    if grid in SCALED[1:]:
        return f"multiples of 1/{grid}"
    return "integers" if grid == 1 else f"recorded to {len(str(grid)) - 1} decimals"


def _counts(numbers: np.ndarray, low: float, high: float) -> str:
    """Why integers are counts; empty where they are not."""
    if low < 0 or low > high / 2:
        return ""
    if high - low >= MAX_LEVELS:
        return f"integers from {low:.10g} to {high:.10g}, more than {MAX_LEVELS} levels"
    half = float(np.median(numbers))
    seldom = (numbers == high).sum() <= max(1, len(numbers) // 200)
    if high - low >= MIN_TAIL_LEVELS and half <= low + (high - low) / 8 and seldom:
        return f"integers from {low:.10g} to {high:.10g} that trail off: half of them are at most {half:.10g}"
    return ""


def _even_in_logarithm(numbers: np.ndarray) -> bool:
    """Whether the tail is to the right, and the logarithm takes it away: quantiles as Bowley's measure of skewness."""
    quantiles = np.quantile(numbers, [0.05, 0.5, 0.95])
    plain, logarithm = (_skewness(*(float(q) for q in part)) for part in (quantiles, np.log(quantiles)))
    return plain > abs(logarithm)


def _skewness(low: float, middle: float, high: float) -> float:
    return (high + low - 2 * middle) / (high - low) if high > low else 0.0


def zero_one(name: str, dtype: str, numbers: np.ndarray, reason: str) -> Column:
    """A column in which any value but 0 and 1 is an error."""
    return Column(name, dtype, Kind.BINARY, reason, low=0.0, high=1.0, per_unit=1, hard=True, **moments(numbers))


def per_unit(numbers: np.ndarray, dtype: Any, candidates: tuple[int, ...] = DECIMAL) -> int | None:
    """The coarsest grid of multiples of 1/candidate that holds every value up to its own rounding, or `None`.

    Integers are exact in any float; decimals may be off by two of the type's ε.
    """
    own = _rounding(dtype)
    for candidate in candidates:
        if _too_fine(candidate, own, numbers):
            return None
        if _on_grid(numbers, candidate, own).all():
            return candidate
    return None


def _rounding(dtype: Any) -> float:
    """The ε of the type that numbers came in."""
    dtype = getattr(dtype, "numpy_dtype", dtype)
    return float(np.finfo(dtype if isinstance(dtype, np.dtype) and dtype.kind == "f" else np.float64).eps)


def _too_fine(per_unit: int, own: float, numbers: np.ndarray) -> bool:
    """Whether the type of the numbers cannot tell so fine a grid from none."""
    return 1 / per_unit < (0.5 if per_unit == 1 else 100) * own * float(np.abs(numbers).max())


def _on_grid(numbers: np.ndarray, per_unit: int, own: float) -> np.ndarray:
    """Which numbers are multiples of 1/per_unit, up to their own rounding."""
    nearest = np.round(numbers * per_unit) / per_unit
    slack = (0 if per_unit == 1 else 2 * own) * np.abs(numbers)
    return np.asarray(np.abs(numbers - nearest) <= slack)


def nearly_per_unit(numbers: np.ndarray, dtype: Any) -> int | None:
    """The coarsest grid that all numbers but one in 200 are on, and all different ones but one in 20; or `None`.

    Those aside are strays, which count as the cells that they lie in. Of fewer than 20 different numbers on a grid
    the others may be what the column is about: rain, of which most is 0.
    """
    distinct, counts = np.unique(numbers, return_counts=True)
    own = _rounding(dtype)
    for candidate in DECIMAL[:STRAY_DECIMALS]:
        if _too_fine(candidate, own, distinct):
            return None
        off = ~_on_grid(distinct, candidate, own)
        if counts[off].sum() * STRAY_ROWS <= len(numbers) and off.sum() * STRAY_NUMBERS <= len(distinct):
            return candidate if len(distinct) - off.sum() >= STRAY_NUMBERS else None
    return None


def requested_numeric(name: str, values: pd.Series, wanted: str) -> Column | None:
    """A column of observed numbers as the kind that it was requested to be; `None` where they do not fit it."""
    numbers, dtype = _checked(name, values), str(values.dtype)
    grid = per_unit(numbers, values.dtype)
    low, high = float(numbers.min()), float(numbers.max())
    common: dict[str, Any] = {"low": low, "high": high, **moments(numbers)}
    reserve = 1 / (len(numbers) + 1)
    if wanted == Kind.LISTED and 1 < len(np.unique(numbers)) <= MAX_LEVELS:
        return listed(name, dtype, numbers, REQUESTED)
    if wanted in (Kind.POSITIVE, Kind.GRID, Kind.COUNT, Kind.LEVELS):
        common["resolutions"] = resolutions(numbers, grid)
    if wanted == Kind.REAL:
        return Column(name, dtype, Kind.REAL, REQUESTED, **common)
    if wanted == Kind.POSITIVE and low > 0:
        return Column(name, dtype, Kind.POSITIVE, REQUESTED, per_unit=grid, reserve=reserve, **common)
    if wanted == Kind.GRID and grid is not None:
        return Column(name, dtype, Kind.GRID, REQUESTED, per_unit=grid, **common)
    if wanted == Kind.COUNT and grid == 1 and low >= 0:
        return Column(name, dtype, Kind.COUNT, REQUESTED, per_unit=1, reserve=reserve, **common)
    if wanted == Kind.LEVELS and grid == 1:
        return Column(name, dtype, Kind.LEVELS, REQUESTED, per_unit=1, reserve=reserve, **common)
    if wanted == Kind.BINARY and np.isin(numbers, (0, 1)).all():
        return zero_one(name, dtype, numbers, REQUESTED)
    return None
