"""Distributions of positive cells, and of cells between 0 and 1."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import constraints

from likely.distributions.special import HALF_LOG_TWO_PI, betainc, stirling
from likely.distributions.univariate import Univariate

__all__ = ["Beta", "Gamma", "LogNormal"]


class LogNormal(Univariate):
    """log x ~ N(μ, σ²): log p(x) = log N(log x; μ, σ²) − log x for x > 0, per cell, in nats (Lebesgue measure).

    Source: Johnson, Kotz, Balakrishnan 1994, Continuous Univariate Distributions 1, chapter 14.

    Parameters
    ----------
    loc, log_scale
        μ and log σ of log x, `(*batch, *event)`.

    """

    support = constraints.positive
    has_rsample = True

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        super().__init__(loc, log_scale)
        self.loc, self.log_scale = self.parameters

    @property
    def mean(self) -> Tensor:
        return (self.loc + 0.5 * (2 * self.log_scale).exp()).exp()

    @property
    def mode(self) -> Tensor:
        return (self.loc - (2 * self.log_scale).exp()).exp()

    @property
    def variance(self) -> Tensor:
        return torch.expm1((2 * self.log_scale).exp()) * self.mean.square()

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=self.dtype, device=self.loc.device)
        return (self.loc + self.log_scale.exp() * noise).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        inside = (value > 0) & (value < math.inf)
        log_x = torch.where(inside, value, torch.ones_like(value)).log()
        y = (log_x - self.loc) * (-self.log_scale).exp()
        log_p = -0.5 * y.square() - self.log_scale - HALF_LOG_TWO_PI - log_x
        return torch.where(inside, log_p, torch.full_like(log_p, -math.inf))

    def cdf(self, value: Tensor) -> Tensor:
        log_x = value.clamp_min(torch.finfo(self.dtype).tiny).log()
        below = torch.special.ndtr((log_x - self.loc) * (-self.log_scale).exp())
        return torch.where(value > 0, below, torch.zeros_like(below))


class Gamma(Univariate):
    """p(x) = (k/m)^k x^(k−1) exp(−k x/m) / Γ(k) for x > 0: mean m and variance m²/k, per cell (Lebesgue measure).

    With u = log(x/m), log p = k (u − e^u + 1) + S(k) − log x, S from `special.stirling`: no large terms cancel.
    Source: McCullagh and Nelder 1989, Generalized Linear Models, section 8.2.

    Parameters
    ----------
    log_mean, log_concentration
        log m and log k, `(*batch, *event)`.

    """

    support = constraints.positive
    has_rsample = True

    def __init__(self, log_mean: Tensor, log_concentration: Tensor) -> None:
        super().__init__(log_mean, log_concentration)
        self.log_mean, self.log_concentration = self.parameters

    @property
    def mean(self) -> Tensor:
        return self.log_mean.exp()

    @property
    def mode(self) -> Tensor:
        return self.mean * (1 - (-self.log_concentration).exp()).clamp_min(0)

    @property
    def variance(self) -> Tensor:
        return (2 * self.log_mean - self.log_concentration).exp()

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        k = self.log_concentration.exp().expand(self._extended_shape(torch.Size(sample_shape)))
        drawn = torch._standard_gamma(k).clamp_min(torch.finfo(self.dtype).tiny)
        return (drawn * (self.log_mean - self.log_concentration).exp()).clamp_min(torch.finfo(self.dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        inside = (value > 0) & (value < math.inf)
        log_x = torch.where(inside, value, torch.ones_like(value)).log()
        u = log_x - self.log_mean
        log_p = self.log_concentration.exp() * (u - torch.expm1(u)) + stirling(self.log_concentration) - log_x
        return torch.where(inside, log_p, torch.full_like(log_p, -math.inf))

    def cdf(self, value: Tensor) -> Tensor:
        k = self.log_concentration.double().exp()
        x = value.double().clamp_min(0) * (self.log_concentration - self.log_mean).double().exp()
        below: Tensor = torch.special.gammainc(*torch.broadcast_tensors(k, x))
        return below.to(self.dtype)


class Beta(Univariate):
    """p(x) = x^(a−1) (1 − x)^(b−1) / B(a, b) on (0, 1), a = ν m, b = ν (1 − m): mean m, variance m(1−m)/(ν+1).

    Per cell, in nats (Lebesgue measure). log p = a log(x/m) + b log((1−x)/(1−m)) + S(a) + S(b) − S(ν) − log x −
    log(1−x), S from `special.stirling`: no large terms cancel.
    Source: Ferrari and Cribari-Neto 2004, Beta regression for modelling rates and proportions, section 2.

    Parameters
    ----------
    logit, log_concentration
        log(m/(1 − m)) and log ν, `(*batch, *event)`.

    """

    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, logit: Tensor, log_concentration: Tensor) -> None:
        super().__init__(logit, log_concentration)
        self.logit, self.log_concentration = self.parameters
        self._log_mean, self._log_rest = F.logsigmoid(self.logit), F.logsigmoid(-self.logit)

    @property
    def mean(self) -> Tensor:
        return torch.sigmoid(self.logit)

    @property
    def mode(self) -> Tensor:
        """(a − 1)/(a + b − 2) where a and b exceed 1; elsewhere the density has no inner maximum, and this is m."""
        a, b = (self.log_concentration + self._log_mean).exp(), (self.log_concentration + self._log_rest).exp()
        inner = (a > 1) & (b > 1)
        return torch.where(inner, (a - 1) / torch.where(inner, a + b - 2, torch.ones_like(a)), self.mean)

    @property
    def variance(self) -> Tensor:
        return self.mean * torch.sigmoid(-self.logit) / (1 + self.log_concentration.exp())

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        tiny, eps = torch.finfo(self.dtype).tiny, torch.finfo(self.dtype).eps
        a = (self.log_concentration + self._log_mean).exp().clamp_min(tiny)
        b = (self.log_concentration + self._log_rest).exp().clamp_min(tiny)
        drawn = torch.distributions.Beta(a, b, validate_args=False).rsample(torch.Size(sample_shape))
        return drawn.clamp(tiny, 1 - eps)

    def log_prob(self, value: Tensor) -> Tensor:
        inside = (value > 0) & (value < 1)
        x = torch.where(inside, value, torch.full_like(value, 0.5))
        log_x, log_rest = x.log(), torch.log1p(-x)
        log_a, log_b = self.log_concentration + self._log_mean, self.log_concentration + self._log_rest
        log_p = log_a.exp() * (log_x - self._log_mean) + log_b.exp() * (log_rest - self._log_rest) - log_x - log_rest
        log_p = log_p + stirling(log_a) + stirling(log_b) - stirling(self.log_concentration)
        return torch.where(inside, log_p, torch.full_like(log_p, -math.inf))

    def cdf(self, value: Tensor) -> Tensor:
        a, b = (self.log_concentration + self._log_mean).exp(), (self.log_concentration + self._log_rest).exp()
        x = value.double().clamp(0, 1)
        return betainc(a, b, x, 1 - x).to(self.dtype)
