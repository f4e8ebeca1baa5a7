"""Mixtures of logistics on a column's bent axis."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.data import Axis
from likely.distributions.cell_mixture import choose
from likely.distributions.levels import Levels
from likely.distributions.univariate import uniform

__all__ = ["Warped"]

PARTS = 16
OPEN = 1e20  # where an open edge lies on the bent axis: its logistic functions are 0 and 1, with finite gradients


class Warped(Distribution):
    r"""The law of x with T(x) ~ Σ_k w_k Logistic(m_k, s_k), w = softmax(logits), T increasing; per cell, in nats.

    Its distribution function is F(x) = Σ_k w_k σ((T(x) − m_k)/s_k). On a grid P(x) is the mass F(x + δ/2) − F(x − δ/2)
    (counting measure), for reals it is the density F'(x) (Lebesgue measure in data units). Where T are the normal
    scores of the training rows, N(0, 1) on the bent axis is the column's marginal law, whatever its form is.

    A mass is computed without cancellation: with b_k, a_k the arguments of σ at the cell's edges, its component has
    log σ(b) + log σ(−a) + log(1 − exp(a − b)), and b − a is the cell's width, taken in float64, over s_k. The cells at
    the ends of the range take the tails.

    Source: Hothorn, Möst, Bühlmann 2018, Most likely transformations (a simple law on a transformed scale); Salimans et
    al. 2017, section 2.1 (masses of a mixture of logistics).

    Parameters
    ----------
    logits, loc, log_scale
        `(*batch, *event, components)`, on the bent axis.
    axis
        T, per column or one for all cells. On a grid its knots lie on edges of cells.
    levels
        The grid, its range, and the mass kept outside it; `None` for reals.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(self, logits: Tensor, loc: Tensor, log_scale: Tensor, axis: Axis, levels: Levels | None) -> None:
        self.logits, self.loc, self.log_scale = logits, loc, log_scale
        self.axis, self.levels = axis, levels
        super().__init__(loc.shape[:-1], validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which the mixture is computed."""
        return self.loc.dtype

    def expand(self, batch_shape: Any, _instance: Any = None) -> Warped:
        shape = torch.Size((*batch_shape, self.loc.shape[-1]))
        logits, loc, log_scale = (part.expand(shape) for part in (self.logits, self.loc, self.log_scale))
        return Warped(logits, loc, log_scale, self.axis, self.levels)

    def log_prob(self, value: Tensor) -> Tensor:
        inverse = (-self.log_scale).exp()
        if self.levels is None:
            y, slope = self.axis(value)
            a = (self._spread(y) - self.loc) * inverse
            inner = F.logsigmoid(a) + F.logsigmoid(-a) - self.log_scale
            found = self._mix(inner) + (slope.log() - self.axis.log_jacobian(value)).to(self.dtype)
            return torch.where(self.axis.holds(value), found, -math.inf)
        lower, upper, width = self._edges(value, self.levels)
        a, b = (self._spread(lower) - self.loc) * inverse, (self._spread(upper) - self.loc) * inverse
        narrow = (self._spread(width) * inverse).clamp_min(torch.finfo(self.dtype).tiny)
        inner = F.logsigmoid(b) + F.logsigmoid(-a) + torch.log(-torch.expm1(-narrow))
        return self.levels.log_prob(self._mix(inner), value)

    def _spread(self, y: Tensor) -> Tensor:
        """For parameters with an axis of components, in their type."""
        return y.to(self.dtype).unsqueeze(-1)

    def _mix(self, inner: Tensor) -> Tensor:
        return torch.logsumexp(F.log_softmax(self.logits, -1) + inner, -1)

    def _edges(self, value: Tensor, levels: Levels) -> tuple[Tensor, Tensor, Tensor]:
        """Both edges of the value's cell on the bent axis, and its width; a tail is open."""
        kept = torch.clamp(value.to(torch.float64), levels.low, levels.high)
        lower, upper, width = self.axis.cell(kept, levels.step)
        below, above = levels.open_ends(kept)
        return lower.masked_fill(below, -OPEN), upper.masked_fill(above, OPEN), width.masked_fill(below | above, OPEN)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        if self.levels is None:
            return torch.where(self.axis.holds(value), self._below(self.axis(value)[0]), 0.0)
        upper = self._edges(self.levels.last(value), self.levels)[1]
        return self.levels.cdf(self._below(upper), value)

    def _below(self, y: Tensor) -> Tensor:
        parts = torch.sigmoid((self._spread(y) - self.loc) * (-self.log_scale).exp())
        return (torch.softmax(self.logits, -1) * parts).sum(-1)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw within the range: mass kept outside it is never drawn."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            chosen = choose(F.log_softmax(self.logits, -1), shape)
            wide = (*shape, self.loc.shape[-1])
            loc, log_scale = (part.expand(wide).gather(-1, chosen)[..., 0] for part in (self.loc, self.log_scale))
            u = uniform(shape, self.loc)
            return self._outward(loc + log_scale.exp() * (torch.log(u) - torch.log1p(-u)))

    def _outward(self, y: Tensor) -> Tensor:
        x = self.axis.inverse(y)
        return x if self.levels is None else self.levels.snap(x)

    @property
    def mode(self) -> Tensor:
        """The most probable of the places nearest to the components' locations, one on each piece of T."""
        y = self.axis.y.clamp_max(OPEN)
        ends = torch.cat([torch.full_like(y[:, :1], -OPEN), y, torch.full_like(y[:, :1], OPEN)], 1)
        at = self.mean
        best = self.log_prob(at).fill_(-math.inf)
        loc = self.loc.movedim(-1, 0).to(torch.float64)
        for low, high in zip(ends[:, :-1].unbind(1), ends[:, 1:].unbind(1), strict=True):
            margin = 1e-9 * (high - low).clamp_max(1)
            for x in self._outward(torch.clamp(loc, low + margin, high - margin)).unbind(0):
                found = self.log_prob(x)
                at, best = torch.where(found > best, x, at), torch.maximum(found, best)
        return at

    @property
    def mean(self) -> Tensor:
        """Of the law before it is cut to the grid, within its range; see `_expect`."""
        return self._expect(*self._nodes(PARTS if self.axis.logarithmic.any() else 1))

    @property
    def variance(self) -> Tensor:
        """As the mean."""
        y, x = self._nodes(PARTS)
        middle = x[:, x.shape[1] // 2 :][:, :1]
        off = self._expect(y, x) - middle[:, 0]
        return (self._expect(y, (x - middle).square()) - off.square()).clamp_min(0)

    def _nodes(self, parts: int) -> tuple[Tensor, Tensor]:
        """Places on the bent axis, rising, and x there within the range: `(columns, nodes)`."""
        y, x = self.axis.nodes(parts)
        if self.levels is None:
            return y, x
        limits = torch.stack([limit.expand(len(y)) for limit in (self.levels.low, self.levels.high)])
        ends = torch.clamp(self.axis(limits)[0].T, y[:, :1] + 1e-6, y[:, -1:] - 1e-6)
        y, order = torch.cat([y, ends], 1).sort(1)
        x = torch.cat([x, self.axis.inverse(ends.T).T], 1).gather(1, order)
        return y, torch.clamp(x, limits[0, :, None], limits[1, :, None])

    def _expect(self, y: Tensor, values: Tensor) -> Tensor:
        """E g(Y) of the piecewise linear g with these values at the nodes y, both `(columns, nodes)`.

        Y ~ Logistic(m, s) has E max(Y − c, 0) = s softplus((m − c)/s); g is the sum of a line and of such kinks. Exact
        for the mean where T is linear in x, and near it for squares and for T in log x.
        """
        loc, scale = self.loc.to(torch.float64), self.log_scale.to(torch.float64).exp()
        slopes = torch.where(y.diff() > 0, values.diff() / y.diff(), 0)
        total = values[:, :1] + slopes[:, :1] * (loc - y[:, :1])
        for place, change in zip(y[:, 1:-1].unbind(1), slopes.diff().unbind(1), strict=True):
            total = total + change[:, None] * scale * F.softplus((loc - place[:, None]) / scale)
        return (torch.softmax(self.logits, -1).to(torch.float64) * total).sum(-1)
