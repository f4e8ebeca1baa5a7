"""How often each value of an array occurs, counted in chunks: the whole is never copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["Tally", "chunks", "tally"]

CHUNK_CELLS = 2**17  # cells that are counted at once: 1 MiB in float64
MAX_DISTINCT = 2**16  # values that are counted: those of 16 bits


@dataclass(frozen=True, eq=False)
class Tally:
    """The values of some cells, each with how often it occurs.

    Attributes
    ----------
    values
        `(distinct,)`, ascending, in the array's own type.
    counts
        `(distinct,)` int64.

    """

    values: np.ndarray
    counts: np.ndarray


def chunks(array: np.ndarray) -> Iterator[np.ndarray]:
    """The cells that have a value, `(cells,)` each: some rows at a time, about 130,000 cells."""
    rows = max(1, CHUNK_CELLS // max(1, array[:1].size))
    for first in range(0, len(array), rows):
        part = array[first : first + rows].reshape(-1)
        yield part[~np.isnan(part)] if part.dtype.kind == "f" else part


def tally(array: np.ndarray, most: int = MAX_DISTINCT) -> Tally | None:
    """How often each value of an array `(rows, *event)` occurs, NaN left out; `None` where more than `most` differ."""
    if array.dtype.kind in "biu" and array.dtype.itemsize <= 2:
        return _by_places(array, most)
    counted = Tally(np.empty(0, array.dtype), np.empty(0, np.int64))
    for part in chunks(array):
        values, counts = np.unique(part, return_counts=True)
        together, place = np.unique(np.concatenate([counted.values, values]), return_inverse=True)
        sums = np.bincount(place, np.concatenate([counted.counts, counts]), minlength=len(together))
        counted = Tally(together, sums.astype(np.int64))
        if len(together) > most:
            return None
    return counted


def _by_places(array: np.ndarray, most: int) -> Tally | None:
    """Of types with at most 65,536 values: a count for each."""
    lowest = int(np.iinfo(array.dtype).min) if array.dtype.kind == "i" else 0
    counts = np.zeros(256**array.dtype.itemsize, np.int64)
    for part in chunks(array):
        counts += np.bincount(part.astype(np.intp) - lowest, minlength=len(counts))
        if most < MAX_DISTINCT and np.count_nonzero(counts) > most:
            return None
    places = np.flatnonzero(counts)
    return Tally((places + lowest).astype(array.dtype), counts[places])
