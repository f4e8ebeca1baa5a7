"""The likelihood of gridded columns whose values were recorded to more than one step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.data import Axis, Recorded
from likely.distributions.levels import Levels
from likely.errors import ConfigError
from likely.likelihoods.base import Likelihood, bounded, unbounded
from likely.likelihoods.standardised import components
from likely.likelihoods.warped import Warped, log_scale, spread, start

__all__ = ["Resolutions"]

ABSENT, LEAST = -1e4, 1e-6
PASSES = 20
MOST = 1.0  # of what z adds to the logarithm of a share


class Resolutions(Likelihood):
    """P(x|z) = Π r_ig(z) P_ig(x_i|z), g the coarsest of the column's steps m_g δ that divides x_i.

    The P_g are one law (`Warped`) on grids of step m_g δ without the numbers of coarser ones; see
    `distributions.Resolutions`.

    Parameters
    ----------
    event_shape
        `(columns,)`; `3 * count` parameters per cell as `Warped` has, then a logit per component and step.
    axis, count, step, low, high, reserve, cut
        As `Warped` has them, of the finest grid.
    resolutions
        For each column `(m_g, share)` pairs, m_g rising from 1; a share is that of the values that m_g divides and no
        coarser step does, which training starts from.
    free
        For each column, or for all, whether its shares depend on z.

    Raises
    ------
    ConfigError
        If a column has no resolution, or a multiple is below 1 or leaves no value within the range.

    """

    measure = "mass"
    matches = True
    multiples: Tensor
    shares: Tensor
    free: Tensor
    offset: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        axis: Axis,
        count: int,
        step: float | Tensor,
        resolutions: Sequence[Sequence[tuple[int, float]]],
        low: float | Tensor = -math.inf,
        high: float | Tensor = math.inf,
        reserve: float | Tensor = 0.0,
        cut: tuple[float | Tensor, float | Tensor] = (-math.inf, math.inf),
        free: Sequence[bool] = (True,),
    ) -> None:
        super().__init__()
        self.event_shape = torch.Size(event_shape)
        self.finest = Warped(event_shape, axis, count, step, low, high, reserve, cut)
        for name, part in zip(("multiples", "shares"), Recorded.table(resolutions), strict=True):
            self.register_buffer(name, part)
        self.register_buffer("free", torch.tensor(list(free)).view(-1, 1))
        self.register_buffer("offset", torch.zeros_like(self.shares))
        self.parameter_shape = torch.Size((*event_shape, (3 + self.multiples.shape[-1]) * count))
        if not all(map(len, resolutions)) or not (self.multiples >= 1).all() or not self._hold():
            raise ConfigError("resolutions: each needs a multiple of 1 or more steps that has a value in the range")

    @property
    def levels(self) -> Levels:
        """The finest grid."""
        levels = self.finest.levels
        assert levels is not None
        return levels

    def _recorded(self) -> Recorded:
        """The classes within the range."""
        finest = self.finest
        low, high = (finest.low / finest.step - 1e-9).ceil(), (finest.high / finest.step + 1e-9).floor()
        return Recorded(self.multiples, low, high)

    def _hold(self) -> bool:
        """Whether each class has a number within the range."""
        recorded = self._recorded()
        every = recorded.last(self.finest.high.expand(len(self.multiples)) / self.finest.step)
        return bool((every.isfinite() | (self.shares.T == 0)).all())

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, (3 + resolutions) * count * cells)` -> Resolutions, `(*batch, *event)`."""
        size, table = self.finest.parameter_shape.numel(), (self.finest.count, self.multiples.shape[-1])
        lead, event = parameters.dim() - 1, range(2, 2 + len(self.event_shape))
        logits = parameters[..., size:].unflatten(-1, (*table, *self.event_shape))
        order = (*range(lead), *(lead + place for place in (*event, 0, 1)))
        return self._law(parameters[..., :size], logits.permute(order))

    def _law(self, parameters: Tensor, weights: Tensor) -> distributions.Resolutions:
        finest, levels = self.finest, self.levels
        logits, loc, raw = components(finest, parameters, 3)
        plain = Levels(levels.step, levels.low, levels.high)
        law = distributions.Warped(logits, loc, log_scale(raw), finest.axis, plain, cut=finest.cut)
        known = self.shares.clamp_min(LEAST).log().unsqueeze(-2)
        moved = bounded(weights - known, -MOST, MOST).where(self.free.unsqueeze(-2), 0.0)
        weights = known + moved + self.offset.unsqueeze(-2)
        weights = weights.masked_fill((self.shares == 0).unsqueeze(-2), ABSENT)
        return distributions.Resolutions(weights, law, self._recorded(), levels.reserve)

    def initial(self, values: Tensor) -> Tensor:
        """A mixture by EM, rows spread evenly over their cells, and each component's own shares of the classes."""
        step, place = self.levels.step, self._places(values)
        number, lower, upper = self._recorded().cell(place)
        lower, upper = lower.where(lower.isfinite(), place - 0.5), upper.where(upper.isfinite(), place + 0.5)
        low, high = (self.finest.axis(edge * step)[0] for edge in (lower, upper))
        base = start(spread(low, high - low), self.finest.count)
        held = self.finest(base).mixture.responsibilities(low, high)
        member = self._member(number).to(held.dtype)
        shares = torch.einsum("n...k,n...g->k...g", held, member) + 0.5 * self._some()
        known = self.shares.clamp_min(LEAST).log()
        raw = known + unbounded((shares / shares.sum(-1, keepdim=True)).clamp_min(LEAST).log() - known, -MOST, MOST)
        return torch.cat([base, raw.movedim(-1, 1).flatten().to(torch.float32)])

    def _places(self, values: Tensor) -> Tensor:
        return (self.levels.snap(values.to(torch.float64)) / self.levels.step).round()

    def _counted(self, values: Tensor, counted: Tensor) -> Tensor:
        """The share of each class, half a row of each added: `(*event, classes)`."""
        member = self._member(self._recorded().of(self._places(values)))
        held = (member * counted.unsqueeze(-1)).sum(0) + 0.5 * self._some()
        return held / held.sum(-1, keepdim=True)

    def _some(self) -> Tensor:
        """Which classes a column has, `(*event, classes)`."""
        return (self.shares > 0).expand(*self.event_shape, -1)

    def _member(self, number: Tensor) -> Tensor:
        return number.unsqueeze(-1) == torch.arange(self.shares.shape[-1], device=number.device)

    def match(self, parameters: Tensor, values: Tensor, counted: Tensor, drawn: Tensor | None = None) -> None:
        """Offsets of the classes with which their shares among the draws are those among the training rows.

        Training leaves the shares right for z that the training rows propose, which the prior's z need not be like. An
        offset is repeated until it holds (iterative proportional fitting; Deming and Stephan 1940).
        """
        wanted = self._counted(values, counted).log()
        for _ in range(PASSES):
            shares = self(parameters).shares.to(torch.float64)
            weighted = shares if drawn is None else shares + drawn.to(torch.float64).log().unsqueeze(-1)
            found = weighted.logsumexp(0)
            found = found - found.logsumexp(-1, keepdim=True)
            self.offset = self.offset + torch.where(self.shares > 0, wanted - found, 0.0).clamp(-MOST, MOST)
