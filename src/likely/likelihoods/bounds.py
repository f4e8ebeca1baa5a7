"""Bounds of a distribution's parameters: what decides P(x|z) is stored with the weights, so that it stays as it was."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

__all__ = ["Bound"]

CLEAR = 0.95  # of half the width, within which a start is kept: the gradient at the bounds is 0


@final
class Bound(nn.Module):
    """A smooth bound m + h tanh((r − m)/h): about r near the middle m of [low, high], h wide, and never outside.

    Parameters
    ----------
    low, high
        Its ends, which are buffers: a model that was stored keeps them, whatever later versions start from. A tensor of
        them has one for each cell, and its type is the other's too.

    """

    low: Tensor
    high: Tensor

    def __init__(self, low: float | Tensor, high: float) -> None:
        super().__init__()
        least = torch.as_tensor(low, dtype=None if isinstance(low, Tensor) else torch.float64)
        self.register_buffer("low", least)
        self.register_buffer("high", torch.tensor(high, dtype=least.dtype))

    def forward(self, raw: Tensor) -> Tensor:
        """The decoder's numbers `(*batch, *event)`, bounded."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return middle + half * torch.tanh((raw - middle) / half)

    def inverse(self, value: Tensor) -> Tensor:
        """The numbers that are bounded to these values, which are first kept clear of the ends."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return middle + half * torch.atanh(((value - middle) / half).clamp(-CLEAR, CLEAR))
