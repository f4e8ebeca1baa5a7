"""The numeric cells of a row, and the mass of a cell under a normal distribution of its value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from likely.data import Column, Schema
from likely.distributions.rescaled import Frame
from likely.distributions.special import HALF_LOG_TWO_PI
from likely.evaluation.baselines.bent import Bent
from likely.evaluation.baselines.numbers import Numbers
from likely.evaluation.baselines.support import Support, two_valued

__all__ = ["NumericCells", "Seen", "columns_of", "in_parts"]

MAX_NARROW = 1e-3  # half of a cell in deviations, below which its mass is width times density
# Numbers at once, few enough for what is computed on the way to stay in the processor's cache.
BLOCK = 2**16


def columns_of(schema: Schema) -> tuple[Column, ...]:
    """One column per cell of a flattened row."""
    return schema.modelled * schema.dims if schema.cells_alike else schema.modelled


def in_parts(values: Tensor, observed: Tensor | None, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Rows and their mask, so many at a time."""
    for first in range(0, len(values), size):
        part = slice(first, first + size)
        yield values[part], None if observed is None else observed[part]


@dataclass(frozen=True, eq=False)
class Seen:
    """Values as the normal distributions see them: `(rows, cells)`.

    Attributes
    ----------
    y
        In standardised units, or on the warped axis; a value outside an inferred range is put on its limit.
    below, above
        How far the value's cell reaches to either side of y, ∞ where it takes the tail, 0 where it has a density:
        `(resolutions, rows, cells)`.
    log_slope
        log dy/dx.
    log_share
        Of each resolution, −∞ where the value is not a multiple of its step: `(resolutions, rows, cells)`, or
        `(1, rows, 1)` of zeros where all cells have one resolution.
    excluded
        The normal distribution has no part in P(x_j): x_j is an atom, or outside the range, or not observed.
    log_support
        log P of an atom, or of a value outside the range; the log of what these leave for the normal distribution else.
    log_spike
        log(π_a/(1 − Σ π)) at a spike of a grid, which adds to the mass of the normal distribution there; −∞ else.
    slot
        Which of the cell's atoms or spikes the value is, −1 where it is none; `None` where the two above count them.
    observed
        Whether the cell has a value, `None` when all have; one that has none counts for nothing.

    """

    y: Tensor
    below: Tensor
    above: Tensor
    log_slope: Tensor
    log_share: Tensor
    excluded: Tensor
    log_support: Tensor
    log_spike: Tensor
    slot: Tensor | None = None
    observed: Tensor | None = None

    @property
    def beside(self) -> Tensor:
        """Whether the normal distribution alone gives P(x_j): x_j is observed, in range, no atom, no spike."""
        return ~self.excluded & torch.isneginf(self.log_spike)

    def take(self, index: slice) -> Seen:
        """The rows of a slice."""
        below, above, share = (part[:, index] for part in (self.below, self.above, self.log_share))
        slot, observed = (None if part is None else part[index] for part in (self.slot, self.observed))
        own = (self.y, self.log_slope, self.excluded, self.log_support, self.log_spike)
        y, slope, excluded, support, spike = (part[index] for part in own)
        return Seen(y, below, above, slope, share, excluded, support, spike, slot, observed)

    @classmethod
    def joined(cls, seen: Sequence[Seen]) -> Seen:
        """Rows one after another."""
        layers = [(rows.below, rows.above, rows.log_share) for rows in seen]
        below, above, share = (torch.cat(parts, 1) for parts in zip(*layers, strict=True))
        own = [(rows.y, rows.log_slope, rows.excluded, rows.log_support, rows.log_spike) for rows in seen]
        y, slope, excluded, support, spike = (torch.cat(parts) for parts in zip(*own, strict=True))
        slot, mask = (
            None if any(part is None for part in parts) else torch.cat([part for part in parts if part is not None])
            for parts in ([rows.slot for rows in seen], [rows.observed for rows in seen])
        )
        return cls(y, below, above, slope, share, excluded, support, spike, slot, mask)


@dataclass(frozen=True, eq=False)
class NumericCells:
    """The cells of a row whose values are numbers, with their base measure: `(cells,)` float64 each.

    A real cell has Lebesgue measure in data units, and counting measure on its atoms besides; every other one has
    counting measure on its grid or its listed numbers. P(x_j) is

    - ε, or a share of it, outside the range or the listed numbers (`Support`), 1 − ε times the rest within;
    - π_a at an atom a, 1 − Σ π times the normal density elsewhere;
    - on a grid Σ_g share_g · [x_j is a multiple of δ_g] · mass of x_j ± δ_g/2, δ_g the multiples of the column's
      resolutions, the first and the last multiple within the range taking the tails; 1 − Σ π of it, and π_a more at a
      spike a;
    - of a listed number the mass up to the middles between it and its neighbours, the outer ones taking the tails.

    Declared limits truncate the normal distribution: its masses are divided by what lies between them.

    The normal distribution is that of y: of x in standardised units, or of x on the axis that the columns' knots bend,
    with cells that reach as far as there, and densities times dy/dx. A real cell on an axis of log x keeps a mass for
    x <= 0, as the model does.

    Attributes
    ----------
    places
        Of the cells in a flattened row.
    shift, scale
        From standardised to data units.
    support
        Ranges, reserves, limits and listed numbers.
    atoms, log_pi
        Numbers with a mass of their own, and log π; −∞ where a cell has fewer: `(cells, most)`.
    multiples, log_shares
        Of the resolutions, `(resolutions, cells)`; 1 and −∞ where a cell has fewer.
    bent
        The warped axis, where y lies on that.

    """

    places: Tensor
    shift: Tensor
    scale: Tensor
    support: Support
    atoms: Numbers
    log_pi: Tensor
    multiples: Tensor
    log_shares: Tensor
    bent: Bent | None = None

    @classmethod
    def of(cls, schema: Schema, fits: Callable[[Column], bool]) -> NumericCells:
        """The cells of a row whose columns fit; atoms have no mass until `with_atoms`."""
        chosen = [(place, column) for place, column in enumerate(columns_of(schema)) if fits(column)]
        columns = [column for _, column in chosen]
        frames = [(0.5, 0.5) if two_valued(column) else (column.mean, column.scale) for column in columns]
        shift, scale = torch.tensor(frames, dtype=torch.float64).view(-1, 2).unbind(1)
        atoms = Numbers.of([column.atoms if column.measure == "mixed" else column.spikes for column in columns])
        levels = [(column.resolutions if column.step else ()) or ((1, 1.0),) for column in columns]
        most = max(map(len, levels), default=1)
        padded = [[*level, *[(1, 0.0)] * (most - len(level))] for level in levels]
        multiples, shares = torch.tensor(padded, dtype=torch.float64).view(-1, most, 2).permute(2, 1, 0)
        return cls(
            torch.tensor([place for place, _ in chosen], dtype=torch.long),
            shift,
            scale,
            Support.of(columns),
            atoms,
            torch.full_like(atoms.table, -torch.inf),
            multiples.long(),
            shares.log(),
        )

    def on_axis(self, schema: Schema) -> NumericCells:
        """The same cells with y on the axis that their columns' knots bend."""
        columns = columns_of(schema)
        return replace(self, bent=Bent.of([columns[place] for place in self.places.tolist()]))

    def with_atoms(self, values: Tensor, observed: Tensor | None = None) -> NumericCells:
        """The cells with the mass of their atoms: π_a = (count + ½)/(n + ½(A + 1)) of A atoms and n observed rows."""
        if not self.atoms.some.any():
            return self
        count, total = torch.zeros_like(self.log_pi), torch.zeros(len(self), dtype=torch.float64)
        slots = torch.arange(self.atoms.table.shape[1])
        for part, mask in in_parts(values, observed, 4096):
            place, at = self.atoms.find(self._own(part).to(torch.float64))
            seen = torch.ones_like(at) if mask is None else self._own(mask)
            total += seen.sum(0)
            count += ((place.unsqueeze(-1) == slots) & (at & seen).unsqueeze(-1)).sum(0)
        share = (count + 0.5) / (total + 0.5 * (self.atoms.sizes + 1)).unsqueeze(1)
        return replace(self, log_pi=torch.where(torch.isfinite(self.atoms.table), share, 0.0).log())

    def beside_atoms(self, values: Tensor, observed: Tensor | None = None) -> Tensor | None:
        """The mask of rows `(rows, *event)` without the cells that are at an atom; `None` where it leaves all."""
        if not self.atoms.some.any():
            return observed
        kept = torch.ones(values.shape, dtype=torch.bool) if observed is None else observed.clone()
        at = self.atoms.find(self._own(values).to(torch.float64))[1]
        kept.flatten(1)[:, self.places] &= ~at
        return kept

    def take(self, keep: Tensor) -> NumericCells:
        """Some of the cells."""
        own = (self.places[keep], self.shift[keep], self.scale[keep], self.support.take(keep), self.atoms.take(keep))
        bent = None if self.bent is None else self.bent.take(keep)
        return NumericCells(*own, self.log_pi[keep], self.multiples[:, keep], self.log_shares[:, keep], bent)

    def __len__(self) -> int:
        return len(self.places)

    @property
    def continuous(self) -> Tensor:
        """Which cells have a density, but at their atoms: `(cells,)`."""
        return self.support.continuous

    def _own(self, rows: Tensor) -> Tensor:
        return rows.flatten(1).cpu().index_select(1, self.places)

    def read(self, values: Tensor, observed: Tensor | None = None, *, shared: bool = True) -> Seen:
        """Encoded rows `(rows, *event)`, and their mask, as the baselines see them.

        `shared`: all components of a mixture have the cells' own shares of atoms and spikes; else they are not counted
        here, and told by their slots.
        """
        x = self._own(values).to(torch.float64)
        outside, (place, atom) = self.support.outside(x), self.atoms.find(x)
        support, spike = self.support.log_share(x, outside), torch.full_like(x, -torch.inf)
        if self.bent is not None:
            support, outside = support + self.bent.log_share(x), outside | ~self.bent.holds(x)
        excluded, slot = outside, None
        if not shared:
            slot = torch.where(atom & ~outside, place, -1)
            excluded = excluded | (atom & self.continuous)
        elif self.atoms.some.any():
            left, held = torch.log1p(-self.log_pi.exp().sum(1)), self.log_pi.gather(1, place.T).T
            alone = atom & self.continuous
            support = support + torch.where(outside & ~self.continuous, 0.0, torch.where(alone, held, left))
            excluded, spike = excluded | alone, torch.where(atom & ~self.continuous, held - left, spike)
        seen = None if observed is None else self._own(observed)
        if seen is not None:
            support, excluded = torch.where(seen, support, 0.0), excluded | ~seen
        kept = torch.minimum(torch.maximum(x, self.support.low), self.support.high)
        below, above, share = self._reach(kept)
        y, below, above, slope = self._placed(kept, below, above)
        return Seen(y, below, above, slope, share, excluded, support, spike, slot, seen)

    def _placed(self, x: Tensor, below: Tensor, above: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """y, how far cells reach from it, and log dy/dx."""
        if self.bent is not None:
            return self.bent.placed(x, below, above)
        y = Frame(self.shift, self.scale).inward(x, torch.float64)
        return y, below / self.scale, above / self.scale, -self.scale.log().expand_as(y)

    def _steps(self) -> tuple[Tensor, Tensor, Tensor]:
        """δ of each resolution, and its least and greatest multiple within range and limits: in data units."""
        step = self.multiples * self.support.step
        low, high = torch.maximum(self.support.low, self.support.first), self.support.high.minimum(self.support.last)
        unit = step.clamp_min(1e-300)
        inner = (low / unit - 1e-6).ceil() * step, (high / unit + 1e-6).floor() * step
        least, most = (torch.where(step > 0, grid, end) for grid, end in zip(inner, (low, high), strict=True))
        return step, least, most

    def _reach(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How far a value's cell reaches down and up in each resolution, in data units, and the log-shares."""
        step, least, most = (part.unsqueeze(1) for part in self._steps())
        half = step / 2
        below = torch.where((x < least + half) & (self.support.first <= self.support.low), torch.inf, half)
        above = torch.where((x > most - half) & (self.support.last >= self.support.high), torch.inf, half)
        below, above = (torch.where(self.continuous, 0.0, reach) for reach in (below, above))
        if self.support.listed.some.any():
            place, _ = self.support.listed.find(x)
            edges = self.support.listed.edges
            down, up = x - edges.gather(1, place.T).T, edges.gather(1, place.T + 1).T - x
            below = torch.where(self.support.listed.some, down, below)
            above = torch.where(self.support.listed.some, up, above)
        if len(self.multiples) == 1:
            return below, above, x.new_zeros((1, len(x), 1))
        count = (x / self.support.step.clamp_min(1e-300)).round().clamp(-(2.0**62), 2.0**62).long()
        divides = count % self.multiples.unsqueeze(1) == 0
        return below, above, torch.where(divides, self.log_shares.unsqueeze(1), -torch.inf)

    def log_mass(self, seen: Seen, u: Tensor, deviation: Tensor) -> Tensor:
        """Log-mass of each cell under a normal distribution of its value, less what `Seen.log_support` counts.

        log Σ_g share_g (Φ(u + above_g/σ) − Φ(u − below_g/σ)) without cancellation; a real cell has log φ(u) − log σ.
        Where the cell has limits both are divided by the normal distribution's mass between them. Nats, with σ in data
        units.

        Parameters
        ----------
        seen
            The values, `(rows, cells)`.
        u
            (y − mean)/deviation, `(*batch, rows, cells)`.
        deviation
            In the units of y; broadcasts against `u`.

        """
        rows = len(seen.y)
        size = max(1, BLOCK * rows // max(1, u.numel()))
        if size >= rows:
            return self._log_mass(seen, u, deviation)
        each = deviation.dim() > 1 and deviation.shape[-2] == rows
        parts = [slice(first, first + size) for first in range(0, rows, size)]
        masses = [
            self._log_mass(seen.take(part), u[..., part, :], deviation[..., part, :] if each else deviation)
            for part in parts
        ]
        return torch.cat(masses, -2)

    def _log_mass(self, seen: Seen, u: Tensor, deviation: Tensor) -> Tensor:
        density = torch.where(self.continuous, seen.log_slope - deviation.log(), -torch.inf)
        layers = [
            share + _log_between(u, below / deviation, above / deviation, density)
            for below, above, share in zip(seen.below, seen.above, seen.log_share, strict=True)
        ]
        ends = self._ends()
        if ends is not None:
            none = torch.full_like(density, -torch.inf)
            for layer, (low, high) in enumerate(zip(*ends, strict=True)):
                between = _log_between(u, (seen.y - low) / deviation, (high - seen.y) / deviation, none)
                layers[layer] = layers[layer] - between
        mass = layers[0] if len(layers) == 1 else torch.logsumexp(torch.stack(layers), 0)
        if not (self.continuous | ~self.atoms.some).all():
            mass = torch.logaddexp(mass, seen.log_spike)
        return torch.where(seen.excluded, mass.new_zeros(()), mass)

    def _ends(self) -> tuple[Tensor, Tensor] | None:
        """Where limits cut the normal distribution, by resolution, in the units of y; `None` where they do not."""
        first, last = self.support.first, self.support.last
        cut = (first > self.support.low, last < self.support.high)
        if not (cut[0] | cut[1]).any():
            return None
        step, least, most = self._steps()
        ends = least - step / 2, most + step / 2
        if self.bent is None:
            low, high = ((end - self.shift) / self.scale for end in ends)
        else:
            low, high = (self.bent.warp(end)[0] for end in ends)
        return torch.where(cut[0], low, -torch.inf), torch.where(cut[1], high, torch.inf)


def _log_between(u: Tensor, below: Tensor, above: Tensor, density: Tensor) -> Tensor:
    """log(Φ(u + above) − Φ(u − below)), or log φ(u) + density where that is finite.

    Taken in the lower tail, and by the density in the middle (to second order) where the cell is narrow.
    """
    flip = u + (above - below) / 2 > 0
    low, high = torch.where(flip, -u - above, u - below), torch.where(flip, below - u, u + above)
    mass: Tensor = torch.special.log_ndtr(high)
    if (low == -torch.inf).all():
        return mass
    ratio = (torch.special.log_ndtr(low) - mass).clamp_max(-1e-300)
    wide = mass + torch.log(-torch.expm1(ratio))
    half, middle = (above + below) / 2, u + (above - below) / 2
    dense = density > -torch.inf
    log_width = torch.where(dense, density, (above + below).log())
    near = log_width - HALF_LOG_TWO_PI - 0.5 * middle.square() + half.square() * (middle.square() - 1) / 6
    return torch.where((half * (1 + middle.abs()) < MAX_NARROW) | dense, near, wide)
