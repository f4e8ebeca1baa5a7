"""Encoded rows in files that are mapped into memory: any number of them, of which few are in memory at a time."""

from __future__ import annotations

import json
import os
import warnings
import weakref
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, final

import numpy as np
import torch
from torch import Tensor

from likely.data.batch import Batch
from likely.data.encoded import EncodedRows, ResidentRows
from likely.data.kinds import Binarize
from likely.data.schema import Column
from likely.errors import DataError, OutputError

__all__ = ["MappedRows", "written_rows"]

PARTS = ("values", "observed", "covariates", "weights")
ABOUT = "rows.json"  # written last: a folder that has it is whole
FILL_ROWS = 2**16  # of a mask that is written at once for rows before the first that misses a cell


def written_rows(folder: Path, chunks: Iterable[EncodedRows], rows: int) -> None:
    """Write encoded rows to npy files in a folder, chunk after chunk.

    Parameters
    ----------
    folder
        Where to; it exists and is empty.
    chunks
        The rows in their order, encoded by one schema.
    rows
        How many there are in all.

    Raises
    ------
    DataError
        If chunks are of different types, or there are more or fewer rows.
    OutputError
        If the disk refuses.

    """
    files: dict[str, _Part] = {}
    about: dict[str, Any] = {"rows": rows, "binarize": None, "high": None}
    done = 0
    try:
        for chunk in chunks:
            batch = chunk.stored()
            for name in PARTS:
                part = getattr(batch, name)
                if part is None and name not in files:
                    continue
                if name not in files:
                    files[name] = _Part(folder / f"{name}.npy", part, rows)
                    if name == "observed":  # rows before the first that misses a cell have all
                        files[name].fill(done)
                files[name].write(torch.ones_like(batch.values, dtype=torch.bool) if part is None else part)
            done += len(chunk)
            if isinstance(chunk, ResidentRows):
                about |= {"binarize": chunk.binarize and str(chunk.binarize), "high": chunk.high}
        if done != rows:
            raise DataError(f"the data has changed while it was read: {done:,} training rows, expected {rows:,}")
        for one in files.values():
            one.sync()
        (folder / ABOUT).write_text(json.dumps(about))
    except OSError as error:
        raise OutputError(
            f"cannot write encoded rows to {folder}: {error.strerror or error}; free some space"
        ) from error
    finally:
        for one in files.values():
            with suppress(OSError):  # what could not be flushed was raised before
                one.file.close()


class _Part:
    """One npy file, written from its start."""

    def __init__(self, path: Path, first: Tensor, rows: int) -> None:
        self.path, self.like = path, first.numpy()[:0]
        self.file: BinaryIO = path.open("wb")
        header = {"descr": np.lib.format.dtype_to_descr(self.like.dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(self.file, {**header, "shape": (rows, *self.like.shape[1:])})

    def write(self, part: Tensor) -> None:
        array = part.numpy()
        if array.dtype != self.like.dtype or array.shape[1:] != self.like.shape[1:]:
            raise DataError(
                f"encoded rows are {array.dtype} of shape {array.shape[1:]}, and those before them {self.like.dtype} "
                f"of shape {self.like.shape[1:]}: a column changes its type from part to part of the data"
            )
        self.file.write(np.ascontiguousarray(array).data)

    def fill(self, rows: int) -> None:
        for first in range(0, rows, FILL_ROWS):
            self.file.write(np.ones((min(FILL_ROWS, rows - first), *self.like.shape[1:]), self.like.dtype).data)

    def sync(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())


@final
@dataclass(frozen=True, eq=False)
class MappedRows(EncodedRows):
    """Rows in files that `written_rows` wrote: a batch reads those that it takes.

    The system keeps in memory what it has room for. Batches are on the device; the rows stay where they are.
    """

    _held: ResidentRows
    _ahead: _ReadAhead
    _skipped: Tensor | None = None  # numbers, ascending, of rows of the files that are none of these
    _device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def opened(cls, folder: Path) -> MappedRows:
        """The rows of a folder.

        Raises
        ------
        OSError, ValueError, KeyError
            If it is not one that was written to its end.

        """
        about = json.loads((folder / ABOUT).read_text())
        paths = {name: folder / f"{name}.npy" for name in PARTS if (folder / f"{name}.npy").exists()}
        maps = {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
        if any(len(one) != about["rows"] for one in maps.values()):
            raise ValueError(f"{folder} does not hold {about['rows']} rows")
        parts = {name: _tensor(one) for name, one in maps.items()}
        held = ResidentRows(
            parts["values"],
            None if about["binarize"] is None else Binarize(about["binarize"]),
            about["high"],
            parts.get("covariates"),
            parts.get("observed"),
            parts.get("weights"),
        )
        return cls(held, _ReadAhead([(paths[name], one.offset, one.strides[0]) for name, one in maps.items()]))

    @classmethod
    def of_bytes(cls, path: Path, column: Column, binarize: Binarize | None, skipped: np.ndarray) -> MappedRows:
        """The rows, but for some, of an npy file of bytes that are levels, or 0 and 1: encoded they are the same."""
        array = np.load(path, mmap_mode="r")
        held = ResidentRows(_tensor(array), binarize, column.high)
        return cls(held, _ReadAhead([(path, array.offset, array.strides[0])]), torch.from_numpy(skipped))

    def __len__(self) -> int:
        return len(self._held) - (0 if self._skipped is None else len(self._skipped))

    def _places(self, index: Tensor) -> Tensor:
        """Which rows of the files they are."""
        if self._skipped is None:
            return index
        before = self._skipped - torch.arange(len(self._skipped))  # how many of these rows come before each skipped one
        return index + torch.searchsorted(before, index, right=True)

    @property
    def event_shape(self) -> torch.Size:
        return self._held.event_shape

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def binarize(self) -> Binarize | None:
        return self._held.binarize

    @property
    def covariates(self) -> Tensor | None:
        return self._held.covariates

    @property
    def observed(self) -> Tensor | None:
        return self._held.observed

    @property
    def weights(self) -> Tensor | None:
        return self._held.weights

    def training_batch(self, index: Tensor, generator: torch.Generator | None = None) -> Batch:
        taken = self.take(index)
        return replace(taken.training_batch(torch.arange(len(index), device=self.device), generator), rows=index)

    def evaluation_batch(self, index: Tensor) -> Batch:
        return self.take(index).evaluation_batch(torch.arange(len(index), device=self.device))

    def stored(self, first: int = 0, last: int | None = None) -> Batch:
        if self._skipped is None:
            return self._held.stored(first, last)
        return self._held.take(self._places(torch.arange(len(self))[first:last])).stored()

    def take(self, index: Tensor) -> EncodedRows:
        return self._held.take(self._places(index.cpu())).to(self.device)

    def to(self, device: str | torch.device) -> MappedRows:
        return replace(self, _device=torch.device(device))

    def weighted(self, weights: Tensor | None) -> MappedRows:
        return replace(self, _held=self._held.weighted(weights))

    def binarised_once(self, seed: int) -> EncodedRows:
        """The rows binarised once; of many that are not, this needs room for all: they are before they are written."""
        return self if self.binarize is None else self._held.binarised_once(seed).to(self.device)

    def expect(self, spans: Sequence[tuple[int, int]]) -> None:
        ends = torch.tensor(spans, dtype=torch.int64).reshape(-1, 2) - torch.tensor([0, 1])
        self._ahead.begin([(first, last + 1) for first, last in self._places(ends).tolist()])


def _tensor(array: np.ndarray) -> Tensor:
    """A map that is only read: one that could be written to would be counted as memory by the system."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        return torch.from_numpy(array)


@final
class _ReadAhead:
    """Asks the system, in a thread, to read rows that are needed soon.

    Parameters
    ----------
    files
        Path, place of the first row and bytes of a row.

    """

    def __init__(self, files: Sequence[tuple[Path, int, int]]) -> None:
        self.files = [(path.open("rb", buffering=0), start, size) for path, start, size in files]
        self._thread = ThreadPoolExecutor(1, "read-ahead")
        for file, _, _ in self.files:
            weakref.finalize(self, file.close)
        weakref.finalize(self, self._thread.shutdown)
        self._last: Future[None] | None = None

    def begin(self, spans: Sequence[tuple[int, int]]) -> None:
        if hasattr(os, "posix_fadvise") and (self._last is None or self._last.done()):
            self._last = self._thread.submit(self._advise, tuple(spans))

    def _advise(self, spans: Sequence[tuple[int, int]]) -> None:
        for file, start, size in self.files:
            for first, last in spans:
                os.posix_fadvise(file.fileno(), start + first * size, (last - first) * size, os.POSIX_FADV_WILLNEED)
