"""Encoded rows: one tensor in its compact type, sliced into batches on its device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from likely.data.batch import Batch
from likely.data.noise import row_keys, uniform
from likely.data.schema import Binarize

__all__ = ["EncodedRows"]

CELLS, MOST_COPIES = 2**20, 100


@dataclass(frozen=True, eq=False)
class EncodedRows:
    """Rows ready for the model.

    Attributes
    ----------
    values
        `(rows, *event)`; whole numbers up to 255 and two values are uint8, wider ones int32, table columns float64,
        categories codes (-1: never seen).
    binarize
        `dynamic`: every batch draws each cell as 1 with probability value/high.
    high
        Upper limit of the levels.
    covariates
        `(rows, columns)`: what P(x|y) is conditioned on, encoded like table columns.
    observed
        `(rows, *event)` boolean, `None` when every cell is observed; a cell that is not holds a number all the same.
    weights
        `(rows,)` float64: a row of weight w counts as w rows; `None` where every row counts once.

    """

    values: Tensor
    binarize: Binarize | None = None
    high: float | None = None
    covariates: Tensor | None = None
    observed: Tensor | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def cells(self) -> Tensor:
        """How many cells of each row are observed: `(rows,)` int64."""
        if self.observed is None:
            return torch.full((len(self),), self.values[0].numel() if len(self) else 0, device=self.values.device)
        return self.observed.flatten(1).sum(1)

    def to(self, device: str | torch.device) -> EncodedRows:
        """The same rows on another device."""
        beside = (self.covariates, self.observed, self.weights)
        covariates, observed, weights = (None if part is None else part.to(device) for part in beside)
        return replace(self, values=self.values.to(device), covariates=covariates, observed=observed, weights=weights)

    def take(self, index: Tensor) -> EncodedRows:
        """The rows with these numbers."""
        index = index.to(self.values.device)
        beside = (self.covariates, self.observed, self.weights)
        covariates, observed, weights = (None if part is None else part[index] for part in beside)
        return replace(self, values=self.values[index], covariates=covariates, observed=observed, weights=weights)

    def counted(self, seed: int) -> EncodedRows:
        """Rows without weights: repeated w times where every w is whole and small, else as many drawn by weight.

        They are drawn systematically, so that a row of mean weight stays once.
        """
        if self.weights is None:
            return self
        w = self.weights.cpu()
        whole = bool((w == w.round()).all()) and float(w.sum()) <= MOST_COPIES * len(w)
        if whole:
            times = w.long()
        else:
            start = torch.rand(1, generator=torch.Generator().manual_seed(seed), dtype=w.dtype)
            ends = (w.cumsum(0) / w.sum() * len(w) + start).floor().long()
            times = ends.diff(prepend=ends.new_zeros(1))
        return replace(self.take(torch.arange(len(w)).repeat_interleave(times)), weights=None)

    def fixed(self, seed: int) -> EncodedRows:
        """The rows binarised once, by noise keyed by (seed, row): what is evaluated, and static training rows."""
        if self.binarize is None:
            return self
        high = self.high or 1.0
        if self.binarize == "threshold":
            return replace(self, values=(self.values >= high / 2).to(torch.uint8), binarize=None)
        parts = []
        for chunk in self.values.split(max(1, CELLS // max(1, self.values[:1].numel()))):
            draws = uniform(row_keys(chunk, seed), _BINARIZE, 0, 1, chunk[0].numel())[0].view(chunk.shape)
            parts.append((draws * high < chunk).to(torch.uint8))
        return replace(self, values=torch.cat(parts), binarize=None)

    def batch(self, index: Tensor, generator: torch.Generator | None = None) -> Batch:
        """The rows with these numbers, as the model sees them in training."""
        values = self.values.index_select(0, index)
        if self.binarize == "dynamic":
            draws = torch.rand(values.shape, generator=generator, device=values.device)
            values = draws.mul_(self.high or 1.0) < values
        values = _floating(values)
        return replace(self._beside(values, index), rows=index)

    def whole(self, index: Tensor) -> Batch:
        """The rows with these numbers, as they are evaluated: fixed, and none of the training rows."""
        values = self.values.index_select(0, index)
        values = _floating(values)
        return self._beside(values, index)

    def _beside(self, values: Tensor, index: Tensor) -> Batch:
        parts = (self.observed, self.covariates, self.weights)
        observed, covariates, weights = (None if part is None else part.index_select(0, index) for part in parts)
        return Batch(values, observed, covariates, weights=weights)


def _floating(values: Tensor) -> Tensor:
    """Bytes as float32, wider whole numbers as float64."""
    kinds = {torch.bool: torch.float32, torch.uint8: torch.float32, torch.int32: torch.float64}
    return values.to(kinds.get(values.dtype, values.dtype))


_BINARIZE = 1
