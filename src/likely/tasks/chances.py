"""P(event|z): the probability of an event on one cell, from the distribution P(x|z)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.data.events import Event
from likely.distributions import Bernoulli, Categorical, CellsByFamily
from likely.likelihoods import Likelihood
from likely.likelihoods.measures import measured

__all__ = ["below", "codes", "ends", "masses", "probability", "recorded"]

ROUNDING = 1e-6  # of a difference of distribution functions in float32


def probability(p_x_z: Distribution, event: Event, like: Tensor) -> Tensor:
    """P(x_j ∈ C_j|z), or the density of a single number: `(...)`, float64.

    Parameters
    ----------
    p_x_z
        P(x|z) of a table's rows, of batch shape `(...)`.
    event
        C_j, the values that one cell may have.
    like
        Rows `(..., columns)` that P(x|z) has a probability for; they fill the other cells.

    """
    if event.codes is not None:
        return codes(p_x_z, event.place)[..., list(event.codes)].sum(-1)
    if event.numbers is not None:
        return masses(p_x_z, event, like).sum(-1)
    if event.low == event.high:
        return _own(p_x_z, event, event.low, like)
    lower, upper = ends(p_x_z, event, like)
    return torch.where(upper - lower > ROUNDING, upper - lower, 0.0)


def recorded(events: Sequence[Event], likelihood: Likelihood) -> list[Event]:
    """The events; where a grid's numbers have densities, the intervals that are recorded as what is asked for."""
    dense = measured(likelihood, "density").expand(likelihood.event_shape)
    wider = []
    for event in events:
        if event.step is not None and dense[event.place]:
            half = event.step / 2
            wider.append(replace(event, low=event.low - half, high=event.high + half, step=None))
        else:
            wider.append(event)
    return wider


def codes(p_x_z: Distribution, place: int) -> Tensor:
    """P(x_j = code|z) of a cell of categories: `(..., codes)`, float64."""
    pairs = zip(p_x_z.parts, p_x_z.places, strict=True) if isinstance(p_x_z, CellsByFamily) else []
    for part, places in pairs:
        at = (places == place).nonzero().flatten().tolist()
        if at and isinstance(part, Categorical):
            return part.probs[..., at[0], :].to(torch.float64)
        if at and isinstance(part, Bernoulli):
            p = part.mean[..., at[0]].to(torch.float64)
            return torch.stack([1 - p, p], -1)
    raise TypeError("the cell has no categories")


def below(p_x_z: Distribution, event: Event, value: Tensor | float, like: Tensor) -> Tensor:
    """P(x_j ≤ value|z): `(...)`, float64."""
    row = like.clone()
    row[..., event.place] = value
    return p_x_z.cdf(row)[..., event.place].to(torch.float64)


def masses(p_x_z: Distribution, event: Event, like: Tensor) -> Tensor:
    """P(x_j = v|z) of the numbers that are allowed: `(..., numbers)`, float64."""
    return torch.stack([_own(p_x_z, event, number, like) for number in event.numbers or ()], -1)


def ends(p_x_z: Distribution, event: Event, like: Tensor) -> tuple[Tensor, Tensor]:
    """P(x_j < low|z) and P(x_j ≤ high|z): `(...)` each, float64."""
    none = torch.zeros(like.shape[:-1], dtype=torch.float64, device=like.device)
    before = event.low - (event.step or 0.0)
    lower = none if event.low == -math.inf else below(p_x_z, event, before, like)
    upper = none + 1 if event.high == math.inf else below(p_x_z, event, event.high, like)
    return lower, upper


def _own(p_x_z: Distribution, event: Event, number: float, like: Tensor) -> Tensor:
    """P(x_j = number|z), or its density: `(...)`, float64."""
    row = like.clone()
    row[..., event.place] = number
    return p_x_z.log_prob(row)[..., event.place].to(torch.float64).exp()
