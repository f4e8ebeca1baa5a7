"""What the likelihoods of real cells share: the change of units, the bounds of a learned scale, and EM for a start."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from likely.distributions.rescaled import Frame
from likely.likelihoods.base import Likelihood

__all__ = ["MAX_LOG_SCALE", "MIN_LOG_SCALE", "Standardised", "components", "gather", "start_mixture"]

# log of the least and greatest learned scale, in units of the cell's scale: a density without a floor has no maximum.
MIN_LOG_SCALE, MAX_LOG_SCALE = math.log(1e-3), math.log(10.0)


class Standardised(Likelihood):
    """A likelihood whose parameters are in standardised units y = (x − shift)/scale.

    Parameters
    ----------
    event_shape
        Shape of x.
    numbers
        Parameters per cell.
    shift, scale
        Numbers or `(*event)`, in data units.

    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self, event_shape: Sequence[int], numbers: int, shift: float | Tensor = 0.0, scale: float | Tensor = 1.0
    ) -> None:
        super().__init__()
        self.event_shape = torch.Size(event_shape)
        self.parameter_shape = torch.Size((*event_shape, numbers))
        self.register_buffer("shift", torch.as_tensor(shift, dtype=torch.float64))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float64))

    @property
    def frame(self) -> Frame:
        """From standardised to data units."""
        return Frame(self.shift, self.scale)

    def inward(self, values: Tensor) -> Tensor:
        """Rows `(rows, *event)` in data units -> `(rows, cells)` in standardised units, float64."""
        return self.frame.inward(values.to(torch.float64), torch.float64).flatten(1)


def gather(*parameters: Tensor) -> Tensor:
    """Starting values, one tensor `(cells,)` per parameter, in the order in which `split` cuts them."""
    return torch.cat([parameter.flatten() for parameter in parameters]).to(torch.float32)


def components(likelihood: Likelihood, parameters: Tensor, kinds: int) -> tuple[Tensor, ...]:
    """The decoder's output as `kinds` tensors `(*batch, *event, components)`."""
    shape = (likelihood.parameter_shape[-1], *likelihood.event_shape)
    last = parameters.unflatten(-1, shape).movedim(-1 - len(likelihood.event_shape), -1)
    return tuple(last.chunk(kinds, -1))


def start_mixture(y: Tensor, count: int, floor: Tensor, steps: int = 30) -> tuple[Tensor, Tensor, Tensor]:
    """A mixture of diagonal normals per cell by EM (Dempster, Laird, Rubin 1977), started at groups of ranks.

    Parameters
    ----------
    y
        `(rows, cells, dims)`; a cell's dims share its components. At most 2000 rows are used.
    count
        Number of components.
    floor
        Least deviation, which broadcasts against `(cells, dims, count)`.

    Returns
    -------
    Log-weights `(cells, count)`, means and deviations `(cells, dims, count)`.

    """
    rows = min(2000, max(200, int(4e6 / (y[0].numel() * count))))
    y = y[:: max(1, len(y) // rows)].to(torch.float64)
    ranks = y.sum(-1).argsort(0).argsort(0)
    share = torch.nn.functional.one_hot(ranks * count // len(y), count).to(torch.float64)
    log_weights = means = deviations = torch.zeros(0)
    for _ in range(steps):
        total = share.sum(0) + 1e-3
        log_weights = (total / total.sum(-1, keepdim=True)).log()
        means = torch.einsum("rck,rcd->cdk", share, y) / total.unsqueeze(1)
        squares = torch.einsum("rck,rcd->cdk", share, y.square()) / total.unsqueeze(1)
        deviations = torch.maximum((squares - means.square()).clamp_min(0).sqrt(), floor)
        away = ((y.unsqueeze(-1) - means) / deviations).square()
        share = torch.softmax(log_weights - (0.5 * away + deviations.log()).sum(-2), -1)
    return log_weights, means, deviations
