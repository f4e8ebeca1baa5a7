"""Mixtures of logistics on a column's warped axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from likely.data import Warp
from likely.data.located import Located
from likely.distributions.levels import Levels
from likely.distributions.locating import Locating
from likely.distributions.logistics import OPEN, Logistics

__all__ = ["Outside", "Warped"]

PARTS, NODES = 16, 64  # of an interval between knots, for the mean; quantiles at which a mixture is averaged


@dataclass(frozen=True, eq=False)
class Outside:
    """What a density keeps for x <= 0 where its axis is that of log x: ε s/(s + |x|)², which integrates to ε.

    Parameters
    ----------
    reserve, scale
        ε and s in data units, `(columns,)` or numbers; ε is 0 for columns that reach below 0.

    """

    reserve: Tensor
    scale: Tensor

    def log_prob(self, inside: Tensor, value: Tensor, holds: Tensor) -> Tensor:
        """log p(x), from the log-density of the distribution within its support."""
        within = inside + torch.log1p(-self.reserve.to(inside.dtype))
        return torch.where(holds, within, self.tail(value).to(inside.dtype))

    def tail(self, value: Tensor) -> Tensor:
        """log p(x) for x <= 0, float64."""
        return (self.reserve * self.scale).log() - 2 * torch.log(self.scale + value.to(torch.float64).abs())

    def cdf(self, inside: Tensor, value: Tensor, holds: Tensor) -> Tensor:
        """P(X <= x), from the distribution function within the support."""
        reserve = self.reserve.to(inside.dtype)
        tail = (self.scale / (self.scale + value.to(torch.float64).abs())).to(inside.dtype)
        return torch.where(holds, reserve + (1 - reserve) * inside, reserve * tail)


class Warped(Locating):
    r"""x with T(x) ~ Σ_k w_k Logistic(m_k, s_k), w = softmax(logits), T increasing; per cell, in nats.

    Its distribution function is F(x) = Σ_k w_k σ((T(x) − m_k)/s_k). On a grid P(x) is the mass F(x + δ/2) − F(x − δ/2)
    (counting measure), for reals it is the density F'(x) (Lebesgue measure in data units). Where T are the normal
    scores of the training rows, N(0, 1) on the warped axis is the column's marginal distribution, whatever its form is.

    A mass is computed without cancellation (`Logistics.log_mass`). The cells at the ends of the range take the tails;
    with `cut`, where the ends are hard limits, the distribution is truncated there instead, and divided by its mass
    between them.

    Source: Hothorn, Möst, Bühlmann 2018, Most likely transformations (a simple distribution on a transformed scale);
    Salimans et al. 2017, section 2.1 (masses of a mixture of logistics).

    Parameters
    ----------
    logits, loc, log_scale
        `(*batch, *event, components)`, on the warped axis.
    axis
        T, per column or one for all cells.
    levels
        The grid, its range, and the mass kept outside it; `None` for reals.
    cut
        Ends of the distribution in data units, `(columns,)` or numbers, −∞ and ∞ where there is none; `None`: there are
        none.
    outside
        Mass that a density keeps for x <= 0.
    within
        Whether each cell of the grid lies within one piece of T, so that its width needs no difference.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        log_scale: Tensor,
        axis: Warp,
        levels: Levels | None = None,
        *,
        cut: tuple[Tensor, Tensor] | None = None,
        outside: Outside | None = None,
        within: bool = True,
    ) -> None:
        self.mixture = Logistics(logits, loc, log_scale)
        self.axis, self.levels, self.cut = axis, levels, cut
        self.outside, self.within = outside, within
        super().__init__(loc.shape[:-1], validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which the mixture is computed."""
        return self.mixture.dtype

    def expand(self, batch_shape: Any, _instance: Any = None) -> Warped:
        part = self.mixture.expand(batch_shape)
        return Warped(
            part.logits,
            part.loc,
            part.log_scale,
            self.axis,
            self.levels,
            cut=self.cut,
            outside=self.outside,
            within=self.within,
        )

    def locate(self, value: Tensor) -> Located:
        """On a grid both edges of the cell on the warped axis, its width, and what `Levels` knows.

        Else the place on the warped axis, log dT/dx, whether it is in the support, and log p(x) where it is not.
        """
        dtype = self.dtype
        if self.levels is not None:
            return tuple(part.to(dtype) for part in self._edges(value, self.levels)), self.levels.locate(value)
        y, slope = self.axis(value)
        change = slope.log() - self.axis.log_jacobian(value)
        holds = kept = self.axis.holds(value)
        if self.cut is not None:
            kept = holds & (value >= self.cut[0]) & (value <= self.cut[1])
        if self.outside is not None:
            change = change + torch.log1p(-self.outside.reserve)
        if kept.is_cpu and bool(kept.all()):
            return y.to(dtype), change.to(dtype), None, None
        other = None
        if self.outside is not None:
            other = torch.where(holds, -math.inf, self.outside.tail(value)).to(dtype)
        return y.to(dtype), change.to(dtype), kept, other

    def log_prob_at(self, located: Located) -> Tensor:
        known: Any = located
        if self.levels is not None:
            edges, place = known
            return self.levels.log_prob_at(self._normalised(self.mixture.log_mass(*edges)), *place)
        y, change, kept, other = known
        log_p = self._normalised(self.mixture.log_density(y) + change)
        return log_p if kept is None else torch.where(kept, log_p, -math.inf if other is None else other)

    def _edges(self, value: Tensor, levels: Levels) -> tuple[Tensor, Tensor, Tensor]:
        """Both edges of the value's cell on the warped axis, and its width; a tail is open."""
        kept = torch.clamp(value.to(torch.float64), levels.low, levels.high)
        lower, upper, width = self.axis.cell(kept, levels.step, within=self.within)
        below, above = levels.open_ends(kept)
        if self.cut is not None:
            below, above = below & self._below_all(self.cut[0] - 0.5 * levels.step), above & torch.isinf(self.cut[1])
        return lower.masked_fill(below, -OPEN), upper.masked_fill(above, OPEN), width.masked_fill(below | above, OPEN)

    def _ends(self) -> tuple[Tensor, Tensor]:
        """The ends of the distribution on the warped axis: the outer edges of the outermost cells, or open."""
        assert self.cut is not None
        half = 0.0 if self.levels is None else 0.5 * self.levels.step
        low, high = self.cut[0] - half, self.cut[1] + half
        lower, upper = (self._place(end) for end in (low, high))
        return lower.masked_fill(self._below_all(low), -OPEN), upper.masked_fill(torch.isposinf(high), OPEN)

    def _below_all(self, low: Tensor) -> Tensor:
        """Whether an end cuts nothing from the support."""
        return torch.isneginf(low) | (self.axis.logarithmic & (low <= 0))

    def _place(self, end: Tensor) -> Tensor:
        """T at an end of each column; anywhere where it is infinite."""
        lead = end.shape[:-1] if end.dim() else torch.Size()
        finite: Tensor = torch.nan_to_num(end, posinf=0.0, neginf=0.0).expand(*lead, len(self.axis.x))
        y: Tensor = self.axis(finite)[0]
        return y

    def _normalised(self, log_p: Tensor) -> Tensor:
        """Divided by the mass between the ends, where there are any."""
        if self.cut is None:
            return log_p
        lower, upper = self._ends()
        return log_p - self.mixture.log_mass(lower, upper, upper - lower)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        if self.levels is None:
            holds = self.axis.holds(value)
            inside = torch.where(holds, self._below(self.axis(value)[0]), 0.0)
            return inside if self.outside is None else self.outside.cdf(inside, value, holds)
        upper = self._edges(self.levels.last(value), self.levels)[1]
        return self.levels.cdf(self._below(upper), value)

    def _below(self, y: Tensor) -> Tensor:
        if self.cut is None:
            return self.mixture.below(y)
        lower, upper = self._ends()
        kept = torch.clamp(y, lower, upper)
        inner = self.mixture.log_mass(lower.expand_as(kept), kept, kept - lower)
        share = (inner - self.mixture.log_mass(lower, upper, upper - lower)).exp().clamp(0, 1)
        return torch.where(y >= upper, 1.0, torch.where(y <= lower, 0.0, share))

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw within the range: mass kept outside it is never drawn."""
        return self.outward(self.draw(self._extended_shape(torch.Size(sample_shape))))

    def draw(self, shape: torch.Size) -> Tensor:
        """Draws on the warped axis, `(*shape)` float64."""
        return self.mixture.sample(shape) if self.cut is None else self.mixture.sample_between(shape, *self._ends())

    def outward(self, y: Tensor) -> Tensor:
        """Values at these places of the warped axis, on the grid where there is one."""
        x = self.axis.inverse(y)
        return x if self.levels is None else self.levels.snap(x)

    @property
    def mode(self) -> Tensor:
        """The most probable of the places nearest to the components' locations, one on each piece of T."""
        y = self.axis.y.clamp_max(OPEN)
        ends = torch.cat([torch.full_like(y[:, :1], -OPEN), y, torch.full_like(y[:, :1], OPEN)], 1)
        at = self.mean if self.levels is None else self.levels.snap(self.mean)
        best = self.log_prob(at).fill_(-math.inf)
        loc = self.mixture.loc.movedim(-1, 0).to(torch.float64)
        for low, high in zip(ends[:, :-1].unbind(1), ends[:, 1:].unbind(1), strict=True):
            margin = 1e-9 * (high - low).clamp_max(1)
            for x in self.outward(torch.clamp(loc, low + margin, high - margin)).unbind(0):
                log_p = self.log_prob(x)
                at, best = torch.where(log_p > best, x, at), torch.maximum(log_p, best)
        return at

    @property
    def mean(self) -> Tensor:
        """Mean of the distribution before it is cut to the grid, within its range."""
        if self.cut is not None:
            return self._moments()[0]
        return self.mixture.expect(*self._nodes(PARTS if self.axis.has_logarithmic else 1))

    @property
    def variance(self) -> Tensor:
        """Variance, of the distribution that the mean is of."""
        if self.cut is not None:
            return self._moments()[1]
        y, x = self._nodes(PARTS)
        middle = x[:, x.shape[1] // 2 :][:, :1]
        off = self.mixture.expect(y, x) - middle[:, 0]
        return (self.mixture.expect(y, (x - middle).square()) - off.square()).clamp_min(0)

    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance between the ends, at 64 quantiles of equal mass of each component."""
        lower, upper = self._ends()
        first = torch.zeros(self.batch_shape, dtype=torch.float64, device=self.mixture.loc.device)
        second = torch.zeros_like(first)
        for node in range(NODES):
            u = torch.full_like(first, (node + 0.5) / NODES).unsqueeze(-1)
            y, weights = self.mixture.between(u, lower, upper)
            x = self.axis.inverse(y.movedim(-1, 0)).movedim(0, -1)
            first += (weights * x).sum(-1) / NODES
            second += (weights * x.square()).sum(-1) / NODES
        return first, (second - first.square()).clamp_min(0)

    def _nodes(self, parts: int) -> tuple[Tensor, Tensor]:
        """Ascending points of the warped axis, and x there within the range: `(columns, nodes)`."""
        y, x = self.axis.nodes(parts)
        if self.levels is None:
            return y, x
        limits = torch.stack([limit.expand(len(y)) for limit in (self.levels.low, self.levels.high)])
        ends = torch.clamp(self.axis(limits)[0].T, y[:, :1] + 1e-6, y[:, -1:] - 1e-6)
        y, order = torch.cat([y, ends], 1).sort(1)
        x = torch.cat([x, self.axis.inverse(ends.T).T], 1).gather(1, order)
        return y, torch.clamp(x, limits[0, :, None], limits[1, :, None])
