"""The numeric cells of a row, and the mass of a cell under a normal law of its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from likely.data import Column, Schema
from likely.distributions.rescaled import Frame
from likely.distributions.special import HALF_LOG_TWO_PI

__all__ = ["Cells", "Seen", "columns_of", "in_parts", "two_valued"]

NARROW = 1e-3


def columns_of(schema: Schema) -> tuple[Column, ...]:
    """One column per cell of a flattened row."""
    return schema.modelled * schema.dims if schema.uniform else schema.modelled


def in_parts(values: Tensor, observed: Tensor | None, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Rows and their mask, so many at a time."""
    for first in range(0, len(values), size):
        part = slice(first, first + size)
        yield values[part], None if observed is None else observed[part]


def two_valued(column: Column) -> bool:
    """A cell of two values, which its codes 0 and 1 tell."""
    return column.kind == "binary" or (column.coded and len(column.categories) == 2)


def _numbers(column: Column) -> tuple[float, ...]:
    """Shift, scale, step (0: real), low, high (∓inf: none) and reserve of a cell's value."""
    if two_valued(column):
        return 0.5, 0.5, 1.0, 0.0, 1.0, column.reserve
    limits = column.kind == "levels" and column.low is not None and column.high is not None
    low, high = (column.low or 0.0, column.high or 0.0) if limits else (-math.inf, math.inf)
    step = 0.0 if column.measure == "density" else column.step or 0.0
    return column.mean, column.scale, step, low, high, column.reserve


@dataclass(frozen=True, eq=False)
class Seen:
    """Values as the normal laws see them: `(rows, cells)`, and `(rows,)`.

    Attributes
    ----------
    y
        In standardised units; a value outside an inferred range is put on its limit.
    low_end, high_end
        The cell is outermost and takes the tail.
    outside
        The value lies outside an inferred range.
    log_support
        Σ over the cells of log(1 − ε) where the value is within its range, and of the reserved mass's share where not.
    observed
        Whether the cell has a value, `None` when all have; one that has none counts for nothing.

    """

    y: Tensor
    low_end: Tensor
    high_end: Tensor
    outside: Tensor
    log_support: Tensor
    observed: Tensor | None = None

    def _parts(self) -> tuple[Tensor, ...]:
        parts = (self.y, self.low_end, self.high_end, self.outside, self.log_support)
        return parts if self.observed is None else (*parts, self.observed)

    def take(self, index: slice) -> Seen:
        """Some of the rows."""
        return Seen(*(part[index] for part in self._parts()))

    @classmethod
    def joined(cls, seen: Sequence[Seen]) -> Seen:
        """Rows one after another."""
        return cls(*(torch.cat(part) for part in zip(*(rows._parts() for rows in seen), strict=True)))


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells whose values are numbers, with their base measure: `(cells,)` float64 each.

    A real cell has Lebesgue measure in data units, every other one counting measure on its grid. The masses of
    low..high sum to 1 − ε; the value d cells outside an inferred range has ε/2 · 1/(d(d + 1)), and a category never
    seen has ε, as in `distributions.DiscretisedLogistic` and `distributions.Categorical`.

    Attributes
    ----------
    places
        Of the cells in a flattened row.
    shift, scale
        From standardised to data units.
    step, low, high, reserve
        δ (0: real), the range (∓inf: none), ε.
    categories
        The cell is one of two categories.

    """

    places: Tensor
    shift: Tensor
    scale: Tensor
    step: Tensor
    low: Tensor
    high: Tensor
    reserve: Tensor
    categories: Tensor

    @classmethod
    def of(cls, schema: Schema, fits: Callable[[Column], bool]) -> Cells:
        """Those cells of a row that fit."""
        chosen = [(place, column) for place, column in enumerate(columns_of(schema)) if fits(column)]
        numbers = torch.tensor([_numbers(column) for _, column in chosen], dtype=torch.float64).view(-1, 6)
        categories = torch.tensor([column.coded for _, column in chosen], dtype=torch.bool)
        places = torch.tensor([place for place, _ in chosen], dtype=torch.long)
        shift, scale, step, low, high, reserve = numbers.unbind(1)
        return cls(places, shift, scale, step, low, high, reserve, categories)

    def __len__(self) -> int:
        return len(self.places)

    def read(self, values: Tensor, observed: Tensor | None = None) -> Seen:
        """Encoded rows `(rows, *event)`, and their mask, as the laws see them."""
        x = values.flatten(1).cpu().index_select(1, self.places).to(torch.float64)
        distance = torch.maximum(self.low - x, x - self.high) / self.step.clamp_min(1e-300)
        outside = distance > 0.5
        far = distance.clamp_min(1)
        tail = torch.where(self.categories, self.reserve.log(), (self.reserve / 2).log() - far.log() - far.log1p())
        support = torch.where(outside, tail, torch.log1p(-self.reserve))
        seen = None if observed is None else observed.flatten(1).cpu().index_select(1, self.places)
        support = (support if seen is None else torch.where(seen, support, 0.0)).sum(1)
        kept = torch.minimum(torch.maximum(x, self.low), self.high)
        y = Frame(self.shift, self.scale).inward(kept, torch.float64)
        low_end, high_end = kept < self.low + 0.5 * self.step, kept > self.high - 0.5 * self.step
        return Seen(y, low_end, high_end, outside, support, seen)

    def log_mass(self, seen: Seen, u: Tensor, deviation: Tensor) -> Tensor:
        """Log-mass of each cell under a normal law of its value, less what `Seen.log_support` counts.

        log(Φ(u + h) − Φ(u − h)), h = δ/(2σ), without cancellation: taken in the lower tail, by the density in the
        middle (to second order in h) where the cell is narrow, and with an infinite edge at the range's ends. A real
        cell has log φ(u) − log σ. Nats, with σ in data units.

        Parameters
        ----------
        seen
            The values, `(rows, cells)`.
        u
            (y − mean)/deviation, `(*batch, rows, cells)`.
        deviation
            In standardised units; broadcasts against `u`.

        """
        half = 0.5 * self.step / self.scale / deviation
        ends = seen.low_end | seen.high_end
        v = torch.where(seen.low_end, u, torch.where(seen.high_end, -u, -u.abs()))
        mass = torch.special.log_ndtr(v + half)
        if not ends.all():
            ratio = (torch.special.log_ndtr(v - half) - mass).clamp_max(-1e-300)
            wide = mass + torch.log(-torch.expm1(ratio))
            width = torch.where(self.step > 0, 2 * half, 1 / (deviation * self.scale))
            near = width.log() - HALF_LOG_TWO_PI - 0.5 * v.square() + half.square() * (v.square() - 1) / 6
            inner = torch.where(half * (1 + v.abs()) < NARROW, near, wide)
            mass = torch.where(ends, mass, inner)
        silent = seen.outside if seen.observed is None else seen.outside | ~seen.observed
        return torch.where(silent, mass.new_zeros(()), mass)
