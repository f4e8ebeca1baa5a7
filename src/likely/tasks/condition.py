"""Rows of P(x|c) where c is an event: some cells lie in given sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.data.events import Event
from likely.errors import DataError
from likely.evaluation.sampling import Progress
from likely.models import Integrated, Model
from likely.tasks.chances import below, codes, ends, masses, probability, recorded
from likely.tasks.ranges import Range, RangeTally, demand_reachable, rows_within

__all__ = ["Conditional", "conditional"]

CHUNK_ROWS = 2000  # whose P(x|z) is held at once
MIN_DRAWS, MAX_DRAWS = 20_000, 1_000_000  # of z
MIN_ACCEPTED = 1e-3  # the share of z accepted, below which z are chosen by weight instead
MIN_EFFECTIVE = 100  # draws of z (Kong 1992) among which to choose
MAX_HALVINGS, MAX_DOUBLINGS = 60, 40  # of an interval: enough for the digits of float64, and to reach any number


@dataclass(frozen=True, eq=False)
class Conditional:
    """Rows of P(x|c), and how they were found.

    Attributes
    ----------
    values
        `(rows, columns)`, float64.
    probability, se
        P(c) = E_{P(z)} P(c|z) under the model, and its standard error; a density where a cell without mass is given.
    effective
        Effective number of the draws of z among which importance resampling chose; `None` where z was accepted or
        rejected, or chosen among every z, which is exact.
    tried
        How many z were drawn.
    tally
        How rows within the range were found, where there is one.

    """

    values: Tensor
    probability: float
    se: float
    effective: float | None
    tried: int
    tally: RangeTally | None = None


@torch.no_grad()
def conditional(
    model: Model,
    events: Sequence[Event],
    n: int,
    covariates: Tensor | None,
    *,
    like: Tensor,
    within: Range | None = None,
    progress: Progress | None = None,
) -> Conditional:
    """Rows of P(x|c): z ~ P(z|c), then x ~ P(x|z, c), by torch's generator; within a range, anew until x lies there.

    Cells are independent given z, so P(c|z) = Π_j P(x_j ∈ C_j|z), and x is drawn cell by cell, truncated where
    something is asked of it. z ~ P(z) is accepted with probability P(c|z), which is exact, where about a thousandth or
    more are; else up to a million z are drawn, and chosen in proportion to P(c|z) (sampling importance resampling,
    Rubin 1988).

    Parameters
    ----------
    model
        Of a table.
    events
        At most one of each cell.
    n
        How many rows.
    covariates
        `(1, conditions)` of a model of P(x|y): of every row.
    like
        A row `(columns,)` to fill the cells of which nothing is asked, while probabilities are computed.
    within
        Rows are drawn from P(x|c, x lies there).
    progress
        Called with (rows found, rows).

    Raises
    ------
    DataError
        If next to no draw of z makes the event possible, or no rows with it lie within the range.

    """
    model.eval()
    events = recorded(events, model.p_x_z)
    asked = _Asked(model, events, covariates, like)
    source: _Accepted | _Chosen
    if isinstance(model, Integrated):
        source = _among_all(asked, model)
    else:
        z, p = asked.weighed(MIN_DRAWS)
        pure = not any(event.without_mass for event in events)
        accept = pure and float(p.mean()) >= MIN_ACCEPTED
        source = _Accepted(asked, z, p, n, progress) if accept else _chosen(asked, z, p, n, progress)
    x, tally = asked.finished(source.draw(n)), None
    if within is not None:
        x, tally = rows_within(x, lambda rows: asked.finished(source.draw(len(rows))), within)
        demand_reachable(within, tally)
    return Conditional(x, source.probability, source.se, source.effective, source.tried, tally)


@dataclass(frozen=True, eq=False)
class _Asked:
    model: Model
    events: Sequence[Event]
    covariates: Tensor | None
    like: Tensor

    def p_x_z(self, z: Tensor) -> Distribution:
        """P(x|z)."""
        return self.model.likelihood(z, None if self.covariates is None else self.covariates.expand(len(z), -1))

    def weighed(self, count: int) -> tuple[Tensor, Tensor]:
        """Draws of z ~ P(z), and P(c|z), float64."""
        z = self.model.prior().sample(torch.Size((count,)))
        return z, self.chances(z)

    def chances(self, z: Tensor) -> Tensor:
        """P(c|z), float64."""
        weights = []
        for part in z.split(CHUNK_ROWS):
            p_x_z = self.p_x_z(part)
            p = torch.ones(len(part), dtype=torch.float64, device=z.device)
            for event in self.events:
                p = p * probability(p_x_z, event, self.like.expand(len(part), -1))
            weights.append(p)
        return torch.cat(weights)

    def finished(self, z: Tensor) -> Tensor:
        """x ~ P(x|z, c): `(rows, columns)`, float64."""
        parts = []
        for part in z.split(CHUNK_ROWS):
            p_x_z = self.p_x_z(part)
            x = p_x_z.sample().to(torch.float64)
            for event in self.events:
                x[:, event.place] = _truncated(p_x_z, event, self.like.expand(len(x), -1))
            parts.append(x)
        return torch.cat(parts)


class _Accepted:
    """z ~ P(z|c): z ~ P(z) accepted with probability P(c|z)."""

    effective = None

    def __init__(self, asked: _Asked, z: Tensor, p: Tensor, n: int, progress: Progress | None) -> None:
        self.asked, self.left = asked, z[:0]
        self.total, self.squares, self.tried = 0.0, 0.0, 0
        self._take(z, p)
        self._reach(n, progress)

    def _take(self, z: Tensor, p: Tensor) -> None:
        accepted = torch.rand(len(p), dtype=torch.float64, device=p.device) < p
        self.left = torch.cat([self.left, z[accepted]])
        self.total, self.squares = self.total + float(p.sum()), self.squares + float(p.square().sum())
        self.tried += len(p)

    def _reach(self, n: int, progress: Progress | None = None) -> None:
        while len(self.left) < n:
            self._take(*self.asked.weighed(MIN_DRAWS))
            if progress:
                progress(min(len(self.left), n), n)

    def draw(self, n: int) -> Tensor:
        """New ones: `(n, latent)`."""
        self._reach(n)
        z, self.left = self.left[:n], self.left[n:]
        return z

    @property
    def probability(self) -> float:
        """P(c)."""
        return self.total / self.tried

    @property
    def se(self) -> float:
        """Of P(c)."""
        return math.sqrt(max(self.squares / self.tried - self.probability**2, 0.0) / self.tried)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """z ~ P(z|c), nearly: chosen among many draws of P(z) in proportion to P(c|z); exactly, where these are every z."""

    z: Tensor
    p: Tensor
    every: bool = False

    def draw(self, n: int) -> Tensor:
        """New ones: `(n, latent)`."""
        return self.z[torch.multinomial(self.p, n, replacement=True)]

    @property
    def tried(self) -> int:
        """Among how many."""
        return len(self.z)

    @property
    def effective(self) -> float | None:
        """Among how many that count; `None` where these are every z."""
        return None if self.every else self.kong

    @property
    def kong(self) -> float:
        """The effective number of them (Kong 1992)."""
        total = float(self.p.sum())
        return total**2 / float(self.p.square().sum()) if total > 0 else 0.0

    @property
    def probability(self) -> float:
        """P(c)."""
        return float(self.p.mean())

    @property
    def se(self) -> float:
        """Of P(c)."""
        return 0.0 if self.every else float(self.p.std()) / math.sqrt(len(self.p))


def _among_all(asked: _Asked, model: Integrated) -> _Chosen:
    """Among every z that there is."""
    z = model.prior().points
    chosen = _Chosen(z, asked.chances(z), every=True)
    if not chosen.probability > 0:
        raise DataError(f"the condition is impossible under the model: none of its {len(z):,} z makes it possible")
    return chosen


def _chosen(asked: _Asked, z: Tensor, p: Tensor, n: int, progress: Progress | None) -> _Chosen:
    wanted, chosen = min(MAX_DRAWS, max(MIN_DRAWS, 20 * n)), _Chosen(z, p)
    while chosen.tried < wanted or (chosen.kong < MIN_EFFECTIVE and chosen.tried < MAX_DRAWS):
        z, p = asked.weighed(MIN_DRAWS)
        chosen = _Chosen(torch.cat([chosen.z, z]), torch.cat([chosen.p, p]))
        if progress:
            progress(min(n, int(n * chosen.tried / MAX_DRAWS)), n)
    if not chosen.kong >= 2:
        raise DataError(
            f"the condition is practically impossible under the model: of {chosen.tried:,} draws of z "
            f"{'none makes' if chosen.kong == 0 else 'one alone makes'} it possible"
        )
    return chosen


def _truncated(p_x_z: Distribution, event: Event, like: Tensor) -> Tensor:
    """x_j ~ P(x_j|z, x_j ∈ C_j): `(rows,)`, float64."""
    if event.codes is not None:
        allowed = torch.tensor(event.codes, device=like.device)
        p = codes(p_x_z, event.place)[:, allowed].clamp_min(1e-300)
        return allowed[torch.multinomial(p, 1).squeeze(1)].to(torch.float64)
    if event.numbers is not None:
        numbers = torch.tensor(event.numbers, dtype=torch.float64, device=like.device)
        return numbers[torch.multinomial(masses(p_x_z, event, like).clamp_min(1e-300), 1).squeeze(1)]
    if event.low == event.high:
        return torch.full((len(like),), event.low, dtype=torch.float64, device=like.device)
    lower, upper = ends(p_x_z, event, like)
    u = lower + (upper - lower) * torch.rand(len(like), dtype=torch.float64, device=like.device)
    x = _inverse(p_x_z, event, u, like)
    for atom in event.atoms:
        before, upto = (below(p_x_z, event, end, like) for end in (math.nextafter(atom, -math.inf), atom))
        x = torch.where((before < u) & (u <= upto), atom, x)
    return x


def _inverse(p_x_z: Distribution, event: Event, u: Tensor, like: Tensor) -> Tensor:
    """The least x_j (of its grid) within the event with P(X ≤ x_j|z) ≥ u, by halving."""
    step = event.step or 1.0
    centre = like[:, event.place]
    low = torch.full_like(u, event.low) if event.low > -math.inf else centre.clone()
    high = torch.full_like(u, event.high) if event.high < math.inf else torch.maximum(centre, low)
    for doubling in range(MAX_DOUBLINGS):
        reach = step * 2.0**doubling
        short = below(p_x_z, event, high, like) < u if event.high == math.inf else torch.zeros_like(u, dtype=torch.bool)
        far = below(p_x_z, event, low, like) >= u if event.low == -math.inf else torch.zeros_like(short)
        if not (short.any() or far.any()):
            break
        high, low = torch.where(short, high + reach, high), torch.where(far, low - reach, low)
    if event.step is None:
        for _ in range(MAX_HALVINGS):
            middle = (low + high) / 2
            enough = below(p_x_z, event, middle, like) >= u
            low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
        return high
    first, last = torch.round(low / step), torch.round(high / step)
    while bool((first < last).any()):
        middle = torch.floor((first + last) / 2)
        enough = below(p_x_z, event, middle * step, like) >= u
        first, last = torch.where(enough, first, torch.minimum(middle + 1, last)), torch.where(enough, middle, last)
    return last * step
