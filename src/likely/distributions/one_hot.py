"""Distributions of discrete codes: groups of one-hot vectors, exact or relaxed."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import register_kl

from likely.distributions.latent import Index, LatentDistribution, fixed_noise
from likely.errors import ConfigError

__all__ = ["OneHot", "RelaxedOneHot", "demand_code"]


class OneHot(LatentDistribution):
    r"""z is a one-hot vector of `classes` for each of `groups`, end to end: log P(z) = Σ_gc z_gc log π_gc, in nats.

    π = softmax(logits) in each group. The measure is counting; what is not one-hot has log P = −∞. Draws carry no
    gradient.

    Parameters
    ----------
    logits
        `(*batch, groups, classes)`.

    """

    has_rsample, convex = False, False

    def __init__(self, logits: Tensor) -> None:
        self.log_p = F.log_softmax(logits, -1)
        super().__init__(logits.shape[:-2], torch.Size((logits.shape[-2:].numel(),)), validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.log_p

    @property
    def mean(self) -> Tensor:
        """Probabilities: no code themselves."""
        return self.log_p.exp().flatten(-2)

    @property
    def mode(self) -> Tensor:
        """The most probable class of each group."""
        return F.one_hot(self.log_p.argmax(-1), self.log_p.shape[-1]).flatten(-2).to(self.like.dtype)

    @property
    def variance(self) -> Tensor:
        return self.mean * (1 - self.mean)

    def expand(self, batch_shape: Any, _instance: Any = None) -> OneHot:
        return OneHot(self.log_p.expand(torch.Size(batch_shape) + self.log_p.shape[-2:]))

    def at(self, index: Index) -> OneHot:
        return OneHot(self.log_p[index])

    def from_noise(self, noise: Tensor) -> Tensor:
        """The largest of log π + Gumbel noise in each group (Maddison et al. 2017)."""
        best = _perturbed(self.log_p.detach(), noise).argmax(-1)
        return F.one_hot(best, self.log_p.shape[-1]).flatten(-2).to(self.like.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        z = value.unflatten(-1, self.log_p.shape[-2:])
        codes = ((z == 0) | (z == 1)).all(-1) & (z.sum(-1) == 1)
        return torch.where(codes.all(-1), (z * self.log_p).sum((-2, -1)), -math.inf)

    def entropy(self) -> Tensor:
        return -(self.log_p.exp() * self.log_p).sum((-2, -1))


class RelaxedOneHot(LatentDistribution):
    r"""The Concrete distribution of each group: z = softmax((log π + G)/λ), G Gumbel noise, π = softmax(logits).

    log p(z) = log (n−1)! + (n−1) log λ + Σ_c (log π_c − (λ+1) log z_c) − n log Σ_c π_c z_c^{−λ}, n classes, summed over
    the groups, in nats (Maddison et al. 2017, definition 1; Jang et al. 2017, appendix B). It is a density, of n − 1
    coordinates of each group. As λ → 0 draws become those of the categorical.

    A z_c that underflows counts as the smallest normal number of its type.

    Parameters
    ----------
    logits
        `(*batch, groups, classes)`.
    temperature
        λ > 0.

    """

    def __init__(self, logits: Tensor, temperature: float) -> None:
        self.log_p, self.temperature = F.log_softmax(logits, -1), temperature
        super().__init__(logits.shape[:-2], torch.Size((logits.shape[-2:].numel(),)), validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.log_p

    @property
    def mean(self) -> Tensor:
        """Estimated from 256 fixed draws, antithetic: there is no closed form."""
        return self.from_noise(fixed_noise(self)).mean(0)

    @property
    def variance(self) -> Tensor:
        """Estimated from the same fixed draws."""
        return self.from_noise(fixed_noise(self)).var(0, correction=0)

    def expand(self, batch_shape: Any, _instance: Any = None) -> RelaxedOneHot:
        return RelaxedOneHot(self.log_p.expand(torch.Size(batch_shape) + self.log_p.shape[-2:]), self.temperature)

    def at(self, index: Index) -> RelaxedOneHot:
        return RelaxedOneHot(self.log_p[index], self.temperature)

    def from_noise(self, noise: Tensor) -> Tensor:
        perturbed = _perturbed(self.log_p, noise) / self.temperature
        return torch.softmax(perturbed, -1).flatten(-2).to(self.like.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        classes, power = self.log_p.shape[-1], self.temperature
        log_z = value.unflatten(-1, self.log_p.shape[-2:]).clamp_min(torch.finfo(value.dtype).tiny).log()
        free = self.log_p - power * log_z
        constant = math.lgamma(classes) + (classes - 1) * math.log(power)
        each: Tensor = constant + (free - log_z).sum(-1) - classes * free.logsumexp(-1)
        return each.sum(-1)


def _perturbed(log_p: Tensor, noise: Tensor) -> Tensor:
    """log π + G, float64, G = −log(−log Φ(ε)) for standard normal noise ε `(*sample, *batch, groups * classes)`."""
    gumbel = -torch.log(-torch.special.log_ndtr(noise.to(torch.float64)))
    perturbed: Tensor = log_p.to(torch.float64) + gumbel.unflatten(-1, log_p.shape[-2:])
    return perturbed


def demand_code(groups: int, classes: int, temperature: float) -> None:
    """Refuse what is no code.

    Raises
    ------
    ConfigError
        If there is no group, less than two classes, or the temperature is not positive.

    """
    if groups < 1 or classes < 2 or not temperature > 0:
        raise ConfigError(
            "codes need a group, two classes and a positive temperature at least; "
            f"got {groups} groups, {classes} classes, temperature {temperature}"
        )


def kl_categorical(q: OneHot | RelaxedOneHot, p: OneHot | RelaxedOneHot) -> Tensor:
    """D[q‖p] = Σ_gc π_q (log π_q − log π_p), in nats: that of the categoricals, relaxed or not (Jang et al. 2017)."""
    divergence: Tensor = (q.log_p.exp() * (q.log_p - p.log_p)).sum((-2, -1))
    return divergence


register_kl(OneHot, OneHot)(kl_categorical)
register_kl(RelaxedOneHot, RelaxedOneHot)(kl_categorical)
