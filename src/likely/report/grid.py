"""Many small pictures as one: a neat grid with thin separators."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["grid"]

_COMFORTABLE = 56
_SEPARATOR = 150
_MISSING = 0.5


def grid(images: np.ndarray, columns: int | None = None, scale: int | None = None) -> Image.Image:
    """
    Lay pictures out on a grid.

    Parameters
    ----------
    images
        ``(n, H, W)``, ``(n, H, W, 1)`` or ``(n, H, W, 3)``: floats in 0..1 (clipped; NaN becomes grey), booleans or
        uint8.
    columns
        Pictures per row; by default about as many as rows.
    scale
        How many times each pixel is repeated along both sides; by default tiny pictures grow to a comfortable size.

    Returns
    -------
    PIL.Image.Image
        Mode ``"L"`` or ``"RGB"``.

    Examples
    --------
    >>> import numpy as np
    >>> grid(np.zeros((6, 8, 8)), columns=3, scale=2).size
    (52, 35)
    """
    from PIL import Image

    pixels = _as_bytes(images)
    columns = min(columns or math.ceil(math.sqrt(len(pixels))), len(pixels))
    scale = scale or max(1, _COMFORTABLE // max(pixels.shape[1:3]))
    if columns < 1 or scale < 1:
        raise ValueError(f"columns and scale must be positive, got {columns} and {scale}")
    return Image.fromarray(_tile(pixels.repeat(scale, axis=1).repeat(scale, axis=2), columns))


def _as_bytes(images: np.ndarray) -> np.ndarray:
    pixels = np.asarray(images)
    if pixels.ndim == 4 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in {3, 4} or (pixels.ndim == 4 and pixels.shape[-1] != 3) or 0 in pixels.shape:
        raise ValueError(f"pictures need the shape (n, H, W) or (n, H, W, 3), got {np.shape(images)}")
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "fb":
        raise ValueError(f"pictures need floats in 0..1 or uint8, got {pixels.dtype}")
    filled = np.nan_to_num(pixels.astype(np.float64), nan=_MISSING)
    return np.asarray(np.rint(filled.clip(0, 1) * 255), np.uint8)


def _tile(pixels: np.ndarray, columns: int) -> np.ndarray:
    """Put pictures row by row on a sheet, one line of separator between them and around the whole."""
    count, height, width = pixels.shape[:3]
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, *pixels.shape[3:]), _SEPARATOR, np.uint8)
    for index, picture in enumerate(pixels):
        top, left = (index // columns) * (height + 1) + 1, (index % columns) * (width + 1) + 1
        sheet[top : top + height, left : left + width] = picture
    return sheet
