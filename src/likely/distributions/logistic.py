"""The logistic distribution's mass on the cells of a grid."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.distributions.levels import Levels
from likely.distributions.rescaled import Frame

__all__ = ["DiscretisedLogistic"]


class DiscretisedLogistic(Distribution):
    r"""Mass of the cell [x − δ/2, x + δ/2] under a logistic distribution, per cell, in nats (counting measure).

    P(x) = F((x + δ/2 − μ)/s) − F((x − δ/2 − μ)/s), F the logistic function (Salimans et al. 2017, section 2.1). At
    `low` and `high` the outer edge is −∞ and +∞, so that the masses of low..high sum to one. It is computed without
    cancellation: with b, a the two arguments of F, log P = log F(b) + log F(−a) + log(1 − exp(a − b)).

    With `reserve` ε the range was inferred, and is no hard limit, and P(low..high) is 1 − ε: see `levels.Levels`.

    Parameters
    ----------
    loc, log_scale
        `(*batch, *event)`, in standardised units.
    frame
        From standardised to data units.
    step
        δ in data units; scalar or `(*event)`, float64.
    low, high
        Range in data units; ∓inf for an unbounded grid.
    reserve
        ε in [0, 1), scalar or `(*event)`; `None` where the limits are hard.

    """

    arg_constraints = {"loc": constraints.real, "log_scale": constraints.real}  # noqa: RUF012
    support = constraints.real

    def __init__(
        self,
        loc: Tensor,
        log_scale: Tensor,
        frame: Frame,
        step: Tensor,
        low: Tensor,
        high: Tensor,
        reserve: Tensor | None = None,
    ) -> None:
        self.loc, self.log_scale, self.frame = loc, log_scale, frame
        self.levels = Levels(step, low, high, reserve)
        super().__init__(loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Mean within the range: low + Σ P(x > k) over the levels k, the sum taken as an integral; off by < δ/2.

        low + s (softplus((μ − low)/s) − softplus((μ − high)/s)); μ where the grid is unbounded.
        """
        loc = self.frame.outward(self.loc)
        scale = self.log_scale.exp().to(torch.float64) * self.frame.scale
        low, high = self.levels.low, self.levels.high
        within = scale * (F.softplus((loc - low) / scale) - F.softplus((loc - high) / scale))
        return torch.where(torch.isfinite(low) & torch.isfinite(high), (low + within).clamp(low, high), loc)

    @property
    def mode(self) -> Tensor:
        return self.levels.snap(self.frame.outward(self.loc))

    @property
    def variance(self) -> Tensor:
        """Of the distribution before it is cut to the grid: s² π²/3."""
        return (2 * self.log_scale).exp().to(torch.float64) * (self.frame.scale.square() * math.pi**2 / 3)

    def expand(self, batch_shape: Any, _instance: Any = None) -> DiscretisedLogistic:
        loc, log_scale, levels = self.loc.expand(batch_shape), self.log_scale.expand(batch_shape), self.levels
        return DiscretisedLogistic(loc, log_scale, self.frame, levels.step, levels.low, levels.high, levels.reserve)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw within the range: the reserved mass outside it is never drawn."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            u = torch.rand(shape, dtype=torch.float64, device=self.loc.device).clamp(1e-15, 1 - 1e-15)
            y = self.loc + self.log_scale.exp() * (torch.log(u) - torch.log1p(-u))
            return self.levels.snap(self.frame.outward(y))

    def log_prob(self, value: Tensor) -> Tensor:
        dtype = self.loc.dtype
        inverse = (-self.log_scale).exp()
        half = (0.5 * self.levels.step / self.frame.scale).to(dtype) * inverse
        centre = (self.frame.inward(value, dtype) - self.loc) * inverse
        lowest, highest = self.levels.open_ends(value)
        upper, lower = F.softplus(-centre - half), F.softplus(centre - half)
        inner = torch.log(-torch.expm1(-2 * half.clamp_min(torch.finfo(dtype).tiny)))
        zero = centre.new_zeros(())
        mass = torch.where(lowest | highest, zero, inner)
        mass = mass - torch.where(highest, zero, upper) - torch.where(lowest, zero, lower)
        return self.levels.log_prob(mass, value)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        edge = self.levels.last(value) + 0.5 * self.levels.step
        inside = torch.sigmoid((self.frame.inward(edge, self.loc.dtype) - self.loc) * (-self.log_scale).exp())
        return self.levels.cdf(inside, value)
