"""The normal distribution with diagonal covariance, and its closed-form KL."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints, register_kl

from likely.data.drawing import randn
from likely.distributions.latent import Index, LatentDistribution

__all__ = ["DiagonalNormal", "StandardNormal"]

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class DiagonalNormal(LatentDistribution):
    r"""N(mean, diag(exp(log_std))^2), one event per vector.

    log N(z; μ, σ²) = Σ_j −½((z_j − μ_j)/σ_j)² − log σ_j − ½ log 2π, in nats.

    Parameters
    ----------
    mean, log_std
        `(*batch, dim)`.

    """

    arg_constraints = {"mean": constraints.real_vector, "log_std": constraints.real_vector}  # noqa: RUF012
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.loc, self.log_std = mean, log_std
        super().__init__(mean.shape[:-1], mean.shape[-1:], validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.loc

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (2 * self.log_std).exp().expand_as(self.loc)

    def expand(self, batch_shape: Any, _instance: Any = None) -> DiagonalNormal:
        shape = torch.Size(batch_shape) + self.event_shape
        return DiagonalNormal(self.loc.expand(shape), self.log_std.expand(shape))

    def at(self, index: Index) -> DiagonalNormal:
        return DiagonalNormal(self.loc[index], self.log_std.expand_as(self.loc)[index])

    def from_noise(self, noise: Tensor) -> Tensor:
        """The reparameterisation z = μ + σ ε (Kingma and Welling 2014, section 2.4), ε ~ N(0, I)."""
        return self.loc + self.log_std.exp() * noise

    def rsample(self, sample_shape: Any = torch.Size(), generator: torch.Generator | None = None) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        axis = len(sample_shape) if self.batch_shape else None
        return self.from_noise(randn(shape, axis, generator, dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value: Tensor) -> Tensor:
        standardised = (value - self.loc) * (-self.log_std).exp()
        return (-0.5 * standardised.square() - self.log_std - HALF_LOG_TWO_PI).sum(-1)

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 + HALF_LOG_TWO_PI).expand_as(self.loc).sum(-1)


class StandardNormal(DiagonalNormal):
    """N(0, I): log N(z; 0, I) = Σ_j −½ z_j² − ½ log 2π, in nats.

    Parameters
    ----------
    zeros
        `(*batch, dim)` zeros, which give shape, dtype and device.

    """

    def __init__(self, zeros: Tensor) -> None:
        super().__init__(zeros, zeros)

    def log_prob(self, value: Tensor) -> Tensor:
        return -0.5 * value.square().sum(-1) - HALF_LOG_TWO_PI * value.shape[-1]


def kl_to_standard_normal(q: DiagonalNormal, _: StandardNormal) -> Tensor:
    """D[q‖N(0, I)] = ½ Σ (−log σ² + μ² + σ² − 1), in nats (Kingma and Welling 2014, appendix B)."""
    return (0.5 * ((2 * q.log_std).exp() + q.loc.square() - 1) - q.log_std).sum(-1)


def kl_diagonal_normal(q: DiagonalNormal, p: DiagonalNormal) -> Tensor:
    """D[q‖p] = ½ Σ (σ_q²/σ_p² + (μ_q − μ_p)²/σ_p² − 1) + log σ_p − log σ_q, in nats."""
    return kl_per_dimension(q, p).sum(-1)


def kl_per_dimension(q: DiagonalNormal, p: DiagonalNormal) -> Tensor:
    """The summands of D[q‖p], one per latent dimension: `(*batch, dim)`, in nats."""
    ratio = q.log_std - p.log_std
    return 0.5 * ((2 * ratio).exp() + ((q.loc - p.loc) * (-p.log_std).exp()).square() - 1) - ratio


register_kl(DiagonalNormal, DiagonalNormal)(kl_diagonal_normal)
register_kl(DiagonalNormal, StandardNormal)(kl_to_standard_normal)
