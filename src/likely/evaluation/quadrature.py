"""How far the finite mixture that an integrated model is lies from the integral over z that it stands for."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.evaluation.evidence import Evidence
from likely.evaluation.sampling import SUMMED_ROWS, PerRow, Progress
from likely.models import Integrated

__all__ = ["Quadrature", "quadrature"]

SCRAMBLES, TIMES = 4, 4  # other point sets, and how many times the points of the model each of them has
MAX_ROWS = 1000
FIRST_SEED = 2**20  # of the other scrambles


@dataclass(frozen=True)
class Quadrature:
    """log P(x) of the model's own points beside that of others, which are nearer to the integral over P(z).

    Attributes
    ----------
    points, scrambles, reference_points
        The model's points; how many other scrambles, and the points of each of these.
    rows
        How many rows were looked at, chosen by their content.
    bias, bias_se
        Mean over the rows of log P(x) of the model less that of all the other points together, and its standard error
        over rows, in nats.
    spread
        Standard deviation, over the other scrambles, of their mean of log P(x) over the rows, in nats.

    """

    points: int
    scrambles: int
    reference_points: int
    rows: int
    bias: float
    bias_se: float
    spread: float

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


@torch.no_grad()
def quadrature(
    model: Integrated,
    rows: EncodedRows,
    measured: Evidence,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Quadrature:
    """The difference between log P(x) of the model and of the integral that it stands for, on at most 1,000 rows.

    The integral is estimated by four other scrambles of four times as many points.

    Parameters
    ----------
    model, rows
        The rows encoded and, where that applies, binarised once.
    measured
        The evidence of these rows, which is exact.
    seed
        Of the other scrambles, and of the choice of rows.
    progress
        Called with (rows done, rows).

    """
    model.eval()
    index = rows.keys(seed).cpu().argsort(stable=True)[:MAX_ROWS].sort().values
    some, count = rows.take(index.to(rows.device)), TIMES * model.stored
    points = [model.fresh_codes(count, FIRST_SEED + SCRAMBLES * seed + number) for number in range(SCRAMBLES)]
    per_row = PerRow()
    for chunk in per_row.chunks(some, seed, min(SUMMED_ROWS, len(some)), progress=progress):
        each: list[Tensor] = [model.sums_over(chunk.batch, z).log_px for z in points]
        per_row.add(chunk, each=torch.stack(each, 1))
    found = per_row.tensor("each")
    integral = (found.logsumexp(1) - math.log(SCRAMBLES)).numpy()
    counted = measured.counting.take(index.numpy())
    bias = measured.terms["iwae"][index.numpy()] - integral
    means = [counted.mean(one) for one in found.T.numpy()]
    return Quadrature(
        model.stored, SCRAMBLES, count, len(some), counted.mean(bias), counted.se(bias), float(np.std(means, ddof=1))
    )
