"""The full Gaussian and probabilistic PCA of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from likely.evaluation.baselines.cells import NumericCells, Seen
from likely.evaluation.baselines.chain import Chain, adjusted
from likely.evaluation.baselines.moments import Moments, moments, moments_of_observed

__all__ = ["Training", "full", "leading", "ppca"]

RIDGES = (1e-6, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1)  # added to variances of order one; rows held out choose
# Numbers held out in all; rows of more cells than that are held out once.
MAX_HELD, MANY_CELLS = 2**20, 1024
CHUNK_ROWS = 4096  # whose moments are added at once
# Of rows with missing cells so many at least, and more as far as the work (rows x cells^3) allows; folds of them.
MIN_ROWS, MAX_WORK, FOLDS = 1000, 5e7, 3


@dataclass(frozen=True, eq=False)
class Training:
    """Training rows in random order.

    Attributes
    ----------
    cells
        The numeric cells.
    values
        Encoded rows `(rows, *event)`.
    folds
        Parts of the rows, the first ones in order, each held out once; together all rows, or at most about 2^20 cells.
    moments
        Of all rows.
    without
        Of all rows but each fold's.

    """

    cells: NumericCells
    values: Tensor
    folds: list[Seen]
    moments: Moments
    without: list[Moments]

    @classmethod
    def of(cls, cells: NumericCells, values: Tensor, observed: Tensor | None = None) -> Training:
        """The rows with their moments, taken in float64, a part at a time; of rows with missing cells by EM."""
        if observed is not None:
            return cls._of_observed(cells, values, observed)
        count = min(5, len(values)) if len(cells) <= MANY_CELLS else 1
        size = max(1, min(len(values) // max(2, count), MAX_HELD // (count * len(cells))))
        folds = [cells.read(values[size * fold : size * (fold + 1)]) for fold in range(count)]
        total = moments(cells.read(part) for part in values.split(CHUNK_ROWS))
        return cls(cells, values, folds, total, [total - moments([fold]) for fold in folds])

    @classmethod
    def _of_observed(cls, cells: NumericCells, values: Tensor, observed: Tensor) -> Training:
        most = max(MIN_ROWS, int(MAX_WORK / len(cells) ** 3))
        seen = cells.read(values[:most], observed[:most])
        count = min(FOLDS, len(seen.y))
        size = max(1, len(seen.y) // max(2, count))
        cuts = [(slice(size * fold, size * (fold + 1)), slice(0, size * fold)) for fold in range(count)]
        rest = [Seen.joined([seen.take(first), seen.take(slice(held.stop, None))]) for held, first in cuts]
        folds = [seen.take(held) for held, _ in cuts]
        return cls(cells, values, folds, moments_of_observed(seen), [moments_of_observed(rows) for rows in rest])

    def parts(self, *, all_rows: bool) -> Iterator[Seen]:
        """All rows, or all but the first fold, a part at a time."""
        first = 0 if all_rows else len(self.folds[0].y)
        return (self.cells.read(part) for part in self.values[first:].split(CHUNK_ROWS))


def full(training: Training) -> tuple[Chain, float]:
    """N(μ, S + λ I) in standardised units, and λ: it and the stretch are chosen by cross-validation (Stone 1974)."""
    cells = training.cells
    eye, one = torch.eye(len(cells), dtype=torch.float64), torch.ones(1, dtype=torch.float64)

    def fitted(moments: Moments, ridge: float) -> Chain:
        return Chain.of(cells, one, moments.mean[None], (moments.covariance + ridge * eye)[None])

    scored = []
    for ridge in RIDGES:
        adjustment, score = adjusted([fitted(moments, ridge) for moments in training.without], training.folds)
        scored.append((score, ridge, adjustment))
    _, ridge, adjustment = max(scored, key=lambda entry: entry[0])
    return replace(fitted(training.moments, ridge), adjustment=adjustment), ridge


def leading(covariance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The greatest eigenvalues and their vectors; of very large matrices by subspace iteration."""
    size = len(covariance)
    if size <= MANY_CELLS or 4 * count > size:
        values, vectors = torch.linalg.eigh(covariance)
        return values[size - count :], vectors[:, size - count :]
    basis = torch.randn((size, count + 16), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for _ in range(20):
        basis = torch.linalg.qr(covariance @ basis)[0]
    values, rotation = torch.linalg.eigh(basis.T @ covariance @ basis)
    return values[16:], (basis @ rotation)[:, 16:]


def ppca(training: Training, latent: int) -> Chain:
    """Probabilistic principal component analysis in standardised units: N(μ, W Wᵀ + σ² I).

    W = U_q (Λ_q − σ² I)^½ from the leading eigenvectors and eigenvalues of the covariance, σ² the mean of the other
    eigenvalues, at least 1e-6 (Tipping and Bishop 1999, Probabilistic principal component analysis, section 3.2).
    q = min(latent, cells − 1). The stretch is by cross-validation.
    """
    cells, kept = training.cells, min(latent, len(training.cells) - 1)
    eye, one = torch.eye(len(cells), dtype=torch.float64), torch.ones(1, dtype=torch.float64)

    def fitted(moments: Moments) -> Chain:
        covariance = moments.covariance
        values, vectors = leading(covariance, kept)
        noise = ((covariance.trace() - values.sum()) / (len(cells) - kept)).clamp_min(RIDGES[0])
        w = vectors * (values - noise).clamp_min(0).sqrt()
        return Chain.of(cells, one, moments.mean[None], (w @ w.T + noise * eye)[None])

    adjustment, _ = adjusted([fitted(moments) for moments in training.without], training.folds)
    return replace(fitted(training.moments), adjustment=adjustment)
