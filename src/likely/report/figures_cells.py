"""log P(x_j|z) column by column, beside what the column's own distribution gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from likely.report.axes import short
from likely.report.numbers import signed
from likely.report.theme import DATA, INK, MODEL, MUTED, WIDTH, themed

__all__ = ["MAX_LINES", "explained"]

MAX_LINES = 40  # of the figure, one a column


@themed
def explained(columns: pd.DataFrame) -> Figure:
    """Draw each column's mean log P(x_j|z) under Q and, where it is known, log P(x_j) of the column alone.

    Parameters
    ----------
    columns
        By name of column, ``given_z`` and ``alone`` in nats, the latter NaN where it is not known; in the order drawn.
    """
    shown = columns.iloc[:MAX_LINES]
    given, alone = (shown[name].to_numpy(float) for name in ("given_z", "alone"))
    figure = Figure(figsize=(WIDTH, 0.8 + 0.24 * len(shown)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(shown))
    gains = given - alone
    for i in np.flatnonzero(np.isfinite(gains)):
        axes.plot([alone[i], given[i]], [i, i], color=MODEL if gains[i] >= 0 else MUTED, alpha=0.45, linewidth=3.5)
    if np.isfinite(alone).any():
        axes.plot(alone, place, "o", color=DATA, markersize=5.5, label="the column alone: log P(x_j)")
    axes.plot(given, place, "o", color=MODEL, markersize=5.5, label="with z from Q(z|x): log P(x_j|z)")
    axes.margins(x=0.04)
    edge = axes.get_yaxis_transform()
    for line, (value, gain) in enumerate(zip(given, gains, strict=True)):
        for x, label in ((1.075, f"{value:.2f}"), (1.145, signed(gain) if np.isfinite(gain) else "")):
            axes.text(x, line, label.replace("-", "−"), transform=edge, ha="right", va="center", fontsize=8, color=INK)
    for x, label in ((1.075, "with z"), (1.145, "z adds" if np.isfinite(gains).any() else "")):
        axes.text(x, -0.9, label, transform=edge, ha="right", va="center", fontsize=8, color=MUTED)
    axes.set_yticks(place, [short(str(name), 28) for name in shown.index])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel="nats per cell that is observed: further right is better")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return figure
