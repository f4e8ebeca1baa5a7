"""The diagonal normal posterior."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from likely.distributions import DiagonalNormal
from likely.networks.topdown import MAX_LOG_STD, MIN_LOG_STD
from likely.posteriors.base import Posterior

__all__ = ["Normal"]


class Normal(Posterior):
    """Q(z|x) = N(μ(x), diag σ²(x)) (Kingma and Welling 2014, equation 9); log σ is kept within −12 and 4.

    Parameters
    ----------
    dim
        Dimension of z.

    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.event_shape = torch.Size((dim,))
        self.parameter_shape = torch.Size((2 * dim,))

    def forward(self, parameters: Tensor) -> DiagonalNormal:
        """`(batch, 2 dim)`: mean and log σ -> the distribution, over vectors `(dim,)`."""
        mean, log_std = parameters.chunk(2, -1)
        return DiagonalNormal(mean, F.hardtanh(log_std, MIN_LOG_STD, MAX_LOG_STD))
