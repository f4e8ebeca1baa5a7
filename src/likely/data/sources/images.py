"""Folders of pictures: flat, by class, by split."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likely.data.source import Rows, Source
from likely.errors import DataError

__all__ = ["SUFFIXES", "read_folder"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


@dataclass(frozen=True)
class _Picture:
    path: Path
    array: np.ndarray
    alpha: bool
    deep: bool


def read_folder(
    path: Path, resize: tuple[int, int] | None, progress: Callable[[int, int], None] | None
) -> Source | None:
    """Every picture below the folder, in sorted order; `None` where there is none.

    A first folder level named train, val or test is a split; the level below it (or the first) is the label. Mixed grey
    and colour becomes colour; alpha is dropped; EXIF rotation is applied.

    Raises
    ------
    DataError
        If a picture cannot be read, or sizes differ and no `resize` was given.

    """
    entries = [file for file in sorted(path.rglob("*")) if file.is_file() and not _hidden(file, path)]
    files = [file for file in entries if file.suffix.lower() in SUFFIXES]
    if not files:
        return None
    notices = []
    if len(entries) > len(files):
        notices.append(f"{len(entries) - len(files)} files that are not pictures were left out")
    read = _read_all(files, resize, progress)
    if any(picture.alpha for picture in read):
        notices.append(f"transparency was dropped from {sum(picture.alpha for picture in read)} pictures")
    if any(picture.deep for picture in read):
        notices.append(f"{sum(picture.deep for picture in read)} pictures with more than 8 bits were scaled to 8")
    colour = [picture.array.ndim == 3 for picture in read]
    if any(colour) and not all(colour):
        notices.append(f"{len(read) - sum(colour)} grey pictures among {len(read)} were made colour")
    _check_sizes(read)
    return Source("images", _splits(path, read, any(colour)), path, tuple(notices))


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)


def _read_all(
    files: list[Path], resize: tuple[int, int] | None, progress: Callable[[int, int], None] | None
) -> list[_Picture]:
    read = []
    with ThreadPoolExecutor(4) as pool:
        for picture in pool.map(lambda file: _read(file, resize), files):
            read.append(picture)
            if progress:
                progress(len(read), len(files))
    return read


def _read(file: Path, resize: tuple[int, int] | None) -> _Picture:
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            alpha = image.mode in ALPHA or "transparency" in image.info
            deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
            if deep:
                image = Image.fromarray(_to_bytes(np.asarray(image)))
            grey = image.mode in ("1", "L", "LA", "La")
            image = image.convert("L" if grey else "RGB")
            if resize is not None:
                image = image.resize((resize[1], resize[0]), Image.Resampling.LANCZOS)
            return _Picture(file, np.asarray(image, dtype=np.uint8), alpha, deep)
    except Exception as error:  # a damaged picture makes Pillow raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"picture {file} cannot be read ({reason[:120]}); mend it or take it out") from error


def _to_bytes(array: np.ndarray) -> np.ndarray:
    numbers = array.astype(np.float64)
    top = (
        65535.0
        if numbers.max(initial=0) > 255
        else (1.0 if array.dtype.kind == "f" and numbers.max(initial=0) <= 1 else 255.0)
    )
    return np.clip(np.round(numbers / top * 255), 0, 255).astype(np.uint8)


def _check_sizes(read: list[_Picture]) -> None:
    first = read[0]
    for picture in read:
        if picture.array.shape[:2] != first.array.shape[:2]:
            (h1, w1), (h2, w2) = first.array.shape[:2], picture.array.shape[:2]
            raise DataError(
                f"pictures differ in size: {first.path} is {h1}x{w1}, {picture.path} is {h2}x{w2} (height x width); "
                f"scale them with --resize {h1}x{w1}"
            )


def _splits(root: Path, read: list[_Picture], colour: bool) -> dict[str, Rows]:
    placed: dict[str, list[tuple[np.ndarray, str | None]]] = {}
    for picture in read:
        folders = picture.path.relative_to(root).parts[:-1]
        split = SPLITS.get(folders[0].lower()) if folders else None
        below = folders[1:] if split else folders
        array = picture.array
        if colour and array.ndim == 2:
            array = np.repeat(array[:, :, None], 3, axis=2)
        placed.setdefault(split or "all", []).append((array, below[0] if below else None))
    if len(placed) > 1 and "all" in placed:
        raise DataError(
            f"{root} holds pictures both inside and outside its {', '.join(s for s in placed if s != 'all')} folders"
        )
    return {split: _rows(pairs) for split, pairs in placed.items()}


def _rows(pairs: list[tuple[np.ndarray, str | None]]) -> Rows:
    labels = [label for _, label in pairs]
    marked = np.array([label or "" for label in labels]) if any(labels) else None
    return Rows(np.stack([array for array, _ in pairs]), marked)
