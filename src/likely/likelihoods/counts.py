"""Likelihoods of counts without bound."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.distributions import Univariate
from likely.likelihoods.base import Likelihood
from likely.likelihoods.bounds import Bound
from likely.likelihoods.standardised import gather

__all__ = ["Counts", "NegativeBinomial", "Poisson", "ZeroInflated"]

# Bounds of a log-mean, and of the logarithm of the dispersion.
MAX_LOG_MEAN = 30.0
MIN_LOG_DISPERSION, MAX_LOG_DISPERSION = math.log(1e-6), math.log(1e4)


class Counts(Likelihood):
    """A distribution of counts 0, 1, ... per cell (counting measure), which zeros may inflate. Scored in float64.

    Parameters
    ----------
    event_shape
        Shape of x.

    """

    measure = "mass"
    numbers: int

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = torch.Size(event_shape)
        self.parameter_shape = torch.Size((*event_shape, self.numbers))
        self.log_mean = Bound(-MAX_LOG_MEAN, MAX_LOG_MEAN)

    @abstractmethod
    def distribution(self, parts: Sequence[Tensor], log_exposure: Tensor | float = 0.0) -> Univariate:
        """One tensor `(*batch, *event)` per parameter, and what is added to the log-mean -> the distribution."""

    @abstractmethod
    def matched(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, ...]:
        """Parameters `(cells,)` of the distribution with this mean and variance."""

    def forward(self, parameters: Tensor, log_exposure: Tensor | None = None) -> Distribution:
        """`(*batch, numbers)` -> the distribution, `(*batch, *event)`; its mean is times the exposure."""
        return self.distribution(self.split(parameters.double()), self.wide(log_exposure))

    def wide(self, log_exposure: Tensor | None) -> Tensor | float:
        """The log-exposure of each row `(rows, 1)`, as it is added to the log-mean of its cells: `(rows, *event)`."""
        return 0.0 if log_exposure is None else log_exposure.double().view(-1, *[1] * len(self.event_shape))

    def initial(self, values: Tensor) -> Tensor:
        """The distribution with each cell's mean (half a count in n rows added) and variance."""
        x = values.to(torch.float64).flatten(1)
        return gather(*self.matched(x.mean(0) + 0.5 / len(x), x.var(0, correction=0)))


class Poisson(Counts):
    """P(x|z) = Π λ_i(z)^x_i e^−λ_i(z) / x_i!, x_i = 0, 1, ... (counting measure); one parameter per cell, log λ.

    Source: Johnson, Kemp, Kotz 2005, Univariate Discrete Distributions, chapter 4.
    """

    numbers = 1

    def distribution(self, parts: Sequence[Tensor], log_exposure: Tensor | float = 0.0) -> Univariate:
        """Poisson of the bounded log-rate."""
        return distributions.Poisson(self.log_mean(parts[0]) + log_exposure)

    def matched(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG002
        """The log-rate."""
        return (self.log_mean.inverse(mean.log()),)


class NegativeBinomial(Counts):
    """P(x|z) = Π NB(x_i; mean m_i(z), dispersion α_i(z)), variance m + α m² (counting measure).

    Two parameters per cell: log m, and log α (α within 1e-6 and 1e4).
    Source: Hilbe 2011, Negative Binomial Regression, chapter 8 (NB2); in a VAE of counts: Lopez et al. 2018 (scVI).
    """

    numbers = 2

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__(event_shape)
        self.log_dispersion = Bound(MIN_LOG_DISPERSION, MAX_LOG_DISPERSION)

    def distribution(self, parts: Sequence[Tensor], log_exposure: Tensor | float = 0.0) -> Univariate:
        """Negative binomial of the bounded log-mean and log-dispersion."""
        log_mean = self.log_mean(parts[0]) + log_exposure
        return distributions.NegativeBinomial(log_mean, self.log_dispersion(parts[1]))

    def matched(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, ...]:
        """Log-mean and log-dispersion by moments."""
        dispersion = ((variance - mean) / mean.square()).clamp(1e-5, 1e3)
        return self.log_mean.inverse(mean.log()), self.log_dispersion.inverse(dispersion.log())


class ZeroInflated(Likelihood):
    """P(x|z) = Π π_i(z) [x_i = 0] + (1 − π_i(z)) P_base(x_i|z): zeros in excess of the base's (counting measure).

    Source: Lambert 1992, Zero-inflated Poisson regression, section 2.

    Parameters
    ----------
    base
        `Poisson` or `NegativeBinomial`; the parameters per cell are log(π/(1 − π)) and then the base's.

    """

    measure = "mass"

    def __init__(self, base: Counts) -> None:
        super().__init__()
        self.base, self.event_shape = base, base.event_shape
        self.parameter_shape = torch.Size((*base.event_shape, 1 + base.numbers))

    def forward(self, parameters: Tensor, log_exposure: Tensor | None = None) -> Distribution:
        """`(*batch, numbers)` -> the inflated counts, `(*batch, *event)`; the base's mean is times the exposure."""
        logits, *parts = self.split(parameters.double())
        return distributions.ZeroInflated(logits, self.base.distribution(parts, self.base.wide(log_exposure)))

    def initial(self, values: Tensor) -> Tensor:
        """Expectation of which zeros are the base's, and moments of the base's rows, in turn."""
        x = values.to(torch.float64).flatten(1)
        rows, zeros, total, squares = len(x), (x == 0).sum(0), x.sum(0) + 0.5, x.square().sum(0) + 0.5
        share = torch.full_like(total, 0.5)
        zero, logits, parts = torch.zeros_like(total), torch.zeros_like(total), self.base.matched(total, total)
        for _ in range(50):
            kept = rows - zeros + share * zeros
            mean = total / kept
            parts = self.base.matched(mean, squares / kept - mean.square())
            inflated = ((rows - kept + 0.5) / (rows + 1)).clamp(1e-4, 1 - 1e-4)
            logits = torch.logit(inflated)
            mass = self.base.distribution(parts).log_prob(zero).exp() * (1 - inflated)
            share = mass / (mass + inflated)
        return gather(logits, *parts)
