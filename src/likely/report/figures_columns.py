"""One small panel per column of a table: the rows that were held out against rows the model made up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from likely.data.histogram import MAX_DRAWN, bins, ceiling, numbers
from likely.report.axes import date_axis, named_rows, note_spikes, number_axis, percent, short
from likely.report.theme import DATA, MODEL, MUTED, WIDTH, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MAX_CATEGORIES", "MAX_COLUMNS", "marginals"]

MAX_COLUMNS = 24  # with a histogram: six lines of four
MAX_CATEGORIES = 12  # with a bar of their own
_ACROSS = 4  # panels in a line


@themed
def marginals(real: pd.DataFrame, sampled: pd.DataFrame, fidelity: pd.Series) -> Figure:
    """Draw the distribution of each column, real rows filled and sampled rows outlined.

    Parameters
    ----------
    real, sampled
        Rows; columns of `real` beyond the 24th are left out.
    fidelity
        1 − KS or 1 − TV by column, written above its panel.
    """
    names = list(real.columns)[:MAX_COLUMNS]
    across = min(_ACROSS, max(len(names), 1))
    down = math.ceil(len(names) / across)
    figure = Figure(figsize=(WIDTH * max(across, 2) / _ACROSS, 1.95 * down + 0.1), layout="constrained")
    every = figure.subplots(down, across, squeeze=False).ravel()
    for axes in every[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(every, names, strict=False):
        _panel(axes, real[name], sampled[name])
        axes.set_title(short(str(name), 21), fontsize=9)
        axes.set_title(f"{fidelity[name]:.3f}", fontsize=8, loc="right", color=MUTED)
    return figure


def _panel(axes: Axes, real: pd.Series, sampled: pd.Series) -> None:
    axes.tick_params(length=0, labelsize=7)
    notes = []
    if real.isna().any() or sampled.isna().any():
        notes.append(f"missing {percent(real.isna().mean())} / {percent(sampled.isna().mean())}")
    first, second = numbers(real), numbers(sampled)
    if first is None or second is None:
        _bars(axes, real.dropna(), sampled.dropna())
    else:
        kept = [values[np.abs(values) < MAX_DRAWN] for values in (first, second)]
        notes += _histogram(axes, *kept, dates=pd.api.types.is_datetime64_any_dtype(real.dtype))
    if notes:
        axes.set_xlabel(" · ".join(notes), fontsize=7)


def _histogram(axes: Axes, real: np.ndarray, sampled: np.ndarray, *, dates: bool) -> list[str]:
    """Draw both histograms on shared bins and say how much lies outside them."""
    spread = bins(real if real.size else sampled, dates=dates)
    shares = [spread.shares(values) for values in (real, sampled)]
    axes.stairs(shares[0], spread.edges, fill=True, color=DATA, alpha=0.4)
    axes.stairs(shares[1], spread.edges, color=MODEL, linewidth=1.5)
    axes.set(yticks=[], ylim=(0, ceiling(*shares)))
    axes.grid(visible=False)
    (date_axis if dates else number_axis)(axes, spread)
    note_spikes(axes, spread.edges, shares)
    low, high = spread.edges[0], spread.edges[-1]
    outside = [1 - ((v >= low) & (v <= high)).mean() if v.size else 0.0 for v in (real, sampled)]
    return [f"outside {percent(outside[0])} / {percent(outside[1])}"] if max(outside) > 0 else []


def _bars(axes: Axes, real: pd.Series, sampled: pd.Series) -> None:
    """Draw the shares of the most frequent categories, and of all others together."""
    shares = [column.astype(str).value_counts(normalize=True) for column in (real, sampled)]
    total = shares[0].add(shares[1], fill_value=0.0).sort_values(ascending=False, kind="stable")
    top = list(total.index[: MAX_CATEGORIES if len(total) > MAX_CATEGORIES + 1 else MAX_CATEGORIES + 1])
    names = [*top, f"{len(total) - len(top)} others"] if len(total) > len(top) else top
    place = np.arange(len(names))
    for offset, share, colour, alpha in ((-0.2, shares[0], DATA, 0.55), (0.2, shares[1], MODEL, 1.0)):
        heights = share.reindex(top, fill_value=0.0).to_numpy(float)
        heights = np.r_[heights, share.sum() - heights.sum()][: len(names)]
        axes.barh(place + offset, heights, height=0.36, color=colour, alpha=alpha, linewidth=0)
    named_rows(axes, names)
