"""From a fitted run to what its report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from likely.assembly import words
from likely.data import EncodedRows, Rows, condition_values, decode, sources
from likely.data.kinds import Form
from likely.data.pictures import pictures_in_unit_range
from likely.data.texts_as_numbers import as_numbers
from likely.errors import DataError, OutputError
from likely.evaluation import (
    Evidence,
    LatentPart,
    LogPxEstimate,
    Origin,
    Stability,
    cell_marginals,
    cell_reconstructions,
    comparable,
    convergence,
    posterior_centres,
    posterior_means,
)
from likely.models import VAE
from likely.networks import ResidualMLP
from likely.report.copies import copies
from likely.report.findings import Findings
from likely.report.pictures import more_of_pictures
from likely.report.planes import colouring, plane, principal
from likely.run.encode import means_at
from likely.run.evaluate import AssessOptions
from likely.run.evaluate import assessed as assess_rows
from likely.run.extent import extent_of
from likely.tasks.anomalies import contributions

if TYPE_CHECKING:
    from likely.evaluation import Assessment
    from likely.run.run import Run

__all__ = ["collect"]

MAX_PICTURES = 42  # of rows and as many of their reconstructions: six lines of seven
EXTREMES = 10  # least and most probable rows that are shown
TABLE_ROWS = 8  # shown of the data and of samples
DRAWS = 1500  # of z from the prior, as dots of a figure
MAP_SIDE = 20  # pictures along each side of the map of a z of two dimensions
ROW_DRAWS = 200  # of z for each row that is evaluated
TEMPERATURES = 64  # of annealing, at most: an eighth of those of an evaluation
MAX_EVALUATED, ANNEALED, USUAL = 400, 20, 150  # rows evaluated; annealed; whose mean is what a cell usually costs
MIN_SAMPLED, MAX_COLUMNS = 4000, 60  # rows drawn to compare columns with the data; columns compared
SAMPLES = 100  # of z for each row whose cells are scored


def collect(run: Run) -> Findings:
    """Evaluate test rows, draw from the model, and gather everything that the report shows.

    Of many test rows 400 are evaluated, and 4,000 compared with drawn rows: a random part, by the run's seed. What an
    evaluation leaves out unless told, as the annealing of a hierarchy of maps, is left out here too.
    """
    whole, _ = run.rows_of()
    rows = _part(whole, MAX_EVALUATED, run.config.seed)
    usual = extent_of(run.model)
    draws, annealed = min(ROW_DRAWS, usual.samples), min(ANNEALED, usual.anneal)
    options = AssessOptions(draws, anneal=annealed, rule=run.proposal_rule(), temperatures=TEMPERATURES)
    assessed = assess_rows(run, rows, Origin.TEST, options)
    measured, ledger = assessed.evidence, assessed.ledger
    encoded = run.encoded(rows)
    codes = posterior_means(run.model.members[0], encoded)
    placed = plane(codes)
    prior_z, layers = _prior_walk(run, encoded)
    log_px = measured.terms["iwae"]
    low, high = _extremes(log_px)
    if _pictured(run):
        shown = _examples_of_pictures(run, rows, encoded, codes, log_px)
    else:
        shown = _examples(run, rows, _part(whole, MIN_SAMPLED, run.config.seed), log_px)
    conditions = ", ".join(column.name for column in run.schema.conditions)
    return Findings(
        title=f"P(X | {conditions}) of {_name(run)}" if conditions else f"P(X) of {_name(run)}",
        form=run.schema.form,
        given=conditions,
        facts=_facts(run),
        **_trust(assessed),
        notices=_notices(run),
        aim=run.aim,
        history=_history(run),
        selected_step=run.selected_step,
        ledger=_ledger(assessed),
        **_integral(run, encoded, assessed),
        ledger_split=ledger.split,
        ledger_rows=ledger.rows,
        ledger_whole=len(whole),
        measure=ledger.measure,
        prior_z=prior_z,
        layers=layers,
        latent_map=_latent_map(run, encoded),
        codes=placed.points,
        codes_note=placed.note,
        codes_axes=placed.axes,
        **_coloured(run, rows, placed.points),
        kl_per_dim=measured.kl_parts,
        kl_part="latent dimension" if measured.part is LatentPart.DIMENSION else "latent group",
        least_likely_log_px=log_px[low],
        most_likely_log_px=log_px[high],
        **shown,
        **_cells(run, encoded, measured),
    )


def _part(rows: Rows, most: int, seed: int) -> Rows:
    """At most so many of the rows, a random part in their order."""
    if len(rows) <= most:
        return rows
    return rows.read(np.sort(np.random.default_rng(seed).permutation(len(rows))[:most]))


def _ledger(assessed: Assessment) -> list[dict[str, Any]]:
    """The entries; where z is summed over, log P(x) under one name and not as the bounds that are equal to it."""
    named = [{"name": _name_of(name, assessed), **asdict(entry)} for name, entry in assessed.ledger.entries.items()]
    return [one for one in named if one["name"] != "elbo"] if assessed.evidence.exact else named


def _name_of(entry: str, assessed: Assessment) -> str:
    return "exact" if entry == "iwae" and assessed.evidence.exact else entry


def _integral(run: Run, rows: EncodedRows, assessed: Assessment) -> Mapping[str, Any]:
    """How soon sums over points of z reach log P(x)."""
    best, estimate = assessed.evidence.terms["iwae"], assessed.log_px_estimate
    exact = assessed.evidence.exact
    if isinstance(estimate, LogPxEstimate):
        best = np.full_like(best, np.nan)
        best[estimate.indices], exact = estimate.log_px, estimate.annealed is None
    found = convergence(run.model, rows, assessed.evidence, reference=best)
    if found is None:
        return {}
    lines = [(points.value, found.counts[points], found.nats[points]) for points in found.nats]
    return {"integral": lines, "integral_rows": found.rows, "integral_exact": exact, "latent": found.dimensions}


def _trust(assessed: Assessment) -> Mapping[str, Any]:
    """What the numbers are worth, the scores of the baselines, and what ails the fit."""
    ledger, diagnosis = assessed.ledger, assessed.diagnosis
    return {
        "headline": ledger.headline,
        "headline_bad": assessed.beaten,
        "sentences": diagnosis.sentences,
        "problems": diagnosis.problems,
        "annealed": _annealed_part(assessed),
        "annealing": " ".join(ledger.how_annealed),
        "verdicts": {_name_of(name, assessed): text for name, text in ledger.verdicts.items()},
        "unstable": [name for name, one in assessed.verdicts.items() if one.stability is Stability.UNSTABLE],
        "baselines": ledger.baselines,
        "baselines_note": "" if ledger.baselines else ledger.headline,
        "pit": [
            (calibration.name, calibration.histogram, calibration.verdict) for calibration in diagnosis.calibration
        ],
        "pit_counts": [calibration.numbers for calibration in diagnosis.calibration],
    }


def _annealed_part(assessed: Assessment) -> Mapping[str, Any] | None:
    """The bounds of the annealed rows, where these are not all of them."""
    estimate, measured = assessed.log_px_estimate, assessed.evidence
    if (
        not isinstance(estimate, LogPxEstimate)
        or estimate.annealed is None
        or len(estimate.indices) == len(measured.keys)
    ):
        return None
    rows = len(estimate.indices)
    terms: dict[str, Any] = {"rows": rows}
    values = {
        name: (measured.terms[name][estimate.indices], measured.se_mc[name][estimate.indices])
        for name in ("elbo", "iwae")
    }
    for name, (nats, se_mc) in (values | {"ais": (estimate.log_px, estimate.se_mc)}).items():
        terms |= {name: float(nats.mean()), f"se_{name}": float(np.sqrt(np.sum(se_mc**2)) / rows)}
    return terms


def _name(run: Run) -> str:
    path = run.record.data.path
    return Path(path).name if path else "data in memory"


def _history(run: Run) -> pd.DataFrame:
    """Of an ensemble, its first member's."""
    history = run.history.rename(columns={"kl_weight": "beta"})
    return history[history["member"] == 0].drop(columns="member") if "member" in history else history


def _facts(run: Run) -> dict[str, str]:
    model, training = run.config.model, run.config.training
    division = run.division
    size = f"{run.steps} steps of {training.batch_size} rows"
    members = f"{model.members} members of " if model.members > 1 else ""
    parts = words(run.config)
    networks = f"{members}{parts['network']}, residual blocks: {model.blocks}, width {model.width}"
    weights = sum(weight.numel() for weight in run.model.parameters())
    families = sorted({column.kind for column in run.schema.modelled})
    return {
        "data": f"{_name(run)}, {run.schema.form}",
        "rows": f"{division.training_rows} train, {len(division.validation)} validation, {len(division.test)} test",
        "x": f"{' x '.join(map(str, run.schema.event_shape))} cells; {', '.join(families)}",
        **{room: parts[room] for room in ("prior", "posterior", "likelihood")},
        "objective": run.aim or parts["objective"],
        "base measure": run.measure,
        "latent": str(model.latent),
        "networks": f"{networks}; {weights} weights",
        "training": f"{size}{' a member' if members else ''}, {run.record.seconds:.0f} s, {training.precision}",
        "kept": f"{run.selected} of step {run.selected_step}",
        "seed": str(run.config.seed),
    }


def _notices(run: Run) -> list[str]:
    notices = list(run.notices)
    if run.schema.binarize:
        notices.append(f"levels were made 0/1 ({run.schema.binarize}); test rows once, with seed {run.config.seed}")
    if run.record.interrupted:
        notices.append("the fit was interrupted; these are the best weights until then")
    return notices


def _coloured(run: Run, rows: Rows, points: np.ndarray) -> Mapping[str, Any]:
    """What colours the codes: labels where there are some, else the column of which their places tell most."""
    if rows.labels is not None or run.schema.form != Form.TABLE:
        return {"codes_labels": rows.labels}
    found = colouring(points, _counted(run, _frame(run, rows.values)))
    return {} if found is None else {"codes_labels": found[1], "codes_named": found[0], "codes_told": found[2]}


@torch.no_grad()
def _prior_walk(run: Run, encoded: EncodedRows) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """Draws of the prior, and what the decoder's layers make of them."""
    model = run.model.members[0]
    prior = model.prior()
    noise = torch.randn(DRAWS, prior.noise_size, generator=torch.Generator().manual_seed(run.config.seed))
    z = prior.from_noise(noise.to(prior.like)).cpu()
    start = z.numpy()[:, :2] if z.shape[1] > 1 else np.column_stack([z.numpy()[:, 0], np.zeros(DRAWS)])
    if not isinstance(model, VAE) or not isinstance(model.decoder, ResidualMLP):
        return start, []
    names = ["first layer", *(f"block {i + 1}" for i in range(run.config.model.blocks or 0)), "parameters of P(x|z)"]
    y = None if encoded.covariates is None else encoded.covariates[torch.arange(DRAWS) % len(encoded)]
    seen = model.features(y)
    code = z.to(run.device) if seen is None else torch.cat([z.to(run.device), seen], 1)
    outputs = [layer.float().cpu().numpy() for layer in model.decoder.layers(code)]
    return start, [(name, principal(layer)) for name, layer in zip(names, outputs, strict=True)]


@torch.no_grad()
def _latent_map(run: Run, encoded: EncodedRows) -> np.ndarray | None:
    """Means of P(x|z) over a two-dimensional z, y that of the first row.

    The steps are equal in the probability of the standard normal noise that P(z) bends: of z itself under N(0, I).
    """
    prior = run.model.prior()
    if run.model.latent != 2 or prior.noise_size != 2 or not prior.has_rsample or not _pictured(run):
        return None
    ticks = torch.tensor([NormalDist().inv_cdf((i + 0.5) / MAP_SIDE) for i in range(MAP_SIDE)])
    first, second = torch.meshgrid(ticks, ticks.flip(0), indexing="xy")
    z = prior.from_noise(torch.stack([first.flatten(), second.flatten()], 1).to(prior.like))
    y = None if encoded.covariates is None else encoded.covariates[:1].expand(len(z), -1)
    means = pictures_in_unit_range(run.schema, np.asarray(decode(run.schema, run.model.likelihood(z, y).mean)))
    return means.reshape(MAP_SIDE, MAP_SIDE, *means.shape[1:])


def _pictured(run: Run) -> bool:
    if run.schema.form == Form.TABLE or not run.schema.cells_alike:
        return False
    try:
        pictures_in_unit_range(run.schema, np.zeros((1, *run.schema.given_shape)))
    except OutputError:
        return False
    return len(run.schema.event_shape) > 1


def _examples(run: Run, rows: Rows, compared_with: Rows, log_px: np.ndarray) -> Mapping[str, Any]:
    first = rows.read(np.arange(min(TABLE_ROWS, len(rows))))
    low, high = _extremes(log_px)
    y, draws = _given(run, compared_with, MIN_SAMPLED), MIN_SAMPLED
    sampled = _frame(run, _sampled(run, draws, given=y))
    compared = _frame(run, _sampled(run, draws, given=y, with_missing=True)) if run.patterns else sampled
    modelled = [name for name in sampled if name not in [column.name for column in run.schema.conditions]]
    return {
        "originals": _frame(run, first.values),
        "reconstructions": _frame(run, run.reconstruct(first.values, given=condition_values(run.schema, first))),
        "samples": sampled.head(TABLE_ROWS),
        "real": _counted(run, _frame(run, compared_with.values)[modelled]),
        "sampled": _counted(run, compared[modelled]),
        "copies": copies(run, compared, _frame(run, compared_with.values)),
        "least_likely": _frame(run, rows.read(low).values),
        "most_likely": _frame(run, rows.read(high).values),
    }


@torch.no_grad()
def _examples_of_pictures(
    run: Run, rows: Rows, encoded: EncodedRows, codes: np.ndarray, log_px: np.ndarray
) -> Mapping[str, Any]:
    count, y = min(MAX_PICTURES, len(rows)), _given(run, rows, MAX_PICTURES)
    low, high = _extremes(log_px)
    x = np.asarray(decode(run.schema, encoded.stored().values))
    model, one = run.model.members[0], encoded.evaluation_batch(torch.zeros(1, dtype=torch.long))
    centres = codes if model.posterior(one).convex else posterior_centres(model, encoded)
    of_rows = None if encoded.covariates is None else encoded.covariates[:count]
    rebuilt = means_at(run, torch.from_numpy(centres[:count]), of_rows)
    samples = np.asarray(run.sample(MAX_PICTURES, given=y))
    return {
        "originals": pictures_in_unit_range(run.schema, x[:count]),
        "reconstructions": pictures_in_unit_range(run.schema, np.asarray(rebuilt)),
        "samples": pictures_in_unit_range(run.schema, samples),
        "sample_means": pictures_in_unit_range(run.schema, run.sample(MAX_PICTURES, given=y, mean=True)),
        "least_likely": pictures_in_unit_range(run.schema, x[low]),
        "most_likely": pictures_in_unit_range(run.schema, x[high]),
        **more_of_pictures(run, encoded, x, centres, samples),
    }


def _extremes(log_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the least probable rows and of the most probable, both from the end on."""
    order = np.argsort(log_px)
    return order[:EXTREMES], order[::-1][:EXTREMES]


def _sampled(run: Run, count: int, **options: Any) -> Any:
    """As `sample` draws by default; from all of P(x) where next to nothing of it lies within the range."""
    try:
        return run.sample(count, **options)
    except DataError:
        return run.sample(count, beyond_range=True, **options)


def _cells(run: Run, encoded: EncodedRows, measured: Evidence) -> Mapping[str, Any]:
    """What z explains of each column, and which cells make the least likely rows improbable."""
    if _pictured(run):
        return {}
    names = _names(run)
    cells = cell_reconstructions(run.model, encoded, seed=run.config.seed)[:, : len(names)]
    frame = pd.DataFrame(cells, columns=names)
    alone = np.full(cells.shape, np.nan)
    if run.home.baselines is not None and comparable(run.schema, run.model.p_x_z):
        alone = cell_marginals(run.home.baselines, encoded)[:, : len(names)]
    low = np.argsort(measured.terms["iwae"])[:EXTREMES]
    usual = np.random.default_rng(run.config.seed).permutation(len(encoded))[:USUAL]  # whose mean is what is usual
    scored = encoded.take(torch.from_numpy(np.concatenate([low, usual])))
    parts = contributions(run.model, scored, samples=SAMPLES, seed=run.config.seed, rule=run.proposal_rule())
    costs, code = pd.DataFrame(parts.cells[:, : len(names)], columns=names), parts.code
    excess = costs.iloc[: len(low)] - costs.iloc[len(low) :].mean()
    return {
        "explained": pd.DataFrame({"given_z": frame.mean(), "alone": pd.DataFrame(alone, columns=names).mean()}),
        "least_likely_excess": excess,
        "least_likely_code": code[: len(low)] - code[len(low) :].mean(),
    }


def _names(run: Run) -> list[str]:
    """Of the cells that are shown."""
    if run.schema.form == Form.TABLE:
        return [column.name for column in run.schema.modelled]
    return [f"x{i}" for i in range(min(run.schema.dims, MAX_COLUMNS))]


def _given(run: Run, rows: Rows, count: int) -> dict[str, np.ndarray]:
    """The conditions of the rows, in turn and from the first again."""
    return {name: np.asarray(y)[np.arange(count) % len(rows)] for name, y in condition_values(run.schema, rows).items()}


def _counted(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """Texts that say numbers or dates as these."""
    columns = [column for column in run.schema.columns if column.name in frame and run.schema.form == Form.TABLE]
    return frame.assign(**{column.name: as_numbers(column, frame[column.name]) for column in columns})


def _frame(run: Run, values: Any) -> pd.DataFrame:
    if run.schema.form == Form.TABLE:
        plain = next(iter(sources.open_source(values).splits.values())).read().values
        kept = [column.name for column in run.schema.columns if not column.left_out]
        return pd.DataFrame(plain)[kept].reset_index(drop=True)
    flat = np.asarray(values).reshape(len(values), -1)[:, :MAX_COLUMNS]
    return pd.DataFrame(flat, columns=[f"x{i}" for i in range(flat.shape[1])])
