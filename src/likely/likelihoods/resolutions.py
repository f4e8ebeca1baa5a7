"""The likelihood of gridded columns whose values were recorded to more than one step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.data import Warp
from likely.distributions.levels import Levels
from likely.errors import ConfigError
from likely.likelihoods.base import Likelihood
from likely.likelihoods.bounds import Bound
from likely.likelihoods.standardised import components
from likely.likelihoods.warped import Warped

__all__ = ["Resolutions"]

MAX_EM_STEPS = 20
MIN_SHARE = 1e-6  # of a resolution, so that its logarithm is finite
PRIOR_COUNT = 0.5  # values that EM adds to each resolution of a column, so that no share becomes 0
ROUNDING = 1e-9  # in steps: a limit that is a multiple of the step is one still where its quotient was rounded
NO_WEIGHT = -1e4  # logit of a resolution that a column does not have: its share is 0 in float32, with finite gradients
# `match`: rounds, each with the draws of the last one's offsets; passes of a round; share of the gap moved in a pass,
# as classes overlap and whole moves overshoot; the most nats that an offset comes to.
ROUNDS, PASSES, MOVED_SHARE, MAX_OFFSET = 3, 20, 0.7, 3.0
MAX_SHIFT = 1.0  # of what z adds to the logarithm of a share


class Resolutions(Likelihood):
    """P(x|z) = Π Σ_g r_ig(z) P_ig(x_i|z): with weight r_g the value is a multiple of m_g steps δ of the finest grid.

    The P_g are one distribution (`Warped`) on grids of step m_g δ; see `distributions.Resolutions`.

    Parameters
    ----------
    event_shape
        `(columns,)`; `3 * count` parameters per cell as `Warped` has, then a logit per component and resolution.
    axis, count, step, low, high, reserve, cut
        As `Warped` has them, of the finest grid.
    resolutions
        For each column `(m_g, share)` pairs, m_g ascending from 1; the shares are what training starts from.

    Raises
    ------
    ConfigError
        If a column has no resolution, or a multiple is below 1 or leaves no value within the range.

    """

    measure = "mass"
    matches = True
    multiples: Tensor
    shares: Tensor
    offset: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        axis: Warp,
        count: int,
        step: float | Tensor,
        resolutions: Sequence[Sequence[tuple[int, float]]],
        low: float | Tensor = -math.inf,
        high: float | Tensor = math.inf,
        reserve: float | Tensor = 0.0,
        cut: tuple[float | Tensor, float | Tensor] = (-math.inf, math.inf),
    ) -> None:
        super().__init__()
        self.event_shape = torch.Size(event_shape)
        most = max(len(column) for column in resolutions)
        self.parameter_shape = torch.Size((*event_shape, (3 + most) * count))
        self.finest = Warped(event_shape, axis, count, step, low, high, reserve, cut)
        table = torch.tensor([(1.0, 0.0)], dtype=torch.float64).repeat(len(resolutions), most, 1)
        for row, column in zip(table, resolutions, strict=True):
            row[: len(column)] = torch.tensor(column, dtype=torch.float64)
        self.register_buffer("multiples", table[..., 0].clone())
        self.register_buffer("shares", table[..., 1].clone())
        self.register_buffer("offset", torch.zeros_like(table[..., 1]))
        self.shift = Bound(-MAX_SHIFT, MAX_SHIFT)
        if not all(map(len, resolutions)) or not (self.multiples >= 1).all() or not self._each_has_values():
            raise ConfigError("resolutions: each needs a multiple of 1 or more steps that has a value in the range")

    @property
    def levels(self) -> Levels:
        """The finest grid."""
        levels = self.finest.levels
        assert levels is not None
        return levels

    def _each_has_values(self) -> bool:
        """Whether each resolution has a value within the range."""
        grids = self._grids()
        return bool((grids.low <= grids.high).all())

    def _grids(self) -> Levels:
        """The grid of each resolution, `(resolutions, columns)`, and its range: the multiples within the finest's."""
        step = self.multiples.T * self.finest.step
        low = (self.finest.low / step - ROUNDING).ceil() * step
        high = (self.finest.high / step + ROUNDING).floor() * step
        return Levels(step, low, high)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, (3 + resolutions) * count * cells)` -> Resolutions, `(*batch, *event)`."""
        size, table = self.finest.parameter_shape.numel(), (self.finest.count, self.multiples.shape[-1])
        lead, event = parameters.dim() - 1, range(2, 2 + len(self.event_shape))
        logits = parameters[..., size:].unflatten(-1, (*table, *self.event_shape))
        order = (*range(lead), *(lead + place for place in (*event, 0, 1)))
        return self._distribution(parameters[..., :size], logits.permute(order))

    def _distribution(self, parameters: Tensor, resolution_logits: Tensor) -> distributions.Resolutions:
        finest, levels = self.finest, self.levels
        logits, loc, raw = components(finest, parameters, 3)
        unreserved = Levels(levels.step, levels.low, levels.high)
        distribution = distributions.Warped(logits, loc, finest.log_scale(raw), finest.axis, unreserved, cut=finest.cut)
        known = self.shares.clamp_min(MIN_SHARE).log().unsqueeze(-2)
        resolution_logits = known + self.shift(resolution_logits - known) + self.offset.unsqueeze(-2)
        resolution_logits = resolution_logits.masked_fill((self.shares == 0).unsqueeze(-2), NO_WEIGHT)
        return distributions.Resolutions(resolution_logits, distribution, self._grids(), levels.reserve)

    def initial(self, values: Tensor) -> Tensor:
        """The finest grid's own, and the logarithms of the shares that fit best (EM, from the known ones)."""
        base, shares = self.finest.initial(values), self.shares.expand(*self.event_shape, -1)
        no_logits = torch.zeros(*self.event_shape, self.finest.count, shares.shape[-1])
        log_p_by_resolution = self._distribution(base, no_logits).per_resolution(values)
        for _ in range(MAX_EM_STEPS):
            expected_counts = torch.softmax(log_p_by_resolution + shares.log(), -1).sum(0) + PRIOR_COUNT * (shares > 0)
            shares = expected_counts / expected_counts.sum(-1, keepdim=True)
        known = self.shares.clamp_min(MIN_SHARE).log()
        raw = known + self.shift.inverse(shares.clamp_min(MIN_SHARE).log() - known)
        logits = raw.movedim(-1, 0).expand(self.finest.count, -1, *self.event_shape)
        return torch.cat([base, logits.flatten().to(torch.float32)])

    def match(self, parameters: Tensor, values: Tensor, counted: Tensor, drawn: Tensor) -> None:
        """Offsets of the resolutions with which numbers are round as often among the draws as among the rows.

        A number is of the class of the coarsest multiple that divides it. z that remembers how a row was rounded leaves
        the finest distribution its own share of round numbers besides, so that draws would have too many. The offset is
        moved by the logarithm of wanted over drawn shares until both agree (iterative proportional fitting; Deming and
        Stephan 1940), or until it is ±3. `counted` and `drawn` are how often each cell of the rows and of the draws
        counts; a column whose draws do not count stays as it is.
        """
        wanted = self._classes(values.unsqueeze(-1), counted.unsqueeze(-1)).sum((0, -2))
        some = (drawn > 0).any(0).unsqueeze(-1) & (self.shares > 0) & (wanted > 0)
        for _ in range(ROUNDS):
            distribution = self(parameters)
            chance = self._classes(distribution.draws_per_resolution(), drawn.unsqueeze(-1))
            components = torch.softmax(distribution.finest.mixture.logits, -1).unsqueeze(-1)
            moved = torch.zeros_like(wanted)
            for _ in range(PASSES):
                share = (components * torch.softmax(distribution.logits + moved.unsqueeze(-2), -1)).sum(-2)
                drawn_shares = (share.unsqueeze(-1) * chance).sum((0, -2))
                gap = (wanted / wanted.sum(-1, keepdim=True)).log() - (
                    drawn_shares / drawn_shares.sum(-1, keepdim=True)
                ).log()
                moved = moved + MOVED_SHARE * gap.nan_to_num(0.0, 0.0, 0.0).where(some, 0.0)
            self.offset = (self.offset + moved).clamp(-MAX_OFFSET, MAX_OFFSET)

    def _classes(self, values: Tensor, counted: Tensor) -> Tensor:
        """Which class numbers `(rows, *event, n)` are of, times how often they count: `(rows, *event, n, classes)`."""
        place = (values.to(torch.float64) / self.levels.step.unsqueeze(-1)).round().unsqueeze(-1)
        divides = (place % self.multiples.unsqueeze(-2) == 0) & (self.shares > 0).unsqueeze(-2)
        number = torch.arange(divides.shape[-1], device=values.device)
        coarsest = torch.where(divides, number, 0).amax(-1, keepdim=True)
        return (coarsest == number) * counted.unsqueeze(-1)
