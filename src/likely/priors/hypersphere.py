"""The uniform prior on a sphere."""

from __future__ import annotations

import torch
from torch import Tensor

from likely import distributions
from likely.errors import ConfigError
from likely.priors.base import Prior

__all__ = ["Hypersphere"]


class Hypersphere(Prior):
    """P(z) uniform on the unit sphere of R^dim (Davidson et al. 2018, section 3); for the posterior `VonMisesFisher`.

    Densities are with respect to the surface of the sphere.

    Parameters
    ----------
    dim
        Dimension of the space, 2 or more: the sphere has one less.

    Raises
    ------
    ConfigError
        If dim is less than 2.

    """

    space = "sphere"
    zeros: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim < 2:
            raise ConfigError(f"a hypersphere needs dimension 2 at least, got {dim}")
        self.event_shape = torch.Size((dim,))
        self.register_buffer("zeros", torch.zeros(dim), persistent=False)

    def forward(self) -> distributions.UniformSphere:
        """The distribution, over unit vectors `(dim,)`."""
        return distributions.UniformSphere(self.zeros)
