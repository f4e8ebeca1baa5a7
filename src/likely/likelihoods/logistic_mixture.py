"""The mixture of discretised logistics: levels and grids with more than one mode, colours that depend on each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.distributions.coupled import Grid
from likely.distributions.rescaled import Frame
from likely.errors import ConfigError
from likely.likelihoods.bounds import Bound
from likely.likelihoods.logistic import DiscretisedLogistic
from likely.likelihoods.standardised import MAX_LOG_SCALE, MIN_LOG_SCALE, components, gather, start_mixture

__all__ = ["DiscretisedLogisticMixture"]

# Bound of the coefficients between channels, in standardised units.
MAX_SLOPE = 2.0


class DiscretisedLogisticMixture(DiscretisedLogistic):
    """P(x|z) = Π Σ_k w_ik(z) mass of [x_i − δ/2, x_i + δ/2] under a logistic distribution of f_ik(z) and s_ik(z).

    With `coupled` the event is `(H, W, 3)`, the three channels of a pixel share their component, and the locations of
    green and blue depend linearly on red, and on red and green: the log-probabilities per cell are the conditionals.
    Source: Salimans et al. 2017 (PixelCNN++), sections 2.1 and 2.2.

    Parameters
    ----------
    event_shape
        Shape of x; `3 * count` parameters per cell: logits, locations, log-scales; with `coupled` also a coefficient
        (within ∓2), and the pixel's logits are the sum of its cells' (so that every cell has as many parameters).
    count
        Number of components.
    coupled
        Whether the channels of a pixel depend on each other.
    step, low, high, shift, scale, reserve
        As in `DiscretisedLogistic`.

    """

    def __init__(
        self,
        event_shape: Sequence[int],
        count: int = 5,
        coupled: bool = False,
        step: float | Tensor = 1.0,
        low: float | Tensor = -math.inf,
        high: float | Tensor = math.inf,
        shift: float | Tensor = 0.0,
        scale: float | Tensor = 1.0,
        reserve: float | Tensor = 0.0,
    ) -> None:
        super().__init__(event_shape, step, low, high, shift, scale, reserve)
        if count < 1:
            raise ConfigError(f"logistic mixture: the number of components must be positive, got {count}")
        if coupled and (len(self.event_shape) != 3 or self.event_shape[-1] != 3):
            raise ConfigError(f"logistic mixture: coupled channels need (H, W, 3), got {tuple(self.event_shape)}")
        self.count, self.coupled, self.separate = count, coupled, not coupled
        self.log_scale = Bound(MIN_LOG_SCALE, MAX_LOG_SCALE)
        if coupled:
            self.slope = Bound(-MAX_SLOPE, MAX_SLOPE)
        self.parameter_shape = torch.Size((*event_shape, (4 if coupled else 3) * count))

    @property
    def grid(self) -> Grid:
        """The cells' grid in data units."""
        frame = Frame(self.shift, self.scale)
        return Grid(frame, self.step, self.low, self.high, self.reserve if self._reserves else None)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, numbers)` -> the mixture, `(*batch, *event)`."""
        logits, loc, raw, *rest = components(self, parameters, 4 if self.coupled else 3)
        log_scale = self.log_scale(raw)
        if not self.coupled:
            return distributions.Mixture(logits, self.grid.spread().distribution(loc, log_scale))
        slope = self.slope(rest[0])
        return distributions.CoupledLogisticMixture(logits.sum(-2), loc, log_scale, slope, self.grid)

    def initial(self, values: Tensor) -> Tensor:
        """Each cell's mixture by EM; with `coupled`, of what a regression on the earlier channels leaves."""
        y = Frame(self.shift, self.scale).inward(values.to(torch.float64), torch.float64)
        floor = (self.step / self.scale / 3).expand(self.event_shape)
        if self.coupled:
            return self._initial_coupled(y, floor.flatten(0, 1))
        start = start_mixture(y.flatten(1).unsqueeze(-1), self.count, floor.flatten()[:, None, None])
        logits, loc, deviation = start[0], start[1][:, 0], start[2][:, 0]
        return gather(logits.T, loc.T, self._raw(deviation).T)

    def _raw(self, deviation: Tensor) -> Tensor:
        return self.log_scale.inverse((deviation * math.sqrt(3) / math.pi).log())

    def _initial_coupled(self, y: Tensor, floor: Tensor) -> Tensor:
        y = y.flatten(1, 2)
        red, green, _ = (y - y.mean(0)).unbind(-1)
        alpha = ((red * green).mean(0) / (red.square().mean(0) + 1e-6)).clamp(-1.8, 1.8)
        design = torch.stack([red, green], -1).transpose(0, 1)
        target = (y - y.mean(0))[..., 2].T.unsqueeze(-1)
        square = design.transpose(1, 2) @ design / len(y) + 1e-3 * torch.eye(2, dtype=y.dtype, device=y.device)
        slopes = torch.linalg.solve(square, design.transpose(1, 2) @ target / len(y))[..., 0].clamp(-1.8, 1.8)
        left = torch.stack([y[..., 0], y[..., 1] - alpha * y[..., 0], y[..., 2] - (y[..., :2] * slopes).sum(-1)], -1)
        logits, loc, deviation = start_mixture(left, self.count, floor.unsqueeze(-1))
        coefficients = torch.stack([alpha, slopes[:, 0], slopes[:, 1]], -1).unsqueeze(-1).expand_as(loc)
        shared = (logits / 3).unsqueeze(1).expand_as(loc)
        parts = (shared, loc, self._raw(deviation), self.slope.inverse(coefficients))
        return gather(*(part.permute(2, 0, 1) for part in parts))
