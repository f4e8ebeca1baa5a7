"""The contract of a prior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from likely.distributions import LatentDistribution
from likely.distributions.latent import Space

__all__ = ["Encode", "FromPosterior", "Prior"]

Encode = Callable[..., LatentDistribution]


class _OverCodes(nn.Module):
    """What every P(z) states.

    Attributes
    ----------
    event_shape
        Shape of z: `(latent,)`.
    space
        What z is: `real`, vectors of R^latent; `sphere`, unit vectors; `codes`, one-hot vectors end to end. `None`
        where it is whatever Q's is.

    """

    event_shape: torch.Size
    space: ClassVar[Space | None] = "real"


class Prior(_OverCodes, ABC):
    """P(z), which depends on its own parameters alone.

    Attributes
    ----------
    event_shape
        Shape of z: `(latent,)`.
    space
        What z is: `real`, vectors of R^latent; `sphere`, unit vectors; `codes`, one-hot vectors end to end.

    """

    @abstractmethod
    def forward(self) -> LatentDistribution:
        """The distribution over z."""


class FromPosterior(_OverCodes, ABC):
    """P(z) made of Q(z|x) at some rows: it is given Q at every call, and never registers it.

    Attributes
    ----------
    event_shape
        Shape of z: `(latent,)`.
    space
        What z is, as for a `Prior`; `None` where it is whatever Q's is.
    knows_rows
        Whether it knows training rows by their numbers, and so wants those of the rows it was initialised with.

    """

    knows_rows: ClassVar[bool] = False

    @abstractmethod
    def forward(self, posterior: Encode, rows: Tensor | None = None) -> LatentDistribution:
        """The distribution over z.

        Parameters
        ----------
        posterior
            Values of rows `(rows, *event)` -> Q(z|x); `covariates` and the mask `observed` are given by these names,
            where there are any.
        rows
            Numbers of the training rows whose z will be asked about, `(batch,)`: for a prior that leaves them out in
            training.

        """

    @abstractmethod
    def initialise(self, values: Tensor, covariates: Tensor | None = None, observed: Tensor | None = None) -> None:
        """Start from training rows `(rows, *event)`, the first of all in their order, their covariates and mask."""
