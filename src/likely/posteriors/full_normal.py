"""The normal posterior with full covariance."""

from __future__ import annotations

import torch
from torch import Tensor

from likely import distributions
from likely.networks.topdown import MAX_LOG_STD, MIN_LOG_STD
from likely.posteriors.base import Posterior

__all__ = ["FullNormal"]


class FullNormal(Posterior):
    """Q(z|x) = N(μ(x), L(x) L(x)ᵀ), L = diag(σ) (I + S), S strictly lower triangular; log σ within −12 and 4.

    (Kingma and Welling 2019, section 2.5.1.) The encoder gives μ, log σ and S's dim (dim − 1)/2 numbers, row by row.

    Parameters
    ----------
    dim
        Dimension of z.

    """

    places: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.event_shape = torch.Size((dim,))
        self.parameter_shape = torch.Size((2 * dim + dim * (dim - 1) // 2,))
        rows, columns = torch.tril_indices(dim, dim, -1)
        self.register_buffer("places", rows * dim + columns, persistent=False)

    def forward(self, parameters: Tensor) -> distributions.FullNormal:
        """`(batch, 2 dim + dim (dim − 1)/2)` -> the distribution, over vectors `(dim,)`."""
        dim = self.event_shape[0]
        mean, log_std, below = parameters.split([dim, dim, len(self.places)], -1)
        lower = parameters.new_zeros(*parameters.shape[:-1], dim * dim)
        lower = lower.index_copy(-1, self.places, below).unflatten(-1, (dim, dim))
        return distributions.FullNormal(mean, log_std.clamp(MIN_LOG_STD, MAX_LOG_STD), lower)
