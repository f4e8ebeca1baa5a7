"""Everything that an evaluation says of rows: the ledger, both sides of log P(x), simpler models, and the diagnosis."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from likely.data import EncodedRows, Given
from likely.errors import DataError, OutputError, RunError
from likely.evaluation import (
    Baseline,
    Baselines,
    Bidirectional,
    Diagnosis,
    Evidence,
    Ledger,
    Sides,
    against,
    bidirectional,
    both_sides,
    comparable,
    compress,
    diagnose,
    evidence,
    fit_baselines,
    given_y,
    ledger,
    of_annealing,
    of_importance,
    simulate,
)
from likely.files import write
from likely.run.progress import bar
from likely.run.reading import HOLDS, index_of
from likely.run.versions import versions

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["Assessment", "assess", "simpler"]

SIMULATED = 100
MEANING = (
    "on average log P(x) of rows simulated from the model lies between lower and upper, so ais of them falls short by "
    "at most upper - lower; of real rows no exact posterior sample exists: for them this is an indication, no bound"
)


@dataclass(frozen=True, eq=False)
class Assessment:
    """What an evaluation found.

    Attributes
    ----------
    evidence
        Per-row estimates.
    ledger
        Their averages, and all that is told beside them.
    sides
        log P(x) annealed or exact, for some of the rows; or why not.
    baselines
        Simpler models and compressors, on the same rows.
    diagnosis
        What is wrong with the fit.
    beaten
        Whether the model does not beat the simpler ones.
    index
        Of the rows as they came.

    """

    evidence: Evidence
    ledger: Ledger
    sides: Sides | str
    baselines: tuple[Baseline, ...]
    diagnosis: Diagnosis
    beaten: bool
    index: pd.Index

    def frame(self) -> pd.DataFrame:
        """Per-row values, in input order and with its index; NaN for rows that were not annealed."""
        found = self.evidence
        columns = {name: found.terms[name] for name in ("elbo", "iwae", "reconstruction", "kl")}
        columns |= {"iwae_se_mc": found.se_mc["iwae"], "ess": found.ess, "pareto_k": found.pareto_k}
        sides = self.sides
        if isinstance(sides, Sides):
            some = {sides.name: sides.log_px, f"{sides.name}_se_mc": sides.se_mc}
            if sides.annealed is not None:
                some |= {"ais_ess": sides.annealed.ess, "acceptance": sides.annealed.acceptance}
            if sides.split is not None:
                some |= {"approximation": sides.split.approximation, "amortisation": sides.split.amortisation}
            for name, values in some.items():
                columns[name] = np.full(len(found.keys), np.nan)
                columns[name][sides.place] = values
        columns |= {base.name: base.nats for base in self.baselines if base.nats is not None}
        return pd.DataFrame(columns, index=self.index)


def assess(
    run: Run,
    data: Any,
    *,
    given: Given | None,
    samples: int,
    seed: int,
    anneal: int,
    precise: bool,
    calibrate: bool,
) -> Assessment:
    """Evaluate rows; see `Run.evaluate`."""
    rows, split = run.rows_of(data)
    started, encoded = time.perf_counter(), run.encoded(rows, given)
    with bar("evaluating", shown=run.progress) as tick:
        found = evidence(run.model, encoded, samples=samples, seed=seed, prior_sampling=True, progress=tick)
    with bar("annealing", shown=run.progress) as tick:
        sides = both_sides(run.model, encoded, found, most=anneal, precise=precise, seed=seed, progress=tick)
    conditions = tuple(column.name for column in run.schema.conditions)
    train, validation = (_split(run, kind) for kind in ("train", "validation"))
    with bar("comparing", shown=run.progress):
        laws = simpler(run, train)
        baselines = _beside(run, laws, encoded)
    diagnosis = diagnose(
        run.model, run.schema, train, validation, encoded, found, seed=seed, held_out=HOLDS not in split
    )
    headline, beaten = against(found, baselines, sides)
    made = ledger(
        found,
        dims=run.schema.dims,
        split=split,
        measure=run.measure,
        seed=seed,
        seconds=0.0,
        versions=versions(),
        given=conditions,
    )
    verdicts = {"iwae": of_importance(found, annealed=isinstance(sides, Sides))}
    if isinstance(sides, Sides):
        made = replace(made, entries=made.entries | sides.entries(found, given=bool(conditions)))
        verdicts[sides.name] = of_annealing(sides, found, precise=precise)
    pinched = _calibrated(run, encoded, sides, seed) if calibrate else {}
    made = replace(
        made,
        headline=_headline(run, headline, laws, baselines, holes=encoded.observed is not None),
        verdicts={name: given_y(verdict) if conditions else verdict for name, verdict in verdicts.items()},
        annealing=_annealing(sides, len(found.keys)),
        calibration=pinched,
        baselines=tuple(_told(base, found) for base in baselines),
        diagnosis=diagnosis.to_dict(),
        seconds=round(time.perf_counter() - started, 2),
    )
    return Assessment(found, made, sides, baselines, diagnosis, beaten, index_of(rows))


def simpler(run: Run, train: EncodedRows | None) -> Baselines | None:
    """Simpler models, fitted to the training rows once and kept beside the run; `None` where these rows are gone."""
    if run.simpler is None:
        path = None if run.directory is None else run.directory / "baselines.safetensors"
        if path is not None and path.exists():
            try:
                arrays = {name: tensor.numpy() for name, tensor in load_tensors(path.read_bytes()).items()}
            except (OSError, SafetensorError) as error:
                raise RunError(f"{path} is damaged ({error}); remove it, and it will be made again") from error
            run.simpler = Baselines.from_arrays(run.schema, arrays)
        elif train is not None:
            run.simpler = fit_baselines(run.schema, train, latent=run.model.members[0].latent, seed=run.config.seed)
            if path is not None:
                arrays = run.simpler.to_arrays()
                with suppress(OutputError):  # a run that may only be read is evaluated all the same
                    write(path, save_tensors({name: torch.tensor(array) for name, array in arrays.items()}))
    return run.simpler


def _split(run: Run, kind: str) -> EncodedRows | None:
    """Rows of the fit; `None` where they are gone."""
    try:
        return run.encoded(run.division.rows(run.training_source(), kind))
    except DataError:
        return None


def _beside(run: Run, laws: Baselines | None, encoded: EncodedRows) -> tuple[Baseline, ...]:
    """Scores of the simpler models and the compressors, if they are in the model's base measure."""
    if laws is None or not comparable(run.schema, run.model.p_x_z):
        return ()
    return (*laws.score(encoded), *compress(run.schema, encoded))


def _headline(run: Run, told: str, laws: Baselines | None, baselines: tuple[Baseline, ...], *, holes: bool) -> str:
    """What is read first; why nothing is compared, where that is so."""
    if told:
        told = f"{given_y(told)} (It is told y, and they are not.)" if run.schema.conditions else told
        without = holes and laws is not None and laws.measure == "mass"
        return told + (" (Compressors are left out: cells are missing.)" if without else "")
    if baselines:
        return "Nothing to compare with simpler models: some rows get no probability from the model."
    if laws is None:
        return "No simpler model to compare with: the training rows are gone."
    return (
        f"No simpler model to compare with: theirs is a {laws.measure} by the form of x, and this likelihood has "
        "another base measure in some column."
    )


def _told(base: Baseline, found: Evidence) -> dict[str, Any]:
    """One line about a baseline, with the model's paired advantage in nats per row."""
    line: dict[str, Any] = {"name": base.name, "nats": None, "se": None, "bits_per_dim": base.bits_per_dim}
    if base.nats is not None:
        counting, better = found.counting, found.terms["iwae"] - base.nats
        line |= {"nats": counting.mean(base.nats), "se": counting.se(base.nats)}
        line |= {"difference": counting.mean(better), "difference_se": counting.se(better), "rows": len(better)}
    return {**line, "kind": base.kind}


def _se(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _annealing(sides: Sides | str, of: int) -> dict[str, Any]:
    if isinstance(sides, str):
        return {"rows": 0, "of": of, "reason": sides}
    made: dict[str, Any] = {"rows": len(sides.place), "of": of}
    if sides.annealed is None or sides.judged is None:
        return {**made, "codes": sides.codes}
    schedule = sides.annealed.schedule
    return {
        **made,
        "chains": schedule.chains,
        "temperatures": schedule.temperatures,
        "leapfrog_steps": schedule.leaps,
        "from": "P(z)" if schedule.from_prior else "Q(z|x)",
        "acceptance": float(sides.annealed.acceptance.mean()),
        "ess": float(sides.annealed.ess.mean()),
        "pinch": sides.judged.pinch,
        "pinch_se": sides.judged.se,
        "simulated_rows": len(sides.judged.lower),
    }


def _calibrated(run: Run, encoded: EncodedRows, sides: Sides | str, seed: int) -> dict[str, Any]:
    """Bidirectional Monte Carlo on fresh simulated rows, at the schedule that annealed the real ones."""
    if isinstance(sides, str) or sides.judged is None:
        return {"reason": sides if isinstance(sides, str) else "log P(x) is exact here"}
    fresh = simulate(run.model, encoded, SIMULATED, seed + 3)
    with bar("calibrating", shown=run.progress) as tick:
        found: Bidirectional = bidirectional(run.model, fresh, sides.judged.schedule, seed=seed, progress=tick)
    return {
        "rows": SIMULATED,
        "chains": found.schedule.chains,
        "temperatures": found.schedule.temperatures,
        "lower": float(found.lower.mean()),
        "lower_se": _se(found.lower),
        "upper": float(found.upper.mean()),
        "upper_se": _se(found.upper),
        "pinch": found.pinch,
        "pinch_se": found.se,
        "acceptance": float(found.acceptance.mean()),
        "meaning": MEANING,
    }
