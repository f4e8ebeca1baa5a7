"""What belongs in the missing cells of a row, given the observed ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from likely.config import demand_whole
from likely.data import EncodedRows
from likely.errors import ConfigError
from likely.evaluation.sampling import Progress
from likely.models import Model
from likely.tasks.cells import CellSummary, summarise
from likely.tasks.draws import DRAWS_FACTOR, MAX_DRAWS, MIN_EFFECTIVE_DRAWS, Draws, posterior_draws
from likely.tasks.ranges import Range, Tally, keep

__all__ = ["ImputeOptions", "Imputed", "impute"]

CHUNK_ROWS = 1000  # whose P(x|z) is held at once


@dataclass(frozen=True, eq=False)
class Imputed:
    """Values for every cell of some rows, of which those of missing cells are used.

    Attributes
    ----------
    value
        Conditional means, or most probable values: `(rows, *event)`, float64; zeros where draws were asked for.
    deviation
        √Var(x_j|x_observed), where it was asked for; of categories √(p(1 − p)) of the value: `(rows, *event)`.
    draws
        `(draws, rows, *event)`, where they were asked for: x ~ P(x|x_observed), all cells of a row together.
    ess
        Effective sample size of the weights (Kong 1992): `(rows,)`.
    tally
        How draws within the range were found, each row a group; `None` where nothing binds them.

    """

    value: Tensor
    deviation: Tensor
    draws: Tensor
    ess: Tensor
    tally: Tally | None = None


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
        Draws of z a row.
    seed
        Of the noise behind z, which is keyed by (seed, row), and of the draws.

    Raises
    ------
    ConfigError
        If there are no samples, or draws are asked for with modes or deviations.

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
    progress: Progress | None = None,
) -> Imputed:
    """E[x_j|x_observed] ≈ Σ_k w_k E[x_j|z_k], by self-normalised importance sampling of z ~ P(z|x_observed).

    (Mattei and Frellsen 2019, MIWAE: deep generative modelling and imputation of incomplete data sets, equations 11
    to 13.) Draws for multiple imputation: z_k is drawn again with probability w_k, then x ~ P(x|z_k) (their
    sampling importance resampling). Rows whose weights have an effective sample size below 10 are given four times the
    draws of z, and again, up to 3,200.

    Parameters
    ----------
    model, rows
        The rows encoded.
    options
        What to fill them with.
    within
        Draws are those of P(x_missing|x_observed, every missing cell lies there): z and all are drawn until they do.
    progress
        Called with (rows done, rows).

    """
    asked, samples = _Asked(options, within), options.samples
    final = samples * DRAWS_FACTOR > MAX_DRAWS
    imputed = _once(model, rows, asked, samples, final, progress)
    while not final:
        samples *= DRAWS_FACTOR
        final = samples * DRAWS_FACTOR > MAX_DRAWS
        poor = (imputed.ess < MIN_EFFECTIVE_DRAWS).nonzero().squeeze(1)
        if not len(poor):
            break
        again = _once(model, rows.take(poor), asked, samples, final, None)
        pairs = [(getattr(imputed, name), getattr(again, name)) for name in ("value", "deviation", "ess")]
        if imputed.tally is not None and again.tally is not None:
            pairs += [
                (getattr(imputed.tally, name), getattr(again.tally, name)) for name in ("tried", "inside", "worst")
            ]
        for whole, part in pairs:
            whole[poor] = part
        imputed.draws[:, poor] = again.draws
    return imputed


@dataclass(frozen=True)
class _Asked:
    options: ImputeOptions
    within: Range | None


def _once(
    model: Model, rows: EncodedRows, asked: _Asked, samples: int, final: bool, progress: Progress | None
) -> Imputed:
    parts: list[tuple[Tensor, ...]] = []
    tallies: list[Tally] = []
    for known in posterior_draws(model, rows, samples=samples, seed=asked.options.seed, progress=progress):
        cells, count = _summary(model, known, asked), known.chunk.count
        drawn, tally = _drawn(model, known, asked, asked.options.seed + len(parts), final)
        parts.append((cells.value[:count], cells.deviation[:count], drawn.movedim(0, 1)[:count], known.ess[:count]))
        tallies += [] if tally is None else [tally]
    value, deviation, drawn, ess = (torch.cat(part) for part in zip(*parts, strict=True))
    whole = [torch.cat([getattr(one, name) for one in tallies]) for name in ("tried", "inside", "worst") if tallies]
    return Imputed(value, deviation, drawn.movedim(1, 0), ess.nan_to_num(), Tally(*whole) if whole else None)


def _summary(model: Model, known: Draws, asked: _Asked) -> CellSummary:
    """Of draws no summary is needed."""
    if asked.options.draws:
        nothing = torch.zeros(known.batch.values.shape, dtype=torch.float64, device=known.z.device)
        return CellSummary(nothing, nothing)
    return summarise(model, known, mode=asked.options.mode, deviation=asked.options.deviation)


def _drawn(model: Model, known: Draws, asked: _Asked, seed: int, final: bool) -> tuple[Tensor, Tally | None]:
    """x ~ Σ_k w_k P(x|z_k), `(draws, rows, *event)`, float64; within the range, but for rows that have a better try."""
    batch, device, draws = known.batch, known.z.device, asked.options.draws
    if not draws:
        return torch.empty((0, *batch.values.shape), dtype=torch.float64, device=device), None
    weights = known.weights.nan_to_num(nan=1 / len(known.z)).T
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        chosen = torch.multinomial(weights, draws, replacement=True).T
        z = known.z.gather(0, chosen.unsqueeze(-1).expand(*chosen.shape, known.z.shape[-1]))
        parts = [model.likelihood(part, batch.covariates).sample() for part in z.split(known.block)]
        x = torch.cat(parts).to(torch.float64)
        if asked.within is None or batch.observed is None:
            return x, None
        count = known.chunk.count
        bound = ~batch.observed[:count] & (final | (known.ess[:count] >= MIN_EFFECTIVE_DRAWS)).unsqueeze(1)
        row = torch.arange(count, device=device).repeat(draws)

        def again(items: Tensor) -> Tensor:
            of = row[items]
            z = known.z[torch.multinomial(weights[of], 1).squeeze(1), of]
            parts = zip(z.split(CHUNK_ROWS), of.split(CHUNK_ROWS), strict=True)
            parts_drawn = [
                model.likelihood(z, None if (y := batch.covariates) is None else y[i]).sample() for z, i in parts
            ]
            return torch.cat(parts_drawn).to(torch.float64)

        kept, tally = keep(x[:, :count].flatten(0, 1), again, asked.within, group=row, drawn=bound[row])
    x[:, :count] = kept.unflatten(0, (draws, count))
    return x, tally
