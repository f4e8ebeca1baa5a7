"""log P(x|z) of many rows at the same points of z, by tables over the distinct values of each cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution
from torch.utils.checkpoint import checkpoint

from likely.data import Batch
from likely.distributions import CellsByFamily
from likely.distributions.latent import full_precision
from likely.likelihoods import Columns, Likelihood

__all__ = ["MAX_DENSE", "NO_MASS", "AtPoints", "Cells", "points_closest", "summed"]

MAX_DENSE = 16  # distinct values of a cell up to which a product with indicators takes less time than looking up
LEAST = -1e30  # stands for log 0 in a table, as 0 times -infinity has no value
NEGLIGIBLE = -80.0  # nats below the best point: enough for every sum, and its exponential is a normal number
NO_MASS = -1e20  # below it a weighted mean of a cell is over points that give it none
IMPOSSIBLE = -1e25  # below it a sum of a row's cells holds a log 0


@dataclass(frozen=True, eq=False)
class _Group:
    """The distinct values of some cells, and which of them each row has.

    Attributes
    ----------
    values
        `(most, *event)`: each cell's distinct values; a cell with fewer repeats its first one.
    place
        Of each row's cells in a table `(most, cells)` that is read as one line: `(rows, cells)`.
    observed
        `(rows, cells)`, `None` where every cell is.

    """

    values: Tensor
    place: Tensor
    observed: Tensor | None

    @classmethod
    def of(cls, values: Tensor, observed: Tensor | None) -> _Group:
        """Of cells `(rows, *event)`."""
        flat = values.flatten(1)
        ordered, order = flat.sort(0)
        rank = F.pad((ordered[1:] != ordered[:-1]).cumsum(0), (0, 0, 1, 0))
        number = torch.empty_like(rank).scatter_(0, order, rank)
        most, cells = int(rank[-1].max()) + 1, flat.shape[1]
        distinct = ordered[:1].expand(most, -1).clone().scatter_(0, rank, ordered)
        place = number * cells + torch.arange(cells, device=flat.device)
        return cls(distinct.view(most, *values.shape[1:]), place, None if observed is None else observed.flatten(1))

    def log_px_z(self, distribution: Distribution) -> Tensor:
        """log P(x|z_n) summed over the observed cells, of a distribution `(points, 1, *event)`: `(rows, points)`."""
        table = distribution.log_prob(self.values).flatten(1)
        if table.is_cpu and bool(table.isfinite().all()):  # to look costs less than to mark every row and point
            return self._chosen(table)
        total = self._chosen(table.clamp_min(LEAST))
        return total.masked_fill(total < IMPOSSIBLE, -math.inf)

    def expected(self, distribution: Distribution, weights: Tensor) -> Tensor:
        """Σ_n w_n log P(x_j|z_n) of each cell, of weights `(rows, points)`: `(rows, cells)`, float64."""
        table = distribution.log_prob(self.values).flatten(1).to(torch.float64).clamp_min(LEAST)
        return (weights @ table).gather(1, self.place)

    def _chosen(self, table: Tensor) -> Tensor:
        """The sum of each row's entries of a table `(points, most * cells)`: `(rows, points)`."""
        most = len(self.values)
        with full_precision(table):
            seen = None if self.observed is None else self.observed.to(table.dtype)
            if most > MAX_DENSE:
                return F.embedding_bag(self.place, table.T.contiguous(), mode="sum", per_sample_weights=seen)
            ones = torch.ones_like(self.place, dtype=table.dtype) if seen is None else seen
            return table.new_zeros(len(self.place), table.shape[1]).scatter_(1, self.place, ones) @ table.T


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of some rows, for log P(x|z) at points of z that are the same for all of them.

    Where cells are independent given z, log P(x|z_n) is a sum of log P(x_j|z_n), and rows share the values of their
    cells. So each cell's distinct values are looked up once: log P(x|z_n) of all rows is a product of indicators with
    the table where they are few, and a sum of looked-up entries where they are many.

    Attributes
    ----------
    groups
        One for each family of columns, or one.
    whole
        Whether the one group is of all cells.

    """

    groups: tuple[_Group, ...]
    whole: bool

    @classmethod
    def of(cls, batch: Batch, likelihood: Likelihood) -> Cells:
        """Those of a batch."""
        values, observed = batch.values, batch.observed
        if not isinstance(likelihood, Columns):
            return cls((_Group.of(values, observed),), whole=True)
        places = likelihood.places
        seen = [None if observed is None else observed[:, place] for place in places]
        return cls(
            tuple(_Group.of(values[:, place], one) for place, one in zip(places, seen, strict=True)), whole=False
        )

    @property
    def most(self) -> int:
        """The most distinct values of a cell."""
        return max(len(group.values) for group in self.groups)

    def log_px_z(self, distribution: Distribution) -> Tensor:
        """log P(x|z_n) `(rows, points)`, nats, of P(x|z) at the points: a distribution `(points, 1, *event)`."""
        parts = [distribution] if self.whole or not isinstance(distribution, CellsByFamily) else distribution.parts
        each = [group.log_px_z(part) for group, part in zip(self.groups, parts, strict=True)]
        return each[0] if len(each) == 1 else torch.stack(each).sum(0)

    def expected(self, distribution: Distribution, weights: Tensor) -> Tensor:
        """Σ_n w_n log P(x_j|z_n) of each cell, of weights `(rows, points)`: `(rows, cells)`, float64."""
        if self.whole or not isinstance(distribution, CellsByFamily):
            return self.groups[0].expected(distribution, weights)
        each = [group.expected(part, weights) for group, part in zip(self.groups, distribution.parts, strict=True)]
        return torch.cat(each, 1)[:, torch.cat(distribution.places).argsort()]


def points_closest(decoded: Tensor) -> Tensor:
    """The same `(points, *lead, numbers)` with the points next to each other in memory.

    They are many and values and columns may be few: what is computed of all of them then takes whole vectors.
    """
    return decoded.movedim(0, -1).contiguous().movedim(-1, 0)


@dataclass(frozen=True, eq=False)
class AtPoints:
    """Points of z `(points, latent)` -> log P(x|z_n) of some rows, `(rows, points)`.

    Where gradients are wanted, only one part's intermediate results are held at a time: in the backward pass each part
    is computed again (Chen et al. 2016, Training deep nets with sublinear memory cost).

    Attributes
    ----------
    compute
        What is computed of so many points at a time.
    size
        How many these are at most; `None` for all.
    by_product
        Whether rows and points meet in matrix products alone, whose gradient takes about as long as they do.

    """

    compute: Callable[[Tensor], Tensor]
    size: int | None = None
    by_product: bool = False

    def __call__(self, z: Tensor) -> Tensor:
        if self.size is None or self.size >= len(z):
            return self.compute(z)
        again, parts = torch.is_grad_enabled(), z.split(self.size)
        each = [checkpoint(self.compute, part, use_reentrant=False) if again else self.compute(part) for part in parts]
        return torch.cat(each, 1)


def summed(log_px_z: Tensor) -> tuple[Tensor, Tensor]:
    """log (1/N) Σ_n P(x|z_n), and Σ_n w_n log P(x|z_n) with w_n = P(x|z_n)/Σ_m P(x|z_m): `(rows,)` twice, nats.

    Of log P(x|z_n) `(rows, points)`; its gradient is written down, as these are the largest tensors of a step.
    """
    log_px, reconstruction = _Summed.apply(log_px_z)  # type: ignore[no-untyped-call]
    return log_px, reconstruction


class _Saved(Protocol):
    """What `_Summed` keeps for its gradient."""

    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _Summed(torch.autograd.Function):
    """`summed`."""

    @staticmethod
    def forward(ctx: _Saved, log_px_z: Tensor) -> tuple[Tensor, Tensor]:
        most = log_px_z.amax(1, keepdim=True).clamp_min(torch.finfo(log_px_z.dtype).min)
        below = (log_px_z - most).clamp_min_(NEGLIGIBLE)
        weight = below.exp()
        total = weight.sum(1, keepdim=True)
        weight /= total
        with full_precision(below):
            mean = torch.linalg.vecdot(weight, below)
        log_px = (most + total.log()).squeeze(1) - math.log(log_px_z.shape[1])
        ctx.save_for_backward(weight, below, mean)
        none = most.squeeze(1) == torch.finfo(log_px_z.dtype).min
        return log_px.masked_fill(none, -math.inf), (most.squeeze(1) + mean).masked_fill(none, -math.inf)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: _Saved, of_log_px: Tensor, of_reconstruction: Tensor) -> Tensor:
        weight, below, mean = ctx.saved_tensors
        if of_reconstruction.is_cpu and not bool(of_reconstruction.any()):  # so in the ELBO, where it cancels
            return weight * of_log_px.unsqueeze(1)
        slope = (below - mean.unsqueeze(1)).add_(1).mul_(of_reconstruction.unsqueeze(1))
        return slope.add_(of_log_px.unsqueeze(1)).mul_(weight)
