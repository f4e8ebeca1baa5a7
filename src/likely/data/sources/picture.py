"""One picture file -> grey of 8 or 16 bits, or 8-bit colour. Loads Pillow, so it is imported where a picture is met."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from likely.data.sources.colours import WHITE
from likely.errors import DataError, InputError
from likely.files import demand_room

__all__ = ["Outline", "Picture", "is_picture", "outline_of", "picture_bytes", "read_picture", "was_written_by_likely"]

TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
GREY = ("1", "L", "LA", "La")
WIDE = re.compile(r";(16|32)[BLN]")
MAX_GREY = 65535  # of 16 bits
COST = 12  # bytes of memory for a pixel: of 4 channels, as it is stored, upright, and laid on the background
ORIENTATION, SIDEWAYS = 274, (5, 6, 7, 8)  # of EXIF: width and height change places
WRITTEN_BY = ("Software", "likely")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


@dataclass(frozen=True)
class Outline:
    """What a picture is once it is read, as its header tells.

    Attributes
    ----------
    size
        (height, width), upright.
    colour
        Whether it has three channels.
    bits
        Of a channel.

    """

    size: tuple[int, int]
    colour: bool
    bits: int


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, and what was given up to get it.

    Attributes
    ----------
    path
        Of the file.
    array
        `(height, width)` when grey, uint16 where the file has 16 bits; `(height, width, 3)` in colour; else uint8.
    transparent
        It was laid on the background, which shows.
    scaled
        It had more than 8 bits, which were scaled to 8: floats, and colours.
    animated
        It is the first of several frames.

    """

    path: Path
    array: np.ndarray
    transparent: bool
    scaled: bool
    animated: bool

    @property
    def outline(self) -> Outline:
        """Its size, colour and depth."""
        height, width = self.array.shape[:2]
        return Outline((height, width), self.array.ndim == 3, 8 * self.array.itemsize)

    @property
    def grey(self) -> bool:
        """Whether nothing in it has a colour, however it is stored."""
        array = self.array
        return array.ndim == 2 or bool((array[..., :1] == array[..., 1:]).all())


def outline_of(path: Path, resize: tuple[int, int] | None, background: tuple[int, int, int] = WHITE) -> Outline:
    """What `read_picture` makes of a file, by its header alone.

    Raises
    ------
    DataError
        If the file cannot be read.

    """
    try:
        with Image.open(path, formats=FORMATS) as opened:
            size = (opened.height, opened.width)
            turned = opened.getexif().get(ORIENTATION, 1) in SIDEWAYS
            deep = opened.mode == "I" or opened.mode.startswith("I;16")
            coloured = opened.mode not in (*GREY, "F") and not deep
            if not deep and not coloured and len(set(background)) > 1 and _may_show(opened):
                coloured = read_picture(path, resize, background).array.ndim == 3
    except Exception as error:  # a damaged picture makes Pillow raise almost anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(f"picture {path} cannot be read ({reason}); mend it or take it out") from error
    return Outline(resize or (size[::-1] if turned else size), coloured, 16 if deep else 8)


def is_picture(path: Path) -> bool:
    """Whether the content is that of a picture of a kind that is read, whatever the name says."""
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except Image.DecompressionBombError:
        return True  # and too large, as its reader says
    except Exception:  # a damaged picture makes Pillow raise almost anything
        return False


def read_picture(path: Path, resize: tuple[int, int] | None, background: tuple[int, int, int] = WHITE) -> Picture:
    """Read one file: upright by its EXIF, laid on the background, and of size `resize` (height, width) where given.

    Grey of 16 bits keeps its units.

    Raises
    ------
    DataError
        If the file cannot be read, or holds numbers that have no place on a scale of 16 bits, or floats beyond 0 to 1.

    """
    try:
        _check_whole(path)
        with Image.open(path, formats=FORMATS) as opened:
            cure = "scale it down, or take it out"
            demand_room(COST * opened.width * opened.height, f"picture {path}, {opened.width}x{opened.height},", cure)
            animated = bool(getattr(opened, "is_animated", False))
            wide = bool(WIDE.search(str(opened.tile)))
            image = ImageOps.exif_transpose(opened)
        if image.mode == "I" or image.mode.startswith("I;16"):
            return Picture(path, _deep(image, resize), transparent=False, scaled=False, animated=animated)
        scaled = image.mode == "F" or wide
        image, transparent = _opaque(_from_floats(image), background)
        if resize is not None and image.size != (resize[1], resize[0]):
            image = image.resize((resize[1], resize[0]), Image.Resampling.LANCZOS)
        return Picture(path, np.array(image, dtype=np.uint8), transparent, scaled, animated)
    except InputError:
        raise
    except Exception as error:  # a damaged picture makes Pillow raise almost anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(f"picture {path} cannot be read ({reason}); mend it or take it out") from error


def picture_bytes(image: Any, ending: str) -> bytes:
    """A picture of Pillow's as the bytes of a file whose name ends so; a PNG says that likely wrote it."""
    buffer, form = io.BytesIO(), Image.registered_extensions()[ending]
    mark = PngInfo()
    mark.add_text(*WRITTEN_BY)
    image.save(buffer, format=form, **({"pnginfo": mark} if form == "PNG" else {}))
    return buffer.getvalue()


def was_written_by_likely(path: Path) -> bool:
    """Whether a file is a PNG that says that likely wrote it."""
    name, writer = WRITTEN_BY
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return path.is_file() and not path.is_symlink() and image.info.get(name) == writer
    except (OSError, ValueError):
        return False


def _check_whole(path: Path) -> None:
    """Pillow reads a PNG that lacks its end as if nothing were missing; its checksums tell."""
    with Image.open(path, formats=FORMATS) as opened:
        if opened.format == "PNG":
            opened.verify()


def _deep(image: Any, resize: tuple[int, int] | None) -> np.ndarray:
    """Grey of 16 bits in its own units; scaled in size it stays within its own range."""
    numbers = _within(np.asarray(image).astype(np.float32), MAX_GREY)
    if resize is not None and numbers.shape != resize:
        floats = Image.fromarray(numbers).resize((resize[1], resize[0]), Image.Resampling.LANCZOS)
        numbers = np.asarray(floats).clip(numbers.min(), numbers.max())
    return np.round(numbers).astype(np.uint16)


def _from_floats(image: Any) -> Any:
    """Grey of floats in 0..1 scaled to 0..255, the same way for every picture; others as they are."""
    if image.mode != "F":
        return image
    return Image.fromarray(np.round(_within(np.asarray(image).astype(np.float64), 1) * 255).astype(np.uint8))


def _within(numbers: np.ndarray, top: int) -> np.ndarray:
    if not ((numbers >= 0) & (numbers <= top)).all():
        raise ValueError(f"its values go from {numbers.min():g} to {numbers.max():g}, expected 0 to {top}")
    return numbers


def _may_show(image: Any) -> bool:
    return image.mode in TRANSPARENT or "transparency" in image.info


def _opaque(image: Any, background: tuple[int, int, int]) -> tuple[Any, bool]:
    """Grey or colour without transparency, and whether the background shows."""
    grey = image.mode in GREY
    if _may_show(image):
        if image.mode in ("La", "RGBa"):
            image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:
            below = Image.new("RGBA", image.size, (*background, 255))
            laid = Image.alpha_composite(below, image).convert("RGB")
            plain = grey and len(set(background)) == 1
            return laid.getchannel(0) if plain else laid, True
    return image.convert("L" if grey else "RGB"), False
