"""Distributions of counts without bound."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.distributions.special import betainc, stirling
from likely.distributions.univariate import Univariate

__all__ = ["NegativeBinomial", "Poisson", "ZeroInflated"]


def _counts(value: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The values where they are 0, 1, ..., and 0 elsewhere; and where they are."""
    x = value.to(dtype)
    counted = (x >= 0) & (x.floor() == x) & (x < math.inf)
    return torch.where(counted, x, 0.0), counted


class Poisson(Univariate):
    """P(x) = λ^x e^−λ / x!, x = 0, 1, ..., per cell, in nats (counting measure); `log_rate` log λ, `(*batch, *event)`.

    Source: Johnson, Kemp, Kotz 2005, Univariate Discrete Distributions, chapter 4.
    """

    support = constraints.nonnegative_integer

    def __init__(self, log_rate: Tensor) -> None:
        super().__init__(log_rate)
        self.log_rate = self.parameters[0]

    @property
    def mean(self) -> Tensor:
        return self.log_rate.exp()

    @property
    def mode(self) -> Tensor:
        return self.mean.floor()

    @property
    def variance(self) -> Tensor:
        return self.mean

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            return torch.poisson(self.mean.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        x, counted = _counts(value, self.dtype)
        log_p = x * self.log_rate - self.log_rate.exp() - torch.lgamma(x + 1)
        return torch.where(counted, log_p, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        x = value.double().floor()
        pair = torch.broadcast_tensors(x.clamp_min(0) + 1, self.log_rate.double().exp())
        below = torch.special.gammaincc(*pair).to(self.dtype)
        return torch.where(x < 0, torch.zeros_like(below), below)


class NegativeBinomial(Univariate):
    """Counts of mean m and variance m + α m², α the dispersion, r = 1/α; per cell, in nats (counting measure).

    P(x) = Γ(x + r)/(Γ(r) x!) (r/(r + m))^r (m/(r + m))^x. It is computed as
    (x + r) log((x + r)/(m + r)) + x log m − x − log x! − S(x + r) + S(r), S from `special.stirling`: no large terms
    cancel, and α → 0 is the Poisson distribution.
    Source: Hilbe 2011, Negative Binomial Regression, chapter 8 (NB2).

    Parameters
    ----------
    log_mean, log_dispersion
        log m and log α, `(*batch, *event)`.

    """

    support = constraints.nonnegative_integer

    def __init__(self, log_mean: Tensor, log_dispersion: Tensor) -> None:
        super().__init__(log_mean, log_dispersion)
        self.log_mean, self.log_dispersion = self.parameters

    @property
    def mean(self) -> Tensor:
        return self.log_mean.exp()

    @property
    def mode(self) -> Tensor:
        return (self.mean * (1 - self.log_dispersion.exp())).clamp_min(0).floor()

    @property
    def variance(self) -> Tensor:
        return self.mean + self.log_dispersion.exp() * self.mean.square()

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """A Poisson count whose rate is gamma distributed."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            rate = torch._standard_gamma((-self.log_dispersion).exp().expand(shape))
            return torch.poisson(rate * (self.log_mean + self.log_dispersion).exp())

    def log_prob(self, value: Tensor) -> Tensor:
        x, counted = _counts(value, self.dtype)
        log_r = -self.log_dispersion
        r, mean = log_r.exp(), self.log_mean.exp()
        log_total = torch.logaddexp(x.log(), log_r)
        near = (x - mean) / (r + mean)
        exact = torch.log1p(near.clamp(-0.5, 0.5))
        ratio = torch.where(near.abs() < 0.5, exact, log_total - torch.logaddexp(log_r, self.log_mean))
        log_p = (x + r) * ratio + x * self.log_mean - x - torch.lgamma(x + 1) - stirling(log_total) + stirling(log_r)
        return torch.where(counted, log_p, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """I_{r/(r + m)}(r, x + 1), the regularised incomplete beta function."""
        x = value.double().floor()
        odds = (self.log_mean + self.log_dispersion).double()
        r = (-self.log_dispersion).double().exp()
        below = betainc(r, x.clamp_min(0) + 1, torch.sigmoid(-odds), torch.sigmoid(odds)).to(self.dtype)
        return torch.where(x < 0, torch.zeros_like(below), below)


class ZeroInflated(Distribution):
    """Zero with probability π, else the base: P(0) = π + (1 − π) P_b(0), P(x) = (1 − π) P_b(x), counting measure.

    Source: Lambert 1992, Zero-inflated Poisson regression, section 2.

    Parameters
    ----------
    logits
        log(π/(1 − π)), `(*batch, *event)`.
    base
        A distribution of counts, `(*batch, *event)`.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.nonnegative_integer

    def __init__(self, logits: Tensor, base: Univariate) -> None:
        self.logits, self.base = logits.expand(base.batch_shape), base
        super().__init__(base.batch_shape, validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which values are read."""
        return self.base.dtype

    @property
    def mean(self) -> Tensor:
        return torch.sigmoid(-self.logits) * self.base.mean

    @property
    def mode(self) -> Tensor:
        """Zero or the base's mode, whichever has more mass."""
        other = self.base.mode
        return torch.where(
            self.log_prob(other) > self.log_prob(torch.zeros_like(other)), other, torch.zeros_like(other)
        )

    @property
    def variance(self) -> Tensor:
        kept = torch.sigmoid(-self.logits)
        return kept * (self.base.variance + torch.sigmoid(self.logits) * self.base.mean.square())

    def expand(self, batch_shape: Any, _instance: Any = None) -> ZeroInflated:
        return ZeroInflated(self.logits.expand(torch.Size(batch_shape)), self.base.expand(batch_shape))

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        drawn = self.base.sample(torch.Size(sample_shape))
        with torch.no_grad():
            return drawn * torch.bernoulli(torch.sigmoid(-self.logits).expand(drawn.shape)).to(drawn.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        counted = self.base.log_prob(value) + F.logsigmoid(-self.logits)
        zero = torch.logaddexp(F.logsigmoid(self.logits), counted)
        return torch.where(value == 0, zero, counted)

    def cdf(self, value: Tensor) -> Tensor:
        below = torch.sigmoid(self.logits) + torch.sigmoid(-self.logits) * self.base.cdf(value)
        return torch.where(value < 0, torch.zeros_like(below), below)
