"""npy files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data.kinds import Form
from likely.data.source import Rows, RowStore, Source
from likely.data.sources.arrays import checked, header_of, reading
from likely.data.sources.format import Format, Options, Writer, begins
from likely.data.sources.places import Places
from likely.errors import DataError
from likely.files import demand_room

__all__ = ["NPY", "ArrayRows", "read_npy"]

ENDINGS = (".npy",)
FEWER = "give fewer rows, or a smaller type, such as float32 or uint8"


class ArrayRows(RowStore):
    """Rows of npy files, by memory map: none is copied before it is read.

    Parameters
    ----------
    paths
        Files whose rows follow one another, of one shape and type.

    Raises
    ------
    DataError
        If a file is damaged, holds no array of numbers, or has rows of another shape or type than the first.

    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths, self._arrays = list(paths), [_mapped(path) for path in paths]
        first = self._arrays[0]
        for path, array in zip(self._paths, self._arrays, strict=True):
            if array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
                raise DataError(
                    f"{path} has rows of shape {array.shape[1:]} and type {array.dtype}, {self._paths[0]} of "
                    f"{first.shape[1:]} and {first.dtype}; write them alike"
                )
        self._places = Places([len(array) for array in self._arrays])

    def __len__(self) -> int:
        return len(self._places)

    @property
    def event(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self._arrays[0].shape[1:] or (1,)

    @property
    def file(self) -> Path | None:
        """The file, where it is one."""
        return self._paths[0] if len(self._paths) == 1 else None

    @property
    def holds_bytes(self) -> bool:
        """Whether values are bytes, whose rows have one cell or more, in the order of the file."""
        first = self._arrays[0]
        return first.dtype == np.uint8 and first.ndim > 1 and bool(first.flags.c_contiguous)

    @property
    def bytes(self) -> int:
        """What all rows fill."""
        return sum(array.nbytes for array in self._arrays)

    def read(self, index: np.ndarray | None = None) -> Rows:
        """The rows with these numbers, copied."""
        if index is None:
            demand_room(self.bytes, str(self._paths[0]), FEWER)
            return Rows(np.concatenate([self._plain(part, slice(None)) for part in range(len(self._arrays))]))
        numbers = self._places.checked(index)
        if not len(numbers):
            return Rows(self._plain(0, slice(0, 0)))
        found = [(where, self._plain(part, _slice(inner))) for part, where, inner in self._places.parts(numbers)]
        if len(found) == 1:
            return Rows(found[0][1])
        values = np.empty((len(numbers), *self.event), found[0][1].dtype)
        for where, rows in found:
            values[where] = rows
        return Rows(values)

    def _plain(self, part: int, rows: slice | np.ndarray) -> np.ndarray:
        read = np.require(self._arrays[part][rows], requirements="W")  # the map itself is only read
        return checked(np.asarray(read), str(self._paths[part]))


def read_npy(path: Path, options: Options | None = None) -> Source:
    """The array of an npy file, as a source; its first axis is rows."""
    return _read([path], path, options or Options())


def _read(paths: Sequence[Path], place: Path, options: Options) -> Source:
    sizes = [_size(path) for path in paths]
    if sum(sizes) > options.memory:
        return Source(Form.ARRAY, {"all": ArrayRows(paths)}, place)
    if len(paths) == 1:
        demand_room(sizes[0], str(place), FEWER)
        with reading(place, "npy"), place.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
        return Source(Form.ARRAY, {"all": Rows(checked(array, str(place)))}, place)
    return Source(Form.ARRAY, {"all": ArrayRows(paths).read()}, place)


def _size(path: Path) -> int:
    with reading(path, "npy"), path.open("rb") as file:
        shape, needed = header_of(file)
        held = path.stat().st_size - file.tell()
        if needed > held:
            raise ValueError(f"{held} bytes, expected {needed} for shape {shape}")
    return needed


def _mapped(path: Path) -> np.ndarray:
    _size(path)
    with reading(path, "npy"):
        array = np.lib.format.open_memmap(path, mode="r") if path.stat().st_size else np.empty(0)
    if array.ndim == 0 or not len(array):
        raise DataError(f"{path} holds no rows; expected an array (rows, ...)")
    checked(np.asarray(array[:1]), str(path))
    return array


def _slice(inner: np.ndarray) -> slice | np.ndarray:
    together = inner[-1] - inner[0] == len(inner) - 1 and bool((np.diff(inner) == 1).all())
    return slice(int(inner[0]), int(inner[-1]) + 1) if together else inner


def _written(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _written_frame(frame: pd.DataFrame, _: str) -> bytes:
    truths = {name: float for name in frame if frame[name].dtype == bool}  # beside numbers a truth is 0 or 1
    return _written(frame.astype(truths).to_numpy())


NPY = Format(
    "npy",
    read_npy,
    ENDINGS,
    begins(b"\x93NUMPY"),
    writer=Writer(ENDINGS, frame=_written_frame, array=_written),
    several=_read,
)
