"""The rows as the model sees them: values, mask, covariates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Batch"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows, encoded.

    Attributes
    ----------
    values
        `(batch, *event)`, in data units; categories as codes. Any dtype; networks cast after centring.
    observed
        `(batch, *event)` boolean, `None` when every cell is observed. A cell that is not adds nothing to log P(x|z).
    covariates
        `(batch, covariates)`: y of P(x|z, y).
    rows
        `(batch,)` numbers of training rows.

    """

    values: Tensor
    observed: Tensor | None = None
    covariates: Tensor | None = None
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.values)

    def sum_observed(self, cells: Tensor) -> Tensor:
        """Sum over the event `(sample, batch, *event) -> (sample, batch)`, counting observed cells only."""
        if self.observed is not None:
            cells = torch.where(self.observed, cells, cells.new_zeros(()))
        return cells.flatten(2).sum(-1)
