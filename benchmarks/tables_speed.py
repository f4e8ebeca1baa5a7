"""Seconds of a fit and a score of 20,000 rows x 10 columns with defaults, and rows/s of the ELBO from memory.

    python benchmarks/tables_speed.py [--rounds 3]

The table is generated from four standard normal factors and noise: four reals (one with two modes), a heavy tail
recorded to cents, a count with many zeros, an age in years, a boolean, three and twelve categories. A round is a fit of
the frame with defaults, the round's number for a seed, and then, with that model and all 20,000 rows,

score        `Run.score` of the frame, L_100, its default; the seconds of fit and score together are what is wanted
score, K=1   the same with one sample a row: rows/s of the ELBO of a frame
evidence     `likely.evaluation.evidence` with one sample a row: rows/s of the ELBO of rows encoded in memory
validate     `likely.training.validate`: of their mean ELBO, one sample a row, as training takes it

Each of the last three is run once before it is timed. Median (lowest to highest) over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import likely
from common import keep
from likely.data import Rows
from likely.evaluation import evidence
from likely.training.validate import validate
from pieces import table

ROWS, SECONDS, RATE = 20_000, 30.0, 200_000.0


def generated(rows: int) -> pd.DataFrame:
    """A mixed table."""
    draw = np.random.default_rng(0)
    a, b, c, d = draw.standard_normal((4, rows))
    noise = iter(draw.standard_normal((10, rows)))
    grades, towns = np.array(["low", "middle", "high"]), np.array([f"town {letter}" for letter in "abcdefghijkl"])
    return pd.DataFrame(
        {
            "length": 1.7 + 0.1 * (a + 0.5 * next(noise)),
            "weight": 70 + 12 * (0.8 * a + 0.3 * b + 0.4 * next(noise)),
            "pressure": 0.6 * b - 0.5 * c + 0.5 * next(noise),
            "two modes": 2.5 * np.sign(c + 0.3 * next(noise)) + 0.4 * d + 0.3 * next(noise),
            "income": np.exp(10 + 0.6 * b + 0.3 * d + 0.5 * next(noise)).round(2),
            "visits": draw.poisson(np.exp(1 + 0.7 * c)) * (d + next(noise) > 0),
            "age": np.clip(45 + 15 * (0.7 * d + 0.7 * next(noise)), 18, 90).round().astype(int),
            "member": a + c + next(noise) > 0.5,
            "grade": grades[np.digitize(b + 0.5 * next(noise), [-0.5, 0.8])],
            "town": towns[np.digitize(d + c + 0.4 * draw.standard_normal(rows), np.linspace(-2.5, 2.5, 11))],
        }
    )


def seconds(call: Callable[[], Any]) -> float:
    """By the clock."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def once(frame: pd.DataFrame, seed: int) -> dict[str, float]:
    """One round."""
    started, used = time.perf_counter(), time.process_time()
    run = likely.fit(frame, seed=seed)
    fitted = time.perf_counter()
    run.score(frame)
    ended, processor = time.perf_counter(), time.process_time() - used
    encoded = run.encoded(Rows(frame))
    calls = {
        "score, K=1": lambda: run.score(frame, samples=1),
        "evidence": lambda: evidence(run.model, encoded, samples=1),
        "validate": lambda: validate(run.model, encoded, seed),
    }
    rates = {}
    for name, call in calls.items():
        call()
        rates[f"{name}, rows/s"] = len(frame) / seconds(call)
    facts = {"steps": float(run.facts["steps"]), "latent": float(run.model.latent)}
    parts = {"fit, s": fitted - started, "score, s": ended - fitted, "fit and score, s": ended - started}
    return {**facts, **parts, "of the processor, s": processor, **rates}


def main() -> None:
    """All rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    frame, rounds = generated(ROWS), []
    for seed in range(parser.parse_args().rounds):
        rounds.append(once(frame, seed))
        print(rounds[-1], flush=True)
    lines = []
    for name in rounds[0]:
        values = [found[name] for found in rounds]
        lines.append({"what": name, "median": statistics.median(values), "lowest": min(values), "highest": max(values)})
    table(f"{len(frame):,} rows x {frame.shape[1]} columns", lines)
    median = {line["what"]: line["median"] for line in lines}
    verdicts = {
        f"fit and score in {SECONDS:g} s": median["fit and score, s"] < SECONDS,
        f"ELBO of at least {RATE:,.0f} rows/s": median["evidence, rows/s"] >= RATE,
    }
    print(verdicts, flush=True)
    keep("tables_speed", {"protocol": __doc__, "rounds": rounds, "summary": lines, "verdicts": verdicts})


if __name__ == "__main__":
    main()
