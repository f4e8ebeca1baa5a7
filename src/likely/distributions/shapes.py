"""Shapes of tensors."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["broadcast_shapes"]


def broadcast_shapes(*shapes: tuple[int, ...]) -> torch.Size:
    """The one shape that tensors of these shapes broadcast to; torch's own function loads sympy, for half a second."""
    return torch.Size(np.broadcast_shapes(*shapes))
