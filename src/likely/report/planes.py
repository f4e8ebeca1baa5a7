"""Codes in two coordinates, and the column that these tell most of, by which they are coloured."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from likely.data.histogram import numbers

__all__ = ["Plane", "colouring", "plane", "principal"]

MAX_FITTED = 2000  # rows whose principal directions are found
MAX_CLASSES = 10  # of a column of categories that may give the colours
MIN_CURVED = 60  # rows from which squares of coordinates are fitted
MIN_TOLD = 0.05  # share of a column's variance that two coordinates have to tell, for it to give the colours


class Plane(NamedTuple):
    """Points `(rows, 2)`, what the coordinates are, and the names of both axes."""

    points: np.ndarray
    note: str
    axes: tuple[str, str]


def plane(codes: np.ndarray) -> Plane:
    """Codes in two coordinates: as they are, or their two main directions."""
    if codes.shape[1] == 2:
        return Plane(codes, "z0 and z1 as they are", ("z0", "z1"))
    if codes.shape[1] == 1:
        return Plane(np.column_stack([codes[:, 0], np.zeros(len(codes))]), "z0 alone", ("z0", ""))
    points = principal(codes)
    total = float(codes.var(0).sum()) or 1.0
    first, second = (f"component {i + 1} ({100 * points[:, i].var() / total:.0f} % of the variance)" for i in range(2))
    return Plane(points, f"the two principal components of the {codes.shape[1]} latent dimensions", (first, second))


def principal(points: np.ndarray) -> np.ndarray:
    """The two principal components of points, `(rows, 2)`; the second is 0 where there is none."""
    centred = points - points.mean(0)
    _, _, directions = np.linalg.svd(centred[:MAX_FITTED], full_matrices=False)
    coordinates = centred @ directions[:2].T
    return coordinates if coordinates.shape[1] == 2 else np.column_stack([coordinates, np.zeros(len(coordinates))])


def colouring(points: np.ndarray, rows: pd.DataFrame) -> tuple[str, np.ndarray, float] | None:
    """The column of which the place in the plane tells most, its values, and the share of its variance that is told.

    Of numbers by a regression on both coordinates and, of 60 rows or more, their squares; of up to 10 categories the
    mean over their indicators, weighed by variance. ``None`` where no column has a twentieth of it told.
    """
    x, y = ((points[:, i] - points[:, i].mean()) / (points[:, i].std() or 1.0) for i in range(2))
    features = np.column_stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    if len(x) < MIN_CURVED:
        features = features[:, :3]
    best: tuple[str, np.ndarray, float] | None = None
    for name in rows.columns:
        values = numbers(rows[name])
        if pd.api.types.is_datetime64_any_dtype(rows[name].dtype):
            continue
        targets: Any = values[:, None] if values is not None else _indicators(rows[name])
        if targets is None or len(targets) <= 2 * features.shape[1]:
            continue
        seen = np.isfinite(targets).all(1)
        share = _told(features[seen], targets[seen]) if seen.sum() > 2 * features.shape[1] else 0.0
        if share >= MIN_TOLD and (best is None or share > best[2]):
            shown = values if values is not None else rows[name].astype(object).where(rows[name].notna(), "missing")
            best = str(name), np.asarray(shown), share
    return best


def _indicators(column: pd.Series) -> np.ndarray | None:
    codes, classes = pd.factorize(column.astype(object), use_na_sentinel=True)
    if not 2 <= len(classes) <= MAX_CLASSES:
        return None
    found = np.eye(len(classes))[codes]
    found[codes < 0] = np.nan
    return np.asarray(found)


def _told(features: np.ndarray, targets: np.ndarray) -> float:
    """R² of a regression, adjusted for its coefficients."""
    total = float(((targets - targets.mean(0)) ** 2).sum())
    if not total > 0:
        return 0.0
    with np.errstate(all="ignore"):
        fitted = features @ np.linalg.lstsq(features, targets, rcond=None)[0]
    left = float(((targets - fitted) ** 2).sum())
    rows, used = features.shape
    return float(1 - left / total * (rows - 1) / (rows - used))
