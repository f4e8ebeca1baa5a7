"""The axis that the knots of a table's columns bend, for the cells of the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from likely.assembly.families import axis
from likely.data import Column, Warp
from likely.data.kinds import Kind
from likely.distributions.warped import Outside
from likely.evaluation.baselines.support import two_valued

__all__ = ["Bent"]

TWO = ((0.5, 0.0), (1.0, 1.0))  # knots of two values, coded 0 and 1, which come to lie at -1 and 1


@dataclass(frozen=True, eq=False)
class Bent:
    """y = T(x) of cells: the map under which training rows of each column are about N(0, 1) (`data.Warp`).

    Attributes
    ----------
    columns
        One for each cell.
    warp
        T; straight for columns without knots.
    outside
        What a real cell on an axis of log x keeps for x <= 0.
    real
        Which cells have a density there, `(cells,)`; on a grid what lies outside the range is counted elsewhere.

    """

    columns: tuple[Column, ...]
    warp: Warp
    outside: Outside
    real: Tensor

    @classmethod
    def of(cls, columns: Sequence[Column]) -> Bent:
        """The axis of cells, given one column for each."""

        def kept(column: Column) -> float:
            return column.reserve if column.kind == Kind.POSITIVE and column.limits is None else 0.0

        numbers = torch.tensor([(kept(one), one.scale) for one in columns], dtype=torch.float64).view(-1, 2)
        bends = axis([replace(one, knots=TWO) if two_valued(one) else one for one in columns])
        real = torch.tensor([one.kind == Kind.POSITIVE and one.step is None for one in columns], dtype=torch.bool)
        return cls(tuple(columns), bends, Outside(*numbers.unbind(1)), real)

    def take(self, keep: Tensor) -> Bent:
        """That of some of the cells."""
        return Bent.of([column for column, here in zip(self.columns, keep.tolist(), strict=True) if here])

    def holds(self, x: Tensor) -> Tensor:
        """Whether x lies on the axis, `(rows, cells)`: x > 0 where it is that of log x."""
        return self.warp.holds(x)

    def log_share(self, x: Tensor) -> Tensor:
        """log(1 − ε) where x lies on the axis, log of ε s/(s + |x|)² elsewhere; 0 of cells that are not real."""
        return torch.where(self.real, self.outside.log_prob(torch.zeros_like(x), x, self.holds(x)), 0.0)

    def placed(self, x: Tensor, below: Tensor, above: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """y, how far cells reach from it there, and log dy/dx.

        Parameters
        ----------
        x
            Values, `(rows, cells)`; one that is not on the axis is put on its first knot.
        below, above
            How far cells reach in data units, `(resolutions, rows, cells)`; ∞ stays ∞.

        """
        first = self.warp.inverse(self.warp.y[:, 0].unsqueeze(0))
        x = torch.where(self.holds(x), x, first)
        y, slope = self.warp(x)
        low, high = self.warp(x - below)[0], self.warp(x + above)[0]
        below = torch.where(below == torch.inf, torch.inf, y - low)
        above = torch.where(above == torch.inf, torch.inf, high - y)
        return y, below, above, slope.log() - self.warp.log_jacobian(x)
