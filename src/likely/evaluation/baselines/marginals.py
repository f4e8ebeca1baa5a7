"""The distribution of each cell by itself: frequencies, or a mixture of normals where values are no finite set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from likely.data import Column, Schema
from likely.data.batch import completed
from likely.data.kinds import Kind
from likely.evaluation.baselines.cells import NumericCells, Seen, columns_of, in_parts
from likely.evaluation.baselines.support import Support
from likely.likelihoods.standardised import start_mixture

__all__ = ["Frequencies", "Mixtures", "counted"]

SMOOTHING = (0.01, 0.03, 0.1, 0.3, 0.5, 1.0)  # rows added to each value's count; rows left out choose
COMPONENTS = (1, 2, 3, 5, 8, 12)  # of a column's mixture; rows held out choose
CHUNK_CELLS = 2**21  # scored at once: 16 MiB in float64
MAX_LEVELS = 1024  # integers that a column spans up to which each has a frequency of its own


def counted(column: Column) -> bool:
    """Whether the cell has a finite set of known values, and not too many to be counted one by one."""
    if column.kind == Kind.LEVELS:
        return ((column.high or 0.0) - (column.low or 0.0)) * (column.per_unit or 1) < MAX_LEVELS
    return column.kind in (Kind.BINARY, Kind.LISTED) or column.coded


@dataclass(frozen=True, eq=False)
class Frequencies:
    """P(x_j = v) = (1 − ε)(count + α)/(n + α m) over the m known values; others as in the model's own (`Support`).

    α is one for all cells: the best of a few by leaving each training row out.

    Attributes
    ----------
    places
        Of the counted cells in a flattened row, `(cells,)`.
    support
        Their ranges, reserves and listed numbers.
    log_p
        `(cells, values)`, without ε; −inf beyond a cell's own number of values.

    """

    places: Tensor
    support: Support
    log_p: Tensor

    @classmethod
    def fit(
        cls, schema: Schema, values: Tensor, observed: Tensor | None = None, log_p: Tensor | None = None
    ) -> Frequencies:
        """Frequencies in observed cells of training rows `(rows, *event)`, or those that were counted earlier."""
        chosen = [(place, column) for place, column in enumerate(columns_of(schema)) if counted(column)]
        places = torch.tensor([place for place, _ in chosen], dtype=torch.long)
        frequencies = cls(
            places, Support.of([column for _, column in chosen]), torch.empty(0) if log_p is None else log_p
        )
        return frequencies if log_p is not None else replace(frequencies, log_p=frequencies._count(values, observed))

    def take(self, keep: Tensor) -> Frequencies:
        """Some of the cells."""
        return Frequencies(self.places[keep], self.support.take(keep), self.log_p[keep])

    def _own(self, rows: Tensor) -> Tensor:
        return rows.flatten(1).cpu().index_select(1, self.places)

    def _index(self, x: Tensor) -> Tensor:
        """Which of the known values the nearest one is."""
        step = self.support.step.clamp_min(1e-300)
        last = ((self.support.high - self.support.low) / step).round()
        index = torch.where(self.support.listed.some, 0.0, ((x - self.support.low) / step).round().clamp_min(0))
        return torch.where(self.support.listed.some, self.support.listed.find(x)[0], index.minimum(last)).long()

    def _count(self, values: Tensor, observed: Tensor | None) -> Tensor:
        listed, step = self.support.listed, self.support.step.clamp_min(1e-300)
        spans = ((self.support.high - self.support.low) / step).round() + 1
        sizes = torch.where(listed.some, listed.sizes, spans)
        widest = int(sizes.max()) if len(sizes) else 1
        counts = torch.zeros(len(sizes) * widest, dtype=torch.float64)
        offsets = torch.arange(len(sizes)) * widest
        for part, mask in in_parts(values, observed, 4096):
            x = self._own(part).to(torch.float64)
            known = ~self.support.outside(x)
            known = known if mask is None else known & self._own(mask)
            counts += torch.bincount((self._index(x) + offsets)[known], minlength=len(counts))
        table, known = counts.view(len(sizes), widest), torch.arange(widest) < sizes[:, None]
        total = table.sum(1, keepdim=True)

        def left_out(alpha: float) -> float:
            """Log-probability of each row's values by the counts of the others."""
            share = ((table - 1).clamp_min(0) + alpha) / ((total - 1).clamp_min(0) + alpha * sizes[:, None])
            return float((table * share.log()).sum())

        alpha = max(SMOOTHING, key=left_out)
        return torch.where(known, (table + alpha) / (total + alpha * sizes[:, None]), 0.0).log()

    def log_prob(self, values: Tensor, observed: Tensor | None = None) -> Tensor:
        """Σ_j log P(x_j) over the observed cells, `(rows,)`, in nats."""
        size = max(1, CHUNK_CELLS // max(1, len(self.places)))
        return torch.cat([self._log_prob(*part) for part in in_parts(values, observed, size)])

    def _log_prob(self, values: Tensor, observed: Tensor | None) -> Tensor:
        x = self._own(values).to(torch.float64)
        outside = self.support.outside(x)
        known = self.log_p[torch.arange(len(self.places)), self._index(x)]
        log_p = self.support.log_share(x, outside) + torch.where(outside, 0.0, known)
        return (log_p if observed is None else torch.where(self._own(observed), log_p, 0.0)).sum(1)


@dataclass(frozen=True, eq=False)
class Mixtures:
    """P(x_j) of cells without a finite set of values: a mixture of normals, its cell mass on a grid, its density else.

    Atoms have their own mass (`NumericCells`). Fitted by EM to the values beside them; the number of components is
    chosen per cell from 1, 2, 3, 5, 8, 12 by held-out training rows.

    Attributes
    ----------
    cells
        What the cells are.
    log_weights, means, deviations
        `(cells, components)`, in standardised units; −inf where a cell has fewer components.

    """

    cells: NumericCells
    log_weights: Tensor
    means: Tensor
    deviations: Tensor

    @classmethod
    def fit(cls, cells: NumericCells, values: Tensor, observed: Tensor | None = None) -> Mixtures:
        """The mixtures fitted to observed cells of training rows in random order, whose first fifth chooses."""
        size = max(1, len(values) // 5)
        step = cells.support.step
        floor = torch.where(cells.continuous, 1e-3, (0.1 * step / cells.scale).clamp_max(1e-3))[:, None, None]
        beside = cells.beside_atoms(values, observed)

        def candidates(first: int, counts: tuple[int, ...]) -> list[Mixtures]:
            rows = completed(values[first:], None if beside is None else beside[first:])
            y = cells.read(rows).y.unsqueeze(-1)
            mixtures = [start_mixture(y, min(count, len(y)), floor) for count in counts]
            return [cls(cells, w, means[:, 0], deviations[:, 0]) for w, means, deviations in mixtures]

        if not len(cells):
            return cls(cells, *(torch.zeros((0, 1), dtype=torch.float64) for _ in range(3)))
        held = cells.read(values[:size], None if observed is None else observed[:size])
        scores = torch.stack([one.per_cell(held).mean(0) for one in candidates(size, COMPONENTS)])
        chosen, everything = scores.argmax(0), candidates(0, COMPONENTS)
        chosen_parts = []
        for name, blank in (("log_weights", -torch.inf), ("means", 0.0), ("deviations", 1.0)):
            wide = torch.full((len(COMPONENTS), len(cells), COMPONENTS[-1]), blank, dtype=torch.float64)
            for table, one in zip(wide, everything, strict=True):
                table[:, : one.means.shape[1]] = getattr(one, name)
            chosen_parts.append(wide[chosen, torch.arange(len(cells))])
        return cls(cells, *chosen_parts)

    def per_cell(self, seen: Seen) -> Tensor:
        """log P(x_j), `(rows, cells)`, in nats; 0 of a cell that is not observed."""
        log_mass = torch.full_like(seen.y, -torch.inf)
        for log_weight, mean, deviation in zip(self.log_weights.T, self.means.T, self.deviations.T, strict=True):
            mass = self.cells.log_mass(seen, (seen.y - mean) / deviation, deviation)
            log_mass = torch.logaddexp(log_mass, log_weight + mass)
        return torch.where(seen.excluded, 0.0, log_mass) + seen.log_support

    def log_prob(self, values: Tensor, observed: Tensor | None = None) -> Tensor:
        """Σ_j log P(x_j) over the observed cells, `(rows,)`, in nats."""
        size = max(1, CHUNK_CELLS // max(1, len(self.cells)))
        return torch.cat([self.per_cell(self.cells.read(*part)).sum(1) for part in in_parts(values, observed, size)])
