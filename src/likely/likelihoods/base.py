"""The contract of a likelihood."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from likely.data.kinds import Measure

__all__ = ["Likelihood"]


class Likelihood(nn.Module, ABC):
    """P(x|z; θ), a family normalised over a stated support and base measure.

    Attributes
    ----------
    event_shape
        Shape of x.
    parameter_shape
        Shape of what the decoder gives per row: `(*event, parameters per cell)`; the decoder's last layer fits it
        (flat, one parameter of all cells after the other).
    measure
        `mass` (counting measure), `density` (Lebesgue measure in data units), or `mixed`.
    exposed
        Means are in proportion to each row's exposure: the call is given its logarithm too.
    matches
        `match` has something to set.

    """

    event_shape: torch.Size
    parameter_shape: torch.Size
    measure: Measure
    exposed: bool = False
    matches: bool = False

    @abstractmethod
    def forward(self, parameters: Tensor) -> Distribution:
        """Parameters `(*batch, numbers)` -> the distribution of x, one per cell: `(*batch, *event)`.

        Its `log_prob` takes x in data units and gives nats per cell. An exposed one is also given `log_exposure`,
        `(rows, 1)`: the logarithm of each row's exposure.
        """

    @abstractmethod
    def initial(self, values: Tensor) -> Tensor:
        """Parameters `(numbers,)` of the best z-free model of these rows `(rows, *event)`: independent marginals.

        The decoder's last bias starts there.
        """

    def match(self, parameters: Tensor, values: Tensor, counted: Tensor, drawn: Tensor) -> None:
        """Set what does not depend on z so that shares of the draws are those of the training rows, where asked for.

        Parameters
        ----------
        parameters
            The decoder's output for draws of z from the prior, `(draws, numbers)`.
        values, counted
            Training rows, and how often each of their cells counts (0: missing): `(rows, *event)`.
        drawn
            How often each cell of a draw counts, `(draws, *event)`.

        """

    def split(self, parameters: Tensor) -> tuple[Tensor, ...]:
        """The decoder's output, cut into one tensor `(*batch, *event)` per parameter of a cell."""
        shaped = parameters.unflatten(-1, (self.parameter_shape[-1], *self.event_shape))
        return tuple(shaped.unbind(-1 - len(self.event_shape)))
