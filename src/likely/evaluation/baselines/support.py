"""Where the value of a cell may lie, and the mass that is kept for values outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from likely.data import Column
from likely.data.kinds import Kind
from likely.evaluation.baselines.numbers import Numbers

__all__ = ["Support", "two_valued"]


def two_valued(column: Column) -> bool:
    """Whether a column has two values, coded 0 and 1."""
    return column.kind == Kind.BINARY or (column.coded and len(column.categories) == 2)


def _range(column: Column) -> tuple[float, float, float]:
    """Step, least and greatest value of a column: step 0 where it has no grid, ∓inf where it has no range."""
    if column.kind == Kind.BINARY:
        return 1.0, 0.0, 1.0
    if column.coded:
        return 1.0, 0.0, len(column.categories) - 1.0
    step = 0.0 if column.kind == Kind.LISTED else column.step or 0.0
    if column.kind == Kind.LEVELS and column.low is not None and column.high is not None:
        return step or 1.0, column.low, column.high
    if column.kind == Kind.COUNT or (column.kind == Kind.POSITIVE and step):
        return step or 1.0, 0.0 if column.kind == Kind.COUNT else step, math.inf
    return step, -math.inf, math.inf


def _limits(column: Column) -> tuple[float, float]:
    declared = column.limits if column.numeric and column.kind != Kind.LISTED else None
    return declared or (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Support:
    """The range of each cell's value, and the mass ε kept for what lies outside: `(cells,)` float64 each.

    Within the range the masses sum to 1 − ε. The value d cells outside has 1/(d(d + 1)) of ε/2 on either side, of the
    whole ε where only the lower end is finite, as in `distributions.Levels`. Of categories and listed numbers all
    values that training rows lack are one event of mass ε. Declared limits are hard: beyond them P is 0, and the masses
    that are left are divided by their sum.

    Attributes
    ----------
    step, low, high
        δ (0: no grid), and the range (∓inf: none).
    reserve
        ε, 0 of cells that have neither a range nor a set of known values.
    single
        Values that are not known are one event.
    first, last
        The declared limits (∓inf: none).
    listed
        The numbers that listed cells hold.

    """

    step: Tensor
    low: Tensor
    high: Tensor
    reserve: Tensor
    single: Tensor
    first: Tensor
    last: Tensor
    listed: Numbers

    @classmethod
    def of(cls, columns: Sequence[Column]) -> Support:
        """The support of cells, given one column for each."""
        rows = [(*_range(column), column.reserve, *_limits(column)) for column in columns]
        step, low, high, reserve, first, last = torch.tensor(rows, dtype=torch.float64).view(-1, 6).unbind(1)
        single = torch.tensor([column.coded or column.kind == Kind.LISTED for column in columns], dtype=torch.bool)
        ranged = torch.isfinite(low) | torch.isfinite(high) | single
        listed = Numbers.of([column.categories if column.kind == Kind.LISTED else () for column in columns])
        return cls(step, low, high, torch.where(ranged, reserve, 0.0), single, first, last, listed)

    def take(self, keep: Tensor) -> Support:
        """Some of the cells."""
        own = (self.step[keep], self.low[keep], self.high[keep], self.reserve[keep], self.single[keep])
        return Support(*own, self.first[keep], self.last[keep], self.listed.take(keep))

    @property
    def continuous(self) -> Tensor:
        """Which cells have a density, but at their atoms: `(cells,)`."""
        return (self.step == 0) & ~self.listed.some

    def outside(self, x: Tensor) -> Tensor:
        """Whether values `(rows, cells)` lie outside the range, are none of the known ones, or break the limits."""
        beyond = torch.maximum(self.low - x, x - self.high) > 0.5 * self.step
        unlisted = self.listed.some & ~self.listed.find(x)[1]
        return beyond | unlisted | self._forbidden(x)

    def log_share(self, x: Tensor, outside: Tensor) -> Tensor:
        """log(1 − ε) of values within the range, the log-mass of values outside, `(rows, cells)`."""
        either = torch.isfinite(self.low) & torch.isfinite(self.high)
        side = torch.where(either, self.reserve / 2, self.reserve)
        below, above = (torch.where(torch.isfinite(end), side, 0.0) for end in (self.low, self.high))
        step = self.step.clamp_min(1e-300)
        far = (torch.maximum(self.low - x, x - self.high) / step).clamp_min(1)
        tail = torch.where(x < self.low, below, above).log() - far.log() - far.log1p()
        tail = torch.where(self.single, self.reserve.log(), tail)
        log_share = torch.where(outside, tail, torch.log1p(-self.reserve)) - self._left(below, above, step).log()
        return torch.where(self._forbidden(x), -torch.inf, log_share)

    def _forbidden(self, x: Tensor) -> Tensor:
        slack = 0.25 * self.step
        return (x < self.first - slack) | (x > self.last + slack)

    def _left(self, below: Tensor, above: Tensor, step: Tensor) -> Tensor:
        """The mass that the limits leave: Σ_{d=1}^{D} 1/(d(d + 1)) = D/(D + 1) of a side's reserve."""
        sides = ((below, (self.low - self.first) / step), (above, (self.last - self.high) / step))
        cells = [(side, (count + 1e-6).floor().clamp_min(0)) for side, count in sides]
        kept = [torch.where(count > 0, side / (1 + 1 / count), 0.0) for side, count in cells]
        return torch.where(self.single, 1.0, 1 - self.reserve + kept[0] + kept[1])
