"""Integrated models beside VAEs of the same minutes: log P(x) of test rows, imputation, speed.

    LIKELY_DATA=... OMP_NUM_THREADS=1 python benchmarks/exact.py [PART ...] [--seeds 5] [--out FOLDER]

debd     nltcs, jester, plants, accidents and dna with their fixed parts; `likely.fit` with `model="integrated"` and as
         many minutes as MINUTES says, defaults else; and the default VAE with the same minutes. log P(x) of the
         integrated model is exact, that of the distribution which its stored points are; `bias` and `spread` say how
         far the integral over P(z) is (`quadrature` of the ledger). Of the VAE it is L_1000, a lower bound, and on at
         most 100 rows annealed importance sampling beside L_1000 of the same rows (`ais gain`). Seconds are of the
         processor, of the fit; rows a second are of scoring the test rows (`samples=100` for the VAE).
tables   boston, concrete, wine and power-plant, divided by the seed, a minute for each fit: L_500 of the VAE by
         `score`, a lower bound, and log P(x) of the integrated model, exact.
points   `bias`, `spread` and log P(x) where 8, 32 and 128 times the 1,024 points of a training step are stored, and
         512 and 2,048 times where fewer are more than 0.02 nats away, on 500 test rows of each binary set, of one fit
         of a minute (seed 0).
impute   the eight sets of `impute.py`, half of the cells deleted: the VAE with the defaults of `likely.fit`, then an
         integrated model with as many minutes; mean squared error of the deleted cells, standardised, by conditional
         means (`impute`).

Published, for the debd sets: hidden Chow-Liu tree circuits on nltcs, jester and plants, the best figures of circuits
on accidents and dna. Every piece is kept in FOLDER: run the same command again to go on, and take another FOLDER for
other code. Minutes are by the clock, so that nothing else should run.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import impute
import likely
from common import data, keep
from likely.evaluation import LogPxEstimate, estimate_log_px, evidence, quadrature
from likely.models import Integrated
from likely.models.integrated import uniform_points
from pieces import Piece, piece, table

MINUTES = {"nltcs": 1.0, "jester": 1.0, "plants": 3.0, "accidents": 1.0, "dna": 1.0}
WANTED = {"nltcs": -5.99, "jester": -51.80, "plants": -12.42}
PUBLISHED = {"nltcs": -6.00, "jester": -52.82, "plants": -12.67, "accidents": -26.55, "dna": -81.28}
TABLES = {"boston": -75.8, "concrete": -45.5, "wine": -41.1, "power-plant": "-"}
SAMPLES, SCORED = 1000, 500
FACTORS, MANY, ENOUGH, ROWS = (8, 32, 128, 512, 2048), 128, 0.02, 500
KINDS = ("integrated", "vae")


def timed(path: Any, kind: str, seed: int, minutes: float | None) -> tuple[likely.Run, dict[str, Any]]:
    """A fit, and what it took."""
    started, clock = time.process_time(), time.perf_counter()
    run = likely.fit(path, model=kind, seed=seed, minutes=minutes, progress=False)
    seconds = {"fit_s": time.process_time() - started, "fit_wall_s": time.perf_counter() - clock}
    return run, {**seconds, "latent": run.config.model.latent, "steps": run.record.members[0].steps}


def of_set(name: str, kind: str, seed: int) -> dict[str, Any]:
    """log P(x) of the test rows of a binary set, and how good the number is."""
    run, facts = timed(data(f"debd/{name}.npz"), kind, seed, MINUTES[name])
    rows, model = run.encoded(run.division.rows(run.training_source(), "test")), run.model
    started = time.process_time()
    measured = evidence(model, rows, samples=100)
    facts["rows_a_second"] = len(rows) / (time.process_time() - started)
    if isinstance(model, Integrated):
        found = quadrature(model, rows, measured)
        gaps = {"bias": found.bias, "bias_se": found.bias_se, "spread": found.spread, "points": found.points}
    else:
        measured = evidence(model, rows, samples=SAMPLES)
        estimate, gaps = estimate_log_px(model, rows, measured, max_rows=100), {}
        if isinstance(estimate, LogPxEstimate):
            gaps["ais_gain"] = float((estimate.log_px - measured.terms["iwae"][estimate.indices]).mean())
    return {**facts, **gaps, "log_px": measured.terms["iwae"]}


def of_points(name: str) -> dict[str, Any]:
    """How far the mixtures of ever more points are from the integral, of one fit's decoder."""
    run = likely.fit(data(f"debd/{name}.npz"), model="integrated", seed=0, minutes=1, progress=False)
    model = run.model
    assert isinstance(model, Integrated)
    rows = run.encoded(run.division.rows(run.training_source(), "test")).take(torch.arange(ROWS))
    found: dict[str, list[float]] = {"bias": [], "spread": [], "log_px": [], "rows_a_second": []}
    for factor in FACTORS:
        if factor > MANY and abs(found["bias"][-1]) <= ENOUGH:
            break
        model.uniforms = uniform_points(factor * model.points, model.uniforms.shape[1], 0).to(model.uniforms)
        started = time.process_time()
        measured = evidence(model, rows, samples=1)
        seconds = time.process_time() - started
        away = quadrature(model, rows, measured)
        values = (away.bias, away.spread, float(measured.terms["iwae"].mean()), len(rows) / seconds)
        for key, value in zip(found, values, strict=True):
            found[key].append(value)
    return {"latent": model.latent, **found}


def of_table(name: str, kind: str, seed: int) -> dict[str, Any]:
    """log P(x) of the test rows of a table."""
    run, facts = timed(data(f"tables/{name}.csv"), kind, seed, 1.0)
    rows = run.division.rows(run.training_source(), "test").values
    scores = run.score(rows, samples=SCORED)
    started = time.process_time()
    run.score(rows)
    facts["rows_a_second"] = len(rows) / (time.process_time() - started)
    return {**facts, "log_px": scores["log_px"].to_numpy(), "row": np.asarray(run.division.test)}


def of_missing(name: str, kind: str, seed: int, minutes: float | None) -> dict[str, Any]:
    """Squared errors of deleted cells."""
    x, deleted = impute.holed(name, seed)
    frame = pd.DataFrame(np.where(deleted, np.nan, x), columns=[f"x{number}" for number in range(x.shape[1])])
    run, facts = timed(frame, kind, seed, minutes)
    filled = run.impute(frame).to_numpy(np.float64)
    return {**facts, "mse": float(np.square(filled - x)[deleted].mean())}


def pair(folder: Path, part: str, name: str, seed: int) -> dict[str, Piece]:
    """Both models of one set and seed."""
    made: dict[str, Piece] = {}
    for kind in reversed(KINDS):
        if part == "debd":
            make = partial(of_set, name, kind, seed)
        elif part == "tables":
            make = partial(of_table, name, kind, seed)
        else:
            minutes = None if kind == "vae" else float(made["vae"]["fit_s"]) / 60
            make = partial(of_missing, name, kind, seed, minutes)
        made[kind] = piece(folder / part / f"{name}-{seed}-{kind}.npz", make)
    return made


def mean(pieces: list[dict[str, Piece]], kind: str, key: str) -> float:
    """Mean over rows and seeds."""
    return float(np.mean([np.mean(one[kind][key]) for one in pieces]))


def spread(pieces: list[dict[str, Piece]], kind: str, key: str) -> float:
    """Standard deviation over seeds."""
    each = [float(np.mean(one[kind][key])) for one in pieces]
    return float(np.std(each, ddof=1)) if len(each) > 1 else float("nan")


def debd_line(name: str, found: list[dict[str, Piece]]) -> dict[str, Any]:
    gains = [one["vae"]["ais_gain"] for one in found if "ais_gain" in one["vae"]]
    return {
        "set": name,
        "integrated": mean(found, "integrated", "log_px"),
        "± of seeds": spread(found, "integrated", "log_px"),
        "wanted": WANTED.get(name, "-"),
        "published": PUBLISHED[name],
        "bias": mean(found, "integrated", "bias"),
        "spread": mean(found, "integrated", "spread"),
        "z": [int(one["integrated"]["latent"]) for one in found],
        "VAE, L_1000": mean(found, "vae", "log_px"),
        "ais gain": float(np.mean(gains)) if gains else "-",
        "minutes": MINUTES[name],
        "seconds": mean(found, "integrated", "fit_s"),
        "VAE seconds": mean(found, "vae", "fit_s"),
        "rows a second": round(mean(found, "integrated", "rows_a_second")),
        "VAE rows a second": round(mean(found, "vae", "rows_a_second")),
    }


def table_line(name: str, found: list[dict[str, Piece]]) -> dict[str, Any]:
    differences = [one["integrated"]["log_px"].mean() - one["vae"]["log_px"].mean() for one in found]
    return {
        "table": name,
        "integrated": mean(found, "integrated", "log_px"),
        "seed 0": float(found[0]["integrated"]["log_px"].mean()),
        "wanted of seed 0, in the measure of 0.1.0": TABLES[name],
        "VAE, L_500": mean(found, "vae", "log_px"),
        "integrated - VAE": float(np.mean(differences)),
        "by seed": [round(float(one), 2) for one in differences],
        "seconds": mean(found, "integrated", "fit_s"),
        "VAE seconds": mean(found, "vae", "fit_s"),
        "rows a second": round(mean(found, "integrated", "rows_a_second")),
        "VAE rows a second": round(mean(found, "vae", "rows_a_second")),
    }


def points_line(folder: Path, name: str) -> dict[str, Any]:
    made = piece(folder / "points" / f"{name}.npz", partial(of_points, name))
    line: dict[str, Any] = {"set": name, "z": int(made["latent"])}
    for key in ("bias", "spread", "log_px", "rows_a_second"):
        line |= {f"{key}, {factor} N": float(value) for factor, value in zip(FACTORS, made[key], strict=False)}
    return line


def impute_line(name: str, found: list[dict[str, Piece]]) -> dict[str, Any]:
    errors = {"integrated": mean(found, "integrated", "mse"), "VAE": mean(found, "vae", "mse")}
    return {"set": name, **errors, "seconds": mean(found, "integrated", "fit_s"), "VAE s": mean(found, "vae", "fit_s")}


PARTS = {
    "debd": (MINUTES, debd_line),
    "tables": (TABLES, table_line),
    "impute": (impute.SETS, impute_line),
}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/exact"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    document: dict[str, Any] = {"protocol": __doc__, "seeds": asked.seeds}
    for part in asked.parts or [*PARTS, "points"]:
        if part == "points":
            document[part] = [points_line(asked.out, name) for name in MINUTES]
            table(part, document[part])
            continue
        names, line = PARTS[part]
        document[part] = [
            line(name, [pair(asked.out, part, name, seed) for seed in range(asked.seeds)]) for name in names
        ]
        table(part, document[part])
    keep("exact", document)


if __name__ == "__main__":
    main()
