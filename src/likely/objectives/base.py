"""The contract of an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from likely.data import Batch
from likely.errors import ConfigError
from likely.models import Model, Terms

__all__ = ["Loss", "Objective", "require"]


class Objective(ABC):
    """What training maximises, per row, in nats. What is reported as the ELBO is always the ELBO, never this.

    Attributes
    ----------
    couples_rows
        Whether a row's value depends on the other rows of its batch.
    couples_processes
        Whether, where it does, these may be in other processes: it gathers then what it needs of them.

    """

    couples_rows: ClassVar[bool] = False
    couples_processes: ClassVar[bool] = False

    @property
    @abstractmethod
    def is_bound(self) -> bool:
        """Whether the value is, in expectation and at `kl_weight` 1, at most log P(x); never with relaxed codes."""

    @property
    @abstractmethod
    def samples(self) -> int | tuple[int, int]:
        """Samples of z per row; two numbers where they are used in two ways."""

    @abstractmethod
    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, nats, and the terms it was made of.

        The gradient that flows back through the value is the objective's own, which need not be the value's derivative.
        `kl_weight` rises from 0 to 1 in warm-up; each class says what it scales. All random numbers come from the
        `generator`; torch's own unless given.
        """


class Loss(nn.Module):
    """What is minimised: minus the objective, averaged over the rows of a batch by their weights."""

    def __init__(self, model: Model, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(
        self, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """The loss, and the terms that it was made of."""
        value, terms = self.objective(self.model, batch, kl_weight, generator)
        return -batch.average(value), terms


def require(holds: bool, message: str) -> None:
    """Raise a `ConfigError` with this message unless the condition holds.

    Raises
    ------
    ConfigError
        With the message, unless the condition holds.

    """
    if not holds:
        raise ConfigError(message)
