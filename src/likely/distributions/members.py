"""A law of z, each time of one of several models, chosen at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from likely.distributions.latent import Index, LatentDistribution
from likely.distributions.normal import HALF_LOG_TWO_PI

__all__ = ["Members", "member_of"]


def member_of(z: Tensor, count: int) -> Tensor:
    """Which of `count` members each code `(*lead, 1 + latent)` is of: ⌊count Φ(u)⌋, u its first number."""
    share = 0.5 * torch.erfc(-z[..., 0].detach().to(torch.float64) / math.sqrt(2))
    return (share * count).to(torch.int64).clamp_max(count - 1)


class Members(LatentDistribution):
    """The law of (u, z): u ~ N(0, 1) chooses one of M laws, each as likely as the others, and z follows it.

    log p(u, z) = log N(u; 0, 1) + log p_m(z), m = ⌊M Φ(u)⌋, in nats. That u is a real number keeps the whole code a
    real vector, which annealing can move.

    Parameters
    ----------
    laws
        M laws of real vectors of one size and batch shape.

    """

    def __init__(self, laws: Sequence[LatentDistribution]) -> None:
        self.laws = tuple(laws)
        first = self.laws[0]
        super().__init__(first.batch_shape, torch.Size((1 + first.event_shape[0],)), validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.laws[0].like

    @property
    def noise_size(self) -> int:
        return 1 + max(law.noise_size for law in self.laws)

    @property
    def spreads(self) -> tuple[bool, ...]:
        return (False, *max((law.spreads for law in self.laws), key=len))

    @property
    def mean(self) -> Tensor:
        means = torch.stack([law.mean for law in self.laws]).mean(0)
        return torch.cat([torch.zeros_like(means[..., :1]), means], -1)

    @property
    def variance(self) -> Tensor:
        squares = torch.stack([law.variance + law.mean.square() for law in self.laws]).mean(0)
        within = squares - self.mean[..., 1:].square()
        return torch.cat([torch.ones_like(within[..., :1]), within], -1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Members:
        return Members([law.expand(batch_shape) for law in self.laws])

    def at(self, index: Index) -> Members:
        return Members([law.at(index) for law in self.laws])

    def log_prob(self, value: Tensor) -> Tensor:
        u, z = value[..., 0], value[..., 1:]
        each = torch.stack([law.log_prob(z) for law in self.laws])
        chosen = member_of(value, len(self.laws)).expand(each.shape[1:])
        return each.gather(0, chosen.unsqueeze(0)).squeeze(0) - 0.5 * u.square() - HALF_LOG_TWO_PI

    def from_noise(self, noise: Tensor) -> Tensor:
        """The first number of the noise is u, the others are the noise of the law that it chooses."""
        each = torch.stack([law.from_noise(noise[..., 1 : 1 + law.noise_size]) for law in self.laws])
        chosen = member_of(noise, len(self.laws)).view(1, *each.shape[1:-1], 1).expand(1, *each.shape[1:])
        return torch.cat([noise[..., :1].to(each.dtype), each.gather(0, chosen).squeeze(0)], -1)
