"""A distribution of z bent by an invertible map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from likely.distributions.latent import Draws, Index, LatentDistribution, fixed_noise, full_precision
from likely.distributions.shapes import broadcast_shapes

__all__ = ["Flowed", "Map"]


class Map(Protocol):
    """An invertible map of vectors: one of zuko's transforms."""

    @property
    def inv(self) -> Map:
        """The inverse."""

    def __call__(self, x: Tensor) -> Tensor:
        """The image of x `(*batch, dim)`."""

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image of x, and log|det| of the map's derivative there, `(*batch,)`."""


class Flowed(LatentDistribution):
    r"""The distribution of z = f(u; c), u ~ base: log p(z) = log p_base(f⁻¹(z)) + log|det ∂f⁻¹/∂z|, in nats.

    (Rezende and Mohamed 2015, section 3.1.) `sample_with_log_prob` has the density of a draw from u, and differentiates
    it through u; `log_prob` inverts f.

    Parameters
    ----------
    base
        The distribution of u, of the same dimension.
    make
        Context -> f.
    context
        c, `(*batch, numbers)`; `None` where f depends on nothing.

    """

    def __init__(
        self, base: LatentDistribution, make: Callable[[Tensor | None], Map], context: Tensor | None = None
    ) -> None:
        self.base, self.make, self.context = base, make, context
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.base.like

    @property
    def noise_size(self) -> int:
        return self.base.noise_size

    @property
    def noise_moves(self) -> tuple[bool, ...]:
        return self.base.noise_moves

    @property
    def mean(self) -> Tensor:
        """Estimated from 256 fixed draws, antithetic: there is no closed form."""
        return self._draws().mean(0)

    @property
    def variance(self) -> Tensor:
        """Estimated from the same fixed draws."""
        return self._draws().var(0, correction=0)

    def _draws(self) -> Tensor:
        with full_precision(self.like):
            return self.make(self.context)(self.base.from_noise(fixed_noise(self)))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Flowed:
        shape = torch.Size(batch_shape)
        context = None if self.context is None else self.context.expand(*shape, self.context.shape[-1])
        return Flowed(self.base.expand(shape), self.make, context)

    def at(self, index: Index) -> Flowed:
        return Flowed(self.base.at(index), self.make, None if self.context is None else self.context[index])

    def from_noise(self, noise: Tensor) -> Tensor:
        """z = f(u; c), u the base's draw."""
        return self.sample_with_log_prob(noise=noise).z

    def sample_with_log_prob(
        self, k: int = 1, *, generator: torch.Generator | None = None, noise: Tensor | None = None
    ) -> Draws:
        """log p(z) = log p_base(u) − log|det ∂f/∂u|, with the u that z was made of."""
        noise = self.noise(torch.Size((k,)), generator) if noise is None else noise
        with full_precision(self.like):
            u = self.base.from_noise(noise)
            z, ladj = self.make(self.context).call_and_ladj(u)
            log_prob = self.base.log_prob(u) - ladj
        return Draws(z, lambda: log_prob)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = broadcast_shapes(value.shape, (*self.batch_shape, 1))
        with full_precision(self.like):
            u, ladj = self.make(self.context).inv.call_and_ladj(value.expand(shape))
            return self.base.log_prob(u) + ladj
