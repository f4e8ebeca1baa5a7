"""The boxes that rows fill on the axis of y: what has a density there is fitted to points of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from likely.evaluation.baselines.cells import Seen

__all__ = ["Boxes"]


@dataclass(frozen=True, eq=False)
class Boxes:
    """The cells of rows as intervals of y; under a density f of y log P(x) = log_volume + log E f(y), y ~ `points`.

    A cell recorded to several resolutions g is the mixture Σ_g share_g [y − below_g, y + above_g], whose total length
    takes the place of a width; a cell with a density is one point, whose width is dy/dx. An outer cell that takes the
    tail ends as far from its value on that side as on the other, so that E f(y) is at most its mass.

    Attributes
    ----------
    lower, width
        `(resolutions, rows, cells)`, the width 0 where a cell has a density.
    ends
        Of the shares of the resolutions in the total length, summed up: `(resolutions, rows, cells)`.
    log_volume
        Sum over cells of the log of that length, `(rows,)`.

    """

    lower: Tensor
    width: Tensor
    ends: Tensor
    log_volume: Tensor

    @classmethod
    def of(cls, seen: Seen) -> Boxes:
        """The boxes of rows without missing cells."""
        below, above = _finite(seen.below, seen.above), _finite(seen.above, seen.below)
        width = below + above
        log_width = torch.where(width > 0, width.log(), seen.log_slope)
        log_length = torch.logsumexp(seen.log_share + log_width, 0)
        ends = (seen.log_share + log_width - log_length).exp().cumsum(0)
        return cls(seen.y - below, width, ends, log_length.sum(1))

    def __len__(self) -> int:
        return len(self.log_volume)

    def take(self, index: Tensor) -> Boxes:
        """Those of the rows with these numbers."""
        return Boxes(self.lower[:, index], self.width[:, index], self.ends[:, index], self.log_volume[index])

    def points(self, generator: torch.Generator, count: int = 1) -> Tensor:
        """So many random points of each box, `(count, rows, cells)`."""
        shape = (count, *self.lower.shape[1:])
        u = torch.rand((2, *shape) if len(self.lower) > 1 else (1, *shape), generator=generator, dtype=torch.float64)
        return self.at(u[0], u[-1])

    def at(self, u: Tensor, v: Tensor) -> Tensor:
        """The points at u of the intervals that v chooses, both uniform: `(*count, rows, cells)`."""
        if len(self.lower) == 1:
            return self.lower[0] + self.width[0] * u
        layer = (v.unsqueeze(0) > self.ends[:-1].unsqueeze(1)).sum(0).unsqueeze(0)
        lower, width = (
            part.unsqueeze(1).expand(-1, *u.shape).gather(0, layer).squeeze(0) for part in (self.lower, self.width)
        )
        return lower + width * u


def _finite(side: Tensor, other: Tensor) -> Tensor:
    """How far cells reach to one side: as far as to the other where that is ∞; 1/2 where both are."""
    return torch.where(side < torch.inf, side, torch.where(other < torch.inf, other, 0.5))
