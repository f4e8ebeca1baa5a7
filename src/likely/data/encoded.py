"""Encoded rows: what batches are made of, wherever the rows are held."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from likely.data.batch import Batch
from likely.data.drawing import rand
from likely.data.kinds import Binarize
from likely.data.located import Prepared
from likely.data.noise import Stream, row_keys, uniform

__all__ = ["EncodedRows", "ResidentRows"]

CHUNK_CELLS = 2**20  # cells of rows that are hashed or drawn for at once: 8 MiB in float64
MAX_COPIES = 100  # mean weight up to which whole weights are made copies of rows: memory grows by as much


class EncodedRows(ABC):
    """Rows that batches are made of: values in their compact types, and what is known beside them.

    Callers take batches (`training_batch`, `evaluation_batch`), or consecutive rows as they are stored (`stored`);
    where the values are held, and in how many pieces, is the implementation's own.
    """

    @abstractmethod
    def __len__(self) -> int:
        """How many rows."""

    @property
    @abstractmethod
    def event_shape(self) -> torch.Size:
        """Shape of one row."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where batches are."""

    @property
    @abstractmethod
    def binarize(self) -> Binarize | None:
        """How levels are made 0/1 batch by batch; `None` where they are not, or are already."""

    @property
    @abstractmethod
    def covariates(self) -> Tensor | None:
        """`(rows, columns)`: what P(x|y) is conditioned on, encoded like table columns."""

    @property
    @abstractmethod
    def observed(self) -> Tensor | None:
        """`(rows, *event)` boolean, `None` where every cell is observed; a missing cell holds a number all the same."""

    @property
    @abstractmethod
    def weights(self) -> Tensor | None:
        """`(rows,)` float64: a row of weight w counts as w rows; `None` where every row counts once."""

    @abstractmethod
    def training_batch(self, index: Tensor, generator: torch.Generator | None = None) -> Batch:
        """The rows with these numbers, as the model sees them in training: binarised anew where that is dynamic."""

    @abstractmethod
    def evaluation_batch(self, index: Tensor) -> Batch:
        """The rows with these numbers, as they are evaluated: of rows `binarised_once`; the batch has no `rows`."""

    @abstractmethod
    def stored(self, first: int = 0, last: int | None = None) -> Batch:
        """The rows from `first` to before `last` in the types that they are stored in, all unless given.

        Whole numbers up to 255 and two values are uint8, wider ones int32, columns of tables float64, categories codes
        (-1: never seen).
        """

    @abstractmethod
    def take(self, index: Tensor) -> EncodedRows:
        """The rows with these numbers, as rows of their own, in memory."""

    @abstractmethod
    def to(self, device: str | torch.device) -> EncodedRows:
        """The same rows on another device."""

    @abstractmethod
    def weighted(self, weights: Tensor | None) -> EncodedRows:
        """The same rows with these weights, `(rows,)`."""

    @abstractmethod
    def binarised_once(self, seed: int) -> EncodedRows:
        """The rows binarised once, by noise keyed by (seed, row): what is evaluated, and static training rows."""

    @abstractmethod
    def expect(self, spans: Sequence[tuple[int, int]]) -> None:
        """Rows from each first to before each last are needed soon: those that are not in memory are read ahead."""

    @property
    def row_size(self) -> int:
        """How many cells a row has."""
        return self.event_shape.numel()

    @property
    def cells(self) -> Tensor:
        """How many cells of each row are observed: `(rows,)` int64."""
        if self.observed is None:
            return torch.full((len(self),), self.row_size, device=self.device)
        return self.observed.flatten(1).sum(1)

    def keys(self, seed: int) -> Tensor:
        """One 64-bit number per row, by the seed and what the row holds (`noise.row_keys`): `(rows,)` int64."""
        size = max(1, CHUNK_CELLS // max(1, self.row_size))
        starts = range(0, max(1, len(self)), size)
        return torch.cat([row_keys(self.stored(first, first + size).values, seed) for first in starts])

    def column(self, place: int | None) -> Tensor:
        """The observed cells of one column of a table, or of the whole array: `(any number,)`."""
        rows = self.stored()
        chosen = slice(None) if place is None else (slice(None), place)
        return rows.values[chosen].flatten() if rows.observed is None else rows.values[chosen][rows.observed[chosen]]

    def counted(self, seed: int) -> EncodedRows:
        """The same rows without weights: each repeated w times where every w is whole and small, else drawn by weight.

        They are drawn systematically, so that a row of mean weight stays once.
        """
        if self.weights is None:
            return self
        w = self.weights.cpu()
        whole = bool((w == w.round()).all()) and float(w.sum()) <= MAX_COPIES * len(w)
        if whole:
            times = w.long()
        else:
            start = torch.rand(1, generator=torch.Generator().manual_seed(seed), dtype=w.dtype)
            ends = (w.cumsum(0) / w.sum() * len(w) + start).floor().long()
            times = ends.diff(prepend=ends.new_zeros(1))
        return self.take(torch.arange(len(w)).repeat_interleave(times)).weighted(None)


@dataclass(frozen=True, eq=False)
class ResidentRows(EncodedRows):
    """Rows in one tensor `(rows, *event)` in memory, or on a device.

    Attributes
    ----------
    binarize, covariates, observed, weights
        As `EncodedRows` has them.
    high
        Upper limit of the levels that are made 0/1: each cell is 1 with probability value/high.
    prepared
        What a model knows of the rows beforehand, which its batches bring along.

    """

    _values: Tensor
    binarize: Binarize | None = None
    high: float | None = None
    covariates: Tensor | None = None
    observed: Tensor | None = None
    weights: Tensor | None = None
    prepared: Prepared | None = None

    def __len__(self) -> int:
        return len(self._values)

    @property
    def event_shape(self) -> torch.Size:
        return self._values.shape[1:]

    @property
    def device(self) -> torch.device:
        return self._values.device

    def to(self, device: str | torch.device) -> ResidentRows:
        beside = (self.covariates, self.observed, self.weights)
        covariates, observed, weights = (None if part is None else part.to(device) for part in beside)
        moved = replace(self, _values=self._values.to(device), prepared=None)
        return replace(moved, covariates=covariates, observed=observed, weights=weights)

    def take(self, index: Tensor) -> ResidentRows:
        index = index.to(self.device)
        beside = (self.covariates, self.observed, self.weights)
        covariates, observed, weights = (None if part is None else part[index] for part in beside)
        taken = replace(self, _values=self._values[index], prepared=None)
        return replace(taken, covariates=covariates, observed=observed, weights=weights)

    def expect(self, spans: Sequence[tuple[int, int]]) -> None:
        """Rows in memory need not be read."""

    def weighted(self, weights: Tensor | None) -> ResidentRows:
        return replace(self, weights=weights)

    def binarised_once(self, seed: int) -> ResidentRows:
        if self.binarize is None:
            return self
        high = self.high or 1.0
        if self.binarize == Binarize.THRESHOLD:
            return replace(self, _values=(self._values >= high / 2).to(torch.uint8), binarize=None)
        parts = []
        for chunk in self._values.split(max(1, CHUNK_CELLS // max(1, self.row_size))):
            draws = uniform(row_keys(chunk, seed), Stream.BINARIZE, 0, 1, chunk[0].numel())[0].view(chunk.shape)
            parts.append((draws * high < chunk).to(torch.uint8))
        return replace(self, _values=torch.cat(parts), binarize=None)

    def training_batch(self, index: Tensor, generator: torch.Generator | None = None) -> Batch:
        values = self._values.index_select(0, index)
        if self.binarize == Binarize.DYNAMIC:
            draws = rand(values.shape, 0, generator, device=values.device)
            values = draws.mul_(self.high or 1.0) < values
        return replace(self._beside(_floating(values), index), rows=index)

    def evaluation_batch(self, index: Tensor) -> Batch:
        return self._beside(_floating(self._values.index_select(0, index)), index)

    def stored(self, first: int = 0, last: int | None = None) -> Batch:
        parts = (self.observed, self.covariates, self.weights)
        observed, covariates, weights = (None if part is None else part[first:last] for part in parts)
        return Batch(self._values[first:last], observed, covariates, weights=weights)

    def _beside(self, values: Tensor, index: Tensor) -> Batch:
        parts = (self.observed, self.covariates, self.weights)
        observed, covariates, weights = (None if part is None else part.index_select(0, index) for part in parts)
        prepared = None if self.prepared is None else self.prepared.take(index)
        return Batch(values, observed, covariates, weights=weights, prepared=prepared)


def _floating(values: Tensor) -> Tensor:
    """Bytes as float32, wider whole numbers as float64."""
    kinds = {torch.bool: torch.float32, torch.uint8: torch.float32, torch.int32: torch.float64}
    return values.to(kinds.get(values.dtype, values.dtype))
