"""The logistic law's mass on the cells of a grid."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.distributions.rescaled import Frame

__all__ = ["DiscretisedLogistic"]


class DiscretisedLogistic(Distribution):
    r"""Mass of the cell [x − δ/2, x + δ/2] under a logistic law, per cell, in nats (counting measure on the grid).

    P(x) = F((x + δ/2 − μ)/s) − F((x − δ/2 − μ)/s), F the logistic function (Salimans et al. 2017, section 2.1). At
    `low` and `high` the outer edge is −∞ and +∞, so that the masses of low..high sum to one. It is computed without
    cancellation: with b, a the two arguments of F, log P = log F(b) + log F(−a) + log(1 − exp(a − b)).

    With `reserve` ε the range was inferred, not law: P(low..high) is 1 − ε, and the value d cells outside, on either
    side, has mass ε/2 · 1/(d(d + 1)), which sums to ε.

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
        ε in [0, 1), scalar or `(*event)`; `None` where the limits are law.

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
        self.step, self.low, self.high, self.reserve = step, low, high, reserve
        super().__init__(loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Mean within the range: low + Σ P(x > k) over the levels k, the sum taken as an integral; off by < δ/2.

        low + s (softplus((μ − low)/s) − softplus((μ − high)/s)); μ where the grid is unbounded.
        """
        loc = self.frame.outward(self.loc)
        scale = self.log_scale.exp().to(torch.float64) * self.frame.scale
        within = scale * (F.softplus((loc - self.low) / scale) - F.softplus((loc - self.high) / scale))
        bounded = torch.isfinite(self.low) & torch.isfinite(self.high)
        return torch.where(bounded, (self.low + within).clamp(self.low, self.high), loc)

    @property
    def mode(self) -> Tensor:
        return self._snap(self.frame.outward(self.loc))

    @property
    def variance(self) -> Tensor:
        """Of the law before it is cut to the grid: s² π²/3."""
        return (2 * self.log_scale).exp().to(torch.float64) * (self.frame.scale.square() * math.pi**2 / 3)

    def expand(self, batch_shape: Any, _instance: Any = None) -> DiscretisedLogistic:
        return DiscretisedLogistic(
            self.loc.expand(batch_shape),
            self.log_scale.expand(batch_shape),
            self.frame,
            self.step,
            self.low,
            self.high,
            self.reserve,
        )

    def _snap(self, x: Tensor) -> Tensor:
        return torch.round(x / self.step).mul(self.step).clamp(self.low, self.high)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw within the range: the reserved mass outside it is never drawn."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            u = torch.rand(shape, dtype=torch.float64, device=self.loc.device).clamp(1e-15, 1 - 1e-15)
            y = self.loc + self.log_scale.exp() * (torch.log(u) - torch.log1p(-u))
            return self._snap(self.frame.outward(y))

    def log_prob(self, value: Tensor) -> Tensor:
        dtype = self.loc.dtype
        inverse = (-self.log_scale).exp()
        half = (0.5 * self.step / self.frame.scale).to(dtype) * inverse
        centre = (self.frame.inward(value, dtype) - self.loc) * inverse
        above_low = value > self.low + 0.5 * self.step
        below_high = value < self.high - 0.5 * self.step
        upper, lower = F.softplus(-centre - half), F.softplus(centre - half)
        inner = torch.log(-torch.expm1(-2 * half.clamp_min(torch.finfo(dtype).tiny)))
        zero = centre.new_zeros(())
        mass = torch.where(above_low & below_high, inner, zero)
        mass = mass - torch.where(below_high, upper, zero) - torch.where(above_low, lower, zero)
        return mass if self.reserve is None else self._with_reserve(mass, value, self.reserve.to(dtype))

    def _with_reserve(self, mass: Tensor, value: Tensor, reserve: Tensor) -> Tensor:
        distance = torch.maximum(self.low - value, value - self.high) / self.step
        outside = distance > 0.5
        far = distance.clamp_min(1).to(mass.dtype)
        tail = torch.log(reserve / 2) - torch.log(far) - torch.log1p(far)
        return torch.where(outside, tail, mass + torch.log1p(-reserve))

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        dtype = self.loc.dtype
        edge = torch.floor(value.to(torch.float64) / self.step + 1e-6) * self.step + 0.5 * self.step
        inside = torch.sigmoid((self.frame.inward(edge, dtype) - self.loc) * (-self.log_scale).exp())
        inside = torch.where(value >= self.high - 1e-6 * self.step, torch.ones_like(inside), inside)
        inside = torch.where(value < self.low - 1e-6 * self.step, torch.zeros_like(inside), inside)
        if self.reserve is None:
            return inside
        reserve = self.reserve.to(dtype)
        left = ((self.low - value) / self.step).clamp_min(0).ceil().to(dtype)
        right = ((value - self.high) / self.step).clamp_min(0).floor().to(dtype)
        below = reserve / 2 / torch.where(left > 0, left, torch.ones_like(left))
        above = reserve / 2 * right / (right + 1)
        return torch.where(left > 0, below, reserve / 2 + (1 - reserve) * inside + above)
