"""The contract of a prior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from likely.distributions import LatentDistribution
from likely.distributions.latent import Space

__all__ = ["Encode", "Prior"]

Encode = Callable[..., LatentDistribution]


class Prior(nn.Module, ABC):
    """P(z).

    Attributes
    ----------
    event_shape
        Shape of z: `(latent,)`.
    needs_posterior
        Whether P(z) is made of Q: such a prior is given Q at every call and never registers it.
    knows_rows
        Whether it knows training rows by their numbers, and so wants those of the rows it was initialised with.
    space
        What z is: `real`, vectors of R^latent; `sphere`, unit vectors; `codes`, one-hot vectors end to end. `None`
        where it is whatever Q's is.

    """

    event_shape: torch.Size
    needs_posterior = False
    knows_rows = False
    space: ClassVar[Space | None] = "real"

    @abstractmethod
    def forward(self, posterior: Encode | None = None, rows: Tensor | None = None) -> LatentDistribution:
        """The distribution over z.

        Parameters
        ----------
        posterior
            Values of rows `(rows, *event)` -> Q(z|x); `covariates` and the mask `observed` are told by these names,
            where there are any.
        rows
            Numbers of the training rows whose z will be asked about, `(batch,)`: for a prior that leaves them out in
            training.

        """

    def initialise(self, values: Tensor, covariates: Tensor | None = None, observed: Tensor | None = None) -> None:
        """Start from training rows `(rows, *event)`, the first of all in their order, their covariates and mask."""
