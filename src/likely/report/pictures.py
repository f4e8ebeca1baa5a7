"""Rows as pictures."""

from __future__ import annotations

import math

import numpy as np

from likely.data import Schema, inward
from likely.errors import OutputError

__all__ = ["pictures", "stored"]

BYTE, DEEPEST = 255, 65535


def pictures(schema: Schema, array: np.ndarray) -> np.ndarray:
    """Rows in data units as pictures: `(rows, height, width)` or `(rows, height, width, 3)`, scaled to 0..1.

    The last of four channels is how opaque the first three are, which are laid on white.
    """
    values = inward(schema, np.asarray(array, dtype=np.float64))
    low, high = _ends(schema, values)
    scaled = np.clip((values - low) / max(1e-12, high - low), 0, 1)
    if scaled.ndim == 4 and scaled.shape[-1] == 1:
        return scaled[..., 0]
    if scaled.ndim == 2:
        side = math.isqrt(scaled.shape[1])
        if side * side != scaled.shape[1]:
            raise OutputError(f"rows of {scaled.shape[1]} cells are not pictures; write them to .npy")
        return scaled.reshape(-1, side, side)
    if scaled.ndim == 4 and scaled.shape[-1] == 4:
        return np.asarray(1 - scaled[..., 3:] * (1 - scaled[..., :3]))
    if scaled.ndim not in (3, 4) or (scaled.ndim == 4 and scaled.shape[-1] != 3):
        raise OutputError(f"rows of shape {scaled.shape[1:]} are not pictures; write them to .npy")
    return scaled


def _ends(schema: Schema, values: np.ndarray) -> tuple[float, float]:
    """What is black, and what is white."""
    column = schema.columns[0]
    low, high = column.low or 0.0, 1.0 if column.high is None else column.high
    if schema.binarize:
        return 0.0, 1.0
    if column.kind == "binary":
        return low, high
    if column.kind == "levels":
        return min(0.0, low), high
    return float(values.min()), float(values.max())


def stored(schema: Schema, array: np.ndarray) -> np.ndarray:
    """Rows as picture files hold them: in their own units where these were read from files, or need 16 bits.

    Returns
    -------
    numpy.ndarray
        `(rows, height, width[, 3])` uint8, or uint16 for grey levels that lie within 0 to 65535 but not 255; what has
        no such units is scaled to 0 to 255.

    """
    shaped = pictures(schema, array)
    column, own = schema.columns[0], np.round(inward(schema, np.asarray(array, np.float64)))
    if own.size == shaped.size:
        own = own.reshape(shaped.shape)
    low, high = column.low or 0.0, column.high or 0.0
    files = schema.form == "images" and not schema.binarize
    if files and column.dtype == "uint8":
        return own.clip(0, BYTE).astype(np.uint8)
    deep = column.kind == "levels" and column.per_unit == 1 and low >= 0 and BYTE < high <= DEEPEST and own.ndim == 3
    if deep or (files and column.dtype == "uint16"):
        return own.clip(0, DEEPEST).astype(np.uint16)
    return np.round(shaped * BYTE).astype(np.uint8)
