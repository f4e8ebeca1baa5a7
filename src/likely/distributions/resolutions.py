"""Numbers on a grid of which some were recorded to coarser steps than others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.distributions.cell_mixture import choose
from likely.distributions.levels import Levels
from likely.distributions.warped import Warped

__all__ = ["Resolutions"]


class Resolutions(Distribution):
    """P(x) = Σ_g r_g P_g(x), r = softmax(logits): with weight r_g the value was recorded to steps of δ_g; in nats.

    P_g(x) is the mass of x's cell of width δ_g where x is a multiple of δ_g, and 0 elsewhere (counting measure on the
    finest grid), so that P is normalised whatever the weights. Each P_g is of the same underlying law on its own grid.

    Source: Heitjan and Rubin 1990, Inference from coarse data via multiple imputation with application to age heaping
    (values as coarsened to one of several grids; here the weights depend on z, not on the value).

    Parameters
    ----------
    logits
        `(*batch, *event, resolutions)`; −inf where a cell has fewer of them.
    parts
        For each resolution the law on its grid, `(*batch, *event)`, without a reserve.
    levels
        The finest grid, its range, and the mass kept outside it.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(self, logits: Tensor, parts: Sequence[Warped], levels: Levels) -> None:
        self.logits, self.parts, self.levels = logits, list(parts), levels
        super().__init__(logits.shape[:-1], validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which it is computed."""
        return self.logits.dtype

    def expand(self, batch_shape: Any, _instance: Any = None) -> Resolutions:
        shape = torch.Size(batch_shape)
        logits = self.logits.expand(*shape, self.logits.shape[-1])
        return Resolutions(logits, [part.expand(shape) for part in self.parts], self.levels)

    def log_prob(self, value: Tensor) -> Tensor:
        weights = F.log_softmax(self.logits, -1)
        kept = torch.clamp(value.to(torch.float64), self.levels.low, self.levels.high)
        found = []
        for number, part in enumerate(self.parts):
            each = weights[..., number] + part.log_prob(kept)
            found.append(torch.where(part.multiple(kept), each, -math.inf))
        return self.levels.log_prob(torch.logsumexp(torch.stack(found), 0), value)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        weights = torch.softmax(self.logits, -1)
        inside = sum((weights[..., g] * part.cdf(value) for g, part in enumerate(self.parts)), torch.zeros(()))
        return self.levels.cdf(inside, value)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw a resolution, then a value on its grid, within the range."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            chosen = choose(F.log_softmax(self.logits, -1), shape)
            y = self.parts[0].draw(shape)
            x = torch.stack([part.outward(y) for part in self.parts], -1)
            return x.gather(-1, chosen).squeeze(-1)

    @property
    def mean(self) -> Tensor:
        """Of the law before it is cut to any grid, within its range."""
        return self.parts[0].mean

    @property
    def variance(self) -> Tensor:
        """As the mean."""
        return self.parts[0].variance

    @property
    def mode(self) -> Tensor:
        """The most probable of the parts' modes."""
        modes = torch.stack([part.mode for part in self.parts])
        found = torch.stack([self.log_prob(mode) for mode in modes])
        return modes.gather(0, found.argmax(0, keepdim=True)).squeeze(0)
