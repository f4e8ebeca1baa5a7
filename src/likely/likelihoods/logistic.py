"""The discretised logistic likelihood of levels and of columns on a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.distributions.rescaled import Frame
from likely.likelihoods.base import Likelihood
from likely.likelihoods.bounds import Bound
from likely.likelihoods.standardised import MAX_LOG_SCALE

__all__ = ["DiscretisedLogistic"]


class DiscretisedLogistic(Likelihood):
    """P(x|z) = Π mass of [x_i − δ/2, x_i + δ/2] under a logistic distribution of location f_i(z) and scale s_i(z).

    Source: Kingma et al. 2016 (inverse autoregressive flow), appendix C.5; Salimans et al. 2017, section 2.1.

    Parameters
    ----------
    event_shape
        Shape of x.
    step
        δ in data units.
    low, high
        The range in data units, whose outer cells reach to infinity; ∓inf for an unbounded grid.
    shift, scale
        Each cell's mean and scale in data units.
    reserve
        Mass kept for values outside an inferred range; 0 where the limits are hard.

    All of them numbers or `(*event)`. s_i stays below 10 of the cell's scale, and above the smaller of 0.001 of it and
    a tenth of a step: a mass needs no larger floor, because it cannot exceed one.

    """

    measure = "mass"
    shift: Tensor
    scale: Tensor
    step: Tensor
    low: Tensor
    high: Tensor
    reserve: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        step: float | Tensor = 1.0,
        low: float | Tensor = -math.inf,
        high: float | Tensor = math.inf,
        shift: float | Tensor = 0.0,
        scale: float | Tensor = 1.0,
        reserve: float | Tensor = 0.0,
    ) -> None:
        super().__init__()
        self.event_shape = torch.Size(event_shape)
        self.parameter_shape = torch.Size((*event_shape, 2))
        numbers = {"step": step, "low": low, "high": high, "shift": shift, "scale": scale, "reserve": reserve}
        for name, value in numbers.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float64))
        self._reserves = bool((self.reserve > 0).any())
        least = torch.minimum(torch.as_tensor(1e-3, dtype=torch.float64), 0.1 * self.step / self.scale)
        self.log_scale = Bound(least.log().to(torch.float32), MAX_LOG_SCALE)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 2 * cells)` -> DiscretisedLogistic, `(*batch, *event)`."""
        loc, raw = self.split(parameters)
        return distributions.DiscretisedLogistic(
            loc,
            self.log_scale(raw),
            Frame(self.shift, self.scale),
            self.step,
            self.low,
            self.high,
            self.reserve if self._reserves else None,
        )

    def initial(self, values: Tensor) -> Tensor:
        """The logistic distribution with each cell's mean and deviation (at least a third of a step)."""
        y = Frame(self.shift, self.scale).inward(values.to(torch.float64), torch.float64)
        floor = (self.step / self.scale / 3).expand(self.event_shape).flatten()
        deviation = torch.maximum(y.std(0, correction=0).flatten(), floor)
        log_scale = (deviation * math.sqrt(3) / math.pi).log()
        raw = self.log_scale.inverse(log_scale.unflatten(0, self.event_shape))
        return torch.cat([y.mean(0).flatten(), raw.flatten()]).to(torch.float32)
