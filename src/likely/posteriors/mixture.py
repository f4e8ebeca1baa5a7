"""The posterior of several normals."""

from __future__ import annotations

import torch
from torch import Tensor

from likely import distributions
from likely.distributions import DiagonalNormal
from likely.networks.topdown import MAX_LOG_STD, MIN_LOG_STD
from likely.posteriors.base import Posterior

__all__ = ["Mixture"]


class Mixture(Posterior):
    """Q(z|x) = Σ_m π_m(x) N(μ_m(x), diag σ_m²(x)) (Morningstar et al. 2021); log σ within −12 and 4.

    In training the choice of component is stratified over the samples of a row. The components' means start apart, at
    a learned offset each.

    Parameters
    ----------
    dim
        Dimension of z.
    components
        Number of normals.

    """

    def __init__(self, dim: int, components: int = 4) -> None:
        super().__init__()
        self.components = components
        self.event_shape = torch.Size((dim,))
        self.parameter_shape = torch.Size((components * (2 * dim + 1),))
        self.offset = torch.nn.Parameter(0.5 * torch.randn(components, dim))

    def forward(self, parameters: Tensor) -> distributions.LatentMixture:
        """`(batch, components (2 dim + 1))`: logits, means, log σ -> the distribution, over vectors `(dim,)`."""
        m, dim = self.components, self.event_shape[0]
        logits, means, log_std = parameters.split([m, m * dim, m * dim], -1)
        means, log_std = means.unflatten(-1, (m, dim)), log_std.unflatten(-1, (m, dim))
        return distributions.LatentMixture(
            logits, DiagonalNormal(means + self.offset, log_std.clamp(MIN_LOG_STD, MAX_LOG_STD))
        )
