"""The exposure of a row: what its counts are in proportion to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

__all__ = ["Exposure"]


@final
class Exposure(nn.Module):
    """`(batch, covariates) -> (batch, 1)`: log(e/e_0), of the covariate e that counts are in proportion to.

    Parameters
    ----------
    place
        Which covariate it is.
    reference
        e_0, such that rates are counts of a row of this exposure: the mean of the training rows.
    cells
        Places of the cells that are in proportion to it; `None` for all.

    """

    cells: Tensor | None

    def __init__(self, place: int, reference: float, cells: Sequence[int] | None = None) -> None:
        super().__init__()
        self.place, self.log_reference = place, math.log(reference)
        self.register_buffer("cells", None if cells is None else torch.tensor(list(cells)), persistent=False)

    def forward(self, covariates: Tensor) -> Tensor:
        return covariates[:, self.place : self.place + 1].double().log() - self.log_reference

    def rates(self, values: Tensor, log_exposure: Tensor) -> Tensor:
        """Counts `(batch, *event)` times e_0/e, float64; other cells as they are."""
        share = (-log_exposure).exp().view(-1, *[1] * (values.dim() - 1))
        if self.cells is None:
            return values * share
        scaled = values.double().clone()
        scaled[:, self.cells] *= share
        return scaled
