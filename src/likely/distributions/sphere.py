"""Distributions of unit vectors, uniform and von Mises-Fisher, as densities on the surface of the sphere."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import register_kl

from likely.distributions.angle import invert
from likely.distributions.bessel import log_area, log_mean_exp
from likely.distributions.latent import Index, LatentDistribution
from likely.distributions.shapes import broadcast_shapes

__all__ = ["UniformSphere", "VonMisesFisher"]


class UniformSphere(LatentDistribution):
    r"""The uniform distribution of unit vectors in R^dim: log p(z) = −log(2 π^{dim/2}/Γ(dim/2)), in nats.

    Parameters
    ----------
    zeros
        `(*batch, dim)` zeros, which give shape, dtype and device.

    """

    convex = False

    def __init__(self, zeros: Tensor) -> None:
        self.zeros = zeros
        super().__init__(zeros.shape[:-1], zeros.shape[-1:], validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.zeros

    @property
    def mean(self) -> Tensor:
        return self.zeros

    @property
    def mode(self) -> Tensor:
        """Every point is one; the end of the first axis stands for them."""
        return F.one_hot(torch.zeros_like(self.zeros[..., 0], dtype=torch.long), self.zeros.shape[-1]).to(self.zeros)

    @property
    def variance(self) -> Tensor:
        return torch.full_like(self.zeros, 1 / self.zeros.shape[-1])

    def expand(self, batch_shape: Any, _instance: Any = None) -> UniformSphere:
        return UniformSphere(self.zeros.expand(torch.Size(batch_shape) + self.event_shape))

    def at(self, index: Index) -> UniformSphere:
        return UniformSphere(self.zeros[index])

    def from_noise(self, noise: Tensor) -> Tensor:
        """z = ε/‖ε‖."""
        return _direction(noise.to(torch.float64)).to(self.like.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = broadcast_shapes(value.shape[:-1], self.batch_shape)
        return value.new_full(shape, -log_area(self.zeros.shape[-1]))

    def entropy(self) -> Tensor:
        return -self.log_prob(self.zeros)


class VonMisesFisher(LatentDistribution):
    r"""log p(z) = log C(κ) + κ μᵀz, in nats, C(κ) = κ^ν/((2π)^{ν+1} I_ν(κ)), ν = dim/2 − 1.

    (Mardia and Jupp 2000, section 9.3.2.) A draw is z = μ cos θ + v sin θ: the first number of the noise gives θ, by
    inverting its distribution function; the other dim − 1, made a unit vector and reflected from the first axis onto
    μ, the direction v. It is differentiable in μ, and in κ by implicit reparameterisation, ∂θ/∂κ = −(∂F/∂κ)/f
    (Figurnov, Mohamed, Mnih 2018, section 3). Everything is computed in float64; draws and densities come back in the
    type of μ and z. A density uses ‖z − μ‖²/2 for 1 − μᵀz, which a large κ would multiply the rounding of.

    Parameters
    ----------
    mean_direction
        μ, unit vectors `(*batch, dim)`, dim ≥ 2.
    concentration
        κ > 0, `(*batch,)`; made for 1e-6 to 1e5.

    """

    convex = False

    def __init__(self, mean_direction: Tensor, concentration: Tensor) -> None:
        self.loc, self.concentration = mean_direction, concentration
        super().__init__(mean_direction.shape[:-1], mean_direction.shape[-1:], validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.loc

    @cached_property
    def _log_m(self) -> tuple[Tensor, Tensor]:
        """log M(κ) and E[μᵀz]: C(κ) is 1/M(κ) over the surface of the sphere."""
        return log_mean_exp(self.loc.shape[-1], self.concentration)

    @property
    def mean(self) -> Tensor:
        """E[μᵀz] μ, inside the sphere."""
        return self._log_m[1].unsqueeze(-1).to(self.loc.dtype) * self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Of each coordinate: a/κ (1 − μ²) + (1 − (dim − 1) a/κ − a²) μ², a = E[μᵀz]."""
        a, square = self._log_m[1].unsqueeze(-1), self.loc.to(torch.float64).square()
        across = a / self.concentration.unsqueeze(-1)
        along = 1 - (self.loc.shape[-1] - 1) * across - a.square()
        return (across * (1 - square) + along * square).to(self.loc.dtype)

    def expand(self, batch_shape: Any, _instance: Any = None) -> VonMisesFisher:
        shape = torch.Size(batch_shape)
        return VonMisesFisher(self.loc.expand(shape + self.event_shape), self.concentration.expand(shape))

    def at(self, index: Index) -> VonMisesFisher:
        return VonMisesFisher(self.loc[index], self.concentration[index])

    def from_noise(self, noise: Tensor) -> Tensor:
        noise, mean = noise.to(torch.float64), self.loc.to(torch.float64)
        theta = self._angle(noise[..., 0]).unsqueeze(-1)
        upright = torch.cat([theta.cos(), theta.sin() * _direction(noise[..., 1:])], -1)
        # Of the two reflections that take the first axis to the line of μ, the one whose mirror is far from singular.
        sign = torch.where(mean[..., :1] < 0, -1.0, 1.0)
        normal = torch.cat([mean[..., :1] + sign, mean[..., 1:]], -1)
        share = (normal * upright).sum(-1, keepdim=True) / normal.square().sum(-1, keepdim=True)
        return (sign * (2 * share * normal - upright)).to(self.like.dtype)

    def _angle(self, noise: Tensor) -> Tensor:
        """θ, falling as the noise rises, of the noise's shape `(*sample, *batch)`; with its derivative in κ."""
        u = torch.special.ndtr(-noise).reshape(-1, self.batch_shape.numel()).T.contiguous()
        kappa = self.concentration
        solved = invert(self.loc.shape[-1], kappa.detach().reshape(-1), u)
        theta, slope = (number.T.reshape(noise.shape) for number in solved)
        if kappa.requires_grad and torch.is_grad_enabled():
            return theta + slope * (kappa - kappa.detach()).to(torch.float64)
        return theta

    def log_prob(self, value: Tensor) -> Tensor:
        kappa = self.concentration.to(torch.float64)
        fall = 0.5 * (value.to(torch.float64) - self.loc).square().sum(-1)
        log_p = kappa - self._log_m[0] - log_area(self.loc.shape[-1]) - kappa * fall
        return log_p.to(value.dtype)

    def entropy(self) -> Tensor:
        return (log_area(self.loc.shape[-1]) - _divergence(self)).to(self.loc.dtype)


def _direction(noise: Tensor) -> Tensor:
    """Noise as unit vectors; zeros count as the smallest positive numbers."""
    whole = torch.where(noise == 0, torch.finfo(noise.dtype).eps, noise)
    return F.normalize(whole, dim=-1)


def _divergence(q: VonMisesFisher) -> Tensor:
    log_m, cosine = q._log_m
    return q.concentration.to(torch.float64) * cosine - log_m


def kl_to_uniform(q: VonMisesFisher, _: UniformSphere) -> Tensor:
    """D[q‖uniform] = κ E_q[μᵀz] − log M(κ), M the uniform mean of exp(κ μᵀz), in nats (Davidson et al. 2018)."""
    return _divergence(q).to(q.loc.dtype)


register_kl(VonMisesFisher, UniformSphere)(kl_to_uniform)
