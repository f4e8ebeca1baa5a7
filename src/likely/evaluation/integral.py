"""How soon sums over points of z reach log P(x): draws of P(z), quasi-random points of P(z), draws of Q(z|x)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from likely.data import EncodedRows
from likely.data.noise import Stream
from likely.distributions import LatentDistribution
from likely.evaluation.evidence import Evidence
from likely.evaluation.sampling import PerRow, Progress, block_size, chunks, terms_of
from likely.models import Integrated, Model, quantiles, uniform_points

__all__ = ["Convergence", "PointKind", "convergence"]

MAX_ROWS, REPEATS = 16, 2
MAX_POINTS, MAX_DRAWS, MIN_POINTS = 2**12, 2**8, 2**4
MAX_NUMBERS = 2**27  # parameters of P(x|z) at all points, rows and repeats together
FIRST_SEED = 2**21


class PointKind(StrEnum):
    """Where the points of z come from, as it is printed."""

    PRIOR = "draws of P(z)"
    QUASI = "quasi-random points of P(z)"
    POSTERIOR = "weighted draws of Q(z|x)"


@dataclass(frozen=True, eq=False)
class Convergence:
    """How far log (1/N) Σ_n P(x|z_n) P(z_n)/Q(z_n) lies from log P(x), or the best bound on it, for growing N.

    Attributes
    ----------
    counts
        Kind of points -> N, rising.
    nats
        Kind of points -> for each N the mean, over the rows and some repetitions, of the estimate less the reference,
        in nats: below 0 in expectation (Jensen's inequality) where the reference is log P(x).
    rows, repeats, dimensions
        How many rows were looked at, how often, and the dimension of z.

    """

    counts: Mapping[PointKind, np.ndarray]
    nats: Mapping[PointKind, np.ndarray]
    rows: int
    repeats: int
    dimensions: int


@torch.no_grad()
def convergence(
    model: Model,
    rows: EncodedRows,
    measured: Evidence,
    *,
    reference: np.ndarray | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Convergence | None:
    """Estimates of log P(x) from few and from many points of z, on at most 16 rows; `None` without a row.

    Parameters
    ----------
    model, rows
        The rows encoded and, where that applies, binarised once.
    measured
        The evidence of these rows.
    reference
        log P(x) of the rows, or a bound on it, NaN where there is none, if it is better than that of the evidence.
    seed
        Of the points, and of the choice of rows.
    progress
        Called with (repetitions done, repetitions).

    """
    model.eval()
    best = measured.terms["iwae"] if reference is None else reference
    known = np.flatnonzero(np.isfinite(best))
    keys = rows.keys(seed).cpu().numpy()[known]
    index = np.sort(known[np.argsort(keys, kind="stable")[:MAX_ROWS]])
    most = _most_points(model, len(index))
    if not len(index) or most < MIN_POINTS:
        return None
    some, level = rows.take(torch.from_numpy(index).to(rows.device)), torch.from_numpy(best[index])
    found: dict[PointKind, list[Tensor]] = {}
    for repeat in range(REPEATS):
        for points, weights in _weights(model, some, most, FIRST_SEED + REPEATS * seed + repeat):
            found.setdefault(points, []).append(_running(weights) - level)
        if progress:
            progress(repeat + 1, REPEATS)
    nats = {points: torch.stack(each).mean((0, 2)).numpy() for points, each in found.items()}
    counts = {points: 2 ** np.arange(len(values)) for points, values in nats.items()}
    return Convergence(counts, nats, len(index), REPEATS, model.latent)


def _most_points(model: Model, rows: int) -> int:
    """A power of two: as many points of P(z) as seconds allow."""
    numbers = REPEATS * max(1, rows) * max(1, model.p_x_z.parameter_shape.numel(), model.widest)
    return min(MAX_POINTS, 1 << int(math.log2(max(1, MAX_NUMBERS // numbers))))


def _weights(model: Model, rows: EncodedRows, most: int, seed: int) -> Iterator[tuple[PointKind, Tensor]]:
    """log P(x|z_n) P(z_n)/Q(z_n) at all points, of each kind: `(points, rows)`, float64."""
    p = model.p_z() if isinstance(model, Integrated) else model.prior()
    generator = torch.Generator(p.like.device).manual_seed(seed)
    yield PointKind.PRIOR, _at(model, rows, p.from_noise(p.noise(torch.Size((most,)), generator)))
    if p.noise_size <= SobolEngine.MAXDIM:
        z = quantiles(p, uniform_points(most, p.noise_size, seed).to(p.like.device))
        yield PointKind.QUASI, _at(model, rows, z)
    if not model.summed:
        yield PointKind.POSTERIOR, _of_posterior(model, rows, p, min(most, MAX_DRAWS), seed)


def _at(model: Model, rows: EncodedRows, z: Tensor) -> Tensor:
    """log P(x|z_n), the points being the same for all rows: `(points, rows)`."""
    batch = rows.evaluation_batch(torch.arange(len(rows), device=rows.device))
    block, parts = block_size(model, rows, len(z), size=len(rows)), []
    for part in z.split(block):
        codes = part.unsqueeze(1) if batch.covariates is None else part.unsqueeze(1).expand(-1, len(rows), -1)
        parts.append(model.log_px_z(batch, codes).expand(-1, len(rows)).to(torch.float64).cpu())
    return torch.cat(parts)


def _of_posterior(model: Model, rows: EncodedRows, p: LatentDistribution, draws: int, seed: int) -> Tensor:
    per_row, block = PerRow(), block_size(model, rows, draws, size=len(rows))
    for chunk in chunks(rows, seed, len(rows)):
        drawn = terms_of(model, chunk, p, stream=Stream.POSTERIOR, samples=draws, block=block)
        per_row.add(chunk, weights=torch.cat([terms.log_weight for _, terms in drawn]).to(torch.float64).T)
    return per_row.tensor("weights").T


def _running(weights: Tensor) -> Tensor:
    """The logarithm of the mean of the first 1, 2, 4, 8, ... weights: `(counts, rows)`."""
    totals = weights.logcumsumexp(0)
    places = 2 ** torch.arange(int(math.log2(len(weights))) + 1)
    return totals[places - 1] - places.to(totals).log().unsqueeze(1)
