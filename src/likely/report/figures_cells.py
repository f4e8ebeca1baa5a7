"""log P(x_j|z) column by column, beside what the column's own distribution gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from likely.report.axes import short
from likely.report.numbers import signed
from likely.report.theme import DATA, INK, MODEL, MUTED, WIDTH, themed

__all__ = ["MAX_LINES", "explained"]

MAX_LINES = 40  # of the figure, one a column


@themed
def explained(columns: pd.DataFrame, width: float = WIDTH) -> Figure:
    """Draw each column's mean log P(x_j|z) under Q and, where it is known, log P(x_j) of the column alone.

    Parameters
    ----------
    columns
        By name of column, ``given_z`` and ``alone`` in nats, the latter NaN where it is not known; in the order drawn.
    """
    shown = columns.iloc[:MAX_LINES]
    given, alone = (shown[name].to_numpy(float) for name in ("given_z", "alone"))
    figure = Figure(figsize=(width, 0.8 + 0.24 * len(shown)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(shown))
    gains = given - alone
    for i in np.flatnonzero(np.isfinite(gains)):
        axes.plot([alone[i], given[i]], [i, i], color=MODEL if gains[i] >= 0 else MUTED, alpha=0.45, linewidth=3.5)
    if np.isfinite(alone).any():
        axes.plot(alone, place, "o", color=DATA, markersize=5.5, label="the column alone: log P(x_j)")
    axes.plot(given, place, "o", color=MODEL, markersize=5.5, label="with z from Q(z|x): log P(x_j|z)")
    axes.margins(x=0.04)
    edge, narrow = axes.get_yaxis_transform(), width < WIDTH
    style: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 8}
    lines = [
        (f"{value:.2f}", signed(gain) if np.isfinite(gain) else "") for value, gain in zip(given, gains, strict=True)
    ]
    heads = ("with z", "z adds" if np.isfinite(gains).any() else "")
    for line, labels in [(-0.9, heads), *enumerate(lines)]:
        for offset, label in zip((42, 80), labels, strict=True):
            colour = MUTED if labels is heads else INK
            axes.annotate(label.replace("-", "−"), (1, line), (offset, 0), xycoords=edge, color=colour, **style)
    axes.set_yticks(place, [short(str(name), 12 if narrow else 28) for name in shown.index])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(
        ylim=(len(shown) - 0.4, -0.6),
        xlabel="nats per cell" if narrow else "nats per cell that is observed: further right is better",
    )
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1 if narrow else 2, borderaxespad=1.2 if narrow else 0.2)
    return figure
