"""Likelihoods of two and of several unordered values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.distributions.levels import Levels
from likely.likelihoods.base import Likelihood

__all__ = ["Bernoulli", "Categorical"]


class Bernoulli(Likelihood):
    """P(x|z) = Π Bernoulli(x_i; sigmoid(f_i(z))): one logit per cell, support {0, 1}, counting measure."""

    measure = "mass"

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = torch.Size(event_shape)
        self.parameter_shape = torch.Size((*event_shape, 1))

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, cells)` logits -> Bernoulli, `(*batch, *event)`."""
        return distributions.Bernoulli(parameters.unflatten(-1, tuple(self.event_shape)))

    def initial(self, values: Tensor) -> Tensor:
        """Logits of each cell's share of ones, half a row of each value added."""
        ones = values.flatten(1).to(torch.float32).mean(0)
        return torch.logit((ones * len(values) + 0.5) / (len(values) + 1))


class Categorical(Likelihood):
    """P(x|z) = Π (1 − ε) softmax(f_i(z))_{x_i}, and ε for a value never seen: codes, counting measure.

    Parameters
    ----------
    event_shape
        Shape of x.
    categories
        Number of categories: one for all cells, or one per cell.
    reserve
        ε, the mass of unseen values (code −1): one for all cells, or one per cell.
    numbers
        The codes are the numbers 0, 1, ...; ε is shared by the integers outside them, by their distance.

    """

    measure = "mass"
    reserve: Tensor
    absent: Tensor
    last: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        categories: int | Sequence[int],
        reserve: float | Sequence[float] = 0.0,
        *,
        numbers: bool = False,
    ) -> None:
        super().__init__()
        self.numbers = numbers
        self.event_shape = torch.Size(event_shape)
        sizes = torch.as_tensor(categories).expand(self.event_shape)
        widest = int(sizes.max())
        self.parameter_shape = torch.Size((*event_shape, widest))
        self.register_buffer("last", (sizes - 1).to(torch.float64), persistent=False)
        self.register_buffer("absent", torch.arange(widest) >= sizes.unsqueeze(-1), persistent=False)
        self.register_buffer("reserve", torch.as_tensor(reserve, dtype=torch.float32).expand(event_shape).clone())

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, cells * widest)` logits -> Categorical, `(*batch, *event)`."""
        logits = parameters.unflatten(-1, tuple(self.parameter_shape))
        levels = Levels(torch.ones_like(self.last), torch.zeros_like(self.last), self.last, self.reserve)
        known = logits.masked_fill(self.absent, -torch.inf)
        return distributions.Categorical(known, self.reserve, levels if self.numbers else None)

    def initial(self, values: Tensor) -> Tensor:
        """Logarithms of each cell's shares, half a row of each category added."""
        codes = values.flatten(1).long()
        places = torch.arange(self.parameter_shape[-1], device=codes.device)
        counts = torch.stack([(codes == place).sum(0) for place in places], -1) + 0.5
        return (counts / counts.sum(-1, keepdim=True)).log().to(torch.float32).flatten()
