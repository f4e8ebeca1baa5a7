"""Pairs of columns: how close their joint distribution comes, and what the worst ones look like."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from likely.data.histogram import MAX_DRAWN, Bins, bins, numbers
from likely.report.axes import date_axis, number_axis, percent, short
from likely.report.theme import DATA, INK, MODEL, MUTED, RULE, WIDTH, themed

__all__ = ["FULL", "heat_map", "joints"]

# What a pair lacks in fidelity where its square is darkest; how dark that is; the share outside a panel that is named.
FULL, STRONGEST, HIDDEN = 0.2, 0.75, 0.02
_MAX_NUMBERED = 16  # columns up to which squares have their number in them
_BINS, _MAX_CATEGORIES = 18, 8  # of a panel's axis; with a place of their own
_ACROSS = 2  # panels in a line


@themed
def heat_map(fidelity: pd.DataFrame, chance: pd.DataFrame) -> Figure:
    """Draw the lower triangle of a matrix of fidelities, the columns' own on the diagonal.

    The colour is what is missing to `chance`: none is blank, 0.2 and more is full.
    """
    names, count = [short(str(name), 18) for name in fidelity.columns], len(fidelity)
    side = min(WIDTH, 2.2 + 0.46 * count)
    figure = Figure(figsize=(side, side * 0.8), layout="constrained")
    axes = figure.subplots()
    for i in range(count):
        for j in range(i + 1):
            value, lacking = fidelity.iat[i, j], max(chance.iat[i, j] - fidelity.iat[i, j], 0.0)
            alpha = STRONGEST * min(lacking / FULL, 1.0)
            axes.add_patch(Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, facecolor=MODEL, alpha=alpha, linewidth=0))
            if count <= _MAX_NUMBERED:
                size = 7.5 if count <= 12 else 6
                axes.text(j, i, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=size, color=INK)
    axes.set(xlim=(-0.6, count - 0.4), ylim=(count - 0.4, -0.6))
    axes.set_yticks(range(count), names)
    axes.set_xticks(range(count), names, rotation=50, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0, labelsize=8 if count <= _MAX_NUMBERED else 7, labelcolor=INK)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    _key(axes, count)
    return figure


def _key(axes: Axes, count: int) -> None:
    """Explain the colour in the empty corner."""
    if count < 5:
        return
    steps = (0.0, 0.05, 0.1, 0.15, FULL)
    left, size = count - 1.0 - 0.55 * len(steps), 0.5
    for place, lacking in enumerate(steps):
        x = left + place * 0.55
        for style in ({"facecolor": MODEL, "alpha": STRONGEST * lacking / FULL}, {"fill": False, "edgecolor": RULE}):
            axes.add_patch(Rectangle((x, 0.25), size, size, linewidth=0.6, **style))
        axes.text(x + size / 2, 0.95, f"{lacking:g}", ha="center", va="center", fontsize=6.5, color=MUTED)
    axes.text(left + 0.55 * len(steps), 0.0, "short of chance by", ha="right", va="center", fontsize=7, color=MUTED)


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
def joints(real: pd.DataFrame, sampled: pd.DataFrame, pairs: list[tuple[str, str, str]]) -> Figure:
    """Draw pairs `(vertical, horizontal, words)`: real rows beside sampled ones, darker where more rows are."""
    across = min(_ACROSS, len(pairs))
    down = math.ceil(len(pairs) / across)
    figure = Figure(figsize=(WIDTH * across / _ACROSS, 2.5 * down), layout="constrained")
    parts = np.asarray(figure.subfigures(down, across, squeeze=False)).ravel()
    for part, (vertical, horizontal, words) in zip(parts, pairs, strict=False):
        y, x = (_side(real[name], sampled[name]) for name in (vertical, horizontal))
        part.suptitle(f"{short(vertical, 20)} by {short(horizontal, 20)}: {words}", fontsize=9, x=0.02, ha="left")
        shares = [_joint(x, y, which) for which in ("real", "sampled")]
        top = max(float(share.max()) for share in shares) or 1.0
        panels = part.subplots(1, 2, sharey=True)
        for axes, share, colour in zip(panels, shares, (DATA, MODEL), strict=True):
            _cells(axes, x, y, np.sqrt(share / top), colour)
            _ticks(axes, x, y)
            if share.sum() < 1 - HIDDEN:
                axes.set_xlabel(f"not here, missing or outside: {percent(1 - share.sum())}", fontsize=7)
    return figure


def _side(real: pd.Series, sampled: pd.Series) -> _Side:
    first, second = numbers(real), numbers(sampled)
    if first is not None and second is not None:
        seen = first[np.abs(first) < MAX_DRAWN]
        dates = pd.api.types.is_datetime64_any_dtype(real.dtype)
        spread = bins(seen, dates=dates, most=_BINS)
        places = [_within(np.searchsorted(spread.edges, v, "right") - 1, v, spread) for v in (first, second)]
        return _Side(places[0], places[1], spread.edges, spread, [], dates)
    words = [column.astype(object).where(column.notna(), "missing").astype(str) for column in (real, sampled)]
    top = words[0].value_counts().index[:_MAX_CATEGORIES].tolist()
    index = pd.Index(top)
    codes = [index.get_indexer(pd.Index(each)) for each in words]
    if any((code < 0).any() for code in codes):
        codes, top = [np.where(code < 0, len(top), code) for code in codes], [*top, "others"]
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
