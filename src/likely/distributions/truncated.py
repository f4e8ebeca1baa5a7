"""A distribution conditioned on lying between two limits."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.distributions.univariate import LocationScale, uniform

__all__ = ["Truncated"]

MAX_LIMIT = 1e30  # beyond it a limit counts as infinite
ROUNDING = 1e-14  # relative error of a limit after a change of units and back


@cache
def _nodes() -> tuple[Tensor, Tensor]:
    """Gauss and Legendre's nodes and weights on (0, 1)."""
    place, weight = np.polynomial.legendre.leggauss(64)
    return torch.from_numpy((place + 1) / 2), torch.from_numpy(weight / 2)


class Truncated(Distribution):
    """The base's distribution given low <= x <= high: log p(x) = log p_b(x) − log(F(high) − F(low)), per cell, in nats.

    The mass between the limits is taken in the lower tail (the base is even), so that it keeps its digits wherever the
    limits are; everything is computed, and values are read, in float64: a limit stays a limit under a change of units.
    Source: Johnson, Kotz, Balakrishnan 1994, Continuous Univariate Distributions 1, section 10.1 of chapter 13, for the
    normal distribution.

    Parameters
    ----------
    base
        `(*batch, *event)`.
    low, high
        Numbers or `(*event)`, in the base's units; ∓inf for no limit.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real
    has_rsample = True
    dtype = torch.float64

    def __init__(self, base: LocationScale, low: Tensor, high: Tensor) -> None:
        self.base = type(base)(base.loc.double(), base.log_scale.double())
        self.low, self.high = low.double(), high.double()
        super().__init__(base.batch_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """By Gauss-Legendre quadrature of the quantile function, 64 nodes."""
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        return self.base.loc.clamp(self.low, self.high)

    @property
    def variance(self) -> Tensor:
        return (self._moment(2) - self._moment(1).square()).clamp_min(0)

    def _moment(self, power: int) -> Tensor:
        place, weight = (number.to(self.base.loc.device) for number in _nodes())
        shape = (-1, *(1,) * len(self.batch_shape))
        return (self._quantile(place.view(shape)).pow(power) * weight.view(shape)).sum(0)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Truncated:
        return Truncated(self.base.expand(batch_shape), self.low, self.high)

    def _edges(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The limits in the base's standard units, mirrored into the lower half where they lie in the upper one."""
        a = self.base.standardise(low.clamp(-MAX_LIMIT, MAX_LIMIT))
        b = self.base.standardise(high.clamp(-MAX_LIMIT, MAX_LIMIT))
        flip = a + b > 0
        return torch.where(flip, -b, a), torch.where(flip, -a, b), flip

    def _log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        """log(F(high) − F(low)): by the density in the middle where the limits are close, else by log F."""
        a, b, _ = self._edges(low, high)
        width, middle = b - a, (a + b) / 2
        upper = self.base.log_lower(b)
        wide = upper + torch.log(-torch.expm1((self.base.log_lower(a) - upper).clamp_max(-1e-10)))
        close = self.base.log_density(middle) + torch.log(width.clamp_min(1e-300))
        return torch.where(width * (1 + middle.abs()) < 1e-4, close, wide)

    def _quantile(self, u: Tensor) -> Tensor:
        a, b, flip = self._edges(self.low, self.high)
        below, above = self.base.log_lower(a).exp(), self.base.log_lower(b).exp()
        y = self.base.quantile((below + u * (above - below)).clamp(1e-300, 1 - 1e-16))
        x = self.base.loc + self.base.log_scale.exp() * torch.where(flip, -y, y)
        return torch.maximum(torch.minimum(x, self.high), self.low)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        return self._quantile(uniform(shape, self.base.loc))

    def log_prob(self, value: Tensor) -> Tensor:
        x = value.double()
        slack = ROUNDING * (1 + x.abs())
        inside = (x >= self.low - slack) & (x <= self.high + slack)
        kept = torch.maximum(torch.minimum(x, self.high), self.low)
        return torch.where(inside, self.base.log_prob(kept) - self._log_mass(self.low, self.high), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        x = torch.maximum(torch.minimum(value.double(), self.high), self.low)
        share = (self._log_mass(self.low, x) - self._log_mass(self.low, self.high)).exp().clamp(0, 1)
        return torch.where(x <= self.low, torch.zeros_like(share), share)
