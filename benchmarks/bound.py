"""L_5000 of 1,000 MNIST test images: the number, its memory and its seconds, for several chunk sizes.

    LIKELY_DATA=... python benchmarks/bound.py RUN

RUN is a run fitted on MNIST. Each chunk size is measured in a process of its own; memory is the peak resident size
above what the process holds with the model, the rows and one small evaluation done.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import torch

import likely
from common import data, keep
from likely.data import Rows
from likely.evaluation import evidence

ROWS, SAMPLES = 1000, 5000
CELLS = (2**20, 2**22, 2**24)


def measure(directory: str, cells: int) -> dict[str, float]:
    """One evaluation, measured."""
    run = likely.load(directory)
    source = likely.data.sources.open_source(data("mnist"))
    rows = run.encoded(Rows(source.splits["test"].values[:ROWS]))
    evidence(run.model, rows.take(torch.arange(50)), samples=10, max_numbers=cells)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    found = evidence(run.model, rows, samples=SAMPLES, max_numbers=cells)
    seconds = time.perf_counter() - started
    above = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    flops = 2.0 * multiply_adds(run.model.decoder) * ROWS * SAMPLES
    return {
        "cells": cells,
        "iwae": float(found.terms["iwae"].mean()),
        "se_mc": float((found.se_mc["iwae"] ** 2).sum() ** 0.5 / ROWS),
        "elbo": float(found.terms["elbo"].mean()),
        "megabytes_above": round(above, 1),
        "seconds": round(seconds, 1),
        "gflops": round(flops / seconds / 1e9, 1),
    }


def multiply_adds(decoder: torch.nn.Module) -> int:
    """Multiply-adds of the matrix products of a decoder of linear layers, for one z."""
    return sum(weight.numel() for weight in decoder.parameters() if weight.dim() == 2)


def matmul_rate() -> float:
    """Measured float32 matrix-product rate of this machine, GFLOP/s."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best = 0.0
    for _ in range(10):
        started = time.perf_counter()
        torch.mm(a, b)
        best = max(best, 2 * 2048**3 / (time.perf_counter() - started) / 1e9)
    return best


def main() -> None:
    """Measure every chunk size, print a line each, and keep the results."""
    directory = sys.argv[1]
    if len(sys.argv) > 2:
        print(json.dumps(measure(directory, int(sys.argv[2]))))
        return
    results = []
    for cells in CELLS:
        made = subprocess.run(
            [sys.executable, __file__, directory, str(cells)], check=True, capture_output=True, text=True
        )
        results.append(json.loads(made.stdout))
        print(results[-1], flush=True)
    keep("bound", {"rows": ROWS, "samples": SAMPLES, "matmul_gflops": round(matmul_rate(), 1), "results": results})


if __name__ == "__main__":
    main()
