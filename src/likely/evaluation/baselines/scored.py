"""The score of rows under a baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from likely.data import EncodedRows

__all__ = ["Baseline", "bits_per_dim"]


@dataclass(frozen=True, eq=False)
class Baseline:
    """The score of some rows under one baseline: a plain model or a compressor.

    Attributes
    ----------
    name
        `marginals`, `gaussian`, `gaussian_mixture`, `gaussian_mixture_warped`, `ppca`, `neural_spline_flow`, or a
        compressor's.
    nats
        log P(x) per row, `(rows,)` float64; `None` for a compressor.
    bits_per_dim
        −mean log P(x)/(cells log 2), cells the mean number of observed ones, or 8 × bytes/(rows × cells).
    kind
        What it is, in words.
    bound
        Whether `nats` are lower bounds on log P(x) in expectation.

    """

    name: str
    nats: np.ndarray | None
    bits_per_dim: float
    kind: str
    bound: bool = False


def bits_per_dim(nats: np.ndarray, rows: EncodedRows) -> float:
    """−mean log P(x)/(cells log 2), cells the mean number of observed ones."""
    cells = float(rows.cells.to(torch.float64).mean())
    return -float(nats.mean()) / (cells * math.log(2)) if cells else math.nan
