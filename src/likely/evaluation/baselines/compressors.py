"""Bits that general compressors need for the same rows."""

from __future__ import annotations

import gzip
import io
import lzma

import numpy as np
import torch

from likely.data import Column, EncodedRows, Schema
from likely.data.kinds import Kind
from likely.evaluation.baselines.cells import columns_of
from likely.evaluation.baselines.fitted import Baseline, measure
from likely.evaluation.baselines.numbers import Numbers
from likely.evaluation.baselines.support import two_valued

__all__ = ["compress"]

MAX_SIDE = {"PNG": 2**31 - 1, "WEBP": 16383}
OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"optimize": True},
    "WEBP": {"lossless": True, "quality": 100, "method": 4},
}


def compress(schema: Schema, rows: EncodedRows) -> list[Baseline]:
    """Bits per dimension of gzip, xz, PNG and lossless WebP on rows whose every cell is discrete; empty otherwise.

    Empty too where cells are missing: the numbers that fill them would be counted.

    gzip and xz (at their highest levels) get all rows as one string of bytes: arrays row by row, tables column by
    column; 0/1 cells packed into bits, others in the smallest integer type that holds their codes, their places among
    listed numbers, or multiples of the grid's step. PNG and WebP get pictures of one or three channels with 2 or 256
    levels, as files of one picture each or as sheets of pictures one below the other, whichever is smaller. Headers
    count.

    Parameters
    ----------
    schema
        Says what a cell is.
    rows
        Encoded, and binarised once where that applies.

    """
    if measure(schema) != "mass" or not len(rows) or rows.observed is not None:
        return []
    codes, cells = _codes(schema, rows), len(rows) * schema.dims
    data = _bytes(schema, codes)
    how = "as one string of bytes, " + ("row by row" if schema.cells_alike else "column by column")
    sizes = {
        "gzip": (len(gzip.compress(data, 9, mtime=0)), f"gzip -9 of all rows {how}, header included"),
        "xz": (len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)), f"xz -9e of all rows {how}, header included"),
    }
    pictures = _pictures(schema, codes)
    if pictures is not None:
        from PIL import features

        sizes["png"] = _smaller(pictures, "PNG")
        if features.check("webp"):
            sizes["webp"] = _smaller(pictures, "WEBP")
    return [Baseline(name, None, 8 * size / cells, kind) for name, (size, kind) in sizes.items()]


def _codes(schema: Schema, rows: EncodedRows) -> np.ndarray:
    """Integers `(rows, cells)`: categories and listed numbers from 1 on (0: never seen), bits, multiples of a step."""
    values = rows.stored().values.cpu().flatten(1).numpy()
    if schema.cells_alike:
        return _integers(schema.columns[0], values)
    return np.stack([_integers(c, values[:, i]) for i, c in enumerate(columns_of(schema))], 1)


def _integers(column: Column, values: np.ndarray) -> np.ndarray:
    if column.kind == Kind.BINARY:
        return values.astype(np.uint8)
    if column.coded:
        return values.astype(np.int64) + (0 if two_valued(column) and (values >= 0).all() else 1)
    if column.kind == Kind.LISTED:
        flat = torch.from_numpy(values.reshape(-1, 1).astype(np.float64))
        place, known = Numbers.of([column.categories]).find(flat)
        return torch.where(known, place + 1, 0).view(values.shape).numpy()
    if values.dtype == np.uint8:
        return values
    multiples = np.round(values * (column.per_unit or 1))
    return multiples.astype(np.int64)


def _bytes(schema: Schema, codes: np.ndarray) -> bytes:
    """0/1 packed into bits, others as the smallest integers that hold them: one array, or column by column."""
    return _compact(codes) if schema.cells_alike else b"".join(_compact(column) for column in codes.T)


def _compact(codes: np.ndarray) -> bytes:
    low, high = int(codes.min()), int(codes.max())
    if low >= 0 and high <= 1:
        return np.packbits(codes.astype(np.uint8).reshape(-1)).tobytes()
    types = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64)
    smallest = next(kind for kind in types if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return codes.astype(smallest).tobytes()


def _pictures(schema: Schema, codes: np.ndarray) -> np.ndarray | None:
    """`(rows, height, width[, 3])` uint8 or boolean, or `None` where a row is no picture of 2 or 256 levels."""
    shape = schema.event_shape
    if len(shape) == 3 and shape[-1] == 1:
        shape = shape[:2]
    if not schema.cells_alike or len(shape) not in (2, 3) or (len(shape) == 3 and shape[-1] != 3):
        return None
    if codes.min() < 0 or codes.max() > 255:
        return None
    bits = schema.columns[0].kind == Kind.BINARY and len(shape) == 2
    scaled = codes * 255 if schema.columns[0].kind == Kind.BINARY and not bits else codes
    return np.asarray(scaled.reshape(len(codes), *shape).astype(np.bool_ if bits else np.uint8))


def _smaller(pictures: np.ndarray, kind: str) -> tuple[int, str]:
    """Size of the files in bytes, and what they are."""
    rows, height = pictures.shape[:2]
    tall = max(1, min(MAX_SIDE[kind] // height, rows))
    alone = sum(_size(picture, kind) for picture in pictures)
    sheet = sum(_size(np.concatenate(list(part)), kind) for part in _split(pictures, tall))
    files = -(-rows // tall)
    name = "PNG" if kind == "PNG" else "lossless WebP"
    stacked = f"{files} {'sheet' if files == 1 else 'sheets'} of all pictures one below the other"
    what = "one file a picture" if alone < sheet else stacked
    return min(alone, sheet), f"{name}, {what}, headers included"


def _split(pictures: np.ndarray, size: int) -> list[np.ndarray]:
    return [pictures[first : first + size] for first in range(0, len(pictures), size)]


def _size(picture: np.ndarray, kind: str) -> int:
    from PIL import Image

    image = Image.fromarray(picture)
    if kind == "WEBP":
        image = image.convert("RGB")
    held = io.BytesIO()
    image.save(held, kind, **OPTIONS[kind])
    return len(held.getvalue())
