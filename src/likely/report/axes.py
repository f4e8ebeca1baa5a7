"""Axes of one column: numbers, orders of magnitude, dates, categories; and what is written about a bar."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.ticker import MaxNLocator, NullLocator

from likely.report.theme import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from likely.data.histogram import Bins

__all__ = ["amount", "date_axis", "named_rows", "note_spikes", "number_axis", "percent", "short"]

Along = Literal["x", "y"]
YEAR = 366 * 86400  # seconds: dates that span more are written as months, a sixtieth of it as days
MAX_TICKS = 4  # of an axis, whose numbers then do not touch
SPIKE_DECADES = 0.08  # room of the values about zero on a symlog axis


def number_axis(axes: Axes, spread: Bins, along: Along = "x") -> None:
    """Fit an axis to the bins: linear, or with few powers of ten and, between them, zero."""
    low, high = float(spread.edges[0]), float(spread.edges[-1])
    axis: Axis = getattr(axes, f"{along}axis")
    if spread.scale == "linear":
        axes.set(**{f"{along}lim": (low, high)})
        whole = bool(np.allclose(spread.edges % 1, 0.5))  # bins of integers end between them: years have no halves
        axis.set_major_locator(MaxNLocator(MAX_TICKS, integer=whole))
        if max(abs(low), abs(high)) >= 1e5:
            axis.set_major_formatter(lambda value, _: amount(value))
        return
    if spread.scale == "log":
        getattr(axes, f"set_{along}scale")("log")
        places = _powers(low, high)
    else:
        getattr(axes, f"set_{along}scale")("symlog", linthresh=spread.linear, linscale=SPIKE_DECADES)
        places = [0.0, *_powers(spread.linear * 1.5, high), *(-place for place in _powers(spread.linear * 1.5, -low))]
    axes.set(**{f"{along}lim": (low, high)})
    axis.set_ticks(places, [amount(place) for place in places])
    axis.set_minor_locator(NullLocator())


def _powers(low: float, high: float) -> list[float]:
    """At most four powers of ten within a range."""
    if high <= low:
        return []
    exponents = np.arange(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    return [float(10.0**exponent) for exponent in exponents[:: math.ceil(len(exponents) / MAX_TICKS) or 1]]


def amount(value: float) -> str:
    """A number for a tick: 0.01, 20, 10k, 3M, 1e+12."""
    for size, letter in ((1e9, ""), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (letter == "M" and abs(value) >= size):
            return f"{value:.3g}" if not letter else f"{value / size:.4g}{letter}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def date_axis(axes: Axes, spread: Bins, along: Along = "x") -> None:
    """Name two moments within the bins' seconds since 1970, no finer than their span deserves."""
    low, high = float(spread.edges[0]), float(spread.edges[-1])
    places = np.rint(np.linspace(low, high, 6)[[1, 4]])
    unit = "M" if high - low > YEAR else "D" if high - low > YEAR / 60 else "s"
    labels = places.astype("datetime64[s]").astype(f"datetime64[{unit}]").astype(str)
    axes.set(**{f"{along}lim": (low, high)})
    getattr(axes, f"{along}axis").set_ticks(places, [label.replace("T", "\n") for label in labels])


def named_rows(axes: Axes, names: list[str], length: int = 14) -> None:
    """Horizontal bars from the top down, named, with shares on the axis below."""
    axes.set_yticks(range(len(names)), [short(name, length) for name in names])
    axes.tick_params(axis="y", labelsize=7, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(lambda share, _: percent(share))
    axes.locator_params(axis="x", nbins=3)
    axes.grid(visible=False, axis="y")


def note_spikes(axes: Axes, edges: np.ndarray, shares: list[np.ndarray]) -> None:
    """Write their shares beside the bars that are higher than the frame, which is what says that they are cut."""
    top = axes.get_ylim()[1]
    low, high = axes.transData.transform([(edges[0], 0), (edges[-1], 0)])[:, 0]
    for line, place in enumerate(np.flatnonzero(np.max(shares, axis=0) > top)):
        left, right = axes.transData.transform([(edges[place], 0), (edges[place + 1], 0)])[:, 0]
        rightward = (left + right) / 2 < (low + high) / 2
        axes.annotate(
            " / ".join(percent(share[place]) for share in shares),
            (edges[place + 1] if rightward else edges[place], 0.96 - 0.1 * line),
            (3 if rightward else -3, 0),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            ha="left" if rightward else "right",
            va="top",
            fontsize=7,
            color=MUTED,
        )


def percent(share: float) -> str:
    """A share in two digits."""
    return f"{100 * share:.2g} %" if 0 < share < 0.995 else f"{100 * share:.0f} %"


def short(name: str, length: int) -> str:
    """The beginning of a long name."""
    return name if len(name) <= length else name[: length - 1] + "…"
