"""Pairs of columns: what the joint distributions that are furthest off look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from likely.data.histogram import MAX_DRAWN, Bins, bins, numbers
from likely.report.axes import date_axis, number_axis, percent, short
from likely.report.figures_columns import bins_for
from likely.report.theme import DATA, MODEL, themed

__all__ = ["joint"]

HIDDEN = 0.02  # share outside a panel that is named
_BINS, _MAX_CATEGORIES = 18, 8  # of a panel's axis; with a place of their own


@dataclass(frozen=True, eq=False)
class _Side:
    """One axis of a joint picture: the place of each real and each sampled row (−1: not shown), and its ticks."""

    real: np.ndarray
    sampled: np.ndarray
    edges: np.ndarray
    spread: Bins | None
    names: list[str]
    dates: bool


@themed
def joint(real: pd.DataFrame, sampled: pd.DataFrame, vertical: str, horizontal: str) -> tuple[Figure, str]:
    """Draw a pair of columns, real rows beside sampled ones, darker where more rows are; and what is not drawn."""
    most = bins_for(round(min(len(real), len(sampled)) ** 0.75), _BINS)
    y, x = (_side(real[name], sampled[name], most) for name in (vertical, horizontal))
    shares = [_joint(x, y, which) for which in ("real", "sampled")]
    top = max(float(share.max()) for share in shares) or 1.0
    figure = Figure(figsize=(4.2, 2.2), layout="constrained")
    for axes, share, colour in zip(figure.subplots(1, 2, sharey=True), shares, (DATA, MODEL), strict=True):
        _cells(axes, x, y, np.sqrt(share / top), colour)
        _ticks(axes, x, y)
    hidden = [1 - share.sum() for share in shares]
    note = f"not here, missing or outside: {percent(hidden[0])} / {percent(hidden[1])}" if max(hidden) > HIDDEN else ""
    return figure, note


def _side(real: pd.Series, sampled: pd.Series, most: int) -> _Side:
    first, second = numbers(real), numbers(sampled)
    if first is not None and second is not None:
        seen = first[np.abs(first) < MAX_DRAWN]
        dates = pd.api.types.is_datetime64_any_dtype(real.dtype)
        spread = bins(seen, dates=dates, most=most)
        places = [_within(np.searchsorted(spread.edges, v, "right") - 1, v, spread) for v in (first, second)]
        return _Side(places[0], places[1], spread.edges, spread, [], dates)
    absent = [column.isna().to_numpy() for column in (real, sampled)]
    top = real.dropna().astype(str).value_counts().index[:_MAX_CATEGORIES].tolist()
    index = pd.Index(top, dtype=object)
    codes = [index.get_indexer(pd.Index(column.astype(object).astype(str))) for column in (real, sampled)]
    for name, chosen in (
        ("others", [(code < 0) & ~gone for code, gone in zip(codes, absent, strict=True)]),
        ("missing", absent),
    ):
        if any(mask.any() for mask in chosen):
            codes = [np.where(mask, len(top), code) for mask, code in zip(chosen, codes, strict=True)]
            top = [*top, name]
    return _Side(codes[0], codes[1], np.arange(len(top) + 1) - 0.5, None, top, dates=False)


def _within(places: np.ndarray, values: np.ndarray, spread: Bins) -> np.ndarray:
    inside = (values >= spread.edges[0]) & (values < spread.edges[-1])
    return np.where(inside, places, -1)


def _joint(x: _Side, y: _Side, which: str) -> np.ndarray:
    """Shares `(vertical, horizontal)`; rows that miss either cell, or outside, are in none."""
    across, down = getattr(x, which), getattr(y, which)
    shape = len(y.edges) - 1, len(x.edges) - 1
    shown = (across >= 0) & (down >= 0)
    counts = np.bincount(down[shown] * shape[1] + across[shown], minlength=shape[0] * shape[1])
    return np.asarray(counts.reshape(shape) / max(len(across), 1))


def _cells(axes: Axes, x: _Side, y: _Side, strength: np.ndarray, colour: str) -> None:
    places = np.argwhere(strength > 0)
    if not len(places):
        return
    boxes = [
        Rectangle((x.edges[j], y.edges[i]), x.edges[j + 1] - x.edges[j], y.edges[i + 1] - y.edges[i]) for i, j in places
    ]
    alpha = strength[strength > 0]
    axes.add_collection(PatchCollection(boxes, facecolor=colour, alpha=alpha, linewidth=0), autolim=False)


def _ticks(axes: Axes, x: _Side, y: _Side) -> None:
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=7)
    if x.spread is not None:
        (date_axis if x.dates else number_axis)(axes, x.spread, "x")
    else:
        axes.set_xlim(-0.5, len(x.names) - 0.5)
        axes.set_xticks(range(len(x.names)), [short(name, 10) for name in x.names], rotation=50, ha="right")
    if y.spread is not None:
        (date_axis if y.dates else number_axis)(axes, y.spread, "y")
    else:
        axes.set_ylim(len(y.names) - 0.5, -0.5)
        axes.set_yticks(range(len(y.names)), [short(name, 14) for name in y.names])
