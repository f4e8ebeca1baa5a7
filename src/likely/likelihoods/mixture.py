"""Mixtures of a family of real cells, and a family kept within limits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.distributions import LocationScale, Rescaled
from likely.errors import ConfigError
from likely.likelihoods.bounds import Bound
from likely.likelihoods.standardised import (
    MAX_LOG_SCALE,
    MIN_LOG_SCALE,
    Standardised,
    components,
    gather,
    start_mixture,
)

__all__ = ["Mixture", "Truncated"]


class Mixture(Standardised):
    """P(x|z) = Π Σ_k w_ik(z) p(x_i; f_ik(z), s_ik(z)): a mixture per cell, a density in data units.

    Source: Bishop 1994, Mixture density networks, section 3 (the normal family).

    Parameters
    ----------
    event_shape
        Shape of x; `3 * count` parameters per cell: logits, locations, log-scales (0.001 to 10 of the cell's scale).
    count
        Number of components.
    family
        `distributions.Gaussian`, `Laplace` or `Logistic`.
    shift, scale
        Each cell's location and scale in data units: numbers, or `(*event)`.

    """

    measure = "density"

    def __init__(
        self,
        event_shape: Sequence[int],
        count: int = 5,
        family: type[LocationScale] = distributions.Gaussian,
        shift: float | Tensor = 0.0,
        scale: float | Tensor = 1.0,
    ) -> None:
        if count < 1:
            raise ConfigError(f"mixture: the number of components must be positive, got {count}")
        super().__init__(event_shape, 3 * count, shift, scale)
        self.count, self.family = count, family
        self.log_scale = Bound(MIN_LOG_SCALE, MAX_LOG_SCALE)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 3 * count * cells)` -> the mixture in data units, `(*batch, *event)`."""
        logits, loc, raw = components(self, parameters, 3)
        return Rescaled(distributions.Mixture(logits, self.family(loc, self.log_scale(raw))), self.frame)

    def initial(self, values: Tensor) -> Tensor:
        """Each cell's mixture of normals by EM, its deviations turned into scales."""
        y = self.inward(values).unsqueeze(-1)
        logits, loc, deviation = start_mixture(y, self.count, torch.full((1,), 2e-3, dtype=torch.float64))
        raw = self.log_scale.inverse((deviation / self.family.unit_deviation).log())
        return gather(logits.T, loc[:, 0].T, raw[:, 0].T)


class Truncated(Standardised):
    """P(x|z) = Π p(x_i; f_i(z), s_i(z)) / (F(high) − F(low)) for low <= x_i <= high, a density in data units.

    Source: Johnson, Kotz, Balakrishnan 1994, Continuous Univariate Distributions 1, section 10.1 of chapter 13.

    Parameters
    ----------
    event_shape
        Shape of x; two parameters per cell: location, and log-scale (0.001 to 10 of the cell's scale).
    low, high
        The limits in data units: numbers, or `(*event)`; ∓inf for none.
    family
        `distributions.Gaussian`, `Laplace` or `Logistic`.
    shift, scale
        Each cell's location and scale in data units: numbers, or `(*event)`.

    """

    measure = "density"
    low: Tensor
    high: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        low: float | Tensor = 0.0,
        high: float | Tensor = math.inf,
        family: type[LocationScale] = distributions.Gaussian,
        shift: float | Tensor = 0.0,
        scale: float | Tensor = 1.0,
    ) -> None:
        super().__init__(event_shape, 2, shift, scale)
        self.register_buffer("low", torch.as_tensor(low, dtype=torch.float64))
        self.register_buffer("high", torch.as_tensor(high, dtype=torch.float64))
        if not (self.low < self.high).all():
            raise ConfigError("truncated: low must be below high")
        self.family = family
        self.log_scale = Bound(MIN_LOG_SCALE, MAX_LOG_SCALE)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 2 * cells)` -> the truncated distribution in data units, `(*batch, *event)`."""
        loc, raw = self.split(parameters)
        low, high = ((limit - self.shift) / self.scale for limit in (self.low, self.high))
        distribution = self.family(loc, self.log_scale(raw))
        return Rescaled(distributions.Truncated(distribution, low, high), self.frame)

    def initial(self, values: Tensor) -> Tensor:
        """The best of 88 locations and scales of each cell, on a grid around the cell's mean and deviation."""
        y = self.inward(values)
        y = y[:: max(1, len(y) // 500)].unflatten(-1, tuple(self.event_shape))
        mean, deviation = y.mean(0), y.std(0, correction=0).clamp_min(1e-6)
        best = torch.full_like(mean, -math.inf)
        start = [mean, mean]
        for move in (0.0, -0.25, 0.25, -0.5, 0.5, -1.0, 1.0, -2.0, 2.0, -4.0, 4.0):
            for stretch in (0.5, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0):
                loc, log_scale = mean + move * deviation, (deviation * stretch / self.family.unit_deviation).log()
                raw = self.log_scale.inverse(log_scale)
                values_in = self.forward(gather(loc, raw)).log_prob(self.frame.outward(y)).mean(0)
                better = values_in.double() > best
                best = torch.where(better, values_in.double(), best)
                start = [torch.where(better, new, old) for new, old in zip((loc, raw), start, strict=True)]
        return gather(*start)
