"""Averages over rows that several seeds may have in common."""

from __future__ import annotations

import numpy as np


def over_rows(values: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """Mean, and its standard error with all values of one row taken for one draw (clusters: Liang and Zeger 1986).

    Parameters
    ----------
    values
        Nats, `(values,)`.
    rows
        Number of the row that each belongs to.

    """
    mean = values.mean()
    _, group = np.unique(rows, return_inverse=True)
    sums = np.bincount(group, values - mean)
    scale = len(sums) / (len(sums) - 1)
    return {"mean": float(mean), "se": float(np.sqrt(scale * np.square(sums).sum()) / len(values))}


def told(found: dict[str, float]) -> str:
    """A mean and its error."""
    return f"{found['mean']:+.3f} ± {found['se']:.3f}"
