"""One small panel per column of a table: the rows that were held out against rows the model made up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from likely.report.theme import DATA, MODEL, MUTED, WIDTH, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MAX_COLUMNS", "TOP", "marginals"]

MAX_COLUMNS = 24
TOP = 12
_ACROSS = 4
_BINS = 30
_HUGE, _EXACT = 1e300, 2**50
_YEAR = 366 * 86400


@themed
def marginals(real: pd.DataFrame, sampled: pd.DataFrame) -> Figure:
    """Draw the distribution of each of the first columns, real rows filled and sampled rows outlined."""
    names = [name for name in real.columns if name in sampled.columns][:MAX_COLUMNS]
    across = min(_ACROSS, max(len(names), 1))
    down = math.ceil(len(names) / across)
    figure = Figure(figsize=(WIDTH * max(across, 2) / _ACROSS, 1.95 * down + 0.1), layout="constrained")
    every = figure.subplots(down, across, squeeze=False).ravel()
    for axes in every[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(every, names, strict=False):
        _panel(axes, real[name], sampled[name])
        axes.set_title(_short(str(name), 26), fontsize=9)
    return figure


def _panel(axes: Axes, real: pd.Series, sampled: pd.Series) -> None:
    axes.tick_params(length=0, labelsize=7)
    notes = []
    if real.isna().any() or sampled.isna().any():
        notes.append(f"missing {_percent(real.isna().mean())} / {_percent(sampled.isna().mean())}")
    numbers = [_numbers(real), _numbers(sampled)]
    if numbers[0] is None or numbers[1] is None:
        hidden = _bars(axes, real.dropna(), sampled.dropna())
        notes += [f"+ {hidden} more"] if hidden else []
    else:
        notes += _histogram(axes, numbers[0], numbers[1])
        if pd.api.types.is_datetime64_any_dtype(real):
            _date_ticks(axes)
    if notes:
        axes.set_xlabel(" · ".join(notes), fontsize=7)


def _numbers(column: pd.Series) -> np.ndarray | None:
    """Return the numbers of a numeric column, or the seconds of a date column; None for any other kind."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return np.asarray(column.dropna().dt.tz_localize(None).to_numpy("datetime64[us]").astype(float) / 1e6)
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return None
    values = column.dropna().to_numpy(dtype=float)
    return np.asarray(values[np.abs(values) < _HUGE])


def _date_ticks(axes: Axes) -> None:
    """Name two moments within the frame, no finer than its span deserves."""
    low, high = axes.get_xlim()
    places = np.rint(np.linspace(low, high, 6)[[1, 4]])
    unit = "M" if high - low > _YEAR else "D" if high - low > _YEAR / 60 else "s"
    labels = places.astype("datetime64[s]").astype(f"datetime64[{unit}]").astype(str)
    axes.set_xticks(places, [label.replace("T", "\n") for label in labels])


def _histogram(axes: Axes, real: np.ndarray, sampled: np.ndarray) -> list[str]:
    """Draw both histograms on shared bins and say how much lies outside them."""
    edges = _edges(real if real.size else sampled)
    for values, style in (
        (real, {"fill": True, "color": DATA, "alpha": 0.4}),
        (sampled, {"color": MODEL, "linewidth": 1.5}),
    ):
        share = np.histogram(values, edges)[0] / max(len(values), 1)
        axes.stairs(share, edges, **style)
    axes.set(yticks=[], xlim=(edges[0], edges[-1]))
    axes.set_ylim(bottom=0)
    axes.grid(visible=False)
    axes.locator_params(axis="x", nbins=4)
    outside = [1 - ((v >= edges[0]) & (v <= edges[-1])).mean() if v.size else 0.0 for v in (real, sampled)]
    return [f"outside {_percent(outside[0])} / {_percent(outside[1])}"] if max(outside) > 0 else []


def _edges(values: np.ndarray) -> np.ndarray:
    """Bins over the bulk of the values; each holds the same number of integers where all values are integers."""
    if not values.size:
        return np.array([0.0, 1.0])
    low, high = np.quantile(values, [0.005, 0.995])
    if np.abs(values).max() < _EXACT and np.array_equal(values, np.rint(values)):
        step = max(1, math.ceil((high - low) / _BINS))
        return np.arange(math.floor(low) - step - 0.5, math.ceil(high) + 2 * step, step)
    margin = 0.12 * (high - low) or max(abs(high), 1.0) * 0.1
    if values.min() >= 0 and low - margin < 0:
        return np.linspace(0.0, high + margin, _BINS + 1)
    return np.linspace(low - margin, high + margin, _BINS + 1)


def _bars(axes: Axes, real: pd.Series, sampled: pd.Series) -> int:
    """Draw the shares of the most frequent categories and return how many are not shown."""
    shares = [column.astype(str).value_counts(normalize=True) for column in (real, sampled)]
    total = shares[0].add(shares[1], fill_value=0.0).sort_values(ascending=False, kind="stable")
    names = list(total.index[:TOP])
    place = np.arange(len(names))
    for offset, share, colour, alpha in ((-0.2, shares[0], DATA, 0.55), (0.2, shares[1], MODEL, 1.0)):
        heights = share.reindex(names, fill_value=0.0).to_numpy(float)
        axes.barh(place + offset, heights, height=0.36, color=colour, alpha=alpha, linewidth=0)
    axes.set_yticks(place, [_short(name, 14) for name in names], fontsize=7 if len(names) <= 8 else 6)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(lambda share, _: _percent(share))
    axes.locator_params(axis="x", nbins=3)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="x", labelcolor=MUTED)
    return len(total) - len(names)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if 0 < share < 0.995 else f"{100 * share:.0f} %"


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
