"""Which of its recorded steps a number on a grid is a multiple of, and which numbers share that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

__all__ = ["Recorded", "density"]

FARTHEST = 2.0**52  # beyond it float64 does not tell a place from the next


class Recorded:
    """Numbers of a grid by the coarsest of a column's steps that divides them: 130 is to tens, 135 to fives.

    Places are multiples of the finest step, float64 `(*batch, columns)`. The numbers of one class within the range are
    a grid of their own, with gaps where a coarser step takes one; a number's cell within its class reaches half way to
    its neighbours there, those at the ends of the range to infinity. So the cells of each class cut the line into parts
    that do not overlap, and each number belongs to one class.

    Parameters
    ----------
    multiples
        m_g of the steps, `(columns, classes)` float64, rising from 1; 1 again where a column has fewer.
    low, high
        The range in places, `(columns,)` or numbers; ∓inf where it has no end.

    """

    def __init__(self, multiples: Tensor, low: Tensor, high: Tensor) -> None:
        self.multiples = multiples.movedim(-1, 0)
        self.low, self.high = low, high

    @staticmethod
    def table(columns: Sequence[Sequence[tuple[int, float]]]) -> tuple[Tensor, Tensor]:
        """Multiples, and shares (0 where a column has fewer), `(columns, classes)` each, of pairs for each column."""
        most = max(map(len, columns), default=1)
        padded = [[*map(list, column), *[[1, 0.0]] * (most - len(column))] for column in columns]
        multiples, shares = torch.tensor(padded, dtype=torch.float64).view(-1, most, 2).unbind(-1)
        return multiples.contiguous(), shares.contiguous()

    def of(self, place: Tensor) -> Tensor:
        """The class: the position of the coarsest step that divides the place."""
        ratio = place / self._beside(self.multiples, place)
        rank = torch.arange(1, len(ratio) + 1, device=place.device).view(-1, *[1] * place.dim())
        coarser = self._beside(self.multiples, place) > 1
        coarser[0] = True
        return torch.where((ratio == ratio.round()) & coarser, rank, 0).amax(0) - 1

    def cell(self, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The class of places within the range, and both ends of their cells, in places."""
        place = place.clamp(-FARTHEST, FARTHEST)
        number = self.of(place)
        step = self._step(number, place)
        below, above = (self._walk(place + way * step, way * step, number) for way in (-1, 1))
        lower = torch.where(below < self.low, -math.inf, (place + below) / 2)
        return number, lower, torch.where(above > self.high, math.inf, (place + above) / 2)

    def nearest(self, x: Tensor, number: Tensor) -> Tensor:
        """The number of the class, within the range, that is next to x, in places."""
        x, step = x.clamp(-FARTHEST, FARTHEST), self._step(number, x)
        first, last = (self.low / step).ceil() * step, (self.high / step).floor() * step
        start = torch.minimum(torch.maximum((x / step).round() * step, first), last)
        down, up = self._walk(start, -step, number), self._walk(start, step, number)
        closer = torch.where((up - x).abs() < (x - down).abs(), up, down)
        return torch.where(down < self.low, up, torch.where(up > self.high, down, closer))

    def last(self, x: Tensor) -> Tensor:
        """Of each class the last number within the range that is not above x, −inf where there is none."""
        step = self._beside(self.multiples, x).expand(-1, *x.shape)
        number = torch.arange(len(step), device=x.device).view(-1, *[1] * x.dim()).expand(step.shape)
        upto = torch.minimum(x.clamp(-FARTHEST, FARTHEST), self.high)
        found = self._walk((upto / step).floor() * step, -step, number)
        return torch.where(found < self.low, -math.inf, found)

    def _walk(self, place: Tensor, step: Tensor, number: Tensor) -> Tensor:
        """On by steps until a place of the class, or beyond the range.

        Progressions that cover 2^n places in turn, n of them, cover all (Crittenden and Vanden Eynden 1970): of n
        coarser steps never so many take one place after another.
        """
        for _ in range(2 ** (len(self.multiples) - 1)):
            other = (self.of(place) != number) & (place >= self.low) & (place <= self.high)
            if not other.any():
                break
            place = torch.where(other, place + step, place)
        return place

    def _step(self, number: Tensor, place: Tensor) -> Tensor:
        table = self._beside(self.multiples, place).expand(-1, *place.shape)
        return table.gather(0, number.unsqueeze(0)).squeeze(0)

    def _beside(self, part: Tensor, place: Tensor) -> Tensor:
        return part.view(len(part), *[1] * (place.dim() - part.dim() + 1), *part.shape[1:])


def density(multiples: Sequence[int]) -> list[float]:
    """Of each class the share of all multiples of the finest step that are in it (inclusion and exclusion)."""
    found = []
    for place, m in enumerate(multiples):
        coarser, total = multiples[place + 1 :], 0.0
        for many in range(len(coarser) + 1):
            total += sum((-1) ** many / math.lcm(m, *some) for some in combinations(coarser, many))
        found.append(total)
    return found
