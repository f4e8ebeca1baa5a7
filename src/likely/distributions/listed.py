"""A few numbers in order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from likely.data.located import Located
from likely.distributions.locating import Locating
from likely.distributions.logistics import OPEN, Logistics
from likely.distributions.shapes import broadcast_shapes
from likely.distributions.univariate import uniform

__all__ = ["Listed", "Numbers"]

SAME = 1e-9  # relative: numbers nearer than that are the same after a change of units and back


class Numbers:
    """The numbers v_1 < ... < v_m that a column holds, and where they part on its axis.

    Parameters
    ----------
    values
        `(columns, most)` float64, ascending; ∞ where a column has fewer.
    edges
        `(columns, most − 1)` float64: the place on the axis between v_i and v_(i+1); `OPEN` where there is none.
    reserve
        ε, the mass of any other number: `(columns,)`.
    offset
        o_i, which multiplies the mass of v_i by exp(o_i) before the masses are made to sum to one: `(columns, most)`
        float64. None: all 0.

    """

    def __init__(self, values: Tensor, edges: Tensor, reserve: Tensor, offset: Tensor | None = None) -> None:
        self.values, self.edges, self.reserve, self.offset = values, edges, reserve, offset

    def place(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """The number nearest to each value, by its place in the list; and whether it is the value itself."""
        away = (value.to(torch.float64).unsqueeze(-1) - self.values).abs()
        nearest, place = away.min(-1)
        return place, nearest <= SAME * value.abs().clamp_min(1e-300)


class Listed(Locating):
    """P(x = v_i) = (1 − ε) exp(o_i) q_i / Σ_j exp(o_j) q_j, q_i = F(e_i) − F(e_(i−1)); per cell, in nats.

    F is that of a mixture of logistics, e_0 = −∞ and e_m = ∞.

    Any number that is none of v_1, ..., v_m stands for one event, a number never met, of mass ε (counting measure over
    these m + 1 events). Its place in the order is below all of them.

    Source: McCullagh 1980, Regression models for ordinal data, section 2.1 (one logistic).

    Parameters
    ----------
    logits, loc, log_scale
        Of the mixture, `(*batch, columns, components)`.
    numbers
        What the columns hold.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(self, logits: Tensor, loc: Tensor, log_scale: Tensor, numbers: Numbers) -> None:
        self.mixture, self.numbers = Logistics(logits, loc, log_scale), numbers
        super().__init__(loc.shape[:-1], validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which it is computed."""
        return self.mixture.dtype

    @property
    def reserve(self) -> Tensor:
        """ε in the type of the parameters."""
        return self.numbers.reserve.to(self.dtype)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Listed:
        part = self.mixture.expand(batch_shape)
        return Listed(part.logits, part.loc, part.log_scale, self.numbers)

    @property
    def _count(self) -> Tensor:
        """How many numbers each column has: `(columns,)`."""
        return self.numbers.values.isfinite().sum(-1)

    def _ends(self) -> Tensor:
        """e_0, ..., e_m: `(columns, most + 1)`."""
        edges = self.numbers.edges
        open_ = torch.full_like(edges[:, :1], OPEN)
        return torch.cat([-open_, edges, open_], 1)

    def locate(self, value: Tensor) -> Located:
        """The number nearest to each value, whether it is the value itself, and both of its edges and the width."""
        place, known = self.numbers.place(value)
        ends = self._ends().expand(*place.shape, -1)
        lower, upper = (ends.gather(-1, (place + more).unsqueeze(-1)).squeeze(-1) for more in (0, 1))
        every = known.is_cpu and bool(known.all())
        return place, None if every else known, tuple(part.to(self.dtype) for part in (lower, upper, upper - lower))

    def log_prob_at(self, located: Located) -> Tensor:
        found: Any = located
        place, known, edges = found
        inside = self.mixture.log_mass(*edges) + torch.log1p(-self.reserve)
        if self.numbers.offset is not None:
            offset = self.numbers.offset.expand(*place.shape, -1).gather(-1, place.unsqueeze(-1)).squeeze(-1)
            inside = inside + offset.to(self.dtype) - self._weighted().sum(-1).log()
        return inside if known is None else torch.where(known, inside, self.reserve.log())

    @property
    def probs(self) -> Tensor:
        """P(x = v_i): `(*batch, columns, most)`."""
        return self._shares() * (1 - self.reserve).unsqueeze(-1)

    def _shares(self) -> Tensor:
        """P(x = v_i)/(1 − ε): `(*batch, columns, most)`."""
        weighted = self._weighted()
        return weighted if self.numbers.offset is None else weighted / weighted.sum(-1, keepdim=True)

    def _weighted(self) -> Tensor:
        """exp(o_i) q_i: `(*batch, columns, most)`."""
        below = self._below()
        zero, one = torch.zeros_like(below[..., :1]), torch.ones_like(below[..., :1])
        shares = torch.cat([zero, below, one], -1).diff().clamp_min(0)
        return shares if self.numbers.offset is None else shares * self.numbers.offset.exp().to(self.dtype)

    def _below(self) -> Tensor:
        """F at the inner edges: `(*batch, columns, most − 1)`."""
        edges = self.numbers.edges
        shares = [self.mixture.below(edge.expand(self.batch_shape)) for edge in edges.unbind(-1)]
        return torch.stack(shares, -1) if shares else edges.expand(*self.batch_shape, 0).to(self.dtype)

    def _upto(self) -> Tensor:
        """P(X <= v_i)/(1 − ε) for all but the last: `(*batch, columns, most − 1)`."""
        return self._below() if self.numbers.offset is None else self._shares().cumsum(-1)[..., :-1]

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value), a number never met below all others."""
        upto = (self.numbers.values <= value.unsqueeze(-1) + SAME * value.abs().unsqueeze(-1)).sum(-1)
        last = upto >= self._count
        if self.numbers.offset is None:
            edge = self._ends().expand(*upto.shape, -1).gather(-1, upto.unsqueeze(-1)).squeeze(-1)
            below = self.mixture.below(edge)
        else:
            shares = self._shares()
            sums = torch.cat([torch.zeros_like(shares[..., :1]), shares.cumsum(-1)], -1)
            shape = broadcast_shapes(upto.shape, sums.shape[:-1])
            below = sums.expand(*shape, -1).gather(-1, upto.expand(shape).unsqueeze(-1)).squeeze(-1)
        return self.reserve + (1 - self.reserve) * torch.where(last, 1.0, below)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw numbers of the list: one never met could not be written down."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            if self.numbers.offset is None:
                y = self.mixture.sample(shape)
                place = (y.unsqueeze(-1) > self.numbers.edges).sum(-1, keepdim=True)
            else:
                u = uniform(shape, self.mixture.loc)
                place = (u.unsqueeze(-1) > self._upto()).sum(-1, keepdim=True)
                place = place.minimum(self._count.unsqueeze(-1) - 1)
            return self.numbers.values.expand(*shape, -1).gather(-1, place).squeeze(-1)

    def _expect(self, values: Tensor) -> Tensor:
        """E g(x) over the listed numbers, of g's values `(columns, most)`: Σ_i g(v_i) P(v_i)/(1 − ε)."""
        steps = torch.where(torch.isfinite(self.numbers.values[:, 1:]), values.diff(), 0.0)
        return values[:, 0] + (steps * (1 - self._upto().to(torch.float64))).sum(-1)

    @property
    def mean(self) -> Tensor:
        """Over the listed numbers."""
        return self._expect(self.numbers.values)

    @property
    def variance(self) -> Tensor:
        """As the mean."""
        values = self.numbers.values
        middle = values[:, :1]
        off = self._expect(values - middle)
        return (self._expect((values - middle).square()) - off.square()).clamp_min(0)

    @property
    def mode(self) -> Tensor:
        place = self.probs.argmax(-1, keepdim=True)
        return self.numbers.values.expand(*place.shape[:-1], -1).gather(-1, place).squeeze(-1)
