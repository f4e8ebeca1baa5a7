"""The normal likelihood of real cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from likely.distributions import Rescaled
from likely.distributions.rescaled import Frame
from likely.errors import ConfigError
from likely.likelihoods.base import Likelihood
from likely.likelihoods.bounds import Bound
from likely.likelihoods.standardised import MAX_LOG_SCALE, MIN_LOG_SCALE

__all__ = ["Gaussian"]

FIRST_LOG_SCALE = -1.2  # of a learned σ that has a least value

Sigma = float | Literal["shared", "column", "predicted"]


class Gaussian(Likelihood):
    """P(x|z) = Π N(x_i; f_i(z), σ²), a density in data units.

    log N(x; μ, σ²) = −(x − μ)²/(2σ²) − log(σ √(2π)). With a fixed σ this is squared error plus a constant, and the
    network gives the mean alone (Kingma and Welling 2014, appendix C.2, give μ and σ).

    Parameters
    ----------
    event_shape
        Shape of x.
    sigma
        A number: fixed, in data units. `shared`: one σ for all cells, learned, in units of each cell's scale.
        `column`: one σ per cell, learned. `predicted`: σ_i(z) from the decoder. A learned σ stays within 0.001 and 10
        of a cell's scale, because a density without a floor has no maximum.
    shift, scale
        Each cell's mean and scale in data units: numbers, or `(*event)`.
    relative
        A fixed σ is in units of each cell's scale.

    """

    measure = "density"
    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        sigma: Sigma = "predicted",
        shift: float | Tensor = 0.0,
        scale: float | Tensor = 1.0,
        *,
        relative: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(sigma, str) and sigma not in ("shared", "column", "predicted"):
            raise ConfigError(f"gaussian: σ must be a number, shared, column or predicted; got {sigma!r}")
        if not isinstance(sigma, str) and not sigma > 0:
            raise ConfigError(f"gaussian: σ must be positive, got {sigma}")
        self.event_shape, self.sigma, self.relative = torch.Size(event_shape), sigma, relative
        self.parameter_shape = torch.Size((*event_shape, 2 if sigma == "predicted" else 1))
        self.register_buffer("shift", torch.as_tensor(shift, dtype=torch.float64))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float64))
        shape = {"shared": (), "column": tuple(event_shape)}.get(str(sigma))
        self.log_scale = Bound(MIN_LOG_SCALE, MAX_LOG_SCALE)
        self.raw = None if shape is None else nn.Parameter(torch.zeros(shape))

    def of_least(self, least: float) -> Self:
        """The likelihood itself: its learned σ is at least so much of a cell's scale now, and 0.3 of it at first."""
        self.log_scale = Bound(math.log(least), MAX_LOG_SCALE)
        if self.raw is not None:
            self.raw.data.fill_(FIRST_LOG_SCALE)
        return self

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, numbers)` -> Normal in data units, `(*batch, *event)`."""
        mean, *rest = self.split(parameters)
        frame = Frame(self.shift, self.scale)
        if self.sigma == "predicted":
            deviation = self.log_scale(rest[0]).exp()
        elif self.raw is not None:
            deviation = self.log_scale(self.raw).exp().expand_as(mean)
        else:
            units = torch.ones_like(self.scale) if self.relative else self.scale
            deviation = (float(self.sigma) / units).to(mean.dtype).expand_as(mean)
        return Rescaled(Normal(mean, deviation, validate_args=False), frame)

    def located(self, values: Tensor) -> Tensor:
        """The means at the values."""
        y = Frame(self.shift, self.scale).inward(values.to(torch.float64), torch.float64).flatten(1)
        return y if self.sigma != "predicted" else torch.cat([y, torch.zeros_like(y)], 1)

    def initial(self, values: Tensor) -> Tensor:
        """Each cell's mean and, where it is predicted, deviation."""
        y = Frame(self.shift, self.scale).inward(values.to(torch.float64), torch.float64)
        mean = y.mean(0).flatten()
        if self.sigma != "predicted":
            return mean.to(torch.float32)
        log_std = y.std(0, correction=0).flatten().clamp_min(1e-6).log()
        return torch.cat([mean, self.log_scale.inverse(log_std)]).to(torch.float32)
