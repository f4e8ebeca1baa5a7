"""Which prior is the best default: the same fits under N(0, I) and under others, on real data of every form.

    LIKELY_DATA=... python benchmarks/priors.py FOLDER [PRIOR ...]

Defaults but for the prior; the seed divides the rows and starts the weights, so a seed's rows are the same for every
prior, and differences are paired by row (stored test rows, K = 500). MNIST has a budget of five minutes a fit, the
others none (until validation stalls). Each fit's result is kept in FOLDER as it is made: run again to go on.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

import likely
from common import data, keep
from likely.data import Rows, Source

PRIORS = ("normal", "flow:4:coupling")
SEEDS = {
    "digits": (0, 1, 2),
    "tables/boston.csv": (0, 1, 2),
    "tables/concrete.csv": (0, 1, 2),
    "tables/wine.csv": (0, 1, 2),
    "tables/power-plant.csv": (0,),
    "tables/adult.csv": (0,),
    "cifar10-jpg": (0,),
    "mnist": (0,),
}


def measure(name: str, prior: str, seed: int, path: Path) -> None:
    """One fit and the scores of its test rows."""
    options: dict[str, Any] = {"prior": prior, "seed": seed}
    source: Any = Source("images", {"all": Rows(load_digits().images)}) if name == "digits" else data(name)
    if name == "mnist":
        options |= {"binarize": "dynamic", "minutes": 5}
    busy, started = os.times(), time.perf_counter()
    run = likely.fit(source, **options)
    seconds, after = time.perf_counter() - started, os.times()
    found, ledger = run.evidence()
    facts = {
        "steps": run.facts["steps"],
        "seconds": round(seconds, 1),
        "processor_seconds": round(after.user + after.system - busy.user - busy.system, 1),
        "threads": torch.get_num_threads(),
        "elbo": ledger["elbo"].nats,
        "iwae": ledger["iwae"].nats,
        "rows": ledger.rows,
    }
    np.savez(path.with_suffix(".npz"), iwae=found.terms["iwae"])
    path.write_text(json.dumps(facts))
    print(name, prior, seed, facts, flush=True)


def compared(name: str, prior: str, seeds: tuple[int, ...], folder: Path) -> dict[str, Any]:
    """A prior's bound, and how far it is above that of N(0, I) on the same rows."""
    facts = [json.loads((folder / f"{stem(name, prior, seed)}.json").read_text()) for seed in seeds]
    pairs = [
        tuple(np.load(folder / f"{stem(name, which, seed)}.npz")["iwae"] for which in (prior, "normal"))
        for seed in seeds
    ]
    gains = np.concatenate([one - other for one, other in pairs])
    return {
        "data": name,
        "prior": prior,
        "seeds": len(seeds),
        "iwae": round(float(np.mean([fact["iwae"] for fact in facts])), 3),
        "elbo": round(float(np.mean([fact["elbo"] for fact in facts])), 3),
        "gain": round(float(gains.mean()), 3),
        "gain_se": round(float(gains.std(ddof=1) / math.sqrt(len(gains))), 3),
        "rows": len(gains),
        **{key: [fact[key] for fact in facts] for key in ("steps", "seconds", "processor_seconds", "threads")},
    }


def stem(name: str, prior: str, seed: int) -> str:
    """The name of a fit's files."""
    return f"{Path(name).stem}-{prior.replace(':', '-')}-{seed}"


def main() -> None:
    """Every data set, every prior, every seed; then the table of all that is there."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    priors = sys.argv[2:] or PRIORS
    for name, seeds in SEEDS.items():
        for seed in seeds:
            for prior in priors:
                path = folder / f"{stem(name, prior, seed)}.json"
                if not path.exists():
                    measure(name, prior, seed, path)
    rows = [compared(name, prior, seeds, folder) for name, seeds in SEEDS.items() for prior in priors]
    keep("priors", {"protocol": __doc__, "results": rows})


if __name__ == "__main__":
    main()
