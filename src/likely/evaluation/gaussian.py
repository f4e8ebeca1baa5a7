"""Normal laws of rows by the chain rule, and their mixtures: what simpler models of the same data reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from likely.evaluation.cells import Cells, Seen

__all__ = ["Chain", "Moments", "Training", "full", "leading", "ppca"]

CHUNK = 2**21
RIDGES = (1e-6, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1)
STRETCHES = tuple(2.0 ** (power / 2) for power in range(-2, 7))
# A stretch other than 1 must gain this many nats per squared unit of its logarithm.
RELUCTANCE = 2.0
# Cells held out in all; more cells a row than MANY are held out once.
HELD, MANY_CELLS = 2**20, 1024
PART = 4096


@dataclass(frozen=True, eq=False)
class Chain:
    """A mixture of normal laws of the cells' values, each cell scored given the values before it.

    With Σ = L Lᵀ and u = L⁻¹(y − μ), the law of y_j given y_1..y_{j−1} is N(y_j − L_jj u_j, L_jj²). A cell on a grid
    has the mass of [x_j − δ/2, x_j + δ/2] under it, with deviation f_j L_jj; a real cell its density (f_j = 1). The
    stretch f_j makes up for values that were rounded to a coarse grid before the moments were taken; any f > 0 is again
    a normal law. log P(x) = log Σ_k w_k Π_j P_k(x_j|x_1..x_{j−1}).

    Attributes
    ----------
    cells
        What the cells are.
    log_weights, means
        `(components,)` and `(components, cells)`, in standardised units.
    factors
        L, `(components, cells, cells)`, or `(1, cells, cells)`: one for all components.
    stretch
        f, `(cells,)`.

    """

    cells: Cells
    log_weights: Tensor
    means: Tensor
    factors: Tensor
    stretch: Tensor

    @classmethod
    def of(cls, cells: Cells, weights: Tensor, means: Tensor, covariances: Tensor) -> Chain:
        """From weights `(components,)`, means and covariances, unstretched."""
        return cls(cells, weights.log(), means, torch.linalg.cholesky(covariances), torch.ones_like(means[0]))

    @property
    def deviations(self) -> Tensor:
        """L_jj, `(components or 1, cells)`."""
        return self.factors.diagonal(dim1=-2, dim2=-1)

    def innovations(self, y: Tensor) -> Tensor:
        """L⁻¹(y − μ), `(components, rows, cells)`."""
        away = y - self.means.unsqueeze(1)
        if len(self.factors) > 1:
            return torch.linalg.solve_triangular(self.factors, away.mT, upper=False).mT
        flat = torch.linalg.solve_triangular(self.factors[0], away.flatten(0, 1).mT, upper=False).mT
        return flat.unflatten(0, away.shape[:2])

    def joint(self, seen: Seen) -> Tensor:
        """log w_k P_k(x), `(components, rows)`."""
        deviations = (self.deviations * self.stretch).unsqueeze(1)
        u = self.innovations(seen.y) / self.stretch
        return self.cells.log_mass(seen, u, deviations).sum(-1) + self.log_weights.unsqueeze(1) + seen.log_support

    def log_prob(self, seen: Seen) -> Tensor:
        """log P(x), `(rows,)`, in nats."""
        size = max(1, CHUNK // self.means.numel())
        parts = [slice(first, first + size) for first in range(0, len(seen.y), size)]
        return torch.cat([torch.logsumexp(self.joint(seen.take(part)), 0) for part in parts])

    def likeliest(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """u and L_jj of each row's likeliest component, `(rows, cells)` each; unstretched, by the density."""
        u = self.innovations(seen.y)
        fit = self.log_weights[:, None] - 0.5 * u.square().sum(-1) - self.deviations.log().sum(-1)[:, None]
        number = fit.argmax(0)
        deviations = self.deviations[number if len(self.factors) > 1 else torch.zeros_like(number)]
        return u[number, torch.arange(len(number))], deviations

    def calibrated(self, seen: Seen) -> Chain:
        """With the stretch chosen by held-out rows, each given to its likeliest component."""
        return replace(self, stretch=stretched([self], [seen])[0])


def stretched(chains: Sequence[Chain], held: Sequence[Seen]) -> tuple[Tensor, float]:
    """The stretch of each gridded cell that gives most mass to rows held out from each chain, and Σ log P of the rows.

    Parameters
    ----------
    chains, held
        Laws of the same cells, and for each the rows that it was not fitted to.

    """
    cells, seen = chains[0].cells, Seen.joined(held)
    parts = [chain.likeliest(rows) for chain, rows in zip(chains, held, strict=True)]
    u, deviations = (torch.cat(part) for part in zip(*parts, strict=True))
    if (cells.step == 0).all():
        return torch.ones_like(cells.step), float(cells.log_mass(seen, u, deviations).sum())
    fits = torch.stack([cells.log_mass(seen, u / f, deviations * f).sum(0) for f in STRETCHES])
    choices = torch.tensor(STRETCHES, dtype=torch.float64)
    gains = fits - RELUCTANCE * choices.log().square()[:, None]
    gains = torch.where((cells.step == 0) & (choices[:, None] != 1), -torch.inf, gains)
    best, number = gains.max(0)
    return choices[number], float(best.sum())


@dataclass(frozen=True, eq=False)
class Moments:
    """Number of rows, sum of y `(cells,)` and of y yᵀ `(cells, cells)`."""

    rows: int
    total: Tensor
    outer: Tensor

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.rows + other.rows, self.total + other.total, self.outer + other.outer)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.rows - other.rows, self.total - other.total, self.outer - other.outer)

    @property
    def mean(self) -> Tensor:
        return self.total / self.rows

    @property
    def covariance(self) -> Tensor:
        return self.outer / self.rows - torch.outer(self.mean, self.mean)


def moments(seen: Iterable[Seen]) -> Moments:
    """Of rows that come in parts."""
    found = [Moments(len(part.y), part.y.sum(0), part.y.T @ part.y) for part in seen]
    made = found[0]
    for other in found[1:]:
        made = made + other
    return made


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

    cells: Cells
    values: Tensor
    folds: list[Seen]
    moments: Moments
    without: list[Moments]

    @classmethod
    def of(cls, cells: Cells, values: Tensor) -> Training:
        """With the moments taken in float64, a part of the rows at a time."""
        count = min(5, len(values)) if len(cells) <= MANY_CELLS else 1
        size = max(1, min(len(values) // max(2, count), HELD // (count * len(cells))))
        folds = [cells.read(values[size * fold : size * (fold + 1)]) for fold in range(count)]
        total = moments(cells.read(part) for part in values.split(PART))
        return cls(cells, values, folds, total, [total - moments([fold]) for fold in folds])

    def parts(self, *, all_rows: bool) -> Iterator[Seen]:
        """All rows, or all but the first fold, a part at a time."""
        first = 0 if all_rows else len(self.folds[0].y)
        return (self.cells.read(part) for part in self.values[first:].split(PART))


def full(training: Training) -> tuple[Chain, float]:
    """N(μ, S + λ I) in standardised units, and λ: it and the stretch are chosen by cross-validation (Stone 1974)."""
    cells = training.cells
    eye, one = torch.eye(len(cells), dtype=torch.float64), torch.ones(1, dtype=torch.float64)

    def law(found: Moments, ridge: float) -> Chain:
        return Chain.of(cells, one, found.mean[None], (found.covariance + ridge * eye)[None])

    scored = []
    for ridge in RIDGES:
        stretch, score = stretched([law(found, ridge) for found in training.without], training.folds)
        scored.append((score, ridge, stretch))
    _, ridge, stretch = max(scored, key=lambda entry: entry[0])
    return replace(law(training.moments, ridge), stretch=stretch), ridge


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

    def law(found: Moments) -> Chain:
        covariance = found.covariance
        values, vectors = leading(covariance, kept)
        noise = ((covariance.trace() - values.sum()) / (len(cells) - kept)).clamp_min(RIDGES[0])
        w = vectors * (values - noise).clamp_min(0).sqrt()
        return Chain.of(cells, one, found.mean[None], (w @ w.T + noise * eye)[None])

    stretch, _ = stretched([law(found) for found in training.without], training.folds)
    return replace(law(training.moments), stretch=stretch)
