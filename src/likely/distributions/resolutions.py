"""Numbers on a grid of which some were recorded to coarser steps than others."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.data import Recorded
from likely.distributions.cell_mixture import choose
from likely.distributions.levels import Levels
from likely.distributions.warped import Warped

__all__ = ["Resolutions"]


class Resolutions(Distribution):
    """P(x) = Σ_k w_k r_kg(x) P_kg(x): with weight r_kg a value of component k is one of the class g; in nats.

    The class g(x) is the coarsest of the steps δ_1 < δ_2 < … that divides x, and P_kg(x) the mass under the component
    of x's cell within its class: from half way to the class's number below to half way to the one above
    (`data.Recorded`). The cells of a class cut the line into parts, so that P is normalised whatever the weights
    (counting measure on the finest grid), and the share of the numbers that end in zero is Σ_k w_k r_kg itself. A
    component has weights of its own because frequent numbers may be round or not; r_k = softmax_g(logits).

    Source: Heitjan and Rubin 1990, Inference from coarse data via multiple imputation with application to age heaping
    (values as coarsened to one of several grids; here a grid lacks the numbers of the coarser ones, so that a number
    tells its class, and the weights depend on z, not on the value).

    Parameters
    ----------
    logits
        `(*batch, *event, components, classes)`; where a cell has fewer classes, so low that exp gives 0.
    finest
        The law on the finest grid, `(*batch, *event)`, without a reserve.
    recorded
        The steps and the range.
    reserve
        The mass kept outside the range of the finest grid; `None` where its limits are law.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(self, logits: Tensor, finest: Warped, recorded: Recorded, reserve: Tensor | None = None) -> None:
        assert finest.levels is not None
        self.logits, self.finest, self.recorded, self.reserve = logits, finest, recorded, reserve
        self.levels = Levels(finest.levels.step, finest.levels.low, finest.levels.high, reserve)
        self._joint = F.log_softmax(finest.mixture.logits, -1).unsqueeze(-1) + F.log_softmax(logits, -1)
        left = finest.log_left()
        self._weights = (self._joint if left is None else self._joint + left.unsqueeze(-1)).logsumexp(-2)
        super().__init__(logits.shape[:-2], validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which it is computed."""
        return self.logits.dtype

    def expand(self, batch_shape: Any, _instance: Any = None) -> Resolutions:
        shape = torch.Size(batch_shape)
        logits = self.logits.expand(*shape, *self.logits.shape[-2:])
        return Resolutions(logits, self.finest.expand(shape), self.recorded, self.reserve)

    def _given(self, number: Tensor) -> tuple[Tensor, Warped]:
        """Of each cell's class the log-weight, and the law on the bent axis."""
        shape = torch.broadcast_shapes(number.shape, self.batch_shape)
        index = number.expand(shape)[..., None, None]
        joint = self._joint.expand(*shape, *self._joint.shape[-2:])
        logits = joint.gather(-1, index.expand(*shape, joint.shape[-2], 1)).squeeze(-1)
        return self._weights.expand(*shape, -1).gather(-1, index[..., 0]).squeeze(-1), self.finest.weighing(logits)

    @property
    def shares(self) -> Tensor:
        """Of the classes' probabilities the logarithms, `(*batch, *event, classes)`."""
        return self._weights

    def log_prob(self, value: Tensor) -> Tensor:
        step = self.levels.step
        number, lower, upper = self.recorded.cell((self.levels.snap(value.to(torch.float64)) / step).round())
        weight, law = self._given(number)
        return self.levels.log_prob(weight + law.log_between(lower * step, upper * step), value)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        step = self.levels.step
        total = torch.zeros_like(value, dtype=self.dtype)
        every = self.recorded.last((self.levels.last(value) / step).round())
        for number, last in enumerate(every):
            upper = self.recorded.cell(last.clamp_min(torch.finfo(last.dtype).min))[2]
            weight, law = self._given(torch.full_like(last, number, dtype=torch.long))
            total = total + torch.where(last.isneginf(), 0.0, weight.exp() * law.below(upper * step))
        return self.levels.cdf(total, value)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw a class, then a value of it within the range."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            number = choose(self._weights, shape).squeeze(-1)
            law = self._given(number)[1]
            drawn = law.axis.inverse(law.draw(shape)) / self.levels.step
            return self.recorded.nearest(drawn, number) * self.levels.step

    @property
    def mean(self) -> Tensor:
        """Of the law before it is cut to any grid, within its range."""
        return self.finest.mean

    @property
    def variance(self) -> Tensor:
        """As the mean."""
        return self.finest.variance

    @property
    def mode(self) -> Tensor:
        """The most probable of the values of each class that are next to the finest law's mode and its components."""
        places = [self.finest.mode, *self.finest.outward(self.finest.mixture.loc.double().movedim(-1, 0)).unbind(0)]
        near = torch.stack(places) / self.levels.step
        classes = torch.arange(self.logits.shape[-1], device=near.device)
        values = [self.recorded.nearest(near, number.expand(near.shape)) * self.levels.step for number in classes]
        every = torch.cat(values)
        found = torch.stack([self.log_prob(one) for one in every])
        return every.gather(0, found.argmax(0, keepdim=True)).squeeze(0)
