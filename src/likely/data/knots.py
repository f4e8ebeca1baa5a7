"""Knots of a column's warp, from its training rows alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from likely.data.kinds import Kind
from likely.data.schema import Column

__all__ = ["Knots", "listed_knots", "spikes", "warp_knots", "with_knots"]

Knots = tuple[tuple[float, float], ...]

MIN_STEPS, MAX_STEPS = 4, 64  # steps of equal mass between knots
MIN_STEP_ROWS = 25  # rows in a step: enough to place its edges within a fifth of it
MIN_TAIL_ROWS = 10  # rows in an outer step that may still be halved, and of a spike
MAX_SPIKES, MIN_SPIKE_ROWS = 100, 5  # values with a cell of their own on the axis; training rows that hold each
MIN_SPIKE_RATIO = 3  # of a spike's rows to those of the values beside it: ages of 30 and 31 are no spikes
MAX_GAP_PASSES = 3  # times that steps are searched for gaps
MAX_RISE = 8.0  # deviations that the warp may rise beyond the rows in the length of their range
MIN_RISE = 1e-9  # from knot to knot, so that the warp rises strictly
MIN_POSITIVE, MAX_POSITIVE = 1e-300, 1e300  # data units of which logarithms are taken


def with_knots(column: Column, numbers: np.ndarray) -> Column:
    """The column with the knots of its observed values `(rows,)`, where it is numeric, and its spikes on a grid.

    Atoms and spikes have no part in the knots. A spike holds more than a step between quantiles does, at least 10 rows
    and one in a hundred, and at least three times what the values next to it do: ages of 30 and 31 are no spikes.
    """
    if not column.numeric:
        return column
    if column.kind == Kind.LISTED:
        return replace(column, knots=listed_knots(numbers))
    if column.per_unit is None:
        return replace(column, knots=warp_knots(numbers[~np.isin(numbers, column.atoms)], None, column.kind))
    held = np.empty(0) if column.kind == Kind.DATE else _standing_out(numbers, column.per_unit)
    rest = numbers[~np.isin(np.round(numbers * column.per_unit), np.round(held * column.per_unit))]
    if len(np.unique(rest)) < 2:
        held, rest = np.empty(0), numbers
    knots = warp_knots(rest, column.per_unit, column.kind)
    return replace(column, knots=knots, spikes=tuple(np.sort(held).tolist()))


def listed_knots(numbers: np.ndarray) -> Knots:
    """Knots half way between the distinct numbers, at the normal scores of the share of rows below them."""
    values, counts = np.unique(np.asarray(numbers, dtype=np.float64), return_counts=True)
    if len(values) < 2:
        return ()
    gaps = np.diff(values)
    places = np.concatenate([[values[0] - gaps[0] / 2], values[:-1] + gaps / 2, [values[-1] + gaps[-1] / 2]])
    below = np.concatenate([[0], np.cumsum(counts)])
    scores = [NormalDist().inv_cdf(float(one)) for one in (below + 0.5) / (counts.sum() + 1)]
    return tuple(zip(places.tolist(), scores, strict=True))


def spikes(numbers: np.ndarray, per_unit: int) -> np.ndarray:
    """Values on a grid that hold more of the rows than a step between quantiles does."""
    rows = _Values.of(np.asarray(numbers, dtype=np.float64), per_unit, logarithmic=False)
    return np.asarray(rows.values[rows.spikes()])


def _standing_out(numbers: np.ndarray, per_unit: int) -> np.ndarray:
    """Of these values those that hold many rows, and many more than the two values on each side, spikes left out."""
    rows = _Values.of(np.asarray(numbers, dtype=np.float64), per_unit, logarithmic=False)
    left = rows.counts.copy()
    taken: list[int] = []
    for place in rows.spikes().tolist():
        beside = max(
            (int(left[i]) for i in range(max(0, place - 2), place + 3) if i < len(left) and i != place), default=0
        )
        if rows.counts[place] >= max(MIN_TAIL_ROWS, rows.total / 100, MIN_SPIKE_RATIO * beside):
            left[place] = 0
            taken.append(place)
    return np.asarray(rows.values[taken])


def warp_knots(numbers: np.ndarray, per_unit: int | None, kind: Kind) -> Knots:
    """Knots `(x, y)` of an increasing, piecewise linear map T under which y = T(x) of the column is about N(0, 1).

    y = Φ⁻¹(u), u = (1 − w) (n F(x) + ½)/(n + 1) + w S(x): F is the distribution function of the n rows, S that of the
    uniform distribution between the outermost knots and w = 1/(n + 1), so that a range without rows keeps some mass.
    Normal scores of the ranks are what a Gaussian copula takes for its margins (van der Waerden 1952; Hoff 2007,
    Extending the rank likelihood for semiparametric copula estimation).

    Where the knots are:

    - A value on a grid that holds more than a step of the quantiles is a spike: a knot on either side of its cell.
      Spikes are set aside, the most frequent first, and what is left is cut anew.
    - The rest is cut into steps of equal mass, 2 n^⅓ of them (Rice's rule; Terrell and Scott 1985), at most 64 and
      one for 25 rows, at least 4. The outer steps are halved as long as they hold 10 rows.
    - The least and the greatest value, and both ends of a gap that takes more than half of the range of a
      step of 10 rows or more.
    - One more on either side where T would rise beyond the rows by more than 8 in the length of their range: a
      value out there is unlikely, not impossible.

    Columns on a grid have their knots on the edges of cells, so that T is linear on each cell. For columns of the kind
    `positive` lengths are those of log x, in which T is then linear between knots.

    Parameters
    ----------
    numbers
        `(rows,)`, the observed values of the training rows, in data units.
    per_unit
        The values are multiples of 1/per_unit; `None` for reals, without those that are atoms.
    kind
        Of the column.

    Returns
    -------
    Both coordinates strictly ascending, x in data units; none for reals that are all the same, or within 1e-300.

    """
    rows = _Values.of(np.asarray(numbers, dtype=np.float64), per_unit, kind == Kind.POSITIVE)
    places = rows.places()
    if len(places) < 2:
        return ()
    x = rows.coordinate(places)
    span, share = x[-1] - x[0], 1 / (rows.total + 1)
    if span < MIN_POSITIVE:
        return ()
    u = (1 - share) * (rows.below(places) + 0.5) / (rows.total + 1) + share * (x - x[0]) / span
    scores = np.array([NormalDist().inv_cdf(float(one)) for one in u])
    y = scores + MIN_RISE * np.arange(len(scores))
    knots = list(zip(places.tolist(), y.tolist(), strict=True))
    slope = MAX_RISE / span
    if y[1] - y[0] > slope * (x[1] - x[0]) and (far := rows.beyond(places[0], -span)) < places[0]:
        knots.insert(0, (far, float(y[0] - slope * (x[0] - rows.coordinate(far)))))
    if y[-1] - y[-2] > slope * (x[-1] - x[-2]) and (far := rows.beyond(places[-1], span)) > places[-1]:
        knots.append((far, float(y[-1] + slope * (rows.coordinate(far) - x[-1]))))
    return tuple(knots)


def _steps(rows: int) -> int:
    """Into how many parts of equal mass this many rows are cut."""
    return int(min(MAX_STEPS, max(MIN_STEPS, min(2 * rows ** (1 / 3), rows / MIN_STEP_ROWS))))


@dataclass(frozen=True)
class _Values:
    """A column's values, each once and ascending, with how often they occur."""

    values: np.ndarray
    counts: np.ndarray
    per_unit: int | None
    logarithmic: bool

    @classmethod
    def of(cls, numbers: np.ndarray, per_unit: int | None, logarithmic: bool) -> _Values:
        if per_unit is not None:
            numbers = np.round(numbers * per_unit) / per_unit
        return cls(*np.unique(numbers, return_counts=True), per_unit, logarithmic)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def coordinate(self, x: np.ndarray | float) -> np.ndarray:
        """What lengths are measured in: x or log x."""
        return np.log(np.clip(x, MIN_POSITIVE, MAX_POSITIVE)) if self.logarithmic else np.asarray(x)

    def edge(self, x: np.ndarray | float, side: int) -> np.ndarray:
        """The lower (side −1) or upper (+1) edge of x's cell; x itself where there is no grid."""
        if self.per_unit is None:
            return np.asarray(x)
        return np.asarray((np.round(np.asarray(x) * self.per_unit) + 0.5 * side) / self.per_unit)

    def below(self, places: np.ndarray) -> np.ndarray:
        """How many rows lie below these places; one at a place counts half."""
        cumulative = np.concatenate([[0], np.cumsum(self.counts)])
        left = np.searchsorted(self.values, places)
        right = np.searchsorted(self.values, places, "right")
        return np.asarray((cumulative[left] + cumulative[right]) / 2)

    def beyond(self, place: float, span: float) -> float:
        """A place about this far off, on an edge where there is a grid."""
        far = place * math.exp(max(-600.0, min(600.0, span))) if self.logarithmic else place + span
        far = min(max(far, MIN_POSITIVE if self.logarithmic else -MAX_POSITIVE), MAX_POSITIVE)
        return float(far if self.per_unit is None else (np.floor(far * self.per_unit) + 0.5) / self.per_unit)

    def places(self) -> np.ndarray:
        """Where the knots are among the rows, ascending."""
        spikes = self.spikes()
        rest = self.counts.copy()
        rest[spikes] = 0
        ends = [self.edge(self.values[:1], -1), self.edge(self.values[-1:], 1)]
        distinct = np.unique(
            np.concatenate([*ends, *(self.edge(self.values[spikes], side) for side in (-1, 1)), self._quantiles(rest)])
        )
        for _ in range(MAX_GAP_PASSES):
            pairs = zip(distinct[:-1].tolist(), distinct[1:].tolist(), strict=True)
            gaps = [self._gap(low, high) for low, high in pairs]
            distinct = np.unique(np.concatenate([distinct, *gaps]))
        return distinct

    def spikes(self) -> np.ndarray:
        """Places of the values that hold more than a step of what is left when those more frequent are set aside."""
        if self.per_unit is None or self.counts.max() < MIN_SPIKE_ROWS:
            return np.empty(0, np.int64)
        most = np.argsort(-self.counts, kind="stable")[:MAX_SPIKES]
        left = self.total
        for i, count in enumerate(self.counts[most].tolist()):
            if count < MIN_SPIKE_ROWS or count * _steps(left) <= left:
                return most[:i]
            left -= count
        return most

    def _quantiles(self, rest: np.ndarray) -> np.ndarray:
        """Edges (or values) that cut the rest into steps."""
        left = int(rest.sum())
        if not left:
            return np.empty(0)
        steps = _steps(left)
        shares = [step / steps for step in range(1, steps)]
        outer = 0.5 / steps
        while outer * left >= MIN_TAIL_ROWS:
            shares += [outer, 1 - outer]
            outer /= 2
        cut = np.searchsorted(np.cumsum(rest), np.array(shares) * left)
        return self.edge(self.values[cut], 1)

    def _gap(self, low: float, high: float) -> list[float]:
        """The ends of the widest gap between two knots, if it takes more than half of the way."""
        within = slice(np.searchsorted(self.values, low, "right"), np.searchsorted(self.values, high))
        if self.counts[within].sum() < MIN_TAIL_ROWS:
            return []
        inner = self.values[within]
        starts, ends = np.append(low, self.edge(inner, 1)), np.append(self.edge(inner, -1), high)
        lengths = self.coordinate(ends) - self.coordinate(starts)
        widest = int(np.argmax(lengths))
        half = float(self.coordinate(high) - self.coordinate(low)) / 2
        return [float(starts[widest]), float(ends[widest])] if lengths[widest] > half else []
