"""Laws with masses of their own at few numbers, written out for tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import likelihoods

__all__ = ["OfNumbers", "WithAtom"]


class Spiked(Distribution):
    """A mass w at 0, and (1 − w) of a law elsewhere."""

    def __init__(self, weight: Tensor, base: Distribution) -> None:
        self.weight, self.base = weight, base
        super().__init__(weight.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.where(value == 0, self.weight.log(), torch.log1p(-self.weight) + self.base.log_prob(value))

    def cdf(self, value: Tensor) -> Tensor:
        return self.weight * (value >= 0) + (1 - self.weight) * self.base.cdf(value)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        drawn = self.base.sample(sample_shape)
        return torch.where(torch.rand(drawn.shape) < self.weight, 0.0, drawn)


class WithAtom(likelihoods.Likelihood):
    """Parameters: the mass at 0, and the mean of the rest."""

    measure = "mixed"
    event_shape, parameter_shape = torch.Size((2,)), torch.Size((2, 2))

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.share = share

    def forward(self, parameters: Tensor) -> Distribution:
        logit, mean = self.split(parameters)
        return Spiked(self.share * torch.sigmoid(logit), torch.distributions.Normal(mean, 1.0))

    def initial(self, values: Tensor) -> Tensor:
        return values.new_zeros(4)


class Counted(Distribution):
    """P(v_i) = softmax(logits)_i at numbers v."""

    def __init__(self, logits: Tensor, numbers: Tensor) -> None:
        self.log_p, self.numbers = torch.log_softmax(logits, -1), numbers
        super().__init__(logits.shape[:-1], validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.where(value.unsqueeze(-1) == self.numbers, self.log_p, -torch.inf).amax(-1)

    def cdf(self, value: Tensor) -> Tensor:
        return torch.where(self.numbers <= value.unsqueeze(-1), self.log_p.exp(), 0.0).sum(-1)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        return self.numbers[torch.distributions.Categorical(logits=self.log_p).sample(sample_shape)]


class OfNumbers(likelihoods.Likelihood):
    """Parameters: a logit of each number."""

    measure = "mass"

    def __init__(self, numbers: tuple[float, ...]) -> None:
        super().__init__()
        self.event_shape, self.parameter_shape = torch.Size((1,)), torch.Size((1, len(numbers)))
        self.numbers = torch.tensor(numbers, dtype=torch.float64)

    def forward(self, parameters: Tensor) -> Distribution:
        return Counted(torch.stack(self.split(parameters), -1), self.numbers)

    def initial(self, values: Tensor) -> Tensor:
        return values.new_zeros(len(self.numbers))
