"""The grid on which values lie, and the mass kept for those outside a range that was inferred, not law."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Levels"]


class Levels:
    """A grid from `low` to `high`, and the mass ε kept for what lies outside it.

    P(low..high) is 1 − ε, and the value d cells outside, on either side, has mass ε/2 · 1/(d(d + 1)), which sums to ε.

    Parameters
    ----------
    step
        δ in data units; scalar or `(*event)`, float64.
    low, high
        Range in data units; ∓inf for an unbounded grid.
    reserve
        ε in [0, 1), scalar or `(*event)`; `None` where the limits are law.

    """

    def __init__(self, step: Tensor, low: Tensor, high: Tensor, reserve: Tensor | None = None) -> None:
        self.step, self.low, self.high, self.reserve = step, low, high, reserve

    def snap(self, x: Tensor) -> Tensor:
        """The nearest value of the grid, within the range."""
        return torch.round(x / self.step).mul(self.step).clamp(self.low, self.high)

    def open_ends(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Whether the value's cell reaches to −∞, and to +∞."""
        return value <= self.low + 0.5 * self.step, value >= self.high - 0.5 * self.step

    def log_prob(self, inside: Tensor, value: Tensor) -> Tensor:
        """log P(x), from the log-masses of a law whose outermost cells take the tails."""
        if self.reserve is None:
            return inside
        reserve = self.reserve.to(inside.dtype)
        distance = torch.maximum(self.low - value, value - self.high) / self.step
        far = distance.clamp_min(1).to(inside.dtype)
        tail = torch.log(reserve / 2) - torch.log(far) - torch.log1p(far)
        return torch.where(distance > 0.5, tail, inside + torch.log1p(-reserve))

    def last(self, value: Tensor) -> Tensor:
        """The last value of the grid that is not above this one."""
        return torch.floor(value.to(torch.float64) / self.step + 1e-6) * self.step

    def cdf(self, inside: Tensor, value: Tensor) -> Tensor:
        """P(X <= x), from the law's distribution function at the upper edge of the cell of `last`."""
        inside = torch.where(value >= self.high - 1e-6 * self.step, torch.ones_like(inside), inside)
        inside = torch.where(value < self.low - 1e-6 * self.step, torch.zeros_like(inside), inside)
        if self.reserve is None:
            return inside
        reserve = self.reserve.to(inside.dtype)
        left = ((self.low - value) / self.step).clamp_min(0).ceil().to(inside.dtype)
        right = ((value - self.high) / self.step).clamp_min(0).floor().to(inside.dtype)
        below = reserve / 2 / torch.where(left > 0, left, torch.ones_like(left))
        above = reserve / 2 * right / (right + 1)
        return torch.where(left > 0, below, reserve / 2 + (1 - reserve) * inside + above)
