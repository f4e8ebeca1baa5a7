"""log P(row) of held-out rows: `likely` with defaults, and the simpler laws it has to beat, in one base measure.

    LIKELY_DATA=... python benchmarks/tables_likelihood.py [TABLE ...] [--out FOLDER]

concrete, wine, boston and power-plant five times, adult once: `likely.fit` with seed 0, 1, ... and else its defaults
divides the rows 80/10/10 into training, validation and test rows, and `Run.assess` scores the test rows. log P(row) is
`iwae`, L_500: a lower bound; what annealed importance sampling adds to it, on at most 100 rows of each seed, is told
beside it. Against it, on the same rows and in the base measure of the run's schema (masses of recorded cells):

marginals         independent cells: smoothed frequencies, and mixtures of normals of cells without a finite set
gaussian          full covariance; each cell's mass given the cells before it
gaussian_mixture  full covariances, 1 to 16 of them; their number, floor and stretch chosen by held-out training rows
gaussian_mixture_warped  the same on the model's own axis: 1 to 32 components, full or diagonal, each with its own
                  shares of spikes, chosen by the validation rows
copula            of adult only, where most cells are categories: a Gaussian copula with a full correlation matrix over
                  the marginals (`tables_copula.py`)

On the model's own axis too, chosen by the validation rows, each in the processor seconds of our fit
(`tables_rivals.py`; not of adult, whose cells are categories and some missing): zuko's neural spline flow (`nsf`) and
masked autoregressive flow (`maf`), which are lower bounds, a masked autoregressive network with the model's
likelihood, and kernels (`kde`).

concrete, wine and boston once more with five members, whose mixture is scored on the same rows: what `--members 5`
pays.

Differences are paired by row; a row that is a test row for several seeds counts as one draw in `se`. Every seed is kept
in FOLDER: run the same command again to go on, and take another FOLDER for other code.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import likely
from common import data, keep
from pieces import Piece, cost, mean_error, piece, table
from tables_copula import GaussianCopula
from tables_rivals import NAMES, rivals
from tables_rows import over_rows, told

SEEDS = {"concrete": range(5), "wine": range(5), "boston": range(5), "power-plant": range(5), "adult": range(1)}
KINDS = ("", "-members")
MEMBERS, SMALL = 5, ("concrete", "wine", "boston")
SHOWN = ("marginals", "gaussian", "gaussian_mixture", "gaussian_mixture_warped", "copula", *NAMES)
RIVALS = {**dict.fromkeys(SEEDS, (*SHOWN[:4], *NAMES)), "adult": ("marginals", "copula")}


def scored(name: str, seed: int) -> dict[str, Any]:
    """One fit, and what it and the simpler laws make of its test rows: `(rows,)` each, nats."""
    started, processor = time.perf_counter(), time.process_time()
    run = likely.fit(data(f"tables/{name}.csv"), seed=seed)
    seconds = time.process_time() - processor
    fitted, found = time.perf_counter() - started, run.assess()
    if not found.baselines or run.home.baselines is None:
        sys.exit(f"{name}: {found.ledger.headline}")
    made = {column: values.to_numpy() for column, values in found.frame().items()}
    made |= {
        "row": found.index.to_numpy(),
        "fit_s": fitted,
        "fit_processor_s": seconds,
        "steps": run.facts["steps"],
        "dims": run.schema.dims,
    }
    made |= {"kinds": [f"{base.name}: {base.kind}" for base in found.baselines], "samples": found.evidence.samples}
    made |= {"latent": run.model.latent, "training_rows": run.schema.rows, "measure": run.measure}
    if "nsf" in RIVALS[name]:
        made |= rivals(run, made["marginals"], seconds)
    if "copula" in RIVALS[name]:
        train, test = (
            run.encoded(run.division.rows(run.training_source(), part)).to("cpu") for part in ("train", "test")
        )
        made["copula"], made["copula_se_mc"] = GaussianCopula.fit(run.schema, run.home.baselines, train).log_prob(test)
    return made


def ensembled(name: str, seed: int) -> dict[str, Any]:
    """One fit of several members, and what their mixture makes of the same test rows."""
    started = time.perf_counter()
    run = likely.fit(data(f"tables/{name}.csv"), seed=seed, members=MEMBERS)
    fitted, found = time.perf_counter() - started, run.assess(anneal=0)
    frame = found.frame()
    return {"iwae": frame["iwae"], "iwae_se_mc": frame["iwae_se_mc"], "row": found.index, "fit_s": fitted}


def pays(name: str, alone: list[Piece], together: list[Piece]) -> dict[str, Any]:
    """What several members add to one, paired by row."""
    gains = [many["iwae"] - one["iwae"] for one, many in zip(alone, together, strict=True)]
    return {
        "data": name,
        "members": MEMBERS,
        "they add": over_rows(np.concatenate(gains), np.concatenate([one["row"] for one in together])),
        "seeds ahead": sum(bool(gain.mean() > 0) for gain in gains),
        "fit_s": [round(float(one["fit_s"]), 1) for one in together],
        **cost(*together),
    }


def summary(name: str, pieces: list[Piece]) -> dict[str, Any]:
    """All seeds of one table."""
    row, bound, errors = (np.concatenate([one[key] for one in pieces]) for key in ("row", "iwae", "iwae_se_mc"))
    versus, better = {}, {}
    for rival in RIVALS[name]:
        versus[rival] = over_rows(bound - np.concatenate([one[rival] for one in pieces]), row)
        better[rival] = sum(bool((one["iwae"] - one[rival]).mean() > 0) for one in pieces)
    annealed = [one["ais"] - one["iwae"] for one in pieces if "ais" in one]
    above = np.concatenate(annealed) if annealed else np.empty(0)
    facts = ("training_rows", "dims", "latent", "steps", "samples")
    return {
        "data": name,
        "seeds": len(pieces),
        "test rows": len(np.unique(row)),
        "log P(row)": over_rows(bound, row),
        "se_mc": mean_error(errors),
        "ais - iwae": float(np.nanmean(above)) if len(above) else None,
        "annealed rows": int(np.isfinite(above).sum()),
        "ours minus": versus,
        "seeds ahead": better,
        "beats them": all(found["mean"] > 2 * found["se"] for found in versus.values()),
        "rivals": [
            *map(str, pieces[0]["kinds"]),
            *(f"{rival}: {pieces[0][f'{rival}_what']}" for rival in NAMES if rival in pieces[0]),
        ],
        "processor seconds": {
            rival: [round(float(one[f"{rival}_s"]), 1) for one in pieces]
            for rival in ("fit_processor", *NAMES)
            if f"{rival}_s" in pieces[0]
        },
        "measure": str(pieces[0]["measure"]),
        **{fact: [int(one[fact]) for one in pieces] for fact in facts},
        "fit_s": [round(float(one["fit_s"]), 1) for one in pieces],
        **cost(*pieces),
    }


def shown(found: dict[str, Any]) -> dict[str, Any]:
    """One line of the table."""
    versus = {f"- {name}": told(found["ours minus"][name]) if name in found["ours minus"] else "" for name in SHOWN}
    return {
        **{name: found[name] for name in ("data", "seeds", "test rows")},
        "log P(row), L_500": told(found["log P(row)"]),
        "se_mc": found["se_mc"],
        **versus,
        "beats them": found["beats them"],
        "ais - iwae": "" if found["ais - iwae"] is None else found["ais - iwae"],
        "fit, s": float(np.mean(found["fit_s"])),
        **{name: found[name] for name in ("wall_s", "processor_s")},
    }


def main() -> None:
    """Measure what is asked for, then write the results of every table that FOLDER holds whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--out", type=Path, default=Path(".cache/tables_likelihood"))
    parser.add_argument("--alone", action="store_true", help="leave out what members add, more than half of the time")
    asked = parser.parse_args()
    unknown = sorted(set(asked.tables) - set(SEEDS))
    if unknown:
        parser.error(f"no table is called {unknown[0]!r}; tables: {', '.join(SEEDS)}")
    names = asked.tables or list(SEEDS)
    for name in names:
        for seed in SEEDS[name]:
            piece(asked.out / name / f"{seed}.npz", partial(scored, name, seed))
    for name in () if asked.alone else [name for name in names if name in SMALL]:
        for seed in SEEDS[name]:
            piece(asked.out / name / f"{seed}-members.npz", partial(ensembled, name, seed))
    files = {name: [asked.out / name / f"{seed}.npz" for seed in seeds] for name, seeds in SEEDS.items()}
    whole = {name: some for name, some in files.items() if all(file.exists() for file in some)}
    found = [summary(name, [piece(file, dict) for file in some]) for name, some in whole.items()]
    table("log P(row) of held-out rows, nats; ours minus each", [shown(line) for line in found])
    gains = [
        pays(name, *([piece(asked.out / name / f"{seed}{what}.npz", dict) for seed in SEEDS[name]] for what in KINDS))
        for name in SMALL
        if name in whole and not asked.alone
    ]
    lines = [{**line, "they add": told(line["they add"]), "fit, s": float(np.mean(line["fit_s"]))} for line in gains]
    if lines:
        table("What members add, nats", [{key: line[key] for key in lines[0] if key != "fit_s"} for line in lines])
    keep("tables_likelihood", {"protocol": __doc__, "lines": found, "members": gains})


if __name__ == "__main__":
    main()
