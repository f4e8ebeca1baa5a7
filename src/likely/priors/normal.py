"""The standard normal prior."""

from __future__ import annotations

import torch
from torch import Tensor

from likely import distributions
from likely.priors.base import Prior

__all__ = ["StandardNormal"]


class StandardNormal(Prior):
    """P(z) = N(0, I): the decoder bends it into whatever the data needs (Kingma and Welling 2014, section 3).

    Parameters
    ----------
    dim
        Dimension of z.

    """

    zeros: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.event_shape = torch.Size((dim,))
        self.register_buffer("zeros", torch.zeros(dim), persistent=False)

    def forward(self) -> distributions.StandardNormal:
        """The distribution, over vectors `(dim,)`."""
        return distributions.StandardNormal(self.zeros)
