"""Why a row is improbable, part by part, and how rare that is among rows that miss the same cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows, ResidentRows
from likely.evaluation.evidence import evidence
from likely.evaluation.proposals import Mixture, ProposalRule
from likely.evaluation.sampling import PerRow, Progress
from likely.models import Integrated, Model
from likely.tasks.draws import Draws, posterior_draws

__all__ = ["Contributions", "contributions", "tails"]

SIMULATED = 200  # rows drawn from P(x), among which a row is ranked


@dataclass(frozen=True, eq=False)
class Contributions:
    """−log P(x) = Σ_j E_{P(z|x)}[−log P(x_j|z)] + D[P(z|x)‖P(z)], in nats, estimated with the same weighted draws.

    The identity follows from log P(x) = log P(x|z) + log P(z) − log P(z|x), for every z. The divergence is the
    difference of the two estimates, so the parts sum to −log P(x) as it is estimated.

    Attributes
    ----------
    log_px
        log P(x) of the observed cells, the importance-weighted bound: `(rows,)`.
    cells
        E_{P(z|x)}[−log P(x_j|z)]: `(rows, cells)`, NaN where a cell is not observed; ∞ where it is without mass.
    code
        D[P(z|x)‖P(z)], how unusual a combination the row's code tells of: `(rows,)`.
    ess
        Effective sample size of the weights (Kong 1992): `(rows,)`.

    """

    log_px: np.ndarray
    cells: np.ndarray
    code: np.ndarray
    ess: np.ndarray


@torch.no_grad()
def contributions(
    model: Model,
    rows: EncodedRows,
    *,
    samples: int,
    seed: int = 0,
    rule: ProposalRule | None = None,
    progress: Progress | None = None,
) -> Contributions:
    """What each column and the code contribute to −log P(x).

    Parameters
    ----------
    model, rows
        The rows encoded and, where that applies, binarised once.
    samples
        Draws of z a row; the same ones as `evidence` takes.
    seed
        Of the noise, which is keyed by (seed, row).
    rule
        For which rows z is drawn from more than Q(z|x); none unless given.
    progress
        Called with (rows done, rows).

    """
    found = _contributed(model, rows, samples, seed, None, progress)
    improved = (rule or ProposalRule()).improved(model, rows, samples=samples, seed=seed, progress=progress)
    for index, mixture in improved:
        for name, values in _contributed(model, rows.take(index), samples, seed, mixture, None).items():
            found[name][index.cpu().numpy()] = values
    return Contributions(**found)


def _contributed(
    model: Model, rows: EncodedRows, samples: int, seed: int, mixture: Mixture | None, progress: Progress | None
) -> dict[str, np.ndarray]:
    per_row = PerRow()
    for draws in posterior_draws(model, rows, per_row, samples=samples, seed=seed, mixture=mixture, progress=progress):
        cells, log_px = _cells(model, draws), draws.log_px_estimate
        code = (-log_px - cells.nansum(1)).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        per_row.add(draws.chunk, log_px=log_px, cells=cells, code=code, ess=draws.ess)
    return {name: per_row.array(name) for name in per_row.names}


def _cells(model: Model, draws: Draws) -> Tensor:
    """E_{P(z|x)}[−log P(x_j|z)]: `(rows, cells)`, float64, NaN where not observed."""
    batch = draws.batch
    weights = draws.weights.nan_to_num(nan=1 / len(draws.z))  # every draw counts where none has any mass
    summed = model.expected_cells(batch, weights.T) if draws.every and isinstance(model, Integrated) else None
    if summed is not None:
        return -(summed if batch.observed is None else summed.masked_fill(~batch.observed.flatten(1), torch.nan))
    total = torch.zeros(batch.values.shape, dtype=torch.float64, device=batch.values.device)
    for part, p_x_z in draws.likelihoods(model):
        each = -p_x_z.log_prob(batch.values).to(torch.float64)
        weight = weights[part].view(*each.shape[:2], *[1] * (each.dim() - 2))
        total += torch.where(weight > 0, weight * each, 0.0).sum(0)
    return (total if batch.observed is None else total.masked_fill(~batch.observed, torch.nan)).flatten(1)


@torch.no_grad()
def tails(
    model: Model,
    rows: EncodedRows,
    log_px: np.ndarray,
    *,
    samples: int,
    seed: int = 0,
    covariates: Tensor | None = None,
    rule: ProposalRule | None = None,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """How rare each row is among rows of the model with the same cells missing.

    log P(x) of few cells is not to be compared with that of many. So 200 rows are drawn from P(x) and, for each mask
    that occurs, the same cells are taken out of them; with y, where there is one, of training rows. So a row's numbers
    do not depend on the rows beside it.

    Parameters
    ----------
    model, rows, samples, seed, rule
        As in `contributions`.
    log_px
        What was found for the rows: `(rows,)`, nats.
    covariates
        y of training rows, `(any number, conditions)`, from which simulated rows take theirs.
    progress
        Called with (masks done, masks).

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        The tail probability P(log P(X) ≤ log P(x)), estimated by (1 + how many draws are no more probable)/201; and,
        finer where that is least, by how many of their standard deviations log P(x) lies below the draws' mean.

    """
    seen = rows.observed
    if seen is None:
        seen = torch.ones((len(rows), *rows.event_shape), dtype=torch.bool, device=rows.device)
    masks, which = torch.unique(seen.flatten(1), dim=0, return_inverse=True)
    tail, depth = np.empty(len(rows)), np.empty(len(rows))
    for number, mask in enumerate(masks):
        place = (which == number).nonzero().squeeze(1)
        like = rows.stored(int(place[0]), int(place[0]) + 1).values[0]
        drawn = _drawn(model, like, mask.view(seen.shape[1:]), covariates, seed)
        drawn_log_px = evidence(model, drawn, samples=samples, seed=seed, rule=rule).terms["iwae"]
        mine = log_px[place.cpu().numpy()]
        tail[place.cpu().numpy()] = (1 + (drawn_log_px[:, None] <= mine + 1e-9).sum(0)) / (1 + SIMULATED)
        depth[place.cpu().numpy()] = (drawn_log_px.mean() - mine) / max(float(drawn_log_px.std()), 1e-9)
        if progress:
            progress(number + 1, len(masks))
    return tail, depth


def _drawn(model: Model, like: Tensor, mask: Tensor, covariates: Tensor | None, seed: int) -> EncodedRows:
    """Rows of the model with these cells observed; the others hold what they hold in a row that is like them."""
    with torch.random.fork_rng(devices=[mask.device] if mask.device.type == "cuda" else []):
        torch.manual_seed(seed)
        y = None
        if covariates is not None:
            y = covariates[torch.randint(len(covariates), (SIMULATED,), device=mask.device)]
        z = model.prior().sample(torch.Size((SIMULATED,)))
        x = model.likelihood(z, y).sample()
    x = torch.where(mask, x, like.to(x.dtype))
    return ResidentRows(x, covariates=y, observed=None if mask.all() else mask.expand(x.shape))
