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
    middle: Tensor
    reach: Tensor

    def __init__(self, low: float | Tensor, high: float) -> None:
        super().__init__()
        least = torch.as_tensor(low, dtype=None if isinstance(low, Tensor) else torch.float64)
        self.register_buffer("low", least)
        self.register_buffer("high", torch.tensor(high, dtype=least.dtype))
        for name in ("middle", "reach"):
            self.register_buffer(name, torch.zeros(()), persistent=False)
        _derive(self)
        self.register_load_state_dict_post_hook(_derive)  # type: ignore[no-untyped-call]

    def forward(self, raw: Tensor) -> Tensor:
        """The decoder's numbers `(*batch, *event)`, bounded."""
        return self.middle + self.reach * torch.tanh((raw - self.middle) / self.reach)

    def inverse(self, value: Tensor) -> Tensor:
        """The numbers that are bounded to these values, which are first kept clear of the ends."""
        inner = ((value - self.middle) / self.reach).clamp(-CLEAR, CLEAR)
        return self.middle + self.reach * torch.atanh(inner)


def _derive(bound: Bound, *_: object) -> None:
    """Compute what the ends give, which each call needs."""
    bound.middle, bound.reach = (bound.low + bound.high) / 2, (bound.high - bound.low) / 2
