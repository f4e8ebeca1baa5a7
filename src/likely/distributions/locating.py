"""Distributions that look up where values lie once, whatever their parameters are."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

from torch import Tensor
from torch.distributions import Distribution

from likely.data.located import Located

__all__ = ["Locating", "locate", "log_prob_at"]


class Locating(Distribution):
    """A distribution whose `log_prob` has two parts: one of the values and constants, one of the parameters too."""

    @abstractmethod
    def locate(self, value: Tensor) -> Located:
        """What `log_prob_at` needs of values `(*batch, *event)`: no parameter takes part but by its type."""

    @abstractmethod
    def log_prob_at(self, located: Located) -> Tensor:
        """The log-probabilities of the values that were located, per cell, in nats."""

    @final
    def log_prob(self, value: Tensor) -> Tensor:
        return self.log_prob_at(self.locate(value))


def locate(distribution: Distribution, value: Tensor) -> Located:
    """What `log_prob_at` needs of the values: they themselves where the distribution looks nothing up."""
    return distribution.locate(value) if isinstance(distribution, Locating) else value


def log_prob_at(distribution: Distribution, located: Located) -> Tensor:
    """The log-probabilities of values that were located (`locate`)."""
    if isinstance(distribution, Locating):
        return distribution.log_prob_at(located)
    assert isinstance(located, Tensor)
    log_p: Tensor = distribution.log_prob(located)
    return log_p
