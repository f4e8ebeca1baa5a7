"""The contract of a posterior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from likely.distributions import LatentDistribution
from likely.distributions.latent import Space

__all__ = ["Posterior"]


class Posterior(nn.Module, ABC):
    """Q(z|x; φ).

    Attributes
    ----------
    event_shape
        Shape of z: `(latent,)`.
    parameter_shape
        Shape of what the encoder gives per row.
    space
        What z is: `real`, vectors of R^latent; `sphere`, unit vectors; `codes`, one-hot vectors end to end.

    """

    event_shape: torch.Size
    parameter_shape: torch.Size
    space: ClassVar[Space] = "real"

    @abstractmethod
    def forward(self, parameters: Tensor) -> LatentDistribution:
        """Parameters `(batch, numbers)` -> the distribution over z, one per row."""
