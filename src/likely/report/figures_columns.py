"""One small picture per column of a table: the rows that were held out against rows the model made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from likely.data.histogram import DEFAULT_BINS, MAX_DRAWN, bins, ceiling, numbers
from likely.report.axes import date_axis, named_rows, note_spikes, number_axis, percent
from likely.report.theme import DATA, MODEL, framed, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MAX_CATEGORIES", "MAX_COLUMNS", "bins_for", "marginal"]

MAX_COLUMNS = 24  # with a histogram: six lines of four
MAX_CATEGORIES = 12  # with a bar of their own
_LONGEST = 14  # letters of a name of a category
_LETTER, _LINE, _FOOT = 0.066, 0.13, 0.3  # inches of a letter, of a line of bars, and of the axis below them


def bins_for(count: int, most: int = DEFAULT_BINS) -> int:
    """How many bins a histogram of so many numbers has: 2 ∛n of the smaller sample (Rice's rule), at most `most`."""
    return int(np.clip(np.ceil(2 * max(count, 1) ** (1 / 3)), 4, most))


@themed
def marginal(real: pd.Series, sampled: pd.Series) -> tuple[Figure, str]:
    """Draw the distribution of a column, real rows filled, sampled ones outlined; and a note of what is not drawn."""
    notes = []
    if real.isna().any() or sampled.isna().any():
        notes.append(f"missing {percent(real.isna().mean())} / {percent(sampled.isna().mean())}")
    first, second = numbers(real), numbers(sampled)
    if first is None or second is None:
        return _bars(real.dropna(), sampled.dropna()), " · ".join(notes)
    kept = [values[np.abs(values) < MAX_DRAWN] for values in (first, second)]
    figure, axes = framed()
    axes.tick_params(length=0, labelsize=7)
    notes += _histogram(axes, *kept, dates=pd.api.types.is_datetime64_any_dtype(real.dtype))
    return figure, " · ".join(notes)


def _histogram(axes: Axes, real: np.ndarray, sampled: np.ndarray, *, dates: bool) -> list[str]:
    """Draw both histograms on shared bins and say how much lies outside them."""
    known = [values.size for values in (real, sampled) if values.size]
    spread = bins(real if real.size else sampled, dates=dates, most=bins_for(min(known, default=0)))
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


def _bars(real: pd.Series, sampled: pd.Series) -> Figure:
    """Draw the shares of the most frequent categories, and of all others together."""
    shares = [column.astype(str).value_counts(normalize=True) for column in (real, sampled)]
    total = shares[0].add(shares[1], fill_value=0.0).sort_values(ascending=False, kind="stable")
    top = list(total.index[: MAX_CATEGORIES if len(total) > MAX_CATEGORIES + 1 else MAX_CATEGORIES + 1])
    names = [*top, f"{len(total) - len(top)} others"] if len(total) > len(top) else top
    letters = min(max((len(name) for name in names), default=1), _LONGEST)
    figure, axes = framed(height=max(1.3, _LINE * len(names) + _FOOT), left=0.1 + _LETTER * letters)
    axes.tick_params(length=0, labelsize=7)
    place = np.arange(len(names))
    for offset, share, colour, alpha in ((-0.2, shares[0], DATA, 0.55), (0.2, shares[1], MODEL, 1.0)):
        heights = share.reindex(top, fill_value=0.0).to_numpy(float)
        heights = np.r_[heights, share.sum() - heights.sum()][: len(names)]
        axes.barh(place + offset, heights, height=0.36, color=colour, alpha=alpha, linewidth=0)
    named_rows(axes, names, _LONGEST)
    return figure
