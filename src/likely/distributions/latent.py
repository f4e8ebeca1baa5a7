"""What a law of z must do beyond torch's contract."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor
from torch.distributions import Distribution

__all__ = ["LatentDistribution"]


class LatentDistribution(Distribution):
    """A law of z `(latent,)` that can be drawn from given noise, so that evaluation can key its noise by the row."""

    @abstractmethod
    def from_noise(self, noise: Tensor) -> Tensor:
        """Standard normal noise `(sample, *batch, latent)` -> draws of z, of the same shape."""
