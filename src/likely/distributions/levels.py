"""The grid on which values lie, and the mass kept for those outside a range that was inferred from rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["Levels"]

MAX_OFF_GRID = 1e-6  # steps by which a value may be off the grid


class Levels:
    """A grid from `low` to `high`, and the mass ε kept for what lies outside it.

    P(low..high) is 1 − ε, and the value d cells outside has mass ε/2 · 1/(d(d + 1)) where both ends are finite: on
    either side that sums to ε/2. Where one end is infinite the other side has all of ε; where both are, nothing lies
    outside and nothing is kept. So whatever distribution sums to one over low..high, sums to one over the whole grid. A
    value that is more than a millionth of a step off the grid has none.

    Parameters
    ----------
    step
        δ in data units; scalar or `(*event)`, float64. Its multiples are the grid.
    low, high
        Range in data units; ∓inf for an unbounded grid.
    reserve
        ε in [0, 1), scalar or `(*event)`; `None` where the limits are hard.

    """

    def __init__(self, step: Tensor, low: Tensor, high: Tensor, reserve: Tensor | None = None) -> None:
        self.step, self.low, self.high, self.reserve = step, low, high, reserve

    def snap(self, x: Tensor) -> Tensor:
        """The nearest value of the grid, within the range."""
        return torch.round(x / self.step).mul(self.step).clamp(self.low, self.high)

    def open_ends(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Whether the value's cell reaches to −∞, and to +∞."""
        return value <= self.low + 0.5 * self.step, value >= self.high - 0.5 * self.step

    def holds(self, value: Tensor) -> Tensor:
        """Whether the value has any mass: it is on the grid, and within the range or some is kept for what is not."""
        on_grid, distance = self._place(value)
        return on_grid & (distance < 0.5 if self.reserve is None else (distance < 0.5) | (self.reserve > 0))

    def locate(self, value: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Which values are on the grid and within the range, and log-masses of the others; `None` where all are."""
        if self._plain(value):
            return None, None
        on_grid, distance = self._place(value)
        within = on_grid & (distance < 0.5)
        if within.is_cpu and bool(within.all()):
            return None, None
        if self.reserve is None:
            return within, None
        far = distance.clamp_min(1)
        side, _ = self._kept(self.reserve)
        return within, torch.where(on_grid, torch.log(side / (far * (far + 1))), -math.inf)

    def log_prob_at(self, inside: Tensor, within: Tensor | None, tail: Tensor | None) -> Tensor:
        """log P(x) of located values, from the log-masses of a distribution whose outermost cells take the tails."""
        log_p = inside
        if self.reserve is not None:
            log_p = inside + torch.log1p(-self._kept(self.reserve)[1]).to(inside.dtype)
        if within is None:
            return log_p
        return torch.where(within, log_p, -math.inf if tail is None else tail.to(log_p.dtype))

    def log_prob(self, inside: Tensor, value: Tensor) -> Tensor:
        """log P(x), from the log-masses of a distribution whose outermost cells take the tails."""
        return self.log_prob_at(inside, *self.locate(value))

    def last(self, value: Tensor) -> Tensor:
        """The last value of the grid that is not above this one."""
        return self._number(value) * self.step

    def cdf(self, inside: Tensor, value: Tensor) -> Tensor:
        """P(X <= x), from the distribution function at the upper edge of the cell of `last`."""
        number = self._number(value)
        left, right = torch.round(self.low / self.step) - number, number - torch.round(self.high / self.step)
        inside = torch.where(right >= 0, 1.0, torch.where(left > 0, 0.0, inside))
        if self.reserve is None:
            return inside
        side, kept = self._kept(self.reserve)
        above = torch.where(self.high.isfinite(), side * (1 - 1 / (right.clamp_min(0) + 1)), 0.0)
        at_least = torch.where(self.low.isfinite(), side, 0.0) + above + (1 - kept) * inside
        return torch.where(left > 0, side / left.clamp_min(1), at_least).to(inside.dtype)

    def _number(self, value: Tensor) -> Tensor:
        """How many steps the last value of the grid that is not above this one lies from 0, float64."""
        r = value.to(torch.float64) / self.step
        return torch.floor(r + _slack(r))

    def _plain(self, value: Tensor) -> bool:
        """Whether all values were seen to be within the range and exactly on the grid, where looking costs little."""
        if self.step.numel() > 1 or not value.is_cpu:
            return False
        r = value / self.step
        return torch.equal(r, r.clamp(self.low / self.step, self.high / self.step).round_())

    def _place(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Whether the value is on the grid, and how many cells beyond the range: at most 0 within it."""
        r = value / self.step
        on_grid = (r.round() - r).abs_() <= _slack(r)
        return on_grid, torch.maximum(self.low / self.step - r, r - self.high / self.step)

    def _kept(self, reserve: Tensor) -> tuple[Tensor, Tensor]:
        """The mass kept on each side that has an end, and on both."""
        ends = self.low.isfinite().to(reserve.dtype) + self.high.isfinite()
        return reserve / ends.clamp_min(1), reserve * ends.clamp_max(1)


def _slack(r: Tensor) -> Tensor:
    """By how many steps a value r steps from 0 may be off the grid: a millionth, and what its type rounds away."""
    return r.abs().mul_(2 * torch.finfo(r.dtype).eps).add_(MAX_OFF_GRID)
