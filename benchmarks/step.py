"""The plain VAE's training step under two versions of the source, interleaved.

    python benchmarks/step.py OLD/src NEW/src [ROUNDS]

Each turn is a fresh process that trains the MLP 784-512-32-512-784 for 300 steps of 128 random binary rows, float32,
through `likely.train`, after 50 steps that do not count; turns alternate, old first in even rounds. Processor time
beside wall-clock time, because other work may run beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

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
    """Alternate, and print medians and the ratio."""
    if sys.argv[1] == "turn":
        turn()
        return
    sources = dict(zip(("old", "new"), sys.argv[1:3], strict=True))
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    for number in range(rounds):
        for name in list(sources) if number % 2 == 0 else list(sources)[::-1]:
            made = subprocess.run(
                [sys.executable, __file__, "turn"],
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": sources[name]},
            )
            found[name].append(json.loads(made.stdout))
    for unit in ("processor", "wall"):
        median = {name: statistics.median(turn[unit] for turn in turns) for name, turns in found.items()}
        ratios = [new[unit] / old[unit] for old, new in zip(found["old"], found["new"], strict=True)]
        print(
            f"{unit}: old {median['old']:.3f} ms, new {median['new']:.3f} ms a step; new/old "
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) over {rounds} rounds"
        )


if __name__ == "__main__":
    main()
