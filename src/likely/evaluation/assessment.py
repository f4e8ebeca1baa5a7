"""All that an evaluation says of rows: the ledger, better estimates of log P(x), baselines, and the diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from likely.config import demand_whole
from likely.data import EncodedRows, Schema
from likely.evaluation.annealing.bidirectional import bidirectional, simulate
from likely.evaluation.annealing.clock import Clock
from likely.evaluation.baselines.compressors import compress
from likely.evaluation.baselines.fitted import Baseline, Baselines, comparable
from likely.evaluation.baselines.flow import FlowRival
from likely.evaluation.diagnosis.diagnose import Diagnosis, diagnose
from likely.evaluation.evidence import Evidence, evidence
from likely.evaluation.ledger import Ledger, Origin, given_y, ledger
from likely.evaluation.log_px import LogPxEstimate, NotAnnealed, estimate_log_px
from likely.evaluation.proposals import ProposalRule
from likely.evaluation.quadrature import quadrature
from likely.evaluation.sampling import Progress
from likely.evaluation.verdicts import Verdict, against, of_annealing, of_importance
from likely.models import Integrated, Model

__all__ = ["AssessOptions", "Assessment", "assess"]

Stage = Callable[[str], AbstractContextManager[Progress | None]]

SIMULATED_ROWS = 100  # of a calibration
MEANING = (
    "on average log P(x) of rows simulated from the model lies between lower and upper, so ais of them falls short by "
    "at most upper - lower; of real rows no exact posterior sample exists: for them this is an indication, no bound"
)


@dataclass(frozen=True)
class AssessOptions:
    """How rows are assessed.

    Parameters
    ----------
    samples
        K of the importance-weighted bound and of the other estimates.
    seed
        Of the noise, which is keyed by (seed, row).
    anneal
        At most so many rows are annealed, chosen by their content.
    precise
        Anneal until the bounds on rows simulated from the model are within 0.1 nats instead of 0.5.
    rule
        For which rows z is drawn from more than Q(z|x); none unless given.
    calibrate
        Give lower and upper bounds on log P(x) for 100 more simulated rows.
    temperatures
        Of annealing at most, in the place of 512, or 4,096 where `precise`.
    minutes
        About how long annealing may take, which limits temperatures and rows, `precise` or not; as long as it takes
        unless given.

    Raises
    ------
    ConfigError
        If there is no sample, less than no row to anneal, or minutes that are no positive number.

    """

    samples: int = 500
    seed: int = 0
    anneal: int = 100
    precise: bool = False
    calibrate: bool = False
    rule: ProposalRule | None = None
    temperatures: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        demand_whole("samples", self.samples)
        demand_whole("anneal", self.anneal, 0)
        Clock(self.minutes)


@dataclass(frozen=True, eq=False)
class Assessment:
    """Everything that an evaluation says of rows.

    Attributes
    ----------
    evidence
        Per-row estimates.
    ledger
        Averages over the rows, with the notices about them.
    log_px_estimate
        log P(x) of some of the rows, annealed or exact; or why it was not estimated.
    verdicts
        Estimate of log P(x) -> whether it can be relied on.
    baselines
        The scores of baselines and compressors on the same rows.
    diagnosis
        What is wrong with the fit.
    beaten
        Whether the model does not beat its baselines.
    index
        The index of the rows that were given.

    """

    evidence: Evidence
    ledger: Ledger
    log_px_estimate: LogPxEstimate | NotAnnealed
    verdicts: Mapping[str, Verdict]
    baselines: tuple[Baseline, ...]
    diagnosis: Diagnosis
    beaten: bool
    index: pd.Index

    @property
    def sides(self) -> LogPxEstimate | NotAnnealed:
        """`log_px_estimate`, by its earlier name."""
        return self.log_px_estimate

    def frame(self) -> pd.DataFrame:
        """Per-row values, in input order and with its index; NaN for rows that were not annealed."""
        measured = self.evidence
        columns = {name: measured.terms[name] for name in ("elbo", "iwae", "reconstruction", "kl")}
        columns |= {"iwae_se_mc": measured.se_mc["iwae"], "ess": measured.ess, "pareto_k": measured.pareto_k}
        estimate = self.log_px_estimate
        if isinstance(estimate, LogPxEstimate):
            some = {estimate.name: estimate.log_px, f"{estimate.name}_se_mc": estimate.se_mc}
            if estimate.annealed is not None:
                some |= {"ais_ess": estimate.annealed.ess, "acceptance": estimate.annealed.acceptance}
            if estimate.gap_split is not None:
                split = estimate.gap_split
                some |= {"approximation": split.approximation, "amortisation": split.amortisation}
            for name, values in some.items():
                columns[name] = np.full(len(measured.keys), np.nan)
                columns[name][estimate.indices] = values
        columns |= {base.name: base.nats for base in self.baselines if base.nats is not None}
        return pd.DataFrame(columns, index=self.index)


def silent(_: str) -> AbstractContextManager[None]:
    """A stage without a progress bar."""
    return nullcontext()


def assess(
    model: Model,
    schema: Schema,
    rows: EncodedRows,
    options: AssessOptions | None = None,
    *,
    train: EncodedRows | None = None,
    validation: EncodedRows | None = None,
    baselines: Baselines | None = None,
    rival: FlowRival | None = None,
    origin: Origin = Origin.TEST,
    index: pd.Index | None = None,
    versions: Mapping[str, str] | None = None,
    stage: Stage = silent,
) -> Assessment:
    """Every estimate of log P(x) of the rows, what can be relied on, baselines on the same rows, and a diagnosis.

    Parameters
    ----------
    model, schema
        The fitted model, and what X is.
    rows
        Encoded by the schema and, where that applies, binarised once.
    options
        How; the defaults of `AssessOptions` unless given.
    train, validation
        Rows of the fit; `None` where they are gone.
    baselines
        Fitted to the training rows; `None` where these are gone.
    rival
        A flow that was trained for as long as the model, where one was asked for.
    origin
        What the rows are to the fit.
    index
        Of the rows; their numbers unless given.
    versions
        Of the software, for the ledger.
    stage
        What is being done -> a context that gives what is called with (rows done, rows).

    """
    options = options or AssessOptions()
    samples, seed, precise = options.samples, options.seed, options.precise
    with stage("evaluating") as tick:
        measured = evidence(
            model, rows, samples=samples, seed=seed, prior_sampling=True, rule=options.rule, progress=tick
        )
    with stage("annealing") as tick:
        estimate = estimate_log_px(
            model,
            rows,
            measured,
            max_rows=options.anneal,
            precise=precise,
            seed=seed,
            progress=tick,
            temperatures=options.temperatures,
            minutes=options.minutes,
        )
    with stage("comparing"):
        scores = _scores(model, schema, baselines, rows)
    if rival is not None and scores and scores[0].nats is not None:
        with stage("scoring the flow") as tick:
            scores = (*scores, rival.score(rows, scores[0].nats, seed=seed, progress=tick))
    diagnosis = diagnose(model, schema, train, validation, rows, measured, seed=seed, held_out=origin.held_out)
    headline = against(measured, scores, estimate)
    conditions = tuple(column.name for column in schema.conditions)
    averages = ledger(
        measured,
        dims=schema.dims,
        split=origin,
        measure=model.p_x_z.measure,
        seed=seed,
        seconds=0.0,
        versions=dict(versions or {}),
        given=conditions,
    )
    verdicts = {"iwae": of_importance(measured, annealed=isinstance(estimate, LogPxEstimate))}
    if isinstance(estimate, LogPxEstimate):
        averages = replace(averages, entries=averages.entries | estimate.entries(measured, given=bool(conditions)))
        verdicts[estimate.name] = of_annealing(estimate, measured, precise=precise)
    summed: dict[str, Any] = {}
    if isinstance(model, Integrated):
        with stage("integrating") as tick:
            found = quadrature(model, rows, measured, seed=seed, progress=tick)
        summed = found.to_dict()
    with stage("calibrating") as tick:
        calibration = _calibration(model, rows, estimate, seed, tick) if options.calibrate else {}
    averages = replace(
        averages,
        headline=_headline(schema, headline.text, baselines, scores, missing=rows.observed is not None),
        verdicts={name: given_y(str(verdict)) if conditions else str(verdict) for name, verdict in verdicts.items()},
        annealing=_annealing(estimate, len(measured.keys), options.anneal),
        calibration=calibration,
        quadrature=summed,
        baselines=tuple(_line(base, measured) for base in scores),
        diagnosis=diagnosis.to_dict(),
    )
    index = pd.RangeIndex(len(rows)) if index is None else index
    return Assessment(measured, averages, estimate, verdicts, scores, diagnosis, headline.beaten, index)


def _scores(model: Model, schema: Schema, baselines: Baselines | None, rows: EncodedRows) -> tuple[Baseline, ...]:
    """Scores of the baselines and the compressors, if they are in the model's base measure."""
    if baselines is None or not comparable(schema, model.p_x_z):
        return ()
    return (*baselines.score(rows), *compress(schema, rows))


def _headline(
    schema: Schema, text: str, baselines: Baselines | None, scores: tuple[Baseline, ...], *, missing: bool
) -> str:
    """What is read first; why nothing is compared, where that is so."""
    if text:
        text = f"{given_y(text)} (It is given y, and they are not.)" if schema.conditions else text
        without = missing and baselines is not None and baselines.measure == "mass"
        return text + (" (Compressors are left out: cells are missing.)" if without else "")
    if scores:
        return "No comparison with baselines: some rows get no probability from the model."
    if baselines is None:
        return "No comparison with baselines: the training rows are gone."
    return (
        f"No comparison with baselines: their measure is {baselines.measure} by the form of x, and this likelihood has "
        "another base measure in some column."
    )


def _line(base: Baseline, measured: Evidence) -> dict[str, Any]:
    """One line about a baseline, with the model's paired advantage in nats per row."""
    line: dict[str, Any] = {"name": base.name, "nats": None, "se": None, "bits_per_dim": base.bits_per_dim}
    if base.nats is not None:
        counting, better = measured.counting, measured.terms["iwae"] - base.nats
        line |= {"nats": counting.mean(base.nats), "se": counting.se(base.nats)}
        line |= {"difference": counting.mean(better), "difference_se": counting.se(better), "rows": len(better)}
    return {**line, "kind": base.kind}


def _se(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _annealing(estimate: LogPxEstimate | NotAnnealed, of: int, asked: int) -> dict[str, Any]:
    """How log P(x) was annealed, for the ledger."""
    if isinstance(estimate, NotAnnealed):
        return {"rows": 0, "of": of, "reason": estimate.reason}
    line: dict[str, Any] = {"rows": len(estimate.indices), "of": of}
    if estimate.annealed is None or estimate.simulated_bounds is None:
        return {**line, "codes": estimate.code_count}
    path = estimate.annealed.path
    if (limit := estimate.limit) is not None:
        line |= {"asked": min(asked, of), **asdict(limit)}
    return {
        **line,
        "chains": path.chains,
        "temperatures": path.temperatures,
        "leapfrog_steps": path.leapfrog_steps,
        "from": "P(z)" if path.from_prior else "Q(z|x)",
        "acceptance": float(estimate.annealed.acceptance.mean()),
        "ess": float(estimate.annealed.ess.mean()),
        "pinch": estimate.simulated_bounds.width,
        "pinch_se": estimate.simulated_bounds.se,
        "simulated_rows": len(estimate.simulated_bounds.lower),
    }


def _calibration(
    model: Model, rows: EncodedRows, estimate: LogPxEstimate | NotAnnealed, seed: int, progress: Progress | None
) -> dict[str, Any]:
    """Bidirectional Monte Carlo on fresh simulated rows, along the path that annealed the real ones."""
    if isinstance(estimate, NotAnnealed):
        return {"reason": estimate.reason}
    if estimate.simulated_bounds is None:
        return {"reason": "log P(x) is exact here"}
    fresh = simulate(model, rows, SIMULATED_ROWS, seed + 3)
    bounds = bidirectional(model, fresh, estimate.simulated_bounds.path, seed=seed, progress=progress)
    return {
        "rows": SIMULATED_ROWS,
        "chains": bounds.path.chains,
        "temperatures": bounds.path.temperatures,
        "lower": float(bounds.lower.mean()),
        "lower_se": _se(bounds.lower),
        "upper": float(bounds.upper.mean()),
        "upper_se": _se(bounds.upper),
        "pinch": bounds.width,
        "pinch_se": bounds.se,
        "acceptance": float(bounds.acceptance.mean()),
        "meaning": MEANING,
    }
