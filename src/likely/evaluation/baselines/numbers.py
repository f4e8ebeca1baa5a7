"""A few numbers of each cell: those that a listed column holds, or the atoms of a real one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Numbers"]

SAME = 1e-9  # relative: numbers nearer than that are the same after a change of units and back


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers of each cell, ascending: `(cells, most)` float64, +∞ where a cell has fewer."""

    table: Tensor

    @classmethod
    def of(cls, lists: Sequence[Sequence[float]]) -> Numbers:
        """The numbers of one list per cell, empty where it has none."""
        most = max((len(numbers) for numbers in lists), default=0) or 1
        padded = [[*map(float, numbers), *[math.inf] * (most - len(numbers))] for numbers in lists]
        return cls(torch.tensor(padded, dtype=torch.float64).view(-1, most))

    @property
    def some(self) -> Tensor:
        """Whether the cell has numbers, `(cells,)`."""
        return torch.isfinite(self.table[:, 0])

    @property
    def sizes(self) -> Tensor:
        """How many each cell has, `(cells,)`."""
        return torch.isfinite(self.table).sum(1)

    @property
    def edges(self) -> Tensor:
        """Where a number's cell ends: the middles between neighbours, `(cells, most + 1)` from −∞ to +∞."""
        middle = (self.table[:, :-1] + self.table[:, 1:]) / 2
        ends = torch.full((len(self.table), 1), math.inf, dtype=torch.float64)
        return torch.cat([-ends, middle, ends], 1)

    def take(self, keep: Tensor) -> Numbers:
        """Those of some of the cells."""
        return Numbers(self.table[keep])

    def find(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest number's place, and whether it is x up to 1e-9 of itself: `(rows, cells)` each."""
        if not self.some.any():
            return torch.zeros_like(x, dtype=torch.long), torch.zeros_like(x, dtype=torch.bool)
        place = torch.searchsorted(self.edges[:, 1:-1].contiguous(), x.T.contiguous())
        nearest = self.table.gather(1, place).T
        return place.T, self.some & ((x - nearest).abs() <= SAME * nearest.abs())
