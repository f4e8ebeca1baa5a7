"""Rows as pictures."""

from __future__ import annotations

import math

import numpy as np

from likely.data import Schema
from likely.errors import OutputError

__all__ = ["pictures"]


def pictures(schema: Schema, array: np.ndarray) -> np.ndarray:
    """Rows as pictures: `(rows, height, width)` or `(rows, height, width, 3)`, scaled to 0..1."""
    column, values = schema.columns[0], np.asarray(array, dtype=np.float64)
    low = min(0.0, column.low or 0.0) if column.kind in ("levels", "binary") else float(values.min())
    high = 1.0 if column.kind == "binary" else (column.high if column.kind == "levels" else float(values.max()))
    scaled = np.clip((values - low) / max(1e-12, (high or 1.0) - low), 0, 1)
    if scaled.ndim == 4 and scaled.shape[-1] == 1:
        return scaled[..., 0]
    if scaled.ndim == 2:
        side = math.isqrt(scaled.shape[1])
        if side * side != scaled.shape[1]:
            raise OutputError(f"rows of {scaled.shape[1]} cells are not pictures; write them to .npy")
        return scaled.reshape(-1, side, side)
    if scaled.ndim not in (3, 4) or (scaled.ndim == 4 and scaled.shape[-1] != 3):
        raise OutputError(f"rows of shape {scaled.shape[1:]} are not pictures; write them to .npy")
    return scaled
