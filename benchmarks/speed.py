"""How soon a fit of a table reaches a bound: processor seconds, steps and bounds, one line for each table and seed.

    LIKELY_DATA=... OMP_NUM_THREADS=1 python benchmarks/speed.py TABLE SEED[,SEED...] [BOUND] [OPTION=VALUE ...]

`likely.fit` with its defaults, or with these options, divides the rows by the seed. Printed: steps; processor seconds
of the fit; the step at which the ELBO of validation rows first reached BOUND; the best ELBO of validation rows; L_500
of the validation rows and of the test rows. A setting is chosen by validation rows; the test rows are there to be
reported. Lines of `benchmarks/speed.md` come from here.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch

import likely
from common import data, machine


def line(name: str, seed: int, bound: float | None, options: dict[str, Any]) -> dict[str, Any]:
    """One fit."""
    started = time.process_time()
    run = likely.fit(data(f"tables/{name}.csv"), seed=seed, progress=False, **options)
    seconds, history = time.process_time() - started, run.history
    made: dict[str, Any] = {
        "table": name,
        "seed": seed,
        "steps": run.record.members[0].steps,
        "processor_s": round(seconds, 1),
    }
    if bound is not None:
        there = history[history[["val_elbo", "val_elbo_average"]].max(axis=1) >= bound]
        made["reached at step"] = None if there.empty else int(there["step"].iloc[0])
    made["best validation ELBO"] = round(float(run.record.members[0].validation_elbo or float("nan")), 3)
    for part in ("validation", "test"):
        rows = run.division.rows(run.training_source(), part).values
        made[f"L_500, {part}"] = round(float(run.score(rows, samples=500)["log_px"].mean()), 3)
    return made


def main() -> None:
    """Fit what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("seeds")
    parser.add_argument("rest", nargs="*", metavar="BOUND OPTION=VALUE")
    asked = parser.parse_args()
    bound = next((float(word) for word in asked.rest if "=" not in word), None)
    pairs = (word.split("=", 1) for word in asked.rest if "=" in word)
    options = {name: int(value) if value.isdigit() else float(value) for name, value in pairs}
    torch.set_num_threads(1)
    print(json.dumps({"options": options, "bound": bound, "machine": machine()}), flush=True)
    for seed in asked.seeds.split(","):
        print(json.dumps(line(asked.table, int(seed), bound, options)), flush=True)


if __name__ == "__main__":
    main()
