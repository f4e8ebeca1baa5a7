"""The standard normal prior bent by a flow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from likely.distributions import DiagonalNormal, Flowed
from likely.distributions.flow import Map
from likely.networks import Steps
from likely.networks.flows import Kind
from likely.priors.base import Prior

__all__ = ["Flow"]


class Flow(Prior):
    """P(z): f(z) ~ N(0, I) for a learned invertible f; log P(z) = log N(f(z)) + log|det ∂f/∂z|, in nats.

    (Chen et al. 2017, section 3.2.) Densities, which training needs, take one pass through f; draws take one pass for
    `coupling` and `dim` passes for `autoregressive` and `spline`.

    Parameters
    ----------
    dim
        Dimension of z.
    steps
        Number of maps.
    kind
        Which maps: see `likely.networks.Steps`.
    hidden
        Widths of the networks inside the maps.

    """

    zeros: Tensor

    def __init__(self, dim: int, steps: int = 4, kind: Kind = "coupling", hidden: Sequence[int] = (128, 128)) -> None:
        super().__init__()
        self.event_shape = torch.Size((dim,))
        self.steps = Steps(dim, kind, steps, 0, hidden)
        self.register_buffer("zeros", torch.zeros(dim), persistent=False)

    def forward(self) -> Flowed:
        """The distribution, over vectors `(dim,)`."""
        return Flowed(DiagonalNormal(self.zeros, self.zeros), self._map)

    def _map(self, context: Tensor | None) -> Map:
        transform: Map = self.steps(context).inv
        return transform
