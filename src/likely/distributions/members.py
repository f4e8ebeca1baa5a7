"""The distribution of z in an ensemble: that of one of several models, chosen at random."""

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
    """The distribution of (u, z): u ~ N(0, 1) chooses one of M members, each as likely as any; z is a draw of it.

    log p(u, z) = log N(u; 0, 1) + log p_m(z), m = ⌊M Φ(u)⌋, in nats. That u is a real number keeps the whole code a
    real vector, which annealing can move.

    Parameters
    ----------
    members
        M distributions of real vectors of one size and batch shape.

    """

    def __init__(self, members: Sequence[LatentDistribution]) -> None:
        self.members = tuple(members)
        first = self.members[0]
        super().__init__(first.batch_shape, torch.Size((1 + first.event_shape[0],)), validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.members[0].like

    @property
    def noise_size(self) -> int:
        return 1 + max(one.noise_size for one in self.members)

    @property
    def noise_moves(self) -> tuple[bool, ...]:
        return (False, *max((one.noise_moves for one in self.members), key=len))

    @property
    def mean(self) -> Tensor:
        means = torch.stack([one.mean for one in self.members]).mean(0)
        return torch.cat([torch.zeros_like(means[..., :1]), means], -1)

    @property
    def variance(self) -> Tensor:
        squares = torch.stack([one.variance + one.mean.square() for one in self.members]).mean(0)
        within = squares - self.mean[..., 1:].square()
        return torch.cat([torch.ones_like(within[..., :1]), within], -1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Members:
        return Members([one.expand(batch_shape) for one in self.members])

    def at(self, index: Index) -> Members:
        return Members([one.at(index) for one in self.members])

    def log_prob(self, value: Tensor) -> Tensor:
        u, z = value[..., 0], value[..., 1:]
        each = torch.stack([one.log_prob(z) for one in self.members])
        chosen = member_of(value, len(self.members)).expand(each.shape[1:])
        return each.gather(0, chosen.unsqueeze(0)).squeeze(0) - 0.5 * u.square() - HALF_LOG_TWO_PI

    def from_noise(self, noise: Tensor) -> Tensor:
        """The first number of the noise is u, the others are the noise of the member that it chooses."""
        each = torch.stack([one.from_noise(noise[..., 1 : 1 + one.noise_size]) for one in self.members])
        chosen = member_of(noise, len(self.members)).view(1, *each.shape[1:-1], 1).expand(1, *each.shape[1:])
        return torch.cat([noise[..., :1].to(each.dtype), each.gather(0, chosen).squeeze(0)], -1)
