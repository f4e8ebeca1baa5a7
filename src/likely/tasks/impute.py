"""Imputation: the missing cells of rows, given the observed ones."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from likely.config import demand_whole
from likely.data import EncodedRows
from likely.errors import ConfigError
from likely.evaluation.proposals import ProposalRule
from likely.evaluation.sampling import PerRow, Progress
from likely.models import Model, Normals
from likely.tasks.cells import CellSummary, summarise
from likely.tasks.draws import (
    MAX_SAMPLES,
    MIN_EFFECTIVE_DRAWS,
    SAMPLES_FACTOR,
    Draws,
    Round,
    draws_again,
    posterior_draws,
)
from likely.tasks.ranges import Range, RangeTally, rows_within

__all__ = ["ImputeOptions", "Imputed", "impute"]

CHUNK_ROWS = 1000  # whose P(x|z) is held in memory at once
TALLIED = tuple(each.name for each in fields(RangeTally))


@dataclass(frozen=True, eq=False)
class Imputed:
    """Imputed values for every cell of some rows; for observed cells they have no use.

    Attributes
    ----------
    value
        Conditional means, or most probable values: `(rows, *event)`, float64; zeros if draws were requested.
    deviation
        √Var(x_j|x_observed), if it was requested; of categories √(p(1 − p)) of the value: `(rows, *event)`.
    draws
        `(draws, rows, *event)`, if they were requested: x ~ P(x|x_observed), all cells of a row together.
    ess
        Effective sample size of the weights (Kong 1992): `(rows,)`; NaN of means in closed form.
    tally
        How many draws it took to stay within the range, with each row as a group; `None` where there is no range.

    """

    value: Tensor
    deviation: Tensor
    draws: Tensor
    ess: Tensor
    tally: RangeTally | None = None


@dataclass(frozen=True)
class ImputeOptions:
    """How missing cells are filled; see `Run.impute`.

    Attributes
    ----------
    draws
        How many draws of each row; 0: means.
    mode
        Take the most probable values of numbers instead of their means; of categories it always is.
    deviation
        Whether deviations are needed.
    samples
        Samples of z for each row.
    seed
        Of the noise behind z, which is keyed by (seed, row), and of the draws.

    Raises
    ------
    ConfigError
        If there are no samples, or draws are requested with modes or deviations.

    """

    draws: int = 0
    mode: bool = False
    deviation: bool = False
    samples: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        demand_whole("samples", self.samples)
        if self.draws < 0:
            raise ConfigError(f"draws must be at least 1, got {self.draws}")
        if self.draws and (self.mode or self.deviation):
            raise ConfigError("draws are values of the cells themselves: ask for them, or for modes and deviations")


@torch.no_grad()
def impute(
    model: Model,
    rows: EncodedRows,
    options: ImputeOptions,
    *,
    within: Range | None = None,
    rule: ProposalRule | None = None,
    progress: Progress | None = None,
) -> Imputed:
    """Imputed values E[x_j|x_observed] ≈ Σ_k w_k E[x_j|z_k], by self-normalised importance sampling.

    z_k ~ Q(z|x_observed), with weights w_k for P(z|x_observed) (Mattei and Frellsen 2019, MIWAE: deep generative
    modelling and imputation of incomplete data sets, equations 11 to 13). Draws for multiple imputation: a z_k is
    chosen with probability w_k, then x ~ P(x|z_k) (sampling importance resampling). Rows whose weights have an
    effective sample size below 10 are drawn again (`draws_again`).

    Parameters
    ----------
    model, rows
        Encoded rows.
    options
        How to fill the missing cells.
    within
        Draws are of P(x_missing|x_observed, every missing cell lies in this range): z and x are drawn until they do.
    rule
        For which rows z is drawn from more than Q(z|x); none unless given.
    progress
        Called with (rows done, rows).

    """
    if isinstance(model, Normals) and not (options.draws or options.mode or options.deviation):
        return _expected(model, rows, progress)
    request = _Request(options, within)
    first = Round(torch.arange(len(rows)), options.samples, None, _is_final(model, options, rule))
    imputed = _imputed_with(model, rows, request, first, progress)
    tries = draws_again(
        model, rows, rule or ProposalRule(), lambda: imputed.ess, samples=options.samples, seed=options.seed
    )
    for again in tries:
        better = _imputed_with(model, rows.take(again.index), request, again, None)
        pairs = [(getattr(imputed, name), getattr(better, name)) for name in ("value", "deviation", "ess")]
        if imputed.tally is not None and better.tally is not None:
            pairs += [(getattr(imputed.tally, name), getattr(better.tally, name)) for name in TALLIED]
        index = again.index.cpu()
        for whole, part in pairs:
            whole[index] = part
        imputed.draws[:, index] = better.draws
    return imputed


def _expected(model: Normals, rows: EncodedRows, progress: Progress | None) -> Imputed:
    """Means in closed form, which draw nothing."""
    values = []
    for index in torch.arange(len(rows), device=rows.device).split(CHUNK_ROWS):
        values.append(model.expected(rows.evaluation_batch(index)))
        if progress:
            progress(int(index[-1]) + 1, len(rows))
    value = torch.cat(values) if values else torch.zeros((0, *rows.event_shape), dtype=torch.float64)
    none = torch.empty((0, *value.shape), dtype=torch.float64, device=value.device)
    unknown = torch.full_like(value, torch.nan)
    return Imputed(value, unknown, none, value.new_full((len(value),), torch.nan))


def _is_final(model: Model, options: ImputeOptions, rule: ProposalRule | None) -> bool:
    """Whether no row whose draws are worth too little gets other draws."""
    return options.samples * SAMPLES_FACTOR > MAX_SAMPLES and not (rule is not None and rule.optimises(model))


@dataclass(frozen=True)
class _Request:
    options: ImputeOptions
    within: Range | None


def _imputed_with(model: Model, rows: EncodedRows, request: _Request, how: Round, progress: Progress | None) -> Imputed:
    """Imputed values by such draws of z."""
    per_row, samples, seed = PerRow(), how.samples, request.options.seed
    all_draws = posterior_draws(
        model, rows, per_row, samples=samples, seed=seed, mixture=how.mixture, alike=True, progress=progress
    )
    for known in all_draws:
        cells, chunk = _summary(model, known, request), known.chunk
        drawn, tally = _drawn(model, known, request, seed + chunk.number, how.last)
        per_row.add(chunk, value=cells.value, deviation=cells.deviation, drawn=drawn.movedim(0, 1), ess=known.ess)
        if tally is not None:
            per_row.add(chunk, **{name: getattr(tally, name) for name in TALLIED})
    value, deviation, drawn, ess = (per_row.tensor(name) for name in ("value", "deviation", "drawn", "ess"))
    tally = RangeTally(*(per_row.tensor(name) for name in TALLIED)) if TALLIED[0] in per_row else None
    return Imputed(value, deviation, drawn.movedim(1, 0), ess.nan_to_num(), tally)


def _summary(model: Model, known: Draws, request: _Request) -> CellSummary:
    """Means or modes of the cells, and deviations; zeros if draws are requested, which need none."""
    if request.options.draws:
        nothing = torch.zeros(known.batch.values.shape, dtype=torch.float64, device=known.z.device)
        return CellSummary(nothing, nothing)
    return summarise(model, known, mode=request.options.mode, deviation=request.options.deviation)


def _drawn(model: Model, known: Draws, request: _Request, seed: int, final: bool) -> tuple[Tensor, RangeTally | None]:
    """x ~ Σ_k w_k P(x|z_k), `(draws, rows, *event)`, float64; within the range, but for rows that get more samples."""
    batch, device, draws = known.batch, known.z.device, request.options.draws
    if not draws:
        return torch.empty((0, *batch.values.shape), dtype=torch.float64, device=device), None
    weights = known.weights.nan_to_num(nan=1 / len(known.z)).T
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        chosen = torch.multinomial(weights, draws, replacement=True).T
        z = known.z.gather(0, chosen.unsqueeze(-1).expand(*chosen.shape, known.z.shape[-1]))
        parts = [model.likelihood(part, batch.covariates).sample() for part in z.split(known.block)]
        x = torch.cat(parts).to(torch.float64)
        if request.within is None or batch.observed is None:
            return x, None
        count = known.chunk.count
        limited = ~batch.observed[:count] & (final | (known.ess[:count] >= MIN_EFFECTIVE_DRAWS)).unsqueeze(1)
        row = torch.arange(count, device=device).repeat(draws)

        def draw(numbers: Tensor) -> Tensor:
            rows = row[numbers]
            z = known.z[torch.multinomial(weights[rows], 1).squeeze(1), rows]
            parts = zip(z.split(CHUNK_ROWS), rows.split(CHUNK_ROWS), strict=True)
            parts_drawn = [
                model.likelihood(z, None if (y := batch.covariates) is None else y[i]).sample() for z, i in parts
            ]
            return torch.cat(parts_drawn).to(torch.float64)

        kept, tally = rows_within(x[:, :count].flatten(0, 1), draw, request.within, group=row, drawn_cells=limited[row])
    x[:, :count] = kept.unflatten(0, (draws, count))
    return x, tally
