"""Figures of the latent space: how the decoder bends the prior, and where the data's codes lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from likely.report.axes import short
from likely.report.theme import CLASSES, DATA, MUTED, WIDTH, bare, framed, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["codes", "polar_colours", "prior_walk"]

_OTHER = "other"


@themed
def prior_walk(prior_z: np.ndarray, layers: Sequence[tuple[str, np.ndarray]]) -> list[tuple[str, Figure]]:
    """Draw prior draws, and the same draws after each layer, (title, figure); a draw keeps its colour throughout."""
    colours = polar_colours(np.asarray(prior_z, float))
    drawn = []
    for name, points in [("prior z ~ P(z)", prior_z), *layers]:
        figure, axes = framed(2.1, 2.1, left=0.05, bottom=0.05)
        bare(axes)
        axes.scatter(*np.asarray(points, float).T, c=colours, s=_size(len(points)), linewidths=0, rasterized=True)
        drawn.append((name, figure))
    return drawn


def polar_colours(points: np.ndarray) -> np.ndarray:
    """
    Colour points of the plane: hue by angle, and the further from the origin the more vivid.

    Parameters
    ----------
    points
        ``(n, 2)``.

    Returns
    -------
    numpy.ndarray
        sRGB in 0..1, ``(n, 3)``; equal steps of angle look equally different (OKLCH at lightness 0.7).
    """
    x, y = points.T
    angle = np.arctan2(y, x)
    chroma = 0.14 * np.clip(np.hypot(x, y) / 1.5, 0, 1)
    lab = np.stack([np.full_like(chroma, 0.7), chroma * np.cos(angle), chroma * np.sin(angle)], axis=1)
    to_lms = [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
    to_rgb = [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
    linear = ((lab @ np.array(to_lms).T) ** 3 @ np.array(to_rgb).T).clip(0, 1)
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


@themed
def codes(
    points: np.ndarray,
    labels: np.ndarray | None = None,
    named: str = "label",
    axes_named: tuple[str, str] = ("", ""),
    width: float = WIDTH,
) -> Figure:
    """Draw codes in the plane, coloured by label: classes where there are few, a scale where there are many numbers."""
    narrow = width < WIDTH
    figure = Figure(figsize=(width, 4.6) if narrow else (WIDTH * 0.82, 6.0), layout="constrained")
    axes = figure.subplots()
    axes.set_aspect("equal", adjustable="datalim")
    axes.tick_params(length=0)
    axes.set(xlabel=axes_named[0], ylabel=axes_named[1])
    points = np.asarray(points, float)
    if labels is None:
        _scatter(axes, points, color=DATA)
    elif _is_scale(labels):
        mapped = _scatter(axes, points, c=np.asarray(labels, float), cmap=mpl.colormaps["viridis"])
        bar = figure.colorbar(mapped, ax=axes, shrink=0.6, label=named, location="bottom" if narrow else "right")
        bar.outline.set_visible(False)
    else:
        _classes(axes, points, np.asarray(labels).astype(str), named, narrow=narrow)
    return figure


def _is_scale(labels: np.ndarray) -> bool:
    return np.asarray(labels).dtype.kind in "iuf" and len(np.unique(labels)) > len(CLASSES)


def _classes(axes: Axes, points: np.ndarray, labels: np.ndarray, named: str, *, narrow: bool) -> None:
    """One colour per class; the rarest share grey when there are more classes than colours."""
    names, counts = np.unique(labels, return_counts=True)
    if len(names) > len(CLASSES):
        kept = names[np.argsort(-counts, kind="stable")[: len(CLASSES) - 1]]
        labels = np.where(np.isin(labels, kept), labels, _OTHER)
        names = np.array([*kept, _OTHER])
    for name, colour in zip(sorted(names, key=_natural), CLASSES, strict=False):
        _scatter(axes, points[labels == name], color=MUTED if name == _OTHER else colour, label=short(name, 24))
    place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    if narrow:
        place = {"loc": "upper left", "bbox_to_anchor": (0, -0.14), "ncols": 2, "columnspacing": 1, "fontsize": 8}
    axes.legend(markerscale=2.2, title=short(named, 24), **place)


def _natural(name: str) -> tuple[bool, int, str]:
    """Order numbers by size and words by letter; the rest comes last."""
    return (name == _OTHER, int(name) if name.isdecimal() else 0, name)


def _scatter(axes: Axes, points: np.ndarray, **style: Any) -> Any:
    return axes.scatter(*points.T, s=_size(len(points)), linewidths=0, alpha=0.75, rasterized=True, **style)


def _size(count: int) -> float:
    return float(np.clip(9000 / max(count, 1), 2.0, 14.0))
