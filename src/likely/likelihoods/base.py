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
    matches_shares
        Whether `match_shares` has anything to set.
    separate
        Whether cells are independent of each other given z.

    """

    event_shape: torch.Size
    parameter_shape: torch.Size
    measure: Measure
    exposed: bool = False
    matches_shares: bool = False
    separate: bool = True

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

    def located(self, values: Tensor) -> Tensor | None:  # noqa: ARG002
        """Parameters `(rows, numbers)` that place each row's P(x|z) at its values; 0 where a number is no place.

        `None` of a family whose parameters are no places on an axis of x.
        """
        return None

    def match_shares(self, parameters: Tensor, values: Tensor, row_weights: Tensor, draw_weights: Tensor) -> None:
        """Set constants that training does not learn, so that values have the shares in draws that they have in rows.

        Parameters
        ----------
        parameters
            The decoder's output for draws of z from the prior, `(draws, numbers)`.
        values, row_weights
            Training rows, and the weight of each of their cells (0: missing): `(rows, *event)`.
        draw_weights
            The weight of each cell of a draw, `(draws, *event)`.

        """

    def split(self, parameters: Tensor) -> tuple[Tensor, ...]:
        """The decoder's output, cut into one tensor `(*batch, *event)` per parameter of a cell."""
        shaped = parameters.unflatten(-1, (self.parameter_shape[-1], *self.event_shape))
        return tuple(shaped.unbind(-1 - len(self.event_shape)))
