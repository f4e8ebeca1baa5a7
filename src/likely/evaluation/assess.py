"""Everything that an evaluation says of rows: the ledger, log P(x) from both sides, baselines, and the diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from likely.config import demand_whole
from likely.data import EncodedRows, Schema
from likely.evaluation.annealing.bidirectional import bidirectional, simulate
from likely.evaluation.baselines.compressors import compress
from likely.evaluation.baselines.fitted import Baseline, Baselines, comparable
from likely.evaluation.diagnosis.diagnose import Diagnosis, diagnose
from likely.evaluation.evidence import Evidence, evidence
from likely.evaluation.ledger import Ledger, Origin, given_y, ledger
from likely.evaluation.sampling import Progress
from likely.evaluation.sides import NotAnnealed, Sides, both_sides
from likely.evaluation.verdicts import Verdict, against, of_annealing, of_importance
from likely.models import Model

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
    calibrate
        Bound log P(x) of 100 more simulated rows from both sides.

    Raises
    ------
    ConfigError
        If there is no sample, or less than no row to anneal.

    """

    samples: int = 500
    seed: int = 0
    anneal: int = 100
    precise: bool = False
    calibrate: bool = False

    def __post_init__(self) -> None:
        demand_whole("samples", self.samples)
        demand_whole("anneal", self.anneal, 0)


@dataclass(frozen=True, eq=False)
class Assessment:
    """Everything that an evaluation says of rows.

    Attributes
    ----------
    evidence
        Per-row estimates.
    ledger
        Their averages, and all that is said beside them.
    sides
        log P(x) annealed or exact, for some of the rows; or why not.
    verdicts
        Of each estimate of log P(x): whether it can be relied on.
    baselines
        What baselines and compressors make of the same rows.
    diagnosis
        What is wrong with the fit.
    beaten
        Whether the model does not beat its baselines.
    index
        Of the rows as they came.

    """

    evidence: Evidence
    ledger: Ledger
    sides: Sides | NotAnnealed
    verdicts: Mapping[str, Verdict]
    baselines: tuple[Baseline, ...]
    diagnosis: Diagnosis
    beaten: bool
    index: pd.Index

    def frame(self) -> pd.DataFrame:
        """Per-row values, in input order and with its index; NaN for rows that were not annealed."""
        measured = self.evidence
        columns = {name: measured.terms[name] for name in ("elbo", "iwae", "reconstruction", "kl")}
        columns |= {"iwae_se_mc": measured.se_mc["iwae"], "ess": measured.ess, "pareto_k": measured.pareto_k}
        sides = self.sides
        if isinstance(sides, Sides):
            some = {sides.name: sides.log_px, f"{sides.name}_se_mc": sides.se_mc}
            if sides.annealed is not None:
                some |= {"ais_ess": sides.annealed.ess, "acceptance": sides.annealed.acceptance}
            if sides.split is not None:
                some |= {"approximation": sides.split.approximation, "amortisation": sides.split.amortisation}
            for name, values in some.items():
                columns[name] = np.full(len(measured.keys), np.nan)
                columns[name][sides.indices] = values
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
        measured = evidence(model, rows, samples=samples, seed=seed, prior_sampling=True, progress=tick)
    with stage("annealing") as tick:
        sides = both_sides(model, rows, measured, most=options.anneal, precise=precise, seed=seed, progress=tick)
    with stage("comparing"):
        scores = _scores(model, schema, baselines, rows)
    diagnosis = diagnose(model, schema, train, validation, rows, measured, seed=seed, held_out=origin.held_out)
    headline = against(measured, scores, sides)
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
    verdicts = {"iwae": of_importance(measured, annealed=isinstance(sides, Sides))}
    if isinstance(sides, Sides):
        averages = replace(averages, entries=averages.entries | sides.entries(measured, given=bool(conditions)))
        verdicts[sides.name] = of_annealing(sides, measured, precise=precise)
    with stage("calibrating") as tick:
        calibration = _calibration(model, rows, sides, seed, tick) if options.calibrate else {}
    averages = replace(
        averages,
        headline=_headline(schema, headline.text, baselines, scores, missing=rows.observed is not None),
        verdicts={name: given_y(str(verdict)) if conditions else str(verdict) for name, verdict in verdicts.items()},
        annealing=_annealing(sides, len(measured.keys)),
        calibration=calibration,
        baselines=tuple(_line(base, measured) for base in scores),
        diagnosis=diagnosis.to_dict(),
    )
    index = pd.RangeIndex(len(rows)) if index is None else index
    return Assessment(measured, averages, sides, verdicts, scores, diagnosis, headline.beaten, index)


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


def _annealing(sides: Sides | NotAnnealed, of: int) -> dict[str, Any]:
    """How log P(x) was annealed, for the ledger."""
    if isinstance(sides, NotAnnealed):
        return {"rows": 0, "of": of, "reason": sides.reason}
    line: dict[str, Any] = {"rows": len(sides.indices), "of": of}
    if sides.annealed is None or sides.judged is None:
        return {**line, "codes": sides.codes}
    path = sides.annealed.path
    return {
        **line,
        "chains": path.chains,
        "temperatures": path.temperatures,
        "leapfrog_steps": path.leapfrog_steps,
        "from": "P(z)" if path.from_prior else "Q(z|x)",
        "acceptance": float(sides.annealed.acceptance.mean()),
        "ess": float(sides.annealed.ess.mean()),
        "pinch": sides.judged.pinch,
        "pinch_se": sides.judged.se,
        "simulated_rows": len(sides.judged.lower),
    }


def _calibration(
    model: Model, rows: EncodedRows, sides: Sides | NotAnnealed, seed: int, progress: Progress | None
) -> dict[str, Any]:
    """Bidirectional Monte Carlo on fresh simulated rows, along the path that annealed the real ones."""
    if isinstance(sides, NotAnnealed):
        return {"reason": sides.reason}
    if sides.judged is None:
        return {"reason": "log P(x) is exact here"}
    fresh = simulate(model, rows, SIMULATED_ROWS, seed + 3)
    bounds = bidirectional(model, fresh, sides.judged.path, seed=seed, progress=progress)
    return {
        "rows": SIMULATED_ROWS,
        "chains": bounds.path.chains,
        "temperatures": bounds.path.temperatures,
        "lower": float(bounds.lower.mean()),
        "lower_se": _se(bounds.lower),
        "upper": float(bounds.upper.mean()),
        "upper_se": _se(bounds.upper),
        "pinch": bounds.pinch,
        "pinch_se": bounds.se,
        "acceptance": float(bounds.acceptance.mean()),
        "meaning": MEANING,
    }
