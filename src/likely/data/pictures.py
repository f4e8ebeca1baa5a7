"""Rows as pictures, and many pictures as one: a neat grid with thin separators."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from likely.data.channels import inward
from likely.data.kinds import Form, Kind
from likely.data.schema import Schema
from likely.errors import OutputError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["grid", "pictures_in_file_units", "pictures_in_unit_range"]

MAX_BYTE, MAX_DEEP = 255, 65535  # grey levels of 8 and of 16 bits
# Of a grid, in pixels: up to which side small pictures are enlarged; in grey levels: of separators, of missing cells.
MIN_SIDE, SEPARATOR, MISSING = 56, 150, 0.5


def pictures_in_unit_range(schema: Schema, array: np.ndarray) -> np.ndarray:
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
    if column.kind == Kind.BINARY:
        return low, high
    if column.kind == Kind.LEVELS:
        return min(0.0, low), high
    return float(values.min()), float(values.max())


def pictures_in_file_units(schema: Schema, array: np.ndarray) -> np.ndarray:
    """Rows as picture files hold them: in their own units where these were read from files, or need 16 bits.

    Returns
    -------
    numpy.ndarray
        `(rows, height, width[, 3])` uint8, or uint16 for grey levels that lie within 0 to 65535 but not 255; what has
        no such units is scaled to 0 to 255.

    """
    shaped = pictures_in_unit_range(schema, array)
    column, own = schema.columns[0], np.round(inward(schema, np.asarray(array, np.float64)))
    if own.size == shaped.size:
        own = own.reshape(shaped.shape)
    low, high = column.low or 0.0, column.high or 0.0
    files = schema.form == Form.IMAGES and not schema.binarize
    if files and column.dtype == "uint8":
        return own.clip(0, MAX_BYTE).astype(np.uint8)
    deep = (
        column.kind == Kind.LEVELS
        and column.per_unit == 1
        and low >= 0
        and MAX_BYTE < high <= MAX_DEEP
        and own.ndim == 3
    )
    if deep or (files and column.dtype == "uint16"):
        return own.clip(0, MAX_DEEP).astype(np.uint16)
    return np.round(shaped * MAX_BYTE).astype(np.uint8)


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
    scale = scale or max(1, MIN_SIDE // max(pixels.shape[1:3]))
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
    filled = np.nan_to_num(pixels.astype(np.float64), nan=MISSING)
    return np.asarray(np.rint(filled.clip(0, 1) * MAX_BYTE), np.uint8)


def _tile(pixels: np.ndarray, columns: int) -> np.ndarray:
    """Put pictures row by row on a sheet, one line of separator between them and around the whole."""
    count, height, width = pixels.shape[:3]
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, *pixels.shape[3:]), SEPARATOR, np.uint8)
    for index, picture in enumerate(pixels):
        top, left = (index // columns) * (height + 1) + 1, (index % columns) * (width + 1) + 1
        sheet[top : top + height, left : left + width] = picture
    return sheet
