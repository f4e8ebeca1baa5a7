"""The von Mises-Fisher posterior on a sphere."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from likely import distributions
from likely.errors import ConfigError
from likely.posteriors.base import Posterior

__all__ = ["VonMisesFisher"]

MIN_LOG_KAPPA, MAX_LOG_KAPPA = math.log(1e-3), math.log(1e5)  # within what the distribution is made for
DIRECTION_SHIFT = 1e-6  # of the first number, so that a direction of zeros has a length to divide by


class VonMisesFisher(Posterior):
    """Q(z|x) ∝ exp(κ(x) μ(x)ᵀz) on the unit sphere of R^dim (Davidson et al. 2018, section 3).

    The encoder gives a vector whose direction is μ, and log κ/dim: κ, kept within 1e-3 and 1e5, starts in proportion
    to the dimension, as it must for the same spread. A vector of zeros counts as the first axis. Densities are with
    respect to the surface of the sphere.

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

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim < 2:
            raise ConfigError(f"a hypersphere needs dimension 2 at least, got {dim}")
        self.event_shape = torch.Size((dim,))
        self.parameter_shape = torch.Size((dim + 1,))

    def forward(self, parameters: Tensor) -> distributions.VonMisesFisher:
        """`(batch, dim + 1)`: direction and log κ/dim -> the distribution, over unit vectors `(dim,)`."""
        dim = self.event_shape[0]
        direction = parameters[..., :dim].to(torch.float64)
        direction = torch.cat([direction[..., :1] + DIRECTION_SHIFT, direction[..., 1:]], -1)
        log_kappa = F.hardtanh(parameters[..., dim] + math.log(dim), MIN_LOG_KAPPA, MAX_LOG_KAPPA)
        return distributions.VonMisesFisher(F.normalize(direction, dim=-1).to(parameters.dtype), log_kappa.exp())
