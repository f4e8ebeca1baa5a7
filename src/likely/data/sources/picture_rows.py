"""Pictures of a folder, decoded when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data.source import Rows, RowStore
from likely.data.sources.picture import Outline, Picture
from likely.errors import DataError
from likely.files import demand_room

__all__ = ["COPIES", "PictureRows", "alike", "decoded", "demand_alike", "filled"]

COPIES = 2  # as they are read, and as the rows that they become
MAX_THREADS = 4  # that read pictures: decoding releases the interpreter


class PictureRows(RowStore):
    """Rows that are files of pictures: their paths and labels are held, no pictures.

    Parameters
    ----------
    files, reader
        A picture a row, and how one is read.
    outline
        What all of them become.
    labels, beside
        As `Rows` has them.

    """

    def __init__(
        self,
        files: Sequence[Path],
        reader: Callable[[Path], Picture],
        outline: Outline,
        labels: np.ndarray | None,
        beside: pd.DataFrame | None,
    ) -> None:
        self._files, self._reader, self._outline = list(files), reader, outline
        self._labels, self._beside = labels, beside

    def __len__(self) -> int:
        return len(self._files)

    @property
    def event(self) -> tuple[int, ...]:
        """`(height, width)`, or `(height, width, 3)` in colour."""
        return (*self._outline.size, *((3,) if self._outline.colour else ()))

    def read(self, index: np.ndarray | None = None) -> Rows:
        """The pictures with these numbers, decoded."""
        numbers = np.arange(len(self)) if index is None else np.asarray(index, dtype=np.int64)
        needed = COPIES * len(numbers) * math.prod(self.event) * self._outline.bits // 8
        demand_room(needed, f"{len(numbers):,} pictures such as {self._files[0]}", "scale them down with --resize HxW")
        values = np.empty((len(numbers), *self.event), np.uint16 if self._outline.bits > 8 else np.uint8)
        for place, picture in enumerate(decoded([self._files[i] for i in numbers.tolist()], self._reader)):
            demand_alike(self._files[0], self._outline, picture.path, picture.outline)
            filled(values, place, picture)
        labels = None if self._labels is None else self._labels[numbers]
        beside = None if self._beside is None else self._beside.iloc[numbers].reset_index(drop=True)
        return Rows(values, labels, beside=beside)


def filled(values: np.ndarray, place: int, picture: Picture) -> None:
    """Put a picture among others; a grey one among colour ones in three equal channels."""
    values[place] = picture.array[:, :, None] if values.ndim == 4 and picture.array.ndim == 2 else picture.array


def decoded(files: Sequence[Path], reader: Callable[[Path], Picture]) -> Iterator[Picture]:
    """Pictures in their order, several read at once."""
    pool = ThreadPoolExecutor(MAX_THREADS)
    try:
        yield from pool.map(reader, files)
    finally:
        pool.shutdown(cancel_futures=True)


def alike(
    files: Sequence[Path], outline_of: Callable[[Path], Outline], progress: Callable[[int, int], None] | None
) -> Outline:
    """What all pictures become, by their headers.

    Raises
    ------
    DataError
        If one cannot be read, or sizes or depths differ.

    """
    first, colour = outline_of(files[0]), False
    for place, file in enumerate(files):
        outline = outline_of(file)
        demand_alike(files[0], first, file, outline)
        colour = colour or outline.colour
        if progress:
            progress(place + 1, len(files))
    return Outline(first.size, colour, first.bits)


def demand_alike(first: Path, outline: Outline, other: Path, its: Outline) -> None:
    """Refuse pictures of two sizes or depths.

    Raises
    ------
    DataError
        If they differ.

    """
    if outline.bits != its.bits:
        raise DataError(
            f"pictures differ in depth: {first} has {outline.bits} bits, {other} has {its.bits}, so that their "
            "numbers do not compare; convert them to one depth"
        )
    (h1, w1), (h2, w2) = outline.size, its.size
    if (h1, w1) != (h2, w2):
        raise DataError(
            f"pictures differ in size: {first} is {h1}x{w1}, {other} is {h2}x{w2} (height x width); "
            f"scale them with --resize {h1}x{w1}"
        )
