"""Figures of the fit: learning curves, the bounds on a line, the KL of each latent dimension."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from likely.report.theme import DATA, EXTRA, INK, MODEL, MUTED, SPOKEN, WIDTH, framed, themed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["ACTIVE_NATS", "bounds", "kl_per_dim", "learning", "terms"]

_AVERAGED = "validation rows, averaged weights"
ACTIVE_NATS = 0.01  # KL from which a dimension of z counts as used
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@themed
def learning(history: pd.DataFrame, selected_step: int | None = None, width: float = WIDTH) -> Figure:
    """Draw the ELBO against steps."""
    figure = Figure(figsize=(width, 3.2), layout="constrained")
    axes = figure.subplots()
    narrow = width < WIDTH
    curves = [
        _curve(axes, history, "train_elbo", DATA, "training rows"),
        _curve(axes, history, "val_elbo", MODEL, "validation rows"),
        _curve(axes, history, "val_elbo_average", EXTRA, "averaged weights" if narrow else _AVERAGED),
    ]
    _frame(axes, history["step"].to_numpy(float), curves)
    axes.set(title="ELBO, nats per row", xlabel=_step_label(history))
    if selected_step is not None:
        axes.axvline(selected_step, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="weights kept here")
    if narrow:
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2, borderaxespad=0, columnspacing=1, fontsize=8)
    else:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0)
    return figure


def terms(history: pd.DataFrame) -> list[tuple[str, Figure]]:
    """Draw what the ELBO is made of and the schedule, each in a panel of its own: (title, figure)."""
    wanted = [
        ("reconstruction", "reconstruction, nats per row", DATA),
        ("kl", "KL to the prior, nats per row", EXTRA),
        ("learning_rate", "learning rate", MUTED),
    ]
    beta = history["beta"].to_numpy(float) if "beta" in history else np.ones(len(history))
    if not np.allclose(beta[np.isfinite(beta)], 1):
        wanted.append(("beta", "β, the weight of the KL", MODEL))
    return [(title, _term(history, column, colour)) for column, title, colour in wanted]


def _curve(axes: Axes, history: pd.DataFrame, column: str, colour: str, label: str | None = None) -> np.ndarray:
    """Draw what was measured of one column and return it, NaN elsewhere."""
    if column not in history:
        return np.full(len(history), np.nan)
    values = history[column].to_numpy(float)
    known = np.isfinite(values)
    if known.any():
        marker = "o" if known.sum() <= 60 else None
        axes.plot(history["step"][known], values[known], color=colour, label=label, marker=marker, ms=2.6, lw=1.4)
    return np.where(known, values, np.nan)


def _frame(axes: Axes, steps: np.ndarray, curves: list[np.ndarray]) -> None:
    """Let the frame fit what comes after the first fifth of the steps: the fall at the start would flatten the rest."""
    late = steps >= steps.min() + 0.2 * (steps.max() - steps.min())
    values = np.concatenate([curve[late] for curve in curves])
    values = values[np.isfinite(values)]
    if values.size > 1 and np.ptp(values) > 0:
        margin = 0.08 * np.ptp(values)
        axes.set_ylim(values.min() - margin, values.max() + margin)


def _step_label(history: pd.DataFrame) -> str:
    if "epoch" not in history or not history["epoch"].notna().any():
        return "step"
    return f"step ({history['epoch'].max():.4g} epochs)"


@themed
def _term(history: pd.DataFrame, column: str, colour: str) -> Figure:
    figure, axes = framed(2.3, 1.5, left=0.46, bottom=0.37)
    values = _curve(axes, history, column, colour)
    if column in ("learning_rate", "beta"):
        axes.yaxis.set_major_formatter(_plain)
        axes.set_ylim(0, 1.08 * float(np.nanmax(values, initial=1e-12)))
    else:
        _frame(axes, history["step"].to_numpy(float), [values])
    axes.set_xlabel("step")
    axes.tick_params(length=0, labelsize=7)
    axes.locator_params(axis="both", nbins=4)
    return figure


@themed
def bounds(known: Mapping[str, tuple[float, float]], samples: int | None = None, width: float = WIDTH) -> Figure:
    """Draw ELBO ≤ L_K ≤ log P(x) on a line of nats.

    ``known`` holds (nats, error of sampling) of ``elbo`` and ``iwae``, and of ``ais`` (another bound) or ``exact``
    (log P(x) itself) if there is one, which is named below the line.
    """
    places, errors = [value for value, _ in known.values()], [error for _, error in known.values()]
    elbo, iwae = known["elbo"][0], known["iwae"][0]
    exact = "exact" in known
    best = known["exact" if exact else "ais" if "ais" in known else "iwae"][0]
    span = max(max(places) - min(places), *(4 * error for error in errors), 1e-3 * max(1.0, abs(elbo)))
    low, high = min(places) - 0.4 * span, max(places) + (0.5 if exact else 1.15) * span
    figure = Figure(figsize=(width, 1.75), layout="constrained")
    axes = figure.subplots()
    if not exact:
        fade = np.linspace(0.6, 0.0, 200)[None]
        start = max(places)
        axes.imshow(_tint(EXTRA, fade), extent=(start, high, 0.46, 0.54), aspect="auto", interpolation="bilinear")
        axes.text(
            high,
            0.7,
            "log P(x): here or further right →" if width >= WIDTH else "log P(x) →",
            ha="right",
            va="bottom",
            color=INK,
            fontsize=10,
        )
    axes.plot([elbo, best], [0.5, 0.5], color=MODEL, linewidth=3, alpha=0.5, solid_capstyle="butt")
    close = abs(iwae - elbo) < 0.1 * (high - low)
    sides = ("right", "left") if iwae >= elbo else ("left", "right")
    for name, (place, error) in known.items():
        words, colour, height, side = {
            "elbo": ("ELBO", MODEL, 0.7, sides[0]),
            "iwae": ("L" + (str(samples).translate(_SUBSCRIPTS) if samples else "ₖ"), EXTRA, 0.7, sides[1]),
            "ais": ("AIS", DATA, 0.3, "center"),
            "exact": ("log P(x)", INK, 0.3, "center"),
        }[name]
        axes.errorbar(place, 0.5, xerr=error, fmt="o", color=colour, markersize=8, capsize=4, zorder=3)
        align = {"ha": side if close else "center", "va": "bottom" if height > 0.5 else "top"}
        axes.text(place, height, words, color=INK, fontsize=10, **align)
    gap = f"gap {'=' if exact else '≥'} {best - elbo:.4g}{', by AIS' if 'ais' in known and not exact else ''}"
    axes.text((elbo + best) / 2, 0.3 if len(known) == 2 else 0.08, gap, ha="center", va="top", color=MUTED)
    axes.set(xlim=(low, high), ylim=(0.05 if len(known) == 2 else -0.15, 1.0), yticks=[], xlabel="nats per row")
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    return figure


def _plain(value: float, _: int | None = None) -> str:
    return f"{value:.4g}"


def _tint(colour: str, alpha: np.ndarray) -> np.ndarray:
    rgb = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return np.dstack([np.broadcast_to(part, alpha.shape) for part in rgb] + [alpha])


@themed
def kl_per_dim(nats: np.ndarray, part: str = "latent dimension", width: float = WIDTH) -> Figure:
    """Draw the KL of each part of z, dimensions by size, groups in order, with the line of activity."""
    ordered, sort = np.nan_to_num(np.asarray(nats, float)), part == "latent dimension"
    ordered = np.sort(ordered)[::-1] if sort else ordered
    floor = 10.0 ** math.floor(math.log10(max(min(ACTIVE_NATS / 10, ordered[ordered > 0].min(initial=1.0)), 1e-5)))
    shown, place = np.maximum(ordered, floor), np.arange(1, len(ordered) + 1)
    figure = Figure(figsize=(width, 2.9), layout="constrained")
    axes = figure.subplots()
    active = ordered > ACTIVE_NATS
    for chosen, colour in ((active, EXTRA), (~active, MUTED)):
        axes.vlines(place[chosen], floor, shown[chosen], color=colour, linewidth=1.2, alpha=0.5)
        axes.plot(place[chosen], shown[chosen], "o", color=colour, markersize=4.5 if len(ordered) <= 64 else 2.5)
    axes.axhline(ACTIVE_NATS, color=MODEL, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(len(ordered) + 0.5, ACTIVE_NATS * 1.15, f"{ACTIVE_NATS} nats", color=SPOKEN, ha="right", va="bottom")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(_plain)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(
        xlim=(0.4, len(ordered) + 0.6),
        ylim=(floor * 0.8, max(shown.max() * 1.6, 2 * ACTIVE_NATS)),
        xlabel=f"{part}, by KL" if sort else f"{part}, top first",
        title=f"KL of each {part}, nats",
    )
    axes.grid(visible=False, axis="x")
    return figure
