"""Means and covariances of rows, of those with missing cells by EM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from likely.evaluation.baselines.cells import Seen
from likely.evaluation.baselines.chain import alone

__all__ = ["Moments", "moments", "moments_of_observed"]

MAX_STEPS = 60  # of EM, which ends sooner where the moments stand still
MIN_VARIANCE = 1e-6  # of standardised values, so that a matrix can be inverted


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
    """The moments of rows that come in parts."""
    parts = [Moments(len(part.y), part.y.sum(0), part.y.T @ part.y) for part in seen]
    total = parts[0]
    for other in parts[1:]:
        total = total + other
    return total


def moments_of_observed(seen: Seen, *, steps: int = MAX_STEPS, tolerance: float = 1e-3) -> Moments:
    """Expected moments of rows at the normal distribution that is likeliest by their observed cells.

    EM (Dempster, Laird, Rubin 1977; Little and Rubin 2002, Statistical Analysis with Missing Data, section 11.2): the
    missing cells of a row given the observed ones have mean μ_m + Σ_mo Σ_oo⁻¹ (y_o − μ_o) and covariance
    Σ_mm − Σ_mo Σ_oo⁻¹ Σ_om, and the next μ and Σ are the moments of rows completed so. It starts from each cell's own
    mean and variance. Rows that miss the same cells share their matrices. Of complete rows these are the moments
    themselves.

    Parameters
    ----------
    seen
        The rows, in standardised units.
    steps, tolerance
        At most so many steps; fewer where no entry of μ and Σ moves by more than the tolerance.

    """
    if seen.observed is None:
        return moments([seen])
    observed, y = seen.observed, torch.where(seen.observed, seen.y, 0.0)
    patterns, place, count = observed.unique(dim=0, return_inverse=True, return_counts=True)
    rows = observed.sum(0).clamp_min(1)
    mean = y.sum(0) / rows
    covariance = torch.diag((y.square().sum(0) / rows - mean.square()).clamp_min(MIN_VARIANCE))
    now = Moments(0, mean, covariance)
    for _ in range(steps):
        slopes, left = _regressions(covariance, patterns)
        away = torch.where(observed, y - mean, 0.0)
        guessed = mean + (slopes[place] @ away.unsqueeze(-1)).squeeze(-1)
        full = torch.where(observed, y, guessed)
        outer = full.T @ full + torch.einsum("p,pij->ij", count.to(full.dtype), left)
        now = Moments(len(y), full.sum(0), outer)
        moved = max(float((now.mean - mean).abs().max()), float((now.covariance - covariance).abs().max()))
        mean, covariance = now.mean, now.covariance
        if moved < tolerance:
            break
    return now


def _regressions(covariance: Tensor, patterns: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_·o Σ_oo⁻¹, and the covariance that the missing cells have left: `(patterns, cells, cells)` each."""
    raised = covariance + MIN_VARIANCE * torch.eye(len(covariance), dtype=covariance.dtype)
    known = torch.where(patterns.unsqueeze(-2), raised, 0.0)
    slopes = torch.cholesky_solve(known.mT, torch.linalg.cholesky(alone(raised, patterns))).mT
    missing = ~patterns.unsqueeze(-1) & ~patterns.unsqueeze(-2)
    return slopes, torch.where(missing, covariance - slopes @ known.mT, 0.0)
