"""The likelihood of columns that hold a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from likely import distributions
from likely.data import Warp
from likely.distributions.listed import Numbers
from likely.distributions.logistics import OPEN
from likely.errors import ConfigError
from likely.likelihoods.base import Likelihood
from likely.likelihoods.standardised import components
from likely.likelihoods.warped import scale_bound, spread, start

__all__ = ["Listed"]

MAX_PASSES, MAX_OFFSET = 20, 3.0  # over the draws; nats by which the mass of a number is moved
MIN_MASS = 1e-300  # in the place of 0 where it divides


class Listed(Likelihood):
    """P(x|z) = Π P(x_i|z) over the numbers v_1 < ... < v_m of each column, in order, and one event for any other.

    The masses are those of a mixture of logistics between places on the column's warped axis: `distributions.Listed`.

    Parameters
    ----------
    event_shape
        `(columns,)`; `3 * count` parameters per cell as `Warped` has.
    axis
        T of every column, ascending between its numbers; beyond the outermost knots it is not used.
    numbers
        Of each column, ascending.
    count
        Number of components.
    reserve
        ε of each column.

    Raises
    ------
    ConfigError
        If a column's numbers do not rise, or are fewer than two.

    """

    measure = "mass"
    matches_shares = True
    values: Tensor
    edges: Tensor
    reserve: Tensor
    offset: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        axis: Warp,
        numbers: Sequence[Sequence[float]],
        count: int = 5,
        reserve: float | Tensor = 0.0,
    ) -> None:
        super().__init__()
        self.event_shape, self.axis, self.count = torch.Size(event_shape), axis, count
        self.log_scale = scale_bound()
        self.parameter_shape = torch.Size((*event_shape, 3 * count))
        table = torch.full((len(numbers), max(map(len, numbers))), torch.inf, dtype=torch.float64)
        for row, column in zip(table, numbers, strict=True):
            row[: len(column)] = torch.tensor(list(column), dtype=torch.float64)
        if min(map(len, numbers)) < 2 or (table.diff() <= 0).any():
            raise ConfigError("listed: each column needs two numbers or more, rising")
        middle = (table[:, :-1] + table[:, 1:]) / 2
        places = axis(middle.nan_to_num(posinf=0.0).T)[0].T
        self.register_buffer("values", table)
        self.register_buffer("edges", places.where(table[:, 1:].isfinite(), OPEN))
        self.register_buffer("reserve", torch.as_tensor(reserve, dtype=torch.float64).expand(len(numbers)).clone())
        self.register_buffer("offset", torch.zeros_like(table))
        self._matched = False
        nn.Module.register_load_state_dict_pre_hook(self, _loaded)

    @property
    def numbers(self) -> Numbers:
        """The numbers that the columns hold."""
        return Numbers(self.values, self.edges, self.reserve, self.offset if self._matched else None)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 3 * count * columns)` -> Listed, `(*batch, columns)`."""
        logits, loc, raw = components(self, parameters, 3)
        return distributions.Listed(logits, loc, self.log_scale(raw), self.numbers)

    def initial(self, values: Tensor) -> Tensor:
        """Each cell's mixture by EM, rows of the same number spread evenly between its edges."""
        place, _ = self.numbers.place(values)
        ends = self.axis.y[:, :1], self.axis.y.where(self.axis.y.isfinite(), -torch.inf).amax(1, keepdim=True)
        inner = torch.minimum(torch.maximum(self.edges, ends[0]), ends[1])
        edges = torch.cat([ends[0], inner, ends[1]], 1).expand(*place.shape, -1)
        lower, upper = (edges.gather(-1, (place + more).unsqueeze(-1)).squeeze(-1) for more in (0, 1))
        return start(spread(lower, upper - lower), self.count, self.log_scale)

    def match_shares(self, parameters: Tensor, values: Tensor, row_weights: Tensor, draw_weights: Tensor) -> None:
        """Set the offsets so that each number has the same share in the draws as in the rows.

        They are moved by the logarithm of the share in the rows over that in the draws until both agree (iterative
        proportional fitting; Deming and Stephan 1940), or until they are ±3. A column whose draws have no weight stays
        as it is.
        """
        place, known = self.numbers.place(values)
        here = torch.arange(self.values.shape[1], device=values.device) == place.unsqueeze(-1)
        wanted = (here * (row_weights * known).unsqueeze(-1)).sum(0)
        some = (draw_weights > 0).any(0).unsqueeze(-1) & (wanted > 0)
        chance = self(parameters).probs.to(torch.float64) * draw_weights.unsqueeze(-1)
        offset = torch.zeros_like(self.offset)
        for _ in range(MAX_PASSES):
            weighted = chance * offset.exp()
            share = (weighted * (draw_weights / weighted.sum(-1).clamp_min(MIN_MASS)).unsqueeze(-1)).sum(0)
            gap = (wanted / wanted.sum(-1, keepdim=True)).log() - (share / share.sum(-1, keepdim=True)).log()
            offset = offset + gap.nan_to_num(0.0, 0.0, 0.0).where(some, 0.0)
        mean = (wanted * offset).sum(-1, keepdim=True) / wanted.sum(-1, keepdim=True).clamp_min(MIN_MASS)
        self.offset = (self.offset + (offset - mean)).clamp(-MAX_OFFSET, MAX_OFFSET)
        self._matched = True


def _loaded(likelihood: Listed, weights: dict[str, Tensor], prefix: str, *_: object) -> None:
    likelihood._matched = bool(weights.get(f"{prefix}offset", likelihood.offset).any())
