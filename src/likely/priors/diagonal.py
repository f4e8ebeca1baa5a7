"""Normal priors with learned parameters: one, or a mixture of several."""

from __future__ import annotations

import math

import torch
from torch import nn

from likely import distributions
from likely.priors.base import Prior

__all__ = ["DiagonalNormal", "Mixture"]

SPREAD = 0.5  # deviation of the components' first means; their own variances make the rest of 1


class DiagonalNormal(Prior):
    """P(z) = N(m, diag s²), m and s learned, from N(0, I) on (Kingma and Welling 2014, section 2.1: P(z; θ)).

    Parameters
    ----------
    dim
        Dimension of z.

    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.event_shape = torch.Size((dim,))
        self.mean, self.log_std = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self) -> distributions.DiagonalNormal:
        """The distribution, over vectors `(dim,)`."""
        return distributions.DiagonalNormal(self.mean, self.log_std)


class Mixture(Prior):
    """P(z) = Σ_m π_m N(m_m, diag s_m²), all learned (the "MoG" of Tomczak and Welling 2018).

    The components start spread out so that the whole has the mean and about the covariance of N(0, I): means drawn
    from N(0, ¼ I), s² = ¾.

    Parameters
    ----------
    dim
        Dimension of z.
    components
        Number of normals.

    """

    def __init__(self, dim: int, components: int = 200) -> None:
        super().__init__()
        self.event_shape = torch.Size((dim,))
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(SPREAD * torch.randn(components, dim))
        self.log_stds = nn.Parameter(torch.full((components, dim), 0.5 * math.log(1 - SPREAD**2)))

    def forward(self) -> distributions.LatentMixture:
        """The distribution, over vectors `(dim,)`."""
        return distributions.LatentMixture(self.logits, distributions.DiagonalNormal(self.means, self.log_stds))
