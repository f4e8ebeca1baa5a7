"""The likelihood of numeric columns of tables: a mixture of logistics on the axis that the training rows bent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.data import Axis
from likely.distributions.levels import Levels
from likely.errors import ConfigError
from likely.likelihoods.base import Likelihood, bounded, unbounded
from likely.likelihoods.standardised import HIGH, LOW, components, gather, start_mixture

__all__ = ["Warped"]

# Least deviation of a starting component on the bent axis, where the column's own is 1.
FLOOR = 0.1
GOLDEN = (math.sqrt(5) - 1) / 2


class Warped(Likelihood):
    """P(x|z) = Π P(x_i|z), T_i(x_i) ~ Σ_k w_ik(z) Logistic(m_ik(z), s_ik(z)), T_i fixed by the training rows.

    T_i maps the column's marginal law to about N(0, 1), so that tails, point masses and modes are in T_i, and the
    decoder says where on it the row lies. A mass on a grid, a density in data units for reals:
    `distributions.Warped` has the formulae and the sources.

    Parameters
    ----------
    event_shape
        Shape of x; `3 * count` parameters per cell: logits, locations, log-scales (0.001 to 10 on the bent axis).
    axis
        T, of every column or one for all cells.
    count
        Number of components.
    step
        δ in data units; `None` for reals.
    low, high
        The range in data units, whose outer cells reach to infinity; ∓inf for an unbounded grid.
    reserve
        Mass kept for values outside an inferred range; 0 where the limits are law.

    The last four are numbers or `(*event)`.

    Raises
    ------
    ConfigError
        If there are no components, or a grid has a knot within a cell.

    """

    step: Tensor
    low: Tensor
    high: Tensor
    reserve: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        axis: Axis,
        count: int = 5,
        step: float | Tensor | None = None,
        low: float | Tensor = -math.inf,
        high: float | Tensor = math.inf,
        reserve: float | Tensor = 0.0,
    ) -> None:
        super().__init__()
        if count < 1:
            raise ConfigError(f"warped: the number of components must be positive, got {count}")
        self.event_shape = torch.Size(event_shape)
        self.parameter_shape = torch.Size((*event_shape, 3 * count))
        self.axis, self.count = axis, count
        self.measure = "density" if step is None else "mass"
        numbers = {"step": math.nan if step is None else step, "low": low, "high": high, "reserve": reserve}
        for name, value in numbers.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float64))
        self._reserves = bool((self.reserve > 0).any())
        if step is not None and not axis.bends_between(self.step):
            raise ConfigError("warped: a knot lies within a cell of the grid; knots must be on the edges of cells")

    @property
    def levels(self) -> Levels | None:
        """The grid; `None` for reals."""
        if self.measure == "density":
            return None
        return Levels(self.step, self.low, self.high, self.reserve if self._reserves else None)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 3 * count * cells)` -> Warped, `(*batch, *event)`."""
        logits, loc, raw = components(self, parameters, 3)
        return distributions.Warped(logits, loc, bounded(raw, LOW, HIGH), self.axis, self.levels)

    def initial(self, values: Tensor) -> Tensor:
        """Each cell's mixture by EM on the bent axis, rows of the same value spread evenly over its cell."""
        if self.measure == "density":
            y = self.axis(values)[0]
        else:
            lower, _, width = self.axis.cell(values.to(torch.float64).clamp(self.low, self.high), self.step)
            place = (torch.arange(len(values), device=values.device, dtype=torch.float64) + 1) * GOLDEN % 1
            y = lower + width * place.view(-1, *[1] * len(self.event_shape))
        y = y.flatten(1).unsqueeze(-1)
        logits, loc, deviation = start_mixture(y, self.count, torch.full_like(y[:1, :1], FLOOR))
        raw = unbounded((deviation * math.sqrt(3) / math.pi).log(), LOW, HIGH)
        return gather(logits.T, loc[:, 0].T, raw[:, 0].T)
