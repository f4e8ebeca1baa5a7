"""The likelihood of columns on a grid some of whose values are rounded to multiples of its step."""

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
PSEUDOCOUNT = 0.5  # values that EM adds to each resolution of a column, so that no share becomes 0
TOLERANCE = 1e-9  # steps by which a limit may miss a multiple of the step, as quotients are rounded
NO_WEIGHT = -1e4  # logit of a resolution that a column does not have: its share is 0 in float32, with finite gradients
# `match_shares` draws anew in each round, with the offsets of the round before; a pass moves them by a part of the gap,
# as classes overlap and whole steps overshoot.
MAX_ROUNDS, MAX_PASSES, STEP_SHARE = 3, 20, 0.7
MAX_GAP = 1e-3  # nats, of the logarithm of a share, at which passes end
MAX_OFFSET = 3.0  # nats, of the logarithm of a share
MAX_SHIFT = 1.0  # nats that z adds to the logarithm of a share


class Resolutions(Likelihood):
    """P(x|z) = Π Σ_g r_ig(z) P_ig(x_i|z), where P_g has its masses at the multiples of m_g δ, δ the finest grid's step.

    The P_g are one distribution (`Warped`) on grids of step m_g δ; the call gives it as `distributions.Resolutions`.

    Parameters
    ----------
    event_shape
        `(columns,)`; `3 * count` parameters per cell as `Warped` has, then a logit per component and resolution.
    axis, count, step, low, high, reserve, cut
        Warp, number of components, and numbers of the finest grid: as in `likelihoods.Warped`.
    resolutions
        For each column `(m_g, share)` pairs, m_g ascending from 1; the shares are what training starts from.

    Raises
    ------
    ConfigError
        If a column has no resolution, or a multiple is below 1 or leaves no value within the range.

    """

    measure = "mass"
    matches_shares = True
    multiples: Tensor
    shares: Tensor
    offset: Tensor
    log_shares: Tensor
    absent: Tensor

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
        max_resolutions = max(len(column) for column in resolutions)
        self.parameter_shape = torch.Size((*event_shape, (3 + max_resolutions) * count))
        self.finest = Warped(event_shape, axis, count, step, low, high, reserve, cut)
        pairs = torch.tensor([(1.0, 0.0)], dtype=torch.float64).repeat(len(resolutions), max_resolutions, 1)
        for row, column in zip(pairs, resolutions, strict=True):
            row[: len(column)] = torch.tensor(column, dtype=torch.float64)
        self.register_buffer("multiples", pairs[..., 0].clone())
        self.register_buffer("shares", pairs[..., 1].clone())
        self.register_buffer("offset", torch.zeros_like(pairs[..., 1]))
        self.shift = Bound(-MAX_SHIFT, MAX_SHIFT)
        for name in ("log_shares", "absent"):
            self.register_buffer(name, torch.zeros(()), persistent=False)
        _derive(self)
        self.register_load_state_dict_post_hook(_derive)  # type: ignore[no-untyped-call]
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
        """The grid of each resolution, `(resolutions, columns)`, with its multiples in the finest grid's range."""
        step = self.multiples.T * self.finest.step
        low = (self.finest.low / step - TOLERANCE).ceil() * step
        high = (self.finest.high / step + TOLERANCE).floor() * step
        return Levels(step, low, high)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, (3 + resolutions) * count * cells)` -> `distributions.Resolutions`, `(*batch, *event)`."""
        size, per_cell = self.finest.parameter_shape.numel(), (self.finest.count, self.multiples.shape[-1])
        lead, event = parameters.dim() - 1, range(2, 2 + len(self.event_shape))
        logits = parameters[..., size:].unflatten(-1, (*per_cell, *self.event_shape))
        order = (*range(lead), *(lead + place for place in (*event, 0, 1)))
        return self._distribution(parameters[..., :size], logits.permute(order))

    def _distribution(self, parameters: Tensor, resolution_logits: Tensor) -> distributions.Resolutions:
        finest, levels = self.finest, self.levels
        logits, loc, raw = components(finest, parameters, 3)
        unreserved = Levels(levels.step, levels.low, levels.high)
        distribution = distributions.Warped(logits, loc, finest.log_scale(raw), finest.axis, unreserved, cut=finest.cut)
        log_shares, offset = (one.to(loc.dtype) for one in (self.log_shares, self.offset.unsqueeze(-2)))
        resolution_logits = log_shares + self.shift(resolution_logits - log_shares) + offset
        resolution_logits = resolution_logits.masked_fill(self.absent, NO_WEIGHT)
        return distributions.Resolutions(resolution_logits, distribution, self._grids, levels.reserve)

    def initial(self, values: Tensor) -> Tensor:
        """The parameters of the finest grid, then the logarithms of the shares that EM makes of `shares`."""
        base, shares = self.finest.initial(values), self.shares.expand(*self.event_shape, -1)
        no_logits = torch.zeros(*self.event_shape, self.finest.count, shares.shape[-1])
        log_p_by_resolution = self._distribution(base, no_logits).per_resolution(values)
        for _ in range(MAX_EM_STEPS):
            expected_counts = torch.softmax(log_p_by_resolution + shares.log(), -1).sum(0) + PSEUDOCOUNT * (shares > 0)
            shares = expected_counts / expected_counts.sum(-1, keepdim=True)
        log_shares = self.shares.clamp_min(MIN_SHARE).log()
        raw = log_shares + self.shift.inverse(shares.clamp_min(MIN_SHARE).log() - log_shares)
        logits = raw.movedim(-1, 0).expand(self.finest.count, -1, *self.event_shape)
        return torch.cat([base, logits.flatten().to(torch.float32)])

    def match_shares(self, parameters: Tensor, values: Tensor, row_weights: Tensor, draw_weights: Tensor) -> None:
        """Set the offsets so that the draws have the same shares of round numbers as the rows.

        A number is in the class of the coarsest multiple that divides it. Where z knows how a row was rounded, the
        distribution on the finest grid makes round numbers too, so that draws would have too many. The offset is moved
        by the logarithm of the share in the rows over that in the draws until both agree (iterative proportional
        fitting; Deming and Stephan 1940), or until it is ±3. Weights are per cell; a column whose draws have none stays
        as it is.
        """
        in_rows = self._class_weights(values.unsqueeze(-1), row_weights.unsqueeze(-1)).sum((0, -2))
        matched = (draw_weights > 0).any(0).unsqueeze(-1) & (self.shares > 0) & (in_rows > 0)
        for _ in range(MAX_ROUNDS):
            distribution = self(parameters)
            class_weights = self._class_weights(distribution.draws_per_resolution(), draw_weights.unsqueeze(-1))
            components = torch.softmax(distribution.finest.mixture.logits, -1).unsqueeze(-1)
            before, change = torch.softmax(distribution.logits, -1), torch.zeros_like(in_rows)
            for _ in range(MAX_PASSES):
                raised = before * change.exp().to(before.dtype).unsqueeze(-2)
                share = (raised * (components / raised.sum(-1, keepdim=True))).sum(-2)
                in_draws = (share.unsqueeze(-1) * class_weights).sum((0, -2))
                gap = (in_rows / in_rows.sum(-1, keepdim=True)).log() - (
                    in_draws / in_draws.sum(-1, keepdim=True)
                ).log()
                gap = gap.nan_to_num(0.0, 0.0, 0.0).where(matched, 0.0)
                change = change + STEP_SHARE * gap
                if gap.abs().max() < MAX_GAP:
                    break
            self.offset = (self.offset + change).clamp(-MAX_OFFSET, MAX_OFFSET)

    def _class_weights(self, values: Tensor, weights: Tensor) -> Tensor:
        """The weight of each of the numbers `(rows, *event, n)` at its class: `(rows, *event, n, classes)`."""
        index = (values.to(torch.float64) / self.levels.step.unsqueeze(-1)).round().unsqueeze(-1)
        divides = (index % self.multiples.unsqueeze(-2) == 0) & (self.shares > 0).unsqueeze(-2)
        number = torch.arange(divides.shape[-1], device=values.device)
        coarsest = torch.where(divides, number, 0).amax(-1, keepdim=True)
        return (coarsest == number) * weights.unsqueeze(-1)


def _derive(likelihood: Resolutions, *_: object) -> None:
    """Compute what the shares give, which each call needs."""
    likelihood.log_shares = likelihood.shares.clamp_min(MIN_SHARE).log().unsqueeze(-2)
    likelihood.absent = (likelihood.shares == 0).unsqueeze(-2)
