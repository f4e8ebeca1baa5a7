"""The evidence lower bound of the rows that the model takes for ordinary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from likely.data import Batch
from likely.models import Model, Terms
from likely.objectives.base import Objective, require
from likely.objectives.elbo import ELBO

__all__ = ["Trimmed"]


@dataclass(frozen=True)
class Trimmed(Objective):
    """The mean ELBO of the rows of a batch that have the highest one, a share of them left out; 0 for those left out.

    Maximum trimmed likelihood (Hadi and Luceño 1997, Maximum trimmed likelihood estimators, section 2), batch by batch:
    rows that are unlike the others do not draw the model to themselves. No bound on log P(x) of all rows.

    Parameters
    ----------
    share
        What share is left out, at least 0 and below 1.

    """

    share: float = 0.4
    couples_rows: ClassVar[bool] = True
    is_bound = False
    samples = 1

    def __post_init__(self) -> None:
        require(0 <= self.share < 1, f"trimmed leaves out a share of at least 0 and below 1, got {self.share}")

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, whose mean is that of the rows kept, and the terms it was made of."""
        value, terms = ELBO()(model, batch, kl_weight, generator)
        kept = max(1, round(len(value) * (1 - self.share)))
        weight = torch.zeros_like(value)
        weight[value.detach().topk(kept).indices] = len(value) / kept
        return torch.where(weight > 0, weight * value, 0.0), terms
