"""What weighted draws of z say of single cells: means, deviations, the most probable values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.distributions import Bernoulli, Categorical, CellsByFamily
from likely.likelihoods.measures import atoms_of
from likely.models import Model
from likely.tasks.draws import Draws

__all__ = ["CellSummary", "summarise"]

MAX_CANDIDATES = 20  # draws of z that stand for all: the cost of modes and variances

Weigh = tuple[Tensor, Distribution]


@dataclass(frozen=True, eq=False)
class CellSummary:
    """Each cell's mean and deviation under Σ_k w_k P(x_j|z_k), which estimates P(x_j|x_observed).

    Attributes
    ----------
    value
        Its mean, or its most probable value; of categories always the most probable one: `(rows, *event)`, float64.
    deviation
        Its standard deviation; of categories that of the indicator of the value, √(p(1 − p)): `(rows, *event)`.

    """

    value: Tensor
    deviation: Tensor


def summarise(model: Model, draws: Draws, *, mode: bool = False, deviation: bool = True) -> CellSummary:
    """Mean or mode, and deviation, of each cell given the observed cells of its row.

    Parameters
    ----------
    model, draws
        Of rows with missing cells.
    mode
        Take the most probable value of numbers too: the best under Σ_k w_k P(x_j|z_k) of the most probable values under
        the 20 draws of most weight.
    deviation
        Whether deviations are needed; they are NaN otherwise.

    """
    rows, event = len(draws.batch), draws.batch.values.shape[1:]
    first = torch.zeros((rows, *event), dtype=torch.float64, device=draws.z.device)
    second, shares = torch.zeros_like(first), dict[int, Tensor]()
    for weight, p_x_z in _weighed(model, draws):
        wide = weight.view(*weight.shape, *[1] * len(event))
        mean = p_x_z.mean.to(torch.float64)
        first += (wide * mean).sum(0)
        second += (wide * mean.square()).sum(0)
        for number, (part, _) in enumerate(_categories(p_x_z, event)):
            share = (wide.unsqueeze(-1) * part.probs.to(torch.float64)).sum(0)
            shares[number] = shares.get(number, 0) + share
    within = _within(model, draws) if deviation else torch.full_like(first, torch.nan)
    spread = (within + second - first.square()).clamp_min(0).sqrt()
    value = _modes(model, draws) if mode else first
    p_x_z = next(iter(draws.likelihoods(model)))[1]
    for number, (_, place) in enumerate(_categories(p_x_z, event)):
        p, code = shares[number].max(-1)
        value[..., place], spread[..., place] = code.to(torch.float64), (p * (1 - p)).clamp_min(0).sqrt()
    for where in _truths(p_x_z):
        value[..., where] = first[..., where].round()
    return CellSummary(value, spread)


def _weighed(model: Model, draws: Draws) -> Iterator[Weigh]:
    weights = draws.weights.nan_to_num(nan=1 / len(draws.z))  # every draw counts where none has any mass
    for part, p_x_z in draws.likelihoods(model):
        yield weights[part], p_x_z


def _categories(p_x_z: Distribution, event: torch.Size) -> Iterator[tuple[Categorical, Tensor]]:
    """The distributions of categories, and the cells that they are of, along the last axis."""
    pairs = (
        zip(p_x_z.parts, p_x_z.places, strict=True)
        if isinstance(p_x_z, CellsByFamily)
        else [(p_x_z, torch.arange(event[-1]))]
    )
    for part, place in pairs:
        if isinstance(part, Categorical):
            yield part, place


def _truths(p_x_z: Distribution) -> Iterator[Tensor | slice]:
    pairs = zip(p_x_z.parts, p_x_z.places, strict=True) if isinstance(p_x_z, CellsByFamily) else [(p_x_z, slice(None))]
    for part, place in pairs:
        if isinstance(part, Bernoulli):
            yield place


def _within(model: Model, draws: Draws) -> Tensor:
    """Σ_k w_k Var(x_j|z_k), over 20 draws that represent the weights evenly, or over every z: `(rows, *event)`."""
    if draws.every:
        parts = []
        for weight, p_x_z in _weighed(model, draws):
            variance = p_x_z.variance.to(torch.float64).nan_to_num()
            parts.append((weight.view(*weight.shape, *[1] * (variance.dim() - 2)) * variance).sum(0))
        return torch.stack(parts).sum(0)
    totals = draws.weights.nan_to_num(nan=1 / len(draws.z)).cumsum(0).T.contiguous()
    places = (torch.arange(MAX_CANDIDATES, dtype=totals.dtype, device=totals.device) + 0.5) / MAX_CANDIDATES
    chosen = torch.searchsorted(totals, places.expand(len(totals), -1).contiguous()).clamp_max(len(draws.z) - 1).T
    z = draws.z.gather(0, chosen.unsqueeze(-1).expand(*chosen.shape, draws.z.shape[-1]))
    return model.likelihood(z, draws.batch.covariates).variance.to(torch.float64).nan_to_num().mean(0)


def _modes(model: Model, draws: Draws) -> Tensor:
    """The candidate with most mass or density under all the draws together: `(rows, *event)`, float64.

    A cell that has atoms and a density is at its best atom where that has more mass than all that is at none.
    """
    best = draws.weights.topk(min(MAX_CANDIDATES, len(draws.z)), 0).indices
    z = draws.z.gather(0, best.unsqueeze(-1).expand(*best.shape, draws.z.shape[-1]))
    candidates = model.likelihood(z, draws.batch.covariates).mode.to(torch.float64)
    log_p, atoms = _log_prob(model, draws, candidates), atoms_of(model.p_x_z)
    if atoms is None:
        return candidates.gather(0, log_p.argmax(0, keepdim=True)).squeeze(0)
    points = atoms.T.to(candidates).unsqueeze(1).expand(-1, *candidates.shape[1:])
    held = (candidates.unsqueeze(1) == points).any(1)
    smooth = candidates.gather(0, log_p.masked_fill(held, -torch.inf).argmax(0, keepdim=True)).squeeze(0)
    mass = torch.where(points.isnan(), 0.0, _log_prob(model, draws, points.nan_to_num()).exp())
    share, place = mass.max(0)
    return torch.where(share > 1 - mass.sum(0), points.gather(0, place.unsqueeze(0)).squeeze(0), smooth)


def _log_prob(model: Model, draws: Draws, candidates: Tensor) -> Tensor:
    """log Σ_k w_k P(x_j|z_k) of each candidate: `(candidates, rows, *event)`, float64."""
    log_p = torch.full_like(candidates, -torch.inf)
    for weight, p_x_z in _weighed(model, draws):
        wide = weight.log().view(*weight.shape, *[1] * (candidates.dim() - 2))
        for number, candidate in enumerate(candidates):
            each = torch.logsumexp(wide + p_x_z.log_prob(candidate).to(torch.float64), 0)
            log_p[number] = torch.logaddexp(log_p[number], each)
    return log_p
