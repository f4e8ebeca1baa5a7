"""One picture file -> 8-bit grey or colour."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from likely.errors import DataError

__all__ = ["Picture", "is_picture", "read_picture"]

TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
GREY = ("1", "L", "LA")
WIDE = re.compile(r";(16|32)[BLN]")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, `(height, width)` when grey, `(height, width, 3)` in colour, and what was given up to get it."""

    path: Path
    array: np.ndarray
    transparent: bool
    deep: bool
    animated: bool


def is_picture(path: Path) -> bool:
    """Whether the content is that of a picture, whatever the name says."""
    try:
        with Image.open(path):
            return True
    except (OSError, EOFError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def read_picture(path: Path, resize: tuple[int, int] | None) -> Picture:
    """Read one file: upright by its EXIF, opaque, 8 bits, and of size `resize` (height, width) where given.

    Raises
    ------
    DataError
        If the file cannot be read, or holds numbers that have no place on a scale of 8 bits.

    """
    try:
        _check_whole(path)
        with Image.open(path) as opened:
            animated = bool(getattr(opened, "is_animated", False))
            deep = opened.mode in ("I", "F") or opened.mode.startswith("I;16") or bool(WIDE.search(str(opened.tile)))
            image = ImageOps.exif_transpose(opened)
        transparent = image.mode in TRANSPARENT or "transparency" in image.info
        image = _opaque(_eight_bits(image))
        if resize is not None and image.size != (resize[1], resize[0]):
            image = image.resize((resize[1], resize[0]), Image.Resampling.LANCZOS)
        return Picture(path, np.array(image, dtype=np.uint8), transparent, deep, animated)
    except Exception as error:  # a damaged picture makes Pillow raise almost anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(f"picture {path} cannot be read ({reason}); mend it or take it out") from error


def _check_whole(path: Path) -> None:
    """Pillow reads a PNG that lacks its end as if nothing were missing; its checksums tell."""
    with Image.open(path) as opened:
        if opened.format == "PNG":
            opened.verify()


def _eight_bits(image: Any) -> Any:
    """Grey of 16 bits or of floats in 0..1 scaled to 0..255, the same way for every picture."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    numbers = np.asarray(image).astype(np.float64)
    top = 1 if image.mode == "F" else 65535
    if not ((numbers >= 0) & (numbers <= top)).all():
        raise ValueError(f"its values go from {numbers.min():g} to {numbers.max():g}, expected 0 to {top}")
    return Image.fromarray(np.round(numbers / top * 255).astype(np.uint8))


def _opaque(image: Any) -> Any:
    if image.mode in ("La", "RGBa"):
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("L" if image.mode in GREY else "RGB")
