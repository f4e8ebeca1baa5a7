"""Numbers on a grid of which some were recorded to coarser steps than others."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from likely.data.located import Located
from likely.distributions.cell_mixture import choose
from likely.distributions.levels import Levels
from likely.distributions.locating import Locating
from likely.distributions.log_mixture import log_mixture, log_shares
from likely.distributions.logistics import OPEN
from likely.distributions.warped import Warped

__all__ = ["Resolutions"]


NONE = -1e3  # nats below which a resolution is one that a column lacks


class Resolutions(Locating):
    """P(x) = Σ_k w_k Σ_g r_kg P_kg(x): with weight r_kg a value of component k was recorded to steps of δ_g; in nats.

    P_kg(x) is the mass of x's cell of width δ_g under the component where x is a multiple of δ_g, and 0 elsewhere
    (counting measure on the finest grid), so that P is normalised whatever the weights; r_k = softmax_g(logits). A
    component has weights of its own because frequent numbers may be round or not.

    Source: Heitjan and Rubin 1990, Inference from coarse data via multiple imputation with application to age heaping
    (values as coarsened to one of several grids; here the weights depend on z, not on the value).

    Parameters
    ----------
    logits
        `(*batch, *event, components, resolutions)`; where a cell has fewer resolutions, so low that exp gives 0.
    finest
        The distribution on the finest grid, `(*batch, *event)`, without a reserve.
    grids
        The grids of the resolutions and their ranges, or what makes them when they are needed: step, low, high,
        `(resolutions, *event)`.
    reserve
        The mass kept outside the range of the finest grid; `None` where its limits are hard.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(
        self, logits: Tensor, finest: Warped, grids: Levels | Callable[[], Levels], reserve: Tensor | None = None
    ) -> None:
        assert finest.levels is not None
        self.logits, self.finest, self.reserve, self._given = logits, finest, reserve, grids
        self.levels = Levels(finest.levels.step, finest.levels.low, finest.levels.high, reserve)
        self._joint = log_shares(finest.mixture.logits).unsqueeze(-1) + log_shares(logits)
        super().__init__(logits.shape[:-2], validate_args=False)

    @cached_property
    def grids(self) -> Levels:
        """The grid of each resolution, `(resolutions, *event)`."""
        return self._given if isinstance(self._given, Levels) else self._given()

    @cached_property
    def _weights(self) -> Tensor:
        """Log-weights of the resolutions, `(*batch, *event, resolutions)`."""
        return self._joint.logsumexp(-2)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which it is computed."""
        return self.logits.dtype

    def expand(self, batch_shape: Any, _instance: Any = None) -> Resolutions:
        shape = torch.Size(batch_shape)
        logits = self.logits.expand(*shape, *self.logits.shape[-2:])
        return Resolutions(logits, self.finest.expand(shape), self._given, self.reserve)

    def _on_every_grid(self, dims: int) -> Warped:
        """The distribution on every grid at once: `(resolutions, *batch, *event)`, of values with so many axes."""
        grids, part, own = self.grids, self.finest.mixture, len(self.batch_shape)
        lead = max(dims, own) - (grids.step.dim() - 1)
        parts = (one.view(len(one), *[1] * lead, *one.shape[1:]) for one in (grids.step, grids.low, grids.high))
        logits = self._joint.movedim(-1, 0)
        logits = logits.view(len(logits), *[1] * max(0, dims - own), *logits.shape[1:])
        levels, cut = Levels(*parts), self.finest.cut
        if cut is not None:  # each grid is cut at the edges of its own outermost cells
            low, high = (end.isfinite() for end in cut)
            cut = torch.where(low, levels.low, cut[0]), torch.where(high, levels.high, cut[1])
        return Warped(logits, part.loc, part.log_scale, self.finest.axis, levels, cut=cut, within=False)

    def per_resolution(self, value: Tensor) -> Tensor:
        """log P_g of each resolution at the nearest values of the finest grid: `(*batch, *event, resolutions)`."""
        kept = self.levels.snap(value.to(torch.float64))
        return self._on_every_grid(value.dim()).log_prob(kept).movedim(0, -1)

    def draws_per_resolution(self) -> Tensor:
        """A value of each resolution: `(*batch, *event, resolutions)`, float64, without gradient."""
        with torch.no_grad():
            shape = self._extended_shape(torch.Size())
            every = self._on_every_grid(len(shape))
            return every.outward(every.draw(torch.Size((len(self.grids.step), *shape)))).movedim(0, -1)

    def locate(self, value: Tensor) -> Located:
        """Both edges and the width of the value's cell on each grid, `(*batch, *event, resolutions)`; and its place.

        Where the value is not on a grid its cell lies beyond everything. The place is what `Levels` knows.
        """
        kept = self.levels.snap(value.to(torch.float64))
        every = self._on_every_grid(value.dim())
        assert every.levels is not None
        off = ~every.levels.holds(kept)
        lower, upper, width = every._edges(kept, every.levels)
        edges = lower.masked_fill(off, OPEN), upper.masked_fill(off, OPEN), width.masked_fill(off, 0)
        return tuple(one.movedim(0, -1).to(self.dtype) for one in edges), self.levels.locate(value)

    def log_prob_at(self, located: Located) -> Tensor:
        known: Any = located
        edges, place = known
        part, joint = self.finest.mixture, self._joint
        loc, log_scale = part.loc.unsqueeze(-1), part.log_scale.unsqueeze(-1)
        if self.finest.cut is not None:
            lower, upper = (end.movedim(0, -1).unsqueeze(-1).to(self.dtype) for end in self._ends())
            parameters = joint.mT, loc.mT, log_scale.mT
            joint = joint + (self._weights - log_mixture(parameters, (lower, upper, upper - lower))).unsqueeze(-2)
        shared = joint.dim() == edges[0].dim() + 1 == 5 and len(edges[0]) == joint.shape[1] == 1
        if shared and not torch.is_grad_enabled():
            log_p = self._at_many(joint, tuple(one.squeeze(0) for one in edges))
        else:
            pairs = tuple(_paired(one, joint.shape[-2:]) for one in (joint, loc, log_scale))
            of_pairs = tuple(_paired(one.unsqueeze(-2), joint.shape[-2:]) for one in edges)
            log_p = log_mixture((pairs[0], pairs[1], pairs[2]), of_pairs)
        return self.levels.log_prob_at(log_p, *place)

    def _at_many(self, joint: Tensor, edges: tuple[Tensor, ...]) -> Tensor:
        """The same without gradients, of distributions `(points, 1, columns)` at values `(values, columns)`.

        A coarser grid is looked at for values that are on it alone: `(points, values, columns)`.
        """
        loc, log_scale = self.finest.mixture.loc, self.finest.mixture.log_scale
        finest = log_mixture((joint[..., 0], loc, log_scale), tuple(one[..., :1] for one in edges))
        log_p = finest.movedim(0, -1).flatten(0, 1)
        for grid in range(1, joint.shape[-1]):
            weights = joint[..., grid]
            value, column = ((edges[0][..., grid] < OPEN) & (weights.amax((0, 1, 3)) > NONE)).nonzero(as_tuple=True)
            there = tuple(_columns(one, column) for one in (weights, loc, log_scale))
            at = tuple(one[value, column, grid].unsqueeze(-1) for one in edges)
            more = log_mixture((there[0], there[1], there[2]), at).squeeze(1).T
            place = value * len(weights[0, 0]) + column
            log_p[place] = torch.logaddexp(log_p[place], more)
        apart: Tensor = log_p.unflatten(0, edges[0].shape[:2])
        return apart.movedim(-1, 0)

    def _ends(self) -> tuple[Tensor, Tensor]:
        """The ends of each resolution's distribution on the warped axis, `(resolutions, *event)`."""
        return self._on_every_grid(len(self.batch_shape))._ends()

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        below = self._on_every_grid(value.dim()).cdf(value).movedim(0, -1)
        return self.levels.cdf((self._weights.exp() * below).sum(-1), value)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw a resolution, then a value on its grid, within the range."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            chosen = choose(self._weights, shape).movedim(-1, 0)
            every = self._on_every_grid(len(shape))
            return every.outward(every.draw(torch.Size((len(self.grids.step), *shape)))).gather(0, chosen).squeeze(0)

    @property
    def mean(self) -> Tensor:
        """Of the distribution before it is cut to any grid, within its range."""
        return self.finest.mean

    @property
    def variance(self) -> Tensor:
        """As the mean."""
        return self.finest.variance

    @property
    def mode(self) -> Tensor:
        """The most probable of each grid's values next to the mode and the components of the finest distribution."""
        places = [self.finest.mode, *self.finest.outward(self.finest.mixture.loc.double().movedim(-1, 0)).unbind(0)]
        grids = self._on_every_grid(len(self.batch_shape)).levels
        assert grids is not None
        near = torch.cat([places[0].unsqueeze(0), *(grids.snap(place) for place in places)])
        log_probs = torch.stack([self.log_prob(one) for one in near])
        return near.gather(0, log_probs.argmax(0, keepdim=True)).squeeze(0)


def _paired(one: Tensor, shape: torch.Size) -> Tensor:
    """`(*batch, components, resolutions)` with one axis for both."""
    return one.expand(*one.shape[:-2], *shape).flatten(-2)


def _columns(one: Tensor, column: Tensor) -> Tensor:
    """These columns of `(points, 1, columns, components)`, with the points closest in memory."""
    return one.movedim(0, -1).index_select(1, column).movedim(-1, 0)
