"""The law of a hierarchy of groups of z."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from likely.distributions.latent import Index, LatentDistribution, fixed_noise
from likely.distributions.normal import DiagonalNormal

__all__ = ["Descend", "Descent", "Hierarchy"]


class Descent(Protocol):
    """What one way down gives: codes, the groups' priors and, where x was there, their posteriors."""

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
    """The network of the way down."""

    def __call__(
        self, *, noise: Tensor | None = None, z: Tensor | None = None, features: Sequence[Tensor] | None = None
    ) -> Descent:
        """Draw from noise, or take z as given."""


class Hierarchy(LatentDistribution):
    r"""Π_l N(z_l; μ_l(z_<l), diag σ_l²(z_<l)): log p(z) = Σ_l log N(z_l; μ_l, σ_l²), in nats.

    With features of x it is Q(z|x), without them P(z). The way down of the last draw is kept: `log_prob` of the very
    tensor that was drawn costs nothing more.

    Parameters
    ----------
    descend
        The network.
    like
        A tensor of z's type and device.
    latent
        Dimension of z.
    features
        What each group reads of x, `(*batch, width)` each.

    """

    def __init__(self, descend: Descend, like: Tensor, latent: int, features: Sequence[Tensor] | None = None) -> None:
        self.descend, self.features = descend, None if features is None else tuple(features)
        self._like, self._last = like, None
        shape = torch.Size() if self.features is None else self.features[0].shape[:-1]
        super().__init__(shape, torch.Size((latent,)), validate_args=False)

    _last: Descent | None

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
        if self.features is None:
            made = Hierarchy(self.descend, self._like, self.event_shape[0])
            made._batch_shape = torch.Size(batch_shape)
            return made
        features = [feature.expand(*batch_shape, -1) for feature in self.features]
        return Hierarchy(self.descend, self._like, self.event_shape[0], features)

    def at(self, index: Index) -> Hierarchy:
        features = None if self.features is None else [feature[index] for feature in self.features]
        return Hierarchy(self.descend, self._like, self.event_shape[0], features)

    def draw(self, noise: Tensor) -> Descent:
        """The way down from this noise `(*lead, latent)`."""
        self._last = self.descend(noise=noise, features=self.features)
        return self._last

    def from_noise(self, noise: Tensor) -> Tensor:
        """z_l = μ_l(z_<l) + σ_l(z_<l) ε_l, group by group."""
        return self.draw(noise).z

    def to_noise(self, z: Tensor) -> Tensor:
        """The noise that P(z) makes z of, ε_l = (z_l − μ_l(z_<l))/σ_l(z_<l): `(*lead, latent)`."""
        down = self.descend(z=z, features=None)
        return (z - down.p_mean) * (-down.p_log_std).exp()

    def know(self, descent: Descent) -> None:
        """Remember a way down that was made elsewhere, so that `log_prob` of its z costs nothing."""
        self._last = descent

    def log_prob(self, value: Tensor) -> Tensor:
        known = self._last
        if known is None or value is not known.z:
            shape = torch.broadcast_shapes(value.shape, (*self.batch_shape, 1))
            known = self.descend(z=value.expand(shape), features=self.features)
        if self.features is None:
            return DiagonalNormal(known.p_mean, known.p_log_std).log_prob(known.z)
        if known.q_mean is None or known.q_log_std is None:
            raise ValueError("a way down without x has no Q")
        return DiagonalNormal(known.q_mean, known.q_log_std).log_prob(known.z)
