"""The normal posterior bent by a flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from likely.distributions import DiagonalNormal, Flowed
from likely.distributions.flow import Map
from likely.networks import Steps
from likely.networks.topdown import MAX_LOG_STD, MIN_LOG_STD
from likely.posteriors.base import Posterior

__all__ = ["Flow"]


class Flow(Posterior):
    """Q(z|x): z = f(u; c(x)), u ~ N(μ(x), diag σ²(x)), f a chain of invertible maps given a context c(x).

    log Q(z|x) = log N(u) − log|det ∂f/∂u| (Rezende and Mohamed 2015, section 3.1). `iaf`: each coordinate of z is
    scaled and shifted given those of u before it (Kingma et al. 2016, equation 10); draws and their densities take one
    pass, the density of any other z takes `dim`. `coupling`: one pass for both. log σ is kept within −12 and 4.

    Parameters
    ----------
    dim
        Dimension of z.
    steps
        Number of maps.
    kind
        Which maps.
    context
        Length of c(x), which the encoder gives after μ and log σ.
    hidden
        Widths of the networks inside the maps.

    """

    def __init__(
        self,
        dim: int,
        steps: int = 2,
        kind: Literal["iaf", "coupling"] = "iaf",
        context: int = 32,
        hidden: Sequence[int] = (64, 64),
    ) -> None:
        super().__init__()
        self.event_shape = torch.Size((dim,))
        self.parameter_shape = torch.Size((2 * dim + context,))
        self.steps = Steps(dim, "autoregressive" if kind == "iaf" else kind, steps, context, hidden)

    def forward(self, parameters: Tensor) -> Flowed:
        """`(batch, 2 dim + context)`: mean and log σ of u, context -> the distribution, over vectors `(dim,)`."""
        dim = self.event_shape[0]
        mean, log_std, context = parameters.split([dim, dim, parameters.shape[-1] - 2 * dim], -1)
        return Flowed(DiagonalNormal(mean, log_std.clamp(MIN_LOG_STD, MAX_LOG_STD)), self._map, context)

    def _map(self, context: Tensor | None) -> Map:
        transform: Map = self.steps(context)
        return transform
