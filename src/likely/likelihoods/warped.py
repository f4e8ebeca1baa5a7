"""The likelihood of numeric columns of tables: a mixture of logistics on the axis that training rows warp."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.data import Warp
from likely.distributions.levels import Levels
from likely.distributions.warped import Outside
from likely.errors import ConfigError
from likely.likelihoods.base import Likelihood
from likely.likelihoods.bounds import Bound
from likely.likelihoods.standardised import MAX_LOG_SCALE, MIN_LOG_SCALE, components, gather, start_mixture

__all__ = ["Warped", "scale_bound", "spread", "start"]

# Least deviation of a starting component on the warped axis, where the column's own is 1.
FLOOR = 0.1
GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples modulo 1 spread evenly, however many are taken


class Warped(Likelihood):
    """P(x|z) = Π P(x_i|z), T_i(x_i) ~ Σ_k w_ik(z) Logistic(m_ik(z), s_ik(z)), T_i fixed by the training rows.

    T_i maps the column's marginal distribution to about N(0, 1), so that tails, point masses and modes are in T_i, and
    the decoder says where on it the row lies. A mass on a grid, a density in data units for reals:
    `distributions.Warped` has the formulae and the sources.

    Parameters
    ----------
    event_shape
        Shape of x; `3 * count` parameters per cell: logits, locations, log-scales (0.001 to 10 on the warped axis).
    axis
        T, of every column or one for all cells.
    count
        Number of components.
    step
        δ in data units; `None` for reals.
    low, high
        The range of a grid in data units, whose outer cells reach to infinity; ∓inf for an unbounded grid.
    reserve
        Mass kept for values outside an inferred range, of reals on a logarithmic axis for x <= 0; 0 where the limits
        are hard.
    cut
        Ends that were declared, at which the distribution is truncated: (low, high), ∓inf where there is none. Those of
        a grid are its range too.
    scale
        Of what is kept for x <= 0, in data units.

    All but `axis` and `count` are numbers or `(*event)`.

    Raises
    ------
    ConfigError
        If there are no components, or a grid has a knot within a cell.

    """

    step: Tensor
    low: Tensor
    high: Tensor
    reserve: Tensor
    scale: Tensor
    cut_low: Tensor
    cut_high: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        axis: Warp,
        count: int = 5,
        step: float | Tensor | None = None,
        low: float | Tensor = -math.inf,
        high: float | Tensor = math.inf,
        reserve: float | Tensor = 0.0,
        cut: tuple[float | Tensor, float | Tensor] = (-math.inf, math.inf),
        scale: float | Tensor = 1.0,
    ) -> None:
        super().__init__()
        if count < 1:
            raise ConfigError(f"warped: the number of components must be positive, got {count}")
        self.event_shape = torch.Size(event_shape)
        self.parameter_shape = torch.Size((*event_shape, 3 * count))
        self.axis, self.count, self.log_scale = axis, count, scale_bound()
        self.measure = "density" if step is None else "mass"
        numbers = {"step": math.nan if step is None else step, "low": low, "high": high, "reserve": reserve}
        numbers |= {"scale": scale, "cut_low": cut[0], "cut_high": cut[1]}
        for name, value in numbers.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float64))
        self._reserves = bool((self.reserve > 0).any())
        self._cuts = bool((self.cut_low.isfinite() | self.cut_high.isfinite()).any())
        if step is not None and not axis.bends_between(self.step):
            raise ConfigError("warped: a knot lies within a cell of the grid; knots must be on the edges of cells")

    @property
    def levels(self) -> Levels | None:
        """The grid; `None` for reals."""
        if self.measure == "density":
            return None
        return Levels(self.step, self.low, self.high, self.reserve if self._reserves else None)

    @property
    def cut(self) -> tuple[Tensor, Tensor] | None:
        """The declared ends; `None` where there are none."""
        return (self.cut_low, self.cut_high) if self._cuts else None

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, 3 * count * cells)` -> Warped, `(*batch, *event)`."""
        logits, loc, raw = components(self, parameters, 3)
        outside = Outside(self.reserve, self.scale) if self._reserves and self.measure == "density" else None
        return distributions.Warped(
            logits, loc, self.log_scale(raw), self.axis, self.levels, cut=self.cut, outside=outside
        )

    def initial(self, values: Tensor) -> Tensor:
        """Each cell's mixture by EM on the warped axis, rows of the same value spread evenly over its cell."""
        if self.measure == "density":
            y = self.axis(values)[0]
        else:
            lower, _, width = self.axis.cell(values.to(torch.float64).clamp(self.low, self.high), self.step)
            y = spread(lower, width)
        return start(y, self.count, self.log_scale)


def scale_bound() -> Bound:
    """The bound of log s: s within 0.001 and 10 on the warped axis."""
    return Bound(MIN_LOG_SCALE, MAX_LOG_SCALE)


def spread(lower: Tensor, width: Tensor) -> Tensor:
    """Rows `(rows, *event)` spread evenly over their cells on the warped axis, by the golden ratio."""
    place = (torch.arange(len(lower), device=lower.device, dtype=torch.float64) + 1) * GOLDEN % 1
    return lower + width * place.view(-1, *[1] * (lower.dim() - 1))


def start(y: Tensor, count: int, log_scale: Bound) -> Tensor:
    """Each cell's mixture by EM, from places `(rows, *event)` on the warped axis: logits, locations, raw log-scales."""
    y = y.flatten(1).unsqueeze(-1)
    logits, loc, deviation = start_mixture(y, count, torch.full_like(y[:1, :1], FLOOR))
    raw = log_scale.inverse((deviation * math.sqrt(3) / math.pi).log())
    return gather(logits.T, loc[:, 0].T, raw[:, 0].T)
