"""The distribution of a hierarchy of groups of z."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from likely.distributions.latent import Draws, Index, LatentDistribution, fixed_noise
from likely.distributions.normal import DiagonalNormal
from likely.distributions.shapes import broadcast_shapes

__all__ = ["Descend", "Hierarchy", "HierarchyDraw"]


class HierarchyDraw(Protocol):
    """Codes z of all groups, with the moments of their priors and, where x was given, of their posteriors."""

    @property
    def z(self) -> Tensor:
        """`(*lead, latent)`."""

    @property
    def p_mean(self) -> Tensor:
        """Mean of P(z_l|z_<l): `(*lead, latent)`."""

    @property
    def p_log_std(self) -> Tensor:
        """Log-deviation of P(z_l|z_<l)."""

    @property
    def q_mean(self) -> Tensor | None:
        """Mean of Q(z_l|z_<l, x)."""

    @property
    def q_log_std(self) -> Tensor | None:
        """Log-deviation of Q(z_l|z_<l, x)."""


class Descend(Protocol):
    """The network from the top group of z to the last."""

    def __call__(
        self, *, noise: Tensor | None = None, z: Tensor | None = None, features: Sequence[Tensor] | None = None
    ) -> HierarchyDraw:
        """Draw from noise, or take z as given."""


class Hierarchy(LatentDistribution):
    r"""Π_l N(z_l; μ_l(z_<l), diag σ_l²(z_<l)): log p(z) = Σ_l log N(z_l; μ_l, σ_l²), in nats.

    With features of x it is Q(z|x), without them P(z). `sample_with_log_prob` takes one top-down pass for both,
    `log_prob` another one.

    Parameters
    ----------
    descend
        The network.
    like
        A tensor of z's type and device.
    latent
        Dimension of z.
    features
        What each group reads of x, each `(*batch, ...)`; `None` for P(z).
    batch_shape
        That of the features.

    """

    def __init__(
        self,
        descend: Descend,
        like: Tensor,
        latent: int,
        features: Sequence[Tensor] | None = None,
        batch_shape: torch.Size = torch.Size(),
    ) -> None:
        self.descend, self.features = descend, None if features is None else tuple(features)
        self._like = like
        super().__init__(batch_shape, torch.Size((latent,)), validate_args=False)

    @property
    def like(self) -> Tensor:
        return self._like

    @property
    def mean(self) -> Tensor:
        """Estimated from 256 fixed draws, antithetic: there is no closed form."""
        return self.from_noise(fixed_noise(self)).mean(0)

    @property
    def variance(self) -> Tensor:
        """Estimated from the same fixed draws."""
        return self.from_noise(fixed_noise(self)).var(0, correction=0)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Hierarchy:
        shape, axes = torch.Size(batch_shape), len(self.batch_shape)
        features = self.features and [feature.expand(*shape, *feature.shape[axes:]) for feature in self.features]
        return Hierarchy(self.descend, self._like, self.event_shape[0], features, shape)

    def at(self, index: Index) -> Hierarchy:
        shape = self.like.new_empty(0).expand(*self.batch_shape, 0)[index].shape[:-1]
        features = self.features and [feature[index] for feature in self.features]
        return Hierarchy(self.descend, self._like, self.event_shape[0], features, shape)

    def from_noise(self, noise: Tensor) -> Tensor:
        """z_l = μ_l(z_<l) + σ_l(z_<l) ε_l, group by group."""
        return self.descend(noise=noise, features=self.features).z

    def sample_with_log_prob(
        self, k: int = 1, *, generator: torch.Generator | None = None, noise: Tensor | None = None
    ) -> Draws:
        """Draws, and their densities by the conditionals of the same top-down pass."""
        noise = self.noise(torch.Size((k,)), generator) if noise is None else noise
        return self.draws_of(self.descend(noise=noise, features=self.features))

    def draws_of(self, descent: HierarchyDraw) -> Draws:
        """The z of a top-down pass with their log-probabilities under this distribution."""
        return Draws(descent.z, lambda: self._log_prob(descent))

    def to_noise(self, z: Tensor) -> Tensor:
        """The noise that P(z) makes z of, ε_l = (z_l − μ_l(z_<l))/σ_l(z_<l): `(*lead, latent)`."""
        down = self.descend(z=z, features=None)
        return (z - down.p_mean) * (-down.p_log_std).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        shape = broadcast_shapes(value.shape, (*self.batch_shape, 1))
        return self._log_prob(self.descend(z=value.expand(shape), features=self.features))

    def _log_prob(self, known: HierarchyDraw) -> Tensor:
        if self.features is None:
            return DiagonalNormal(known.p_mean, known.p_log_std).log_prob(known.z)
        if known.q_mean is None or known.q_log_std is None:
            raise ValueError("a top-down pass without x has no Q")
        return DiagonalNormal(known.q_mean, known.q_log_std).log_prob(known.z)
