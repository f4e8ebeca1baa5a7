"""A mixture of discretised logistics whose pixel's channels depend on each other."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.distributions.cell_mixture import choose
from likely.distributions.levels import Levels
from likely.distributions.logistic import DiscretisedLogistic
from likely.distributions.rescaled import Frame

__all__ = ["CoupledLogisticMixture", "Grid"]


class Grid:
    """Where a discretised logistic lives: `step`, `low`, `high` and `reserve` as there, and the frame.

    Each is a number or `(*event)`; `spread` gives the same grid with an axis for the components.
    """

    def __init__(self, frame: Frame, step: Tensor, low: Tensor, high: Tensor, reserve: Tensor | None = None) -> None:
        self.frame, self.step, self.low, self.high, self.reserve = frame, step, low, high, reserve
        self.levels = Levels(step, low, high, reserve)

    def spread(self) -> Grid:
        """The grid's tensors with an axis for components, as parameters `(*batch, *event, components)` need them."""
        frame = Frame(self.frame.shift.unsqueeze(-1), self.frame.scale.unsqueeze(-1))
        step, low, high = self.step.unsqueeze(-1), self.low.unsqueeze(-1), self.high.unsqueeze(-1)
        return Grid(frame, step, low, high, None if self.reserve is None else self.reserve.unsqueeze(-1))

    def distribution(self, loc: Tensor, log_scale: Tensor) -> DiscretisedLogistic:
        """The discretised logistic of these parameters on the grid."""
        return DiscretisedLogistic(loc, log_scale, self.frame, self.step, self.low, self.high, self.reserve)


class CoupledLogisticMixture(Distribution):
    """P(r, g, b) = Σ_k w_k P_k(r) P_k(g|r) P_k(b|r, g), each a discretised logistic, in nats (counting measure).

    In standardised units the location of g is μ_g + α r and that of b is μ_b + β r + γ g (Salimans et al. 2017,
    PixelCNN++, sections 2.1 and 2.2); one component per pixel, w = softmax(logits). `log_prob` is per cell and gives
    the conditionals log P(r), log P(g|r), log P(b|r, g): their sum is the joint. `cdf` is conditional in the same way.
    Where a channel has a value without mass, the later ones are conditioned on the nearest value with some; where it
    is missing they are conditioned on the value that fills it.

    Parameters
    ----------
    logits
        `(*batch, H, W, components)`.
    loc, log_scale
        `(*batch, H, W, 3, components)`, in standardised units.
    coefficients
        α, β, γ: `(*batch, H, W, 3, components)`.
    grid
        The grid of `(H, W, 3)`.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(self, logits: Tensor, loc: Tensor, log_scale: Tensor, coefficients: Tensor, grid: Grid) -> None:
        self.log_weights = F.log_softmax(logits, -1)
        self.loc, self.log_scale, self.coefficients, self.grid = loc, log_scale, coefficients, grid
        super().__init__(loc.shape[:-1], validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which values are read."""
        return self.loc.dtype

    def _locations(self, y: Tensor) -> Tensor:
        """Locations given the channels y `(..., 3, 1 or components)`, in standardised units."""
        red, green = y[..., 0, :], y[..., 1, :]
        alpha, beta, gamma = self.coefficients.unbind(-2)
        shifts = [torch.zeros_like(alpha * red), alpha * red, beta * red + gamma * green]
        return self.loc + torch.stack(shifts, -2)

    def _means(self) -> Tensor:
        """The components' means before the grid cuts them, `(..., 3, components)`."""
        alpha, beta, gamma = self.coefficients.unbind(-2)
        red, green, blue = self.loc.unbind(-2)
        green = green + alpha * red
        return torch.stack([red, green, blue + beta * red + gamma * green], -2)

    @property
    def mean(self) -> Tensor:
        """Mean of the distribution before it is cut to the grid, kept within the range."""
        weights = self.log_weights.exp().unsqueeze(-2)
        return self.grid.frame.outward((weights * self._means()).sum(-1)).clamp(self.grid.low, self.grid.high)

    @property
    def mode(self) -> Tensor:
        """The most probable component's mode, channel by channel."""
        chosen = self.log_weights.argmax(-1, keepdim=True)
        return self._chain(chosen, random=False)

    @property
    def variance(self) -> Tensor:
        """Variance of the distribution before it is cut to the grid."""
        alpha, beta, gamma = self.coefficients.unbind(-2)
        red, green, blue = ((2 * self.log_scale).exp() * (math.pi**2 / 3)).unbind(-2)
        green = green + alpha.square() * red
        blue = blue + beta.square() * red + gamma.square() * green + 2 * alpha * beta * gamma * red
        means, weights = self._means(), self.log_weights.exp().unsqueeze(-2)
        spread = torch.stack([red, green, blue], -2) + (means - (weights * means).sum(-1, keepdim=True)).square()
        return (weights * spread).sum(-1).to(torch.float64) * self.grid.frame.scale.square()

    def expand(self, batch_shape: Any, _instance: Any = None) -> CoupledLogisticMixture:
        shape, k = torch.Size(batch_shape), self.loc.shape[-1]
        loc, log_scale, slope = (part.expand(*shape, k) for part in (self.loc, self.log_scale, self.coefficients))
        return CoupledLogisticMixture(self.log_weights.expand(*shape[:-1], k), loc, log_scale, slope, self.grid)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw a component per pixel, then red, green given red, blue given both, within the range."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            return self._chain(choose(self.log_weights, shape[:-1]), random=True)

    def _chain(self, chosen: Tensor, *, random: bool) -> Tensor:
        picked = chosen.unsqueeze(-2).expand(*chosen.shape[:-1], 3, 1)
        shape = (*chosen.shape[:-1], 3, self.loc.shape[-1])
        parts = (self.loc, self.log_scale, self.coefficients)
        loc, log_scale, coefficients = (part.expand(shape).gather(-1, picked).squeeze(-1) for part in parts)
        values = torch.zeros(loc.shape, dtype=torch.float64, device=loc.device)
        for channel in range(3):
            y = self.grid.frame.inward(values, self.dtype)
            shifts = [torch.zeros_like(y[..., 0]), coefficients[..., 0] * y[..., 0]]
            shifts.append(coefficients[..., 1] * y[..., 0] + coefficients[..., 2] * y[..., 1])
            distribution = self.grid.distribution(loc + torch.stack(shifts, -1), log_scale)
            drawn = distribution.sample() if random else distribution.mode
            values[..., channel] = drawn[..., channel]
        return values

    def _components(self, value: Tensor) -> DiscretisedLogistic:
        y = self.grid.frame.inward(value, self.dtype).unsqueeze(-1)
        return self.grid.spread().distribution(self._locations(y), self.log_scale)

    def _joint(self, value: Tensor, components: DiscretisedLogistic) -> Tensor:
        """log w_k + log P_k of the channels so far: `(..., 3, components)`."""
        return self.log_weights.unsqueeze(-2) + components.log_prob(value.unsqueeze(-1)).cumsum(-2)

    def _possible(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Which values have any mass, and the values with the others put on the grid, for the channels after them."""
        levels = self.grid.levels
        held = levels.holds(value)
        return held, torch.where(held, value, levels.snap(value).to(value.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        held, value = self._possible(value)
        joint = torch.logsumexp(self._joint(value, self._components(value)), -1)
        return torch.where(held, joint - F.pad(joint[..., :-1], (1, 0)), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X_c <= value_c | the channels before c)."""
        _, kept = self._possible(value)
        components = self._components(kept)
        joint = self._joint(kept, components)
        before = torch.cat([self.log_weights.unsqueeze(-2).expand_as(joint[..., :1, :]), joint[..., :-1, :]], -2)
        return (torch.softmax(before, -1) * components.cdf(value.unsqueeze(-1))).sum(-1)
