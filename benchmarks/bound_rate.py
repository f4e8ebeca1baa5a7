"""L_5000 of 1,000 MNIST test images in float32 and in bfloat16: how fast, and how far apart.

    LIKELY_DATA=... OMP_NUM_THREADS=2 python benchmarks/bound_rate.py RUN [ROWS] [SAMPLES]

RUN is a run fitted on MNIST with the default model; where there is none, one is fitted there first, 2,000 steps.

A rate is the multiply-adds of the decoder's matrix products times 2, over the seconds of the whole evaluation: noise,
Q, activations, log P(x|z) and averages cost seconds and count nothing. Beside it stands the rate of bare products of
square matrices, the fastest of three sizes, with the same threads. Rounds of 50 rows alternate the four in one
process, so that a ratio compares neighbours in time. By the wall clock, and by processor time over threads, which is
what to read where other work runs beside it and there is one thread.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import likely
from bound import ROWS, SAMPLES, multiply_adds
from common import data, keep
from likely.data import Rows
from likely.evaluation import evidence
from likely.networks.precision import Precision, native_bfloat16

PART, STEPS, SIZES = 50, 2000, (1024, 2048, 3072)
TYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Rates = dict[str, float]


def clocked(work: Callable[[], Any], flops: float) -> tuple[Any, Rates]:
    """What the work gives, and its GFLOP/s by either clock."""
    wall, processor = time.perf_counter(), time.process_time()
    made = work()
    seconds = time.perf_counter() - wall, (time.process_time() - processor) / torch.get_num_threads()
    return made, {clock: flops / s / 1e9 for clock, s in zip(("wall", "processor"), seconds, strict=True)}


def repeated(times: int, a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> None:
    """The product of a and b, this many times."""
    for _ in range(times):
        torch.mm(a, b, out=out)


def product_rate(dtype: torch.dtype) -> Rates:
    """Bare matrix products: the fastest size, by each clock."""
    found = []
    for size in SIZES:
        a, b, out = (torch.randn(size, size).to(dtype) for _ in range(3))
        times = max(1, round(1e10 / (2 * size**3)))
        torch.mm(a, b, out=out)
        found.append(clocked(partial(repeated, times, a, b, out), times * 2.0 * size**3)[1])
    return {clock: max(rates[clock] for rates in found) for clock in found[0]}


def spread(values: list[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": round(statistics.median(values), 3), "low": round(min(values), 3), "high": round(max(values), 3)}


def main() -> None:
    """Alternate over rounds, print one line each, and keep rates, ratios and the paired shift."""
    directory = Path(sys.argv[1])
    told = [int(text) for text in sys.argv[2:]]
    count, samples = told + [ROWS, SAMPLES][len(told) :]
    if not directory.exists():
        likely.fit(data("mnist"), binarize="dynamic", steps=STEPS, out=directory)
    run = likely.load(directory)
    rows = run.encoded(Rows(likely.data.sources.open_source(data("mnist")).splits["test"].values[:count]))
    for precision in TYPES:
        evidence(run.model, rows.take(torch.arange(PART)), samples=100, precision=precision)
    rates: dict[str, list[Rates]] = {}
    bounds: dict[Precision, list[np.ndarray]] = {precision: [] for precision in TYPES}
    for first in range(0, count, PART):
        part = rows.take(torch.arange(first, min(first + PART, count)))
        flops = 2.0 * multiply_adds(run.model.decoder) * len(part) * samples
        for precision, dtype in TYPES.items():
            bare = product_rate(dtype)
            work = partial(evidence, run.model, part, samples=samples, precision=precision)
            found, made = clocked(work, flops)
            bounds[precision].append(found.terms["iwae"])
            rates.setdefault(f"products {precision}", []).append(bare)
            rates.setdefault(f"evaluation {precision}", []).append(made)
            rates.setdefault(f"ratio {precision}", []).append({clock: made[clock] / bare[clock] for clock in made})
        shift = float((bounds["bfloat16"][-1] - bounds["float32"][-1]).mean())
        told_of = {name: {clock: round(rate, 3) for clock, rate in of[-1].items()} for name, of in rates.items()}
        print(first, f"shift {shift:.4f}", told_of, flush=True)
    exact, rough = (np.concatenate(bounds[precision]) for precision in TYPES)
    apart = rough - exact
    keep(
        "bound_rate",
        {
            "rows": count,
            "samples": samples,
            "native_bfloat16": native_bfloat16(),
            "gflops": {
                clock: {name: spread([r[clock] for r in of]) for name, of in rates.items()}
                for clock in ("wall", "processor")
            },
            "iwae": {"float32": exact.mean(), "bfloat16": rough.mean()},
            "shift": {"mean": apart.mean(), "se": apart.std(ddof=1) / count**0.5, "largest": np.abs(apart).max()},
        },
    )


if __name__ == "__main__":
    main()
