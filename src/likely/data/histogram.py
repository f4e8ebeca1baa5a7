"""Numbers of a column, and bins on which their distribution can be seen: spikes, heavy tails and dates included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

__all__ = ["Bins", "bins", "ceiling", "numbers"]

Scale = Literal["linear", "log", "symlog"]
DEFAULT_BINS = 30  # of a histogram
DEFAULT_CUT = 0.005  # share of the values left out at either end
UNITS = (1, 10, 100, 1000)  # steps per 1 of integers and of decimals, on which bins may end
MAX_DRAWN, MAX_EXACT = 1e300, 2**50  # sizes: differences stay finite; decimals differ from their neighbours
HEAVY, APART = 6.0, 30.0  # times the inner 80% that all values span, times the middle: a logarithmic axis from there
DWARFED, MIN_FILLED = 5.0, 8  # times the next bar from which one is cut; filled bins below which none is


def numbers(values: pd.Series) -> np.ndarray | None:
    """Numbers of a numeric column, seconds since 1970 of dates (in their own zone): `(rows,)` float64.

    NaN where the cell is missing; `None` for booleans, strings and whatever else has no order.
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        plain = values.dt.tz_localize(None)
        seconds = plain.to_numpy("datetime64[us]").astype(np.float64) / 1e6
        return np.asarray(np.where(values.isna(), np.nan, seconds))
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return None
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


@dataclass(frozen=True, eq=False)
class Bins:
    """Where a histogram's bins begin and end, and on what axis they are about equally wide.

    Attributes
    ----------
    edges
        Rising, one more than bins.
    scale
        Of the axis.
    linear
        Where the scale is `symlog`: the axis is linear between −this and this, which is one bin.

    """

    edges: np.ndarray
    scale: Scale = "linear"
    linear: float = 1.0

    def shares(self, values: np.ndarray) -> np.ndarray:
        """The share of the values in each bin; what lies outside them is missing from the sum."""
        return np.histogram(values, self.edges)[0] / max(len(values), 1)


def bins(values: np.ndarray, *, dates: bool = False, most: int = DEFAULT_BINS, cut: float = DEFAULT_CUT) -> Bins:
    """Bins for values, none of them missing.

    Linear bins cover all values but the share `cut` at either end, and, if something is cut, a margin for others like
    them; each holds the same number of integers, or of decimals, where all values are such. An axis is logarithmic
    where positive values have a heavy tail, and `symlog` where there are zeros or both signs too: these cover all
    values.
    """
    values = values[np.abs(values) < MAX_DRAWN]
    if not values.size:
        return Bins(np.array([0.0, 1.0]))
    if dates:
        return Bins(_linear(values, most, cut, whole=False))
    unit = _unit(values)
    if unit is None:
        return _spread(values, most, cut, whole=False)
    whole_bins = _spread(np.rint(values * unit), most, cut, whole=True)
    return Bins(whole_bins.edges / unit, whole_bins.scale, whole_bins.linear / unit)


def _unit(values: np.ndarray) -> int | None:
    """1 where all values are integers, 10, 100 or 1000 where they have 1, 2 or 3 decimals, else `None`."""
    for unit in UNITS:
        scaled = values * unit
        if np.abs(scaled).max() < MAX_EXACT and np.allclose(scaled, np.rint(scaled), rtol=0, atol=1e-6):
            return unit
    return None


def _spread(values: np.ndarray, most: int, cut: float, *, whole: bool) -> Bins:
    scale = _scale(values)
    if scale == "linear":
        return Bins(_linear(values, most, cut, whole=whole))
    sizes = np.abs(values[values != 0])
    start = float(sizes.min() if scale == "log" else np.quantile(sizes, 0.01))
    start = max(math.floor(start), 1) - 0.5 if whole else start * 0.98
    above, below = float(values.max()), float(-values.min())
    upward = _outward(start, above, most, whole=whole)
    if scale == "log":
        return Bins(upward, "log")
    downward = -_outward(start, below, most, whole=whole)[::-1] if below > 0 else np.array([-start])
    return Bins(np.concatenate([downward, upward]), "symlog", start)


def _scale(values: np.ndarray) -> Scale:
    tenth, middle, ninth, high = np.quantile(values, [0.1, 0.5, 0.9, 0.995])
    heavy = values.max() - values.min() > HEAVY * (ninth - tenth)
    if values.min() > 0:
        return "log" if high > APART * middle else "linear"
    sizes = np.abs(values[values != 0])
    return "symlog" if heavy and sizes.size and sizes.max() > APART * np.quantile(sizes, 0.05) else "linear"


def _outward(start: float, end: float, most: int, *, whole: bool) -> np.ndarray:
    """Edges in proportion to each other; between integers where all values are integers."""
    edges = np.geomspace(start, max(end, start) * 1.02 + whole, most + 1)
    return np.unique(np.r_[start, np.ceil(edges[1:]) - 0.5]) if whole else edges


def _linear(values: np.ndarray, most: int, cut: float, *, whole: bool) -> np.ndarray:
    low, high = np.quantile(values, [cut, 1 - cut])
    if whole:
        step = max(1, math.ceil((high - low) / most))
        spare = step if cut else 0
        return np.arange(math.floor(low) - spare - 0.5, math.ceil(high) + step + spare, step)
    margin = (0.12 * (high - low) if cut else 0.0) or (0.0 if high > low else max(abs(high), 1.0) * 0.1)
    return np.unique(np.linspace(0.0 if values.min() >= 0 > low - margin else low - margin, high + margin, most + 1))


def ceiling(*shares: np.ndarray) -> float:
    """The height to draw histograms up to, so that one or two spikes do not flatten all the rest to nothing.

    Two neighbours of one histogram are a hill, no spikes.
    """
    heights = np.max(shares, axis=0)
    order = np.argsort(-heights, kind="stable")
    tops = heights[order]
    if np.count_nonzero(tops) >= MIN_FILLED:
        apart = len(shares) > 1 or abs(order[0] - order[1]) > 1
        for place in (1, 0) if apart else (0,):
            if tops[place] > DWARFED * tops[place + 1]:
                return float(1.35 * tops[place + 1])
    return float(1.08 * tops[0]) or 1.0
