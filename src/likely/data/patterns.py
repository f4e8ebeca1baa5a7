"""Which cells of rows are missing together, and how often."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["Patterns"]

MAX_PATTERNS = 10_000  # different sets of missing cells that are kept to draw from


@dataclass(frozen=True, eq=False)
class Patterns:
    """The distinct masks of some rows, and how many rows have each.

    Attributes
    ----------
    observed
        `(patterns, *event)` boolean.
    counts
        `(patterns,)` int64.

    """

    observed: Tensor
    counts: Tensor

    @classmethod
    def of(cls, observed: Tensor) -> Patterns:
        """The patterns of rows `(rows, *event)`; of more than 10,000 patterns those of 10,000 rows evenly spaced."""
        flat = observed.flatten(1).cpu().numpy()
        patterns, counts = np.unique(np.packbits(flat, axis=1), axis=0, return_counts=True)
        if len(patterns) > MAX_PATTERNS:
            return cls.of(observed[torch.arange(MAX_PATTERNS, device=observed.device) * len(observed) // MAX_PATTERNS])
        return cls.from_arrays({"patterns": patterns, "counts": counts}, observed.shape[1:])

    def draw(self, count: int) -> Tensor:
        """Masks `(count, *event)`, each as often as rows have it, by torch's generator."""
        return self.observed[torch.multinomial(self.counts.to(torch.float64), count, replacement=True)]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Masks as bits, `(patterns, bytes)`, and counts."""
        bits = np.packbits(self.observed.flatten(1).numpy(), axis=1)
        return {"patterns": bits, "counts": self.counts.numpy()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], event_shape: Sequence[int]) -> Patterns:
        """Read what `to_arrays` made, for rows of this shape.

        Raises
        ------
        KeyError, ValueError
            If it is something else.

        """
        bits, counts = arrays["patterns"], arrays["counts"]
        if bits.dtype != np.uint8 or bits.shape != (len(counts), -(-math.prod(event_shape) // 8)):
            raise ValueError(f"patterns of shape {bits.shape} for rows of shape {tuple(event_shape)}")
        if counts.dtype.kind not in "iu" or counts.ndim != 1 or not len(counts) or counts.min() < 1:
            raise ValueError("counts of patterns that are no whole numbers from 1 on")
        cells = np.unpackbits(arrays["patterns"], axis=1, count=math.prod(event_shape)).astype(bool)
        return cls(torch.from_numpy(cells.reshape(-1, *event_shape)), torch.from_numpy(arrays["counts"]))
