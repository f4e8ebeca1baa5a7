"""log P(x) of models whose z are few discrete codes: the sum over all of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.distributions import OneHot
from likely.evaluation.sampling import MAX_NUMBERS, PerRow, block_size
from likely.models import Model

__all__ = ["MAX_CODES", "count_codes", "enumerated"]

MAX_CODES = 4096  # over which log P(x) is summed exactly


def count_codes(model: Model) -> int | None:
    """How many values z has; `None` where z is continuous."""
    p = model.eval().prior()
    return int(p.log_p.shape[-1]) ** int(p.log_p.shape[-2]) if isinstance(p, OneHot) else None


@torch.no_grad()
def enumerated(model: Model, rows: EncodedRows, *, max_numbers: int = MAX_NUMBERS) -> np.ndarray:
    """log P(x) = log Σ_z P(x|z) P(z) over every code z, exact: `(rows,)`, float64, nats.

    Parameters
    ----------
    model, rows
        A model of at most 4,096 codes, and the rows.
    max_numbers
        About how many numbers are held in memory at once.

    """
    model.eval()
    p = model.prior()
    if not isinstance(p, OneHot):
        raise TypeError("only discrete codes can be enumerated")
    codes, per_row = _codes(p), PerRow()
    size = block_size(model, rows, len(codes), max_numbers)
    for chunk in per_row.chunks(rows, 0):
        parts = []
        for part in codes.split(size):
            z = part[:, None].expand(-1, len(chunk.batch), -1)
            parts.append((model.log_px_z(chunk.batch, z) + p.log_prob(z)).to(torch.float64).logsumexp(0))
        per_row.add(chunk, log_px=torch.stack(parts).logsumexp(0))
    return per_row.array("log_px")


def _codes(p: OneHot) -> Tensor:
    """Every code: `(codes, groups * classes)`."""
    groups, classes = p.log_p.shape[-2:]
    numbers = torch.cartesian_prod(*[torch.arange(classes, device=p.like.device)] * groups).view(-1, groups)
    return torch.nn.functional.one_hot(numbers, classes).flatten(1).to(p.like)
