"""Rows of P(x|c) where c is an event: some cells lie in given sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.data.events import Event
from likely.distributions import Bernoulli, Categorical, Columns
from likely.errors import DataError
from likely.models import Model
from likely.tasks.draws import Progress

__all__ = ["Conditional", "conditional"]

CHUNK, MOST, LEAST_TRIED = 2000, 1_000_000, 20_000
REJECT = 1e-3
ROUNDING = 1e-6  # of a difference of distribution functions in float32
HALVINGS, DOUBLINGS = 60, 40


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
        rejected, which is exact.
    tried
        How many z were drawn.

    """

    values: Tensor
    probability: float
    se: float
    effective: float | None
    tried: int


@torch.no_grad()
def conditional(
    model: Model,
    events: Sequence[Event],
    n: int,
    covariates: Tensor | None,
    *,
    like: Tensor,
    progress: Progress | None = None,
) -> Conditional:
    """Draw z ~ P(z|c), then x ~ P(x|z, c); by torch's generator.

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
    progress
        Called with (rows found, rows).

    Raises
    ------
    DataError
        If next to no draw of z makes the event possible.

    """
    model.eval()
    pure = not any(event.without_mass for event in events)
    z, p = _weighed(model, events, LEAST_TRIED, covariates, like)
    if pure and float(p.mean()) >= REJECT:
        return _rejected(model, events, n, covariates, like, (z, p), progress)
    wanted = min(MOST, max(LEAST_TRIED, 20 * n))
    while len(z) < wanted or (_ess(p) < 100 and len(z) < MOST):
        more = _weighed(model, events, LEAST_TRIED, covariates, like)
        z, p = torch.cat([z, more[0]]), torch.cat([p, more[1]])
        if progress:
            progress(min(n, int(n * len(z) / MOST)), n)
    ess = _ess(p)
    if not ess >= 2:
        raise DataError(
            f"the condition is practically impossible under the model: of {len(z):,} draws of z "
            f"{'none makes' if ess == 0 else 'one alone makes'} it possible"
        )
    chosen = torch.multinomial(p, n, replacement=True)
    mean, se = float(p.mean()), float(p.std()) / math.sqrt(len(p))
    return Conditional(_finished(model, events, z[chosen], covariates, like), mean, se, ess, len(z))


def _ess(p: Tensor) -> float:
    total = float(p.sum())
    return total**2 / float(p.square().sum()) if total > 0 else 0.0


def _weighed(
    model: Model, events: Sequence[Event], count: int, covariates: Tensor | None, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Draws of z ~ P(z), and P(c|z), float64."""
    z = model.prior().sample(torch.Size((count,)))
    found = []
    for start in range(0, count, CHUNK):
        part = z[start : start + CHUNK]
        law = model.likelihood(part, _of_all(covariates, len(part)))
        p = torch.ones(len(part), dtype=torch.float64, device=z.device)
        for event in events:
            p = p * _probability(law, event, like.expand(len(part), -1))
        found.append(p)
    return z, torch.cat(found)


def _rejected(
    model: Model,
    events: Sequence[Event],
    n: int,
    covariates: Tensor | None,
    like: Tensor,
    start: tuple[Tensor, Tensor],
    progress: Progress | None,
) -> Conditional:
    """Accept z with probability P(c|z)."""
    z, p = start
    made: list[Tensor] = []
    total, squares, tried, have = 0.0, 0.0, 0, 0
    while True:
        accepted = torch.rand(len(p), dtype=torch.float64, device=p.device) < p
        place = accepted.nonzero().squeeze(1)
        made.append(z[place])
        total, squares, tried = total + float(p.sum()), squares + float(p.square().sum()), tried + len(p)
        have += len(place)
        if progress:
            progress(min(have, n), n)
        if have >= n:
            break
        z, p = _weighed(model, events, LEAST_TRIED, covariates, like)
    mean = total / tried
    se = math.sqrt(max(squares / tried - mean**2, 0.0) / tried)
    return Conditional(_finished(model, events, torch.cat(made)[:n], covariates, like), mean, se, None, tried)


def _finished(model: Model, events: Sequence[Event], z: Tensor, covariates: Tensor | None, like: Tensor) -> Tensor:
    """x ~ P(x|z, c): `(rows, columns)`, float64."""
    made = []
    for first in range(0, len(z), CHUNK):
        part = slice(first, first + CHUNK)
        law = model.likelihood(z[part], _of_all(covariates, len(z[part])))
        x = law.sample().to(torch.float64)
        for event in events:
            x[:, event.place] = _truncated(law, event, like.expand(len(x), -1))
        made.append(x)
    return torch.cat(made)


def _of_all(covariates: Tensor | None, rows: int) -> Tensor | None:
    return None if covariates is None else covariates.expand(rows, -1)


def _codes(law: Distribution, place: int) -> Tensor:
    """P(x_j = code|z) of a cell of categories: `(rows, codes)`, float64."""
    pairs = zip(law.parts, law.places, strict=True) if isinstance(law, Columns) else []
    for part, places in pairs:
        at = (places == place).nonzero().flatten().tolist()
        if at and isinstance(part, Categorical):
            return part.probs[..., at[0], :].to(torch.float64)
        if at and isinstance(part, Bernoulli):
            p = part.mean[..., at[0]].to(torch.float64)
            return torch.stack([1 - p, p], -1)
    raise TypeError("the cell has no categories")


def _below(law: Distribution, event: Event, value: Tensor, like: Tensor) -> Tensor:
    """P(x_j ≤ value|z): `(rows,)`, float64."""
    row = like.clone()
    row[:, event.place] = value
    return law.cdf(row)[:, event.place].to(torch.float64)


def _ends(law: Distribution, event: Event, like: Tensor) -> tuple[Tensor, Tensor]:
    """P(x_j < low|z) and P(x_j ≤ high|z)."""
    none, all_ = torch.zeros(len(like), dtype=torch.float64, device=like.device), torch.ones(len(like)).to(like)
    before = event.low - (event.step or 0.0)
    lower = none if event.low == -math.inf else _below(law, event, torch.full_like(none, before), like)
    upper = all_ if event.high == math.inf else _below(law, event, torch.full_like(none, event.high), like)
    return lower, upper


def _probability(law: Distribution, event: Event, like: Tensor) -> Tensor:
    """P(x_j ∈ C_j|z), or the density of a single number: `(rows,)`, float64."""
    if event.codes is not None:
        return _codes(law, event.place)[:, list(event.codes)].sum(-1)
    if event.low == event.high:
        row = like.clone()
        row[:, event.place] = event.low
        return law.log_prob(row)[:, event.place].to(torch.float64).exp()
    lower, upper = _ends(law, event, like)
    return torch.where(upper - lower > ROUNDING, upper - lower, 0.0)


def _truncated(law: Distribution, event: Event, like: Tensor) -> Tensor:
    """x_j ~ P(x_j|z, x_j ∈ C_j): `(rows,)`, float64."""
    if event.codes is not None:
        allowed = torch.tensor(event.codes, device=like.device)
        p = _codes(law, event.place)[:, allowed].clamp_min(1e-300)
        return allowed[torch.multinomial(p, 1).squeeze(1)].to(torch.float64)
    if event.low == event.high:
        return torch.full((len(like),), event.low, dtype=torch.float64, device=like.device)
    lower, upper = _ends(law, event, like)
    u = lower + (upper - lower) * torch.rand(len(like), dtype=torch.float64, device=like.device)
    return _inverse(law, event, u, like)


def _inverse(law: Distribution, event: Event, u: Tensor, like: Tensor) -> Tensor:
    """The least x_j (of its grid) within the event with P(X ≤ x_j|z) ≥ u, by halving."""
    step = event.step or 1.0
    centre = like[:, event.place]
    low = torch.full_like(u, event.low) if event.low > -math.inf else centre.clone()
    high = torch.full_like(u, event.high) if event.high < math.inf else torch.maximum(centre, low)
    for doubling in range(DOUBLINGS):
        reach = step * 2.0**doubling
        short = _below(law, event, high, like) < u if event.high == math.inf else torch.zeros_like(u, dtype=torch.bool)
        far = _below(law, event, low, like) >= u if event.low == -math.inf else torch.zeros_like(short)
        if not (short.any() or far.any()):
            break
        high, low = torch.where(short, high + reach, high), torch.where(far, low - reach, low)
    if event.step is None:
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            enough = _below(law, event, middle, like) >= u
            low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
        return high
    first, last = torch.round(low / step), torch.round(high / step)
    while bool((first < last).any()):
        middle = torch.floor((first + last) / 2)
        enough = _below(law, event, middle * step, like) >= u
        first, last = torch.where(enough, first, torch.minimum(middle + 1, last)), torch.where(enough, middle, last)
    return last * step
