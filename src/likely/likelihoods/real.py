"""Likelihoods of real cells with other tails than the normal distribution's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.distributions import LocationScale, Rescaled
from likely.likelihoods.bounds import Bound
from likely.likelihoods.standardised import MAX_LOG_SCALE, MIN_LOG_SCALE, Standardised, gather

__all__ = ["Laplace", "Logistic", "StudentT"]

# log of the least and greatest degrees of freedom: the mean exists, and 300 is as good as normal.
MIN_LOG_DF, MAX_LOG_DF = math.log(1.5), math.log(300.0)


class _LocationScale(Standardised):
    """Location f_i(z) and scale s_i(z) from the decoder; s stays within 0.001 and 10 of the cell's scale."""

    measure = "density"
    family: ClassVar[type[LocationScale]]

    def __init__(self, event_shape: Sequence[int], shift: float | Tensor = 0.0, scale: float | Tensor = 1.0) -> None:
        super().__init__(event_shape, 2, shift, scale)
        self.log_scale = Bound(MIN_LOG_SCALE, MAX_LOG_SCALE)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 2 * cells)` -> the distribution in data units, `(*batch, *event)`."""
        loc, raw = self.split(parameters)
        return Rescaled(self.family(loc, self.log_scale(raw)), self.frame)


class Laplace(_LocationScale):
    """P(x|z) = Π exp(−|x_i − f_i(z)|/s_i(z)) / (2 s_i(z)), a density in data units: absolute error, weighed.

    Source: Johnson, Kotz, Balakrishnan 1995, Continuous Univariate Distributions 2, chapter 24.

    Parameters
    ----------
    event_shape
        Shape of x; two parameters per cell.
    shift, scale
        Each cell's location and scale in data units: numbers, or `(*event)`.

    """

    family = distributions.Laplace

    def initial(self, values: Tensor) -> Tensor:
        """Median and mean absolute deviation of each cell: the maximum of the likelihood."""
        y = self.inward(values)
        median = y.median(0).values
        scale = (y - median).abs().mean(0).clamp_min(1e-6)
        return gather(median, self.log_scale.inverse(scale.log()))


class Logistic(_LocationScale):
    """P(x|z) = Π e^−y / (s (1 + e^−y)²), y = (x_i − f_i(z))/s_i(z), a density in data units.

    Source: Johnson, Kotz, Balakrishnan 1995, Continuous Univariate Distributions 2, chapter 23.

    Parameters
    ----------
    event_shape
        Shape of x; two parameters per cell.
    shift, scale
        Each cell's location and scale in data units: numbers, or `(*event)`.

    """

    family = distributions.Logistic

    def initial(self, values: Tensor) -> Tensor:
        """The logistic distribution with each cell's mean and deviation."""
        y = self.inward(values)
        scale = y.std(0, correction=0).clamp_min(1e-6) / self.family.unit_deviation
        return gather(y.mean(0), self.log_scale.inverse(scale.log()))


class StudentT(Standardised):
    """P(x|z) = Π t(x_i; f_i(z), s_i(z), ν_i(z)), a density in data units; ν from the decoder, within 1.5 and 300.

    Source: Lange, Little, Taylor 1989, Robust statistical modeling using the t distribution; as the distribution of
    a VAE: Takahashi et al. 2018, Student-t variational autoencoder for robust density estimation.

    Parameters
    ----------
    event_shape
        Shape of x; three parameters per cell: location, log-scale, log-degrees of freedom.
    shift, scale
        Each cell's location and scale in data units: numbers, or `(*event)`.

    """

    measure = "density"

    def __init__(self, event_shape: Sequence[int], shift: float | Tensor = 0.0, scale: float | Tensor = 1.0) -> None:
        super().__init__(event_shape, 3, shift, scale)
        self.log_scale, self.log_df = Bound(MIN_LOG_SCALE, MAX_LOG_SCALE), Bound(MIN_LOG_DF, MAX_LOG_DF)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 3 * cells)` -> Student's t in data units, `(*batch, *event)`."""
        loc, raw, raw_df = self.split(parameters)
        distribution = distributions.StudentT(loc, self.log_scale(raw), self.log_df(raw_df))
        return Rescaled(distribution, self.frame)

    def initial(self, values: Tensor) -> Tensor:
        """Of several degrees of freedom the best, with location and scale by EM (Lange, Little, Taylor 1989)."""
        y = self.inward(values)
        y = y[:: max(1, len(y) // 2000)]
        candidates = []
        for df in (1.6, 2.5, 4.0, 8.0, 20.0, 100.0):
            loc = y.median(0).values
            square = (y - loc).square().median(0).values.clamp_min(1e-12)
            for _ in range(15):
                weight = (df + 1) / (df + (y - loc).square() / square)
                loc = (weight * y).sum(0) / weight.sum(0)
                square = (weight * (y - loc).square()).mean(0).clamp_min(1e-12)
            log_df = torch.full_like(loc, math.log(df))
            raw = (0.5 * square.log()).clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)
            fit = distributions.StudentT(loc, raw, log_df).log_prob(y).sum(0)
            candidates.append(torch.stack([fit, loc, self.log_scale.inverse(raw), self.log_df.inverse(log_df)]))
        table = torch.stack(candidates)
        best = table[:, 0].argmax(0).expand(1, 4, -1)
        return gather(*table.gather(0, best)[0][1:])
