"""The plain VAE's training step under two versions of the source, interleaved.

    python benchmarks/step.py OLD NEW [ROUNDS]

OLD and NEW are revisions, or paths of checkouts. Each version is a process that trains the MLP 784-512-32-512-784 with
batches of 128 random binary rows, float32, one thread, through `likely.train`, when its turn comes, and else waits: a
round is one turn of each, old first in even rounds, and a turn is what 100 steps take more than 10, so that what comes
before the first step does not count. Processor time beside wall-clock time, because other work may run beside it.
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

SHORT, LONG, BATCH = 10, 110, 128


def turns() -> None:
    """Train so many steps as each line of standard input says, and print what they took."""
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
    for line in sys.stdin:
        config = likely.config.TrainingConfig(steps=int(line), batch_size=BATCH, precision="float32")
        wall, busy = time.perf_counter(), time.process_time()
        likely.train(model, rows, validation=rows[:64], config=config)
        print(json.dumps([time.process_time() - busy, time.perf_counter() - wall]), flush=True)


class Side:
    """One version, waiting for its turn."""

    def __init__(self, sources: Path) -> None:
        told = os.environ | {"PYTHONPATH": str(sources), "OMP_NUM_THREADS": "1"}
        words = [sys.executable, __file__, "turns"]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=told
        )

    def took(self, steps: int) -> list[float]:
        """Processor and wall-clock time of so many steps, in s."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("no pipes")
        self.process.stdin.write(f"{steps}\n")
        found: list[float] = json.loads(self.process.stdout.readline())
        return found

    def turn(self) -> dict[str, float]:
        """Processor and wall-clock time of a step, in ms."""
        short, long = self.took(SHORT), self.took(LONG)
        each = [1000 * (more - less) / (LONG - SHORT) for less, more in zip(short, long, strict=True)]
        return dict(zip(("processor", "wall"), each, strict=True))


def main() -> None:
    """Alternate, and keep medians and ratios."""
    if sys.argv[1] == "turns":
        turns()
        return
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 15
    found: dict[str, list[dict[str, float]]] = {"old": [], "new": []}
    with tempfile.TemporaryDirectory() as aside:
        told = zip(found, sys.argv[1:3], strict=True)
        versions = {side: version(text, Path(aside) / side) for side, text in told}
        sides = {side: Side(one.sources) for side, one in versions.items()}
        for one in sides.values():
            one.turn()  # to warm up
        for number in range(rounds):
            for side in list(found) if number % 2 == 0 else list(found)[::-1]:
                found[side].append(sides[side].turn())
        for one in sides.values():
            one.process.terminate()
    keep("step", {"versions": {side: one.name for side, one in versions.items()}, **summary(found), "turns": found})


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Of processor and clock: medians in ms a step, and the ratios of the rounds."""
    told: dict[str, Any] = {"rounds": len(found["old"])}
    for unit in ("processor", "wall"):
        ratios = sorted(new[unit] / old[unit] for old, new in zip(found["old"], found["new"], strict=True))
        medians = {side: statistics.median(turn[unit] for turn in turns) for side, turns in found.items()}
        least, largest = statistics.quantiles(ratios, n=4)[::2]
        told[unit] = medians | {"ratio": statistics.median(ratios), "quartiles": [least, largest]}
    return told


if __name__ == "__main__":
    main()
