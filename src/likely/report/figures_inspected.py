"""One small picture of what the training rows hold in a column, from its summary."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from likely.data.histogram import Bins, ceiling
from likely.data.summary import Summary
from likely.report.axes import date_axis, named_rows, note_spikes, number_axis
from likely.report.theme import DATA, EXTRA, themed

__all__ = ["column"]

_SIZE = (3.1, 1.5)  # inches
_MAX_CATEGORIES = 8  # with a bar of their own


@themed
def column(summary: Summary) -> Figure | None:
    """Draw a histogram of numbers, a timeline of dates, bars of other values; nothing where no value occurs twice."""
    if not summary.counts and not summary.top:
        return None
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.tick_params(length=0, labelsize=7)
    if not summary.counts:
        shares = [count / summary.present for _, count in summary.top[:_MAX_CATEGORIES]]
        names = [str(value).strip() for value, _ in summary.top[:_MAX_CATEGORIES]]
        others = summary.distinct - len(names)
        if others:
            names, shares = [*names, f"{others:,} others"], [*shares, 1 - sum(shares)]
        axes.barh(range(len(names)), shares, height=0.72, color=DATA, alpha=0.6, linewidth=0)
        named_rows(axes, names, length=20)
        return figure
    spread = Bins(np.array(summary.edges), summary.scale, summary.linear)
    heights = np.array(summary.counts) / summary.present
    axes.stairs(heights, spread.edges, fill=True, color=EXTRA if summary.dates else DATA, alpha=0.6)
    axes.set(yticks=[], ylim=(0, ceiling(heights)))
    axes.grid(visible=False)
    (date_axis if summary.dates else number_axis)(axes, spread)
    note_spikes(axes, spread.edges, [heights])
    return figure
