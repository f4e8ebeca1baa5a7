"""Mixtures of normal distributions of a row, each cell scored given the cells before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from likely.evaluation.baselines.cells import NumericCells, Seen

__all__ = ["Adjustment", "Chain", "adjusted", "alone"]

CHUNK = 2**21  # numbers held at once: 16 MiB in float64
STRETCHES = tuple(2.0 ** (power / 2) for power in range(-2, 7))  # of conditional deviations, tried on rows held out
# A stretch other than 1 must gain this many nats per squared unit of its logarithm.
RELUCTANCE = 2.0
# Added to the sum of squared innovations beside atoms, which may be few.
MIN_SQUARES = 0.01
# Factors of more cells than this are kept in single precision.
MAX_DOUBLE_CELLS = 512


@dataclass(frozen=True, eq=False)
class Adjustment:
    """Offset o and stretch f of each cell's normal distribution given the cells before it, `(cells,)` each."""

    offset: Tensor
    stretch: Tensor

    @classmethod
    def none(cls, cells: int) -> Adjustment:
        """The adjustment that changes nothing: no offset, and stretch 1."""
        return cls(torch.zeros(cells, dtype=torch.float64), torch.ones(cells, dtype=torch.float64))

    def log_mass(self, cells: NumericCells, seen: Seen, u: Tensor, deviations: Tensor) -> Tensor:
        """`NumericCells.log_mass` under the distribution with offset and stretch, `(*batch, rows, cells)`."""
        return cells.log_mass(seen, (u - self.offset) / self.stretch, deviations * self.stretch)


@dataclass(frozen=True, eq=False)
class Chain:
    """A mixture of normal distributions of the cells' values, each cell scored given the values before it.

    With Σ = L Lᵀ and u = L⁻¹(y − μ), the distribution of y_j given y_1..y_{j−1} is N(y_j − L_jj u_j, L_jj²). A cell on
    a grid has its mass under it (`NumericCells`), with deviation f_j L_jj; a real cell its density (f_j = 1). The
    stretch f_j makes up for values that were rounded to a coarse grid before the moments were taken; any f > 0 is again
    a normal distribution. log P(x) = log Σ_k w_k Π_j P_k(x_j|x_1..x_{j−1}).

    The moments are those of all values, atoms among them, and an atom enters the conditions of later cells as the
    number that it is. What lies beside the atoms of a cell has moments of its own: its distribution is
    N(y_j − L_jj (u_j − o_j), f_j² L_jj²), with offset o_j and stretch f_j from held-out rows.

    Where the components have shares of atoms and spikes of their own, P_k(x_j|...) is π_kja at an atom or spike a, and
    1 − Σ_a π_kja times the normal part besides.

    Of a row with missing cells it is the chain of those that are observed, from their own means and covariances.

    Attributes
    ----------
    cells
        What the cells are.
    log_weights, means
        `(components,)` and `(components, cells)`, in standardised units.
    factors
        L, `(components, cells, cells)`, or `(1, cells, cells)`: one for all components.
    adjustment
        Offset and stretch, `(cells,)` each.
    log_pi
        Each component's log π, `(components, cells, most)`; `None` where all have the cells' own.

    """

    cells: NumericCells
    log_weights: Tensor
    means: Tensor
    factors: Tensor
    adjustment: Adjustment
    log_pi: Tensor | None = None

    @classmethod
    def of(cls, cells: NumericCells, weights: Tensor, means: Tensor, covariances: Tensor) -> Chain:
        """A chain of weights `(components,)`, means and covariances, unstretched."""
        return cls(cells, weights.log(), means, torch.linalg.cholesky(covariances), Adjustment.none(len(cells)))

    @property
    def deviations(self) -> Tensor:
        """L_jj, `(components or 1, cells)`."""
        return self.factors.diagonal(dim1=-2, dim2=-1)

    def innovations(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """L⁻¹(y − μ) and L_jj: `(components, rows, cells)`, the latter `(components or 1, rows or 1, cells)`."""
        away = seen.y - self.means.unsqueeze(1)
        if seen.observed is not None:
            return self._of_observed(away, seen.observed)
        deviations = self.deviations.unsqueeze(1)
        if len(self.factors) > 1:
            solved: Tensor = torch.linalg.solve_triangular(self.factors, away.mT, upper=False)
            return solved.mT, deviations
        together: Tensor = torch.linalg.solve_triangular(self.factors[0], away.flatten(0, 1).mT, upper=False)
        return together.mT.reshape(away.shape), deviations

    def _of_observed(self, away: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """The same with each row's own L, of the covariance of its observed cells; the others have 0 and 1."""
        patterns, place = observed.unique(dim=0, return_inverse=True)
        covariances = (self.factors @ self.factors.mT).unsqueeze(1)
        factors = torch.linalg.cholesky(alone(covariances, patterns))[:, place]
        away = torch.where(observed, away, 0.0).unsqueeze(-1)
        u: Tensor = torch.linalg.solve_triangular(factors.expand(len(away), -1, -1, -1), away, upper=False)
        return u.squeeze(-1), factors.diagonal(dim1=-2, dim2=-1)

    def seen(self, values: Tensor, observed: Tensor | None = None) -> Seen:
        """Encoded rows as this distribution sees them."""
        return self.cells.read(values, observed, shared=self.log_pi is None)

    def joint(self, seen: Seen) -> Tensor:
        """log w_k P_k(x), `(components, rows)`."""
        u, deviations = self.innovations(seen)
        mass = self.adjustment.log_mass(self.cells, seen, u, deviations)
        if self.log_pi is not None and seen.slot is not None:
            mass = _with_shares(mass, self.log_pi, seen, self.cells.continuous)
        return mass.sum(-1) + self.log_weights.unsqueeze(1) + seen.log_support.sum(-1)

    def log_prob(self, seen: Seen) -> Tensor:
        """log P(x), `(rows,)`, in nats."""
        size = max(1, CHUNK // (self.means.numel() * (1 if seen.observed is None else len(self.cells))))
        parts = [slice(first, first + size) for first in range(0, len(seen.y), size)]
        return torch.cat([torch.logsumexp(self.joint(seen.take(part)), 0) for part in parts])

    def likeliest(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """u and L_jj of each row's likeliest component, `(rows, cells)` each; unstretched, by the density."""
        u, deviations = self.innovations(seen)
        fit = self.log_weights[:, None] - 0.5 * u.square().sum(-1) - deviations.log().sum(-1)
        number, row = fit.argmax(0), torch.arange(u.shape[1])
        return u[number, row], deviations.expand_as(u)[number, row]

    def calibrated(self, seen: Seen) -> Chain:
        """The chain with offset and stretch that suit held-out rows, each given to its likeliest component."""
        return replace(self, adjustment=adjusted([self], [seen])[0])

    def stored(self) -> tuple[Chain, dict[str, np.ndarray]]:
        """The chain as arrays will give it back, and the arrays: L as lower triangles, in single precision if large."""
        wide = len(self.cells) > MAX_DOUBLE_CELLS
        factors = self.factors.to(torch.float32 if wide else torch.float64)
        row, column = torch.tril_indices(*factors.shape[1:]).unbind(0)
        parts = {"log_weights": self.log_weights, "means": self.means}
        parts |= {"offset": self.adjustment.offset, "stretch": self.adjustment.stretch}
        parts |= {} if self.log_pi is None else {"log_pi": self.log_pi}
        arrays = {name: part.numpy() for name, part in parts.items()} | {"factors": factors[:, row, column].numpy()}
        return replace(self, factors=factors.to(torch.float64)), arrays

    @classmethod
    def read(cls, cells: NumericCells, arrays: Mapping[str, np.ndarray]) -> Chain:
        """The chain that the arrays of `stored` describe."""
        parts = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        row, column = torch.tril_indices(len(cells), len(cells)).unbind(0)
        factors = torch.zeros((len(parts["factors"]), len(cells), len(cells)), dtype=torch.float64)
        factors[:, row, column] = parts["factors"].to(torch.float64)
        adjustment = Adjustment(parts["offset"], parts["stretch"])
        return cls(cells, parts["log_weights"], parts["means"], factors, adjustment, parts.get("log_pi"))


def _with_shares(mass: Tensor, log_pi: Tensor, seen: Seen, continuous: Tensor) -> Tensor:
    """Log-masses `(components, rows, cells)` with each component's own shares of atoms and spikes."""
    slot = torch.zeros_like(seen.excluded, dtype=torch.long) if seen.slot is None else seen.slot
    at = (slot >= 0) if seen.observed is None else (slot >= 0) & seen.observed
    left = torch.log1p(-log_pi.exp().sum(-1)).unsqueeze(1)
    held = log_pi.gather(2, slot.clamp_min(0).T.expand(len(log_pi), -1, -1)).mT
    beside = torch.where(seen.excluded & ~at, mass, left + mass)
    return torch.where(at, torch.where(continuous, held, torch.logaddexp(beside, held)), beside)


def alone(covariances: Tensor, observed: Tensor) -> Tensor:
    """The covariance of the observed cells, and the identity of the others: `(*, cells, cells)`, by masks `(*, cells)`.

    Its Cholesky factor is that of the observed cells, in their order, and has nothing between them and the others.
    """
    together = observed.unsqueeze(-1) & observed.unsqueeze(-2)
    return torch.where(together, covariances, torch.diag_embed((~observed).to(covariances.dtype)))


def adjusted(chains: Sequence[Chain], held: Sequence[Seen]) -> tuple[Adjustment, float]:
    """Offsets and stretches that suit rows held out from each chain, and Σ log P of the rows' normal parts.

    Of a gridded cell the stretch that gives most mass; of a cell with atoms, mean and deviation of the innovations u
    beside them; of one with spikes the better of both.

    Parameters
    ----------
    chains, held
        Distributions of the same cells, and for each the rows that it was not fitted to.

    """
    cells, seen = chains[0].cells, Seen.joined(held)
    parts = [chain.likeliest(rows) for chain, rows in zip(chains, held, strict=True)]
    u, deviations = (torch.cat(part) for part in zip(*parts, strict=True))
    adjustment, mixed = Adjustment.none(len(cells)), cells.atoms.some
    if mixed.any():
        beside = seen.beside.to(u.dtype)
        count, enough = beside.sum(0).clamp_min(1), mixed & (beside.sum(0) > 1)
        offset = torch.where(enough, (beside * u).sum(0) / count, 0.0)
        variance = ((beside * (u - offset).square()).sum(0) + MIN_SQUARES) / count
        adjustment = Adjustment(offset, torch.where(enough, variance.sqrt(), 1.0))
    score = adjustment.log_mass(cells, seen, u, deviations).sum(0)
    if cells.continuous.all():
        return adjustment, float(score.sum())
    fits = torch.stack([cells.log_mass(seen, u / f, deviations * f).sum(0) for f in STRETCHES])
    choices = torch.tensor(STRETCHES, dtype=torch.float64)
    best, number = (fits - RELUCTANCE * choices.log().square()[:, None]).max(0)
    moved = cells.continuous | (mixed & (score > best))
    offset, stretch = (
        torch.where(moved, adjustment.offset, 0.0),
        torch.where(moved, adjustment.stretch, choices[number]),
    )
    return Adjustment(offset, stretch), float(torch.where(moved, score, best).sum())
