"""The normal distribution with full covariance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import register_kl

from likely.distributions.latent import Index, LatentDistribution, full_precision
from likely.distributions.normal import HALF_LOG_TWO_PI, DiagonalNormal

__all__ = ["FullNormal"]


class FullNormal(LatentDistribution):
    r"""N(μ, L Lᵀ) with L = diag(σ) (I + S), S strictly lower triangular; one event per vector.

    log N(z) = Σ_j −½ ε_j² − log σ_j − ½ log 2π with ε = (I + S)⁻¹ diag(σ)⁻¹ (z − μ), in nats. The determinant of L is
    the product of σ whatever S is.

    Parameters
    ----------
    mean, log_std
        μ and log σ, `(*batch, dim)`. σ_j is the deviation of z_j given z_1..z_{j−1}.
    lower
        S, `(*batch, dim, dim)`; what is on and above the diagonal is ignored.

    """

    def __init__(self, mean: Tensor, log_std: Tensor, lower: Tensor) -> None:
        self.loc, self.log_std = mean, log_std
        self.lower = lower.tril(-1)
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
        """The diagonal of L Lᵀ: σ_i² (1 + Σ_j S_ij²)."""
        return (2 * self.log_std).exp() * (1 + self.lower.square().sum(-1))

    def expand(self, batch_shape: Any, _instance: Any = None) -> FullNormal:
        shape = torch.Size(batch_shape) + self.event_shape
        return FullNormal(self.loc.expand(shape), self.log_std.expand(shape), self.lower.expand(*shape, shape[-1]))

    def at(self, index: Index) -> FullNormal:
        return FullNormal(self.loc[index], self.log_std[index], self.lower[index])

    def from_noise(self, noise: Tensor) -> Tensor:
        """z = μ + L ε, ε ~ N(0, I) (Kingma and Welling 2019, section 2.5.1)."""
        with full_precision(self.loc):
            mixed = noise + (self.lower @ noise.unsqueeze(-1)).squeeze(-1)
            return self.loc + self.log_std.exp() * mixed

    def log_prob(self, value: Tensor) -> Tensor:
        with full_precision(self.loc):
            scaled = ((value - self.loc) * (-self.log_std).exp()).unsqueeze(-1)
            solved: Tensor = torch.linalg.solve_triangular(self.lower, scaled, upper=False, unitriangular=True)
            noise = solved.squeeze(-1)
            return (-0.5 * noise.square() - self.log_std - HALF_LOG_TWO_PI).sum(-1)

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 + HALF_LOG_TWO_PI).sum(-1)


def kl_full_diagonal(q: FullNormal, p: DiagonalNormal) -> Tensor:
    """D[q‖p] = Σ ½ ((L Lᵀ)_jj + (μ_j − m_j)²)/s_j² − ½ + log s_j − log σ_j, p = N(m, diag s²), in nats."""
    spread = (q.variance + (q.loc - p.loc).square()) * (-2 * p.log_std).exp()
    return (0.5 * (spread - 1) + p.log_std - q.log_std).sum(-1)


register_kl(FullNormal, DiagonalNormal)(kl_full_diagonal)
