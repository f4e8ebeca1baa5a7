"""The rows as the model sees them: values, mask, covariates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from likely.data.located import Prepared

__all__ = ["Batch", "completed"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows, encoded.

    Attributes
    ----------
    values
        `(batch, *event)`, in data units; categories as codes. Any dtype; networks cast after centring.
    observed
        `(batch, *event)` boolean, `None` when every cell is observed. A cell that is not adds nothing to log P(x|z);
        it holds a number all the same, which depends on the column alone.
    covariates
        `(batch, covariates)`: y of P(x|z, y).
    rows
        `(batch,)` numbers of training rows.
    weights
        `(batch,)`: how many rows each counts as; `None` where every one counts once.
    prepared
        What the model that is trained knows of the rows beforehand; `None`: nothing.

    """

    values: Tensor
    observed: Tensor | None = None
    covariates: Tensor | None = None
    rows: Tensor | None = None
    weights: Tensor | None = None
    prepared: Prepared | None = None

    def __len__(self) -> int:
        return len(self.values)

    def average(self, values: Tensor) -> Tensor:
        """Mean over the rows of one number each, `(batch,)`: a row of weight w counts as w rows."""
        if self.weights is None:
            return values.mean()
        weights = self.weights.to(values.dtype)
        return (weights * values).sum() / weights.sum()

    def sum_observed(self, cells: Tensor) -> Tensor:
        """Sum over the event `(sample, batch, *event) -> (sample, batch)`, counting observed cells only."""
        if self.observed is not None:
            cells = torch.where(self.observed, cells, cells.new_zeros(()))
        return cells.flatten(2).sum(-1)


def completed(values: Tensor, observed: Tensor | None) -> Tensor:
    """Rows `(rows, *event)` with the missing cells of each column replaced by its observed values, in turn.

    The marginals stay what they were, which a start from marginals needs. A cell that is never observed keeps its fill.
    """
    if observed is None:
        return values
    x, seen = values.flatten(1), observed.flatten(1)
    count = seen.sum(0)
    turn = (~seen).cumsum(0).sub(1).clamp_min(0) % count.clamp_min(1)
    donors = (~seen).to(torch.uint8).argsort(dim=0, stable=True).gather(0, turn)
    return torch.where(seen | (count == 0), x, x.gather(0, donors)).view_as(values)
