"""The contract of a prior."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from likely.distributions import LatentDistribution

__all__ = ["Prior"]


class Prior(nn.Module, ABC):
    """P(z).

    Attributes
    ----------
    event_shape
        Shape of z: `(latent,)`.

    """

    event_shape: torch.Size

    @abstractmethod
    def forward(self) -> LatentDistribution:
        """The distribution over z."""
