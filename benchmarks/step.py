"""The plain VAE's training step under two versions of the source, interleaved.

    python benchmarks/step.py OLD NEW [ROUNDS]

OLD and NEW are revisions, or paths of checkouts. Each turn is a fresh process that trains the MLP 784-512-32-512-784
with batches of 128 random binary rows, float32, through `likely.train`: what 300 steps take more than 50, after 50 that
do not count; turns alternate, old first in even rounds. Processor time beside wall-clock time, because other work may
run beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import keep
from versions import version

STEPS, WARM, BATCH = 300, 50, 128


def turn() -> None:
    """One turn, in this process."""
    import torch

    import likely
    from likely import likelihoods, networks, posteriors, priors

    torch.manual_seed(0)
    rows = (torch.rand(4096, 784) < 0.2).float()
    model = likely.VAE(
        priors.StandardNormal(32),
        likelihoods.Bernoulli((784,)),
        posteriors.Normal(32),
        networks.ResidualMLP(784, 64, 512, 0),
        networks.ResidualMLP(32, 784, 512, 0),
    )

    def train(steps: int) -> tuple[float, float]:
        config = likely.config.TrainingConfig(steps=steps, batch_size=BATCH, precision="float32")
        wall, busy = time.perf_counter(), time.process_time()
        likely.train(model, rows, validation=rows[:64], config=config)
        return time.perf_counter() - wall, time.process_time() - busy

    train(WARM)
    first, last = train(WARM), train(WARM + STEPS)  # what comes before the first step is in both
    wall, busy = (1000 * (long - short) / STEPS for short, long in zip(first, last, strict=True))
    print(json.dumps({"wall": wall, "processor": busy, "threads": torch.get_num_threads()}))


def main() -> None:
    """Alternate, and keep medians and ratios."""
    if sys.argv[1] == "turn":
        turn()
        return
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    found: dict[str, list[dict[str, float]]] = {"old": [], "new": []}
    with tempfile.TemporaryDirectory() as aside:
        sides = zip(found, sys.argv[1:3], strict=True)
        versions = {side: version(told, Path(aside) / side) for side, told in sides}
        for number in range(rounds):
            for side in list(found) if number % 2 == 0 else list(found)[::-1]:
                told = os.environ | {"PYTHONPATH": str(versions[side].sources)}
                words = [sys.executable, __file__, "turn"]
                made = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=told)
                found[side].append(json.loads(made.stdout))
    keep("step", {"versions": {side: one.name for side, one in versions.items()}, **summary(found), "turns": found})


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Of processor and clock: medians in ms a step, and the ratios of the rounds."""
    told: dict[str, Any] = {"rounds": len(found["old"])}
    for unit in ("processor", "wall"):
        ratios = [new[unit] / old[unit] for old, new in zip(found["old"], found["new"], strict=True)]
        medians = {side: statistics.median(turn[unit] for turn in turns) for side, turns in found.items()}
        spread = {"ratio": statistics.median(ratios), "least": min(ratios), "largest": max(ratios)}
        told[unit] = medians | spread
    return told


if __name__ == "__main__":
    main()
