"""Likelihoods of positive cells, and of cells between two limits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.distributions import Rescaled
from likely.likelihoods.bounds import Bound
from likely.likelihoods.standardised import MAX_LOG_SCALE, MIN_LOG_SCALE, Standardised, gather

__all__ = ["Beta", "Gamma", "LogNormal"]

# Bounds of log-means and logits, and of the logarithm of a concentration (deviation/mean is 10 to 0.001).
MAX_LOG_MEAN = 30.0
MIN_LOG_SHAPE, MAX_LOG_SHAPE = math.log(1e-2), math.log(1e6)


class LogNormal(Standardised):
    """P(x|z) = Π N(log y_i; f_i(z), σ_i(z)²)/x_i, y = (x − low)/scale > 0, a density in data units.

    Source: Johnson, Kotz, Balakrishnan 1994, Continuous Univariate Distributions 1, chapter 14.

    Parameters
    ----------
    event_shape
        Shape of x; two parameters per cell: mean and log-deviation (0.001 to 10) of log y.
    scale
        A typical size of each cell in data units: a number, or `(*event)`.
    low
        Where the support begins, in data units.

    """

    measure = "density"

    def __init__(self, event_shape: Sequence[int], scale: float | Tensor = 1.0, low: float | Tensor = 0.0) -> None:
        super().__init__(event_shape, 2, low, scale)
        self.log_scale = Bound(MIN_LOG_SCALE, MAX_LOG_SCALE)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 2 * cells)` -> LogNormal in data units, `(*batch, *event)`."""
        loc, raw = self.split(parameters)
        return Rescaled(distributions.LogNormal(loc, self.log_scale(raw)), self.frame)

    def initial(self, values: Tensor) -> Tensor:
        """Mean and deviation of the logarithms: the maximum of the likelihood."""
        log_y = self.inward(values).clamp_min(1e-30).log()
        deviation = log_y.std(0, correction=0).clamp_min(1e-6)
        return gather(log_y.mean(0), self.log_scale.inverse(deviation.log()))


class Gamma(Standardised):
    """P(x|z) = Π Gamma(y_i; mean m_i(z), concentration k_i(z))/scale, y = (x − low)/scale > 0, a density in data units.

    Source: McCullagh and Nelder 1989, Generalized Linear Models, section 8.2.

    Parameters
    ----------
    event_shape
        Shape of x; two parameters per cell: log m and log k (0.01 to a million).
    scale
        A typical size of each cell in data units: a number, or `(*event)`.
    low
        Where the support begins, in data units.

    """

    measure = "density"

    def __init__(self, event_shape: Sequence[int], scale: float | Tensor = 1.0, low: float | Tensor = 0.0) -> None:
        super().__init__(event_shape, 2, low, scale)
        self.log_mean, self.log_shape = Bound(-MAX_LOG_MEAN, MAX_LOG_MEAN), Bound(MIN_LOG_SHAPE, MAX_LOG_SHAPE)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 2 * cells)` -> Gamma in data units, `(*batch, *event)`; it is scored in float64."""
        log_mean, raw = self.split(parameters.double())
        distribution = distributions.Gamma(self.log_mean(log_mean), self.log_shape(raw))
        return Rescaled(distribution, self.frame)

    def initial(self, values: Tensor) -> Tensor:
        """The mean, and Minka's (2002) approximate maximum for the concentration."""
        y = self.inward(values).clamp_min(1e-30)
        mean = y.mean(0)
        s = (mean.log() - y.log().mean(0)).clamp_min(1e-9)
        k = (3 - s + ((s - 3).square() + 24 * s).sqrt()) / (12 * s)
        return gather(self.log_mean.inverse(mean.log()), self.log_shape.inverse(k.log()))


class Beta(Standardised):
    """P(x|z) = Π Beta(y_i; mean m_i(z), ν_i(z))/(high − low), y = (x − low)/(high − low), a density in data units.

    Source: Ferrari and Cribari-Neto 2004, Beta regression for modelling rates and proportions, section 2.

    Parameters
    ----------
    event_shape
        Shape of x; two parameters per cell: log(m/(1 − m)) and log ν (0.01 to a million).
    low, high
        The ends of the open interval that holds x, in data units: numbers, or `(*event)`.

    """

    measure = "density"

    def __init__(self, event_shape: Sequence[int], low: float | Tensor = 0.0, high: float | Tensor = 1.0) -> None:
        width = torch.as_tensor(high, dtype=torch.float64) - torch.as_tensor(low, dtype=torch.float64)
        super().__init__(event_shape, 2, low, width)
        self.logit, self.log_shape = Bound(-MAX_LOG_MEAN, MAX_LOG_MEAN), Bound(MIN_LOG_SHAPE, MAX_LOG_SHAPE)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 2 * cells)` -> Beta in data units, `(*batch, *event)`; it is scored in float64."""
        logit, raw = self.split(parameters.double())
        distribution = distributions.Beta(self.logit(logit), self.log_shape(raw))
        return Rescaled(distribution, self.frame)

    def initial(self, values: Tensor) -> Tensor:
        """The beta distribution with each cell's mean and variance."""
        y = self.inward(values)
        mean, variance = y.mean(0).clamp(1e-9, 1 - 1e-9), y.var(0, correction=0).clamp_min(1e-12)
        concentration = (mean * (1 - mean) / variance - 1).clamp_min(1e-2)
        return gather(
            self.logit.inverse(torch.logit(mean)),
            self.log_shape.inverse(concentration.log()),
        )
