"""P(event|z): what the law of a row's cells says of an event on one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.data.events import Event
from likely.distributions import Bernoulli, Categorical, Columns
from likely.likelihoods import Likelihood
from likely.likelihoods.measures import measured

__all__ = ["below", "codes", "ends", "masses", "probability", "recorded"]

ROUNDING = 1e-6  # of a difference of distribution functions in float32


def probability(law: Distribution, event: Event, like: Tensor) -> Tensor:
    """P(x_j ∈ C_j|z), or the density of a single number: `(...)`, float64.

    Parameters
    ----------
    law
        P(x|z) of a table's rows, of batch shape `(...)`.
    event
        C_j, the values that one cell may have.
    like
        Rows `(..., columns)` that the law has a probability for; they fill the other cells.

    """
    if event.codes is not None:
        return codes(law, event.place)[..., list(event.codes)].sum(-1)
    if event.numbers is not None:
        return masses(law, event, like).sum(-1)
    if event.low == event.high:
        return _own(law, event, event.low, like)
    lower, upper = ends(law, event, like)
    return torch.where(upper - lower > ROUNDING, upper - lower, 0.0)


def recorded(events: Sequence[Event], likelihood: Likelihood) -> list[Event]:
    """The events; where a grid's numbers have densities, the intervals that are recorded as what is asked for."""
    dense = measured(likelihood, "density").expand(likelihood.event_shape)
    made = []
    for event in events:
        if event.step is not None and dense[event.place]:
            half = event.step / 2
            made.append(replace(event, low=event.low - half, high=event.high + half, step=None))
        else:
            made.append(event)
    return made


def codes(law: Distribution, place: int) -> Tensor:
    """P(x_j = code|z) of a cell of categories: `(..., codes)`, float64."""
    pairs = zip(law.parts, law.places, strict=True) if isinstance(law, Columns) else []
    for part, places in pairs:
        at = (places == place).nonzero().flatten().tolist()
        if at and isinstance(part, Categorical):
            return part.probs[..., at[0], :].to(torch.float64)
        if at and isinstance(part, Bernoulli):
            p = part.mean[..., at[0]].to(torch.float64)
            return torch.stack([1 - p, p], -1)
    raise TypeError("the cell has no categories")


def below(law: Distribution, event: Event, value: Tensor | float, like: Tensor) -> Tensor:
    """P(x_j ≤ value|z): `(...)`, float64."""
    row = like.clone()
    row[..., event.place] = value
    return law.cdf(row)[..., event.place].to(torch.float64)


def masses(law: Distribution, event: Event, like: Tensor) -> Tensor:
    """P(x_j = v|z) of the numbers that are allowed: `(..., numbers)`, float64."""
    return torch.stack([_own(law, event, number, like) for number in event.numbers or ()], -1)


def ends(law: Distribution, event: Event, like: Tensor) -> tuple[Tensor, Tensor]:
    """P(x_j < low|z) and P(x_j ≤ high|z): `(...)` each, float64."""
    none = torch.zeros(like.shape[:-1], dtype=torch.float64, device=like.device)
    before = event.low - (event.step or 0.0)
    lower = none if event.low == -math.inf else below(law, event, before, like)
    upper = none + 1 if event.high == math.inf else below(law, event, event.high, like)
    return lower, upper


def _own(law: Distribution, event: Event, number: float, like: Tensor) -> Tensor:
    """P(x_j = number|z), or its density: `(...)`, float64."""
    row = like.clone()
    row[..., event.place] = number
    return law.log_prob(row)[..., event.place].to(torch.float64).exp()
