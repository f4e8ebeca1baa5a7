"""Colour pictures and five tables through fit, evaluate, sample and score with defaults.

    LIKELY_DATA=... python benchmarks/real_data.py FOLDER

FOLDER receives the runs, their reports, samples and scores, to be looked at.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import likely
from common import data, keep
from likely.cli import main as command

SETS = (
    "tables/boston.csv",
    "tables/concrete.csv",
    "tables/power-plant.csv",
    "tables/wine.csv",
    "cifar10-jpg",
    "tables/adult.csv",
)


def measure(path: Path, folder: Path) -> dict[str, object]:
    """One data set through all verbs."""
    name, out = path.stem, folder / path.stem
    started = time.perf_counter()
    run = likely.fit(path, out=out, overwrite=True)
    fitted = time.perf_counter() - started
    found = run.evaluate()
    form = ".png" if run.schema.form == "images" else ".csv"
    for words in (
        ["sample", out, "-n", "100", "-o", folder / f"{name}-samples{form}"],
        ["score", out, path, "-o", folder / f"{name}-scores.csv"],
        ["report", out],
    ):
        if command([str(word) for word in words] + (["--overwrite"] if "-o" in words or words[0] == "report" else [])):
            sys.exit(f"{words} failed")
    return {
        "data": name,
        "training_rows": run.schema.rows,
        "cells": run.schema.dims,
        "measure": run.measure,
        "latent": run.model.latent,
        "steps": run.facts["steps"],
        "fit_seconds": round(fitted, 1),
        "test_rows": found.rows,
        "split": found.split,
        "evaluate_seconds": found.seconds,
        **{
            term: round(found[term].nats, 3)
            for term in ("reconstruction", "kl", "elbo", "iwae", "gap", "prior_sampling")
        },
        "se": round(found["iwae"].se, 3),
        "se_mc": round(found["iwae"].se_mc, 4),
        "bits_per_dim": round(found["iwae"].bits_per_dim, 4),
    }


def main() -> None:
    """Every data set in turn."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for name in SETS:
        results.append(measure(data(name), folder))
        print(results[-1], flush=True)
    keep("real_data", {"protocol": "defaults, seed 0, K = 500, stored test rows", "results": results})


if __name__ == "__main__":
    main()
