"""Figures of trust: the gap in two parts, the baselines beside the model, the calibration of P(x|z)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from likely.report.axes import short
from likely.report.theme import DATA, EXTRA, INK, MODEL, MUTED, SPOKEN, WIDTH, framed, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MAX_PANELS", "Bar", "beside", "gap_split", "integral", "merged", "pit", "spread_of"]

MAX_PANELS = 24  # columns with a histogram of u: six lines of four
ERRORS = 4  # standard errors, half the height of the band in which bars may lie by chance
_IN_BIN = 10  # numbers that a bin is to hold where the model is true

Bar = tuple[str, float, float]
_LEAST_SHORT = 0.01  # nats: where the axis of what a sum is short of ends


@themed
def gap_split(
    approximation: tuple[float, float], amortisation: tuple[float, float], rows: str, width: float = WIDTH
) -> Figure:
    """Draw approximation + amortisation = gap, each part beginning where the last ended; (nats, error of sampling)."""
    first, second, narrow = approximation[0], amortisation[0], width < WIDTH
    bars = (
        ("the family of Q" if narrow else "approximation: the family of Q", 0.0, first, approximation[1], EXTRA),
        ("the encoder" if narrow else "amortisation: the encoder", first, second, amortisation[1], MODEL),
        ("gap, at least", 0.0, first + second, math.nan, DATA),
    )
    figure = Figure(figsize=(width, 1.9), layout="constrained")
    axes = figure.subplots()
    for place, (_, start, size, error, colour) in enumerate(bars):
        axes.barh(place, size, left=start, height=0.6, color=colour, alpha=0.75, linewidth=0)
        known = math.isfinite(error)
        if known:
            axes.errorbar(start + size, place, xerr=error, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        end = max(start, start + size) + (error if known else 0.0)
        axes.annotate(f"{size:.4g}".replace("-", "−"), (end, place), (5, 0), textcoords="offset points", va="center")
    _rows_of_bars(axes, [bar[0] for bar in bars])
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.margins(x=0.28 if narrow else 0.12)
    axes.set(xlabel="nats per row", title=f"gap, mean of {rows}")
    return figure


@themed
def integral(lines: Sequence[tuple[str, np.ndarray, np.ndarray]], rows: int, width: float = WIDTH) -> Figure:
    """Draw by how many nats sums over N points of z are short: (words, N, nats, below 0 where short)."""
    figure = Figure(figsize=(width, 3.1), layout="constrained")
    axes = figure.subplots()
    for (words, counts, nats), colour, marker in zip(lines, (DATA, EXTRA, MODEL), "osD", strict=False):
        short = np.maximum(-nats, _LEAST_SHORT)
        axes.plot(counts, short, color=colour, marker=marker, ms=3.5, lw=1.4, label=words)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(_grouped)
    axes.yaxis.set_major_formatter(_grouped)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0.8 * _LEAST_SHORT)
    axes.set(xlabel="N, points of z", title=f"nats short, mean of {rows} rows")
    if width < WIDTH:
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0, fontsize=8)
    else:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(lines), borderaxespad=0)
    return figure


def _grouped(value: float, _: int | None = None) -> str:
    return f"{value:,.4g}" if value < 1 else f"{value:,.0f}"


@themed
def beside(models: Sequence[Bar], coders: Sequence[Bar], nats: float, bits: float, width: float = WIDTH) -> Figure:
    """Draw how far each baseline lies from the model's line: models in nats per row, compressors in bits per dim.

    Bars are (name, value, error, NaN for none); ``nats`` and ``bits`` are the model's own.
    """
    panels = [(models, nats, "log P(x), nats per row: further right is better")] if models else []
    panels += [(coders, bits, "bits per dimension: further left is better")] if coders else []
    heights = [0.26 * len(bars) + 0.75 for bars, _, _ in panels]
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    for axes, (bars, own, label) in zip(
        figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights).ravel(), panels, strict=True
    ):
        _anchored(axes, bars, own, 40 if width >= WIDTH else 18)
        axes.set_xlabel(label if width >= WIDTH else label.partition(":")[0])
    return figure


def _anchored(axes: Axes, bars: Sequence[Bar], own: float, letters: int) -> None:
    """Draw bars from the model's line, so that their lengths are differences, each with its value at its end."""
    for place, (_, value, error) in enumerate(bars):
        known = error if math.isfinite(error) else 0.0
        axes.barh(place, value - own, left=own, height=0.6, color=DATA, alpha=0.55, linewidth=0)
        if known:
            axes.errorbar(value, place, xerr=known, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        right = value >= own
        axes.annotate(
            f"{value:.4g}".replace("-", "−"),
            (value + (known if right else -known), place),
            (5 if right else -5, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
        )
    _rows_of_bars(axes, [name for name, _, _ in bars], letters)
    axes.axvline(own, color=MODEL, linewidth=2)
    axes.use_sticky_edges = False
    axes.margins(x=0.14 if letters > 18 else 0.45)
    axes.annotate(
        f"this model: {own:.4g}".replace("-", "−"),
        (own, 1),
        (0, 3),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="right" if own > sum(axes.get_xlim()) / 2 else "left",
        color=SPOKEN,
    )


def _rows_of_bars(axes: Axes, names: Sequence[str], letters: int = 40) -> None:
    axes.set_yticks(range(len(names)), [short(name, letters) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


@themed
def pit(shares: np.ndarray, count: int, *, wrong: bool) -> Figure:
    """Draw the share of u in each bin, the flat line, and 4 standard errors of a true model's shares about it.

    Bars outside the band are orange where the column was found `wrong`: colour and words say the same.
    """
    shares = np.asarray(shares, float)
    flat = 1 / len(shares)
    band = spread_of(len(shares), count)
    edges = np.linspace(0, 1, len(shares) + 1)
    outside = wrong & (np.abs(shares - flat) > band)
    figure, axes = framed(left=0.36, bottom=0.2)
    axes.bar(
        edges[:-1],
        shares,
        width=0.9 * flat,
        align="edge",
        color=[MODEL if out else DATA for out in outside],
        alpha=0.65,
        linewidth=0,
    )
    axes.axhspan(max(0.0, flat - band), flat + band, color=MUTED, alpha=0.22, linewidth=0)
    axes.axhline(flat, color=INK, linewidth=0.9)
    axes.set(xlim=(0, 1), ylim=(0, 1.12 * max(float(shares.max()), 2 * flat, flat + band)), xticks=[0, 0.5, 1])
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
    axes.locator_params(axis="y", nbins=4)
    axes.xaxis.set_major_formatter(lambda u, _: f"{u:g}")
    axes.tick_params(length=0, labelsize=7)
    axes.grid(visible=False, axis="x")
    return figure


def spread_of(bins: int, count: int) -> float:
    """4 standard errors of the share of one of so many bins, of so many numbers."""
    flat = 1 / bins
    return ERRORS * math.sqrt(flat * (1 - flat) / count)


def merged(shares: np.ndarray, count: int) -> np.ndarray:
    """The histogram with neighbours put together until a bin expects 10 numbers at least, or 4 bins are left."""
    shares = np.asarray(shares, float)
    for bins in (len(shares), len(shares) // 2, len(shares) // 4, len(shares) // 5):
        if bins and len(shares) % bins == 0 and (count >= _IN_BIN * bins or bins * 5 <= len(shares)):
            return np.asarray(shares.reshape(bins, -1).sum(1))
    return shares
