"""Seconds to the log-likelihood that pythae's default network reaches after 50 epochs, on static MNIST.

    LIKELY_DATA=... python benchmarks/race.py [--epochs 50] [--shares 5 10]

Both are given the same 60,000 training pictures, binarised once, pixel/255 as the probability of 1 (a stated seed), and
the same number of threads; `likely` keeps a tenth of them back to validate. pythae 0.1.2 trains its default network (an
MLP, z of 10 numbers, Adam 1e-3, batches of 128) by its own `train_step`. Then `likely.fit` runs with its defaults and
`minutes` of a fifth and a tenth of pythae's seconds, counted from its first step. Compared is L_500 of the first 1,000
test pictures, binarised by the same rule; no setting was chosen by test pictures.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import likely
from common import data, environment, keep
from likely.data import sources
from throughput import INSTALLS

SAMPLES, TEST = 500, 1000


def pictures(split: str, seed: int) -> np.ndarray:
    """Pictures of MNIST, binarised once."""
    rows = sources.open_source(data("mnist")).splits[split]
    grey = np.asarray(rows.read(np.arange(len(rows))).values) / 255
    return (np.random.default_rng(seed).random(grey.shape) < grey).astype(np.uint8)


def ours(train: np.ndarray, test: np.ndarray, minutes: float) -> dict[str, Any]:
    """A fit with defaults in so many minutes, and L_500 of the test pictures."""
    run = likely.fit(train, minutes=minutes, progress=False)
    found = run.score(test, samples=SAMPLES)["log_px"].to_numpy()
    return {
        "model": run.config.model.kind,
        "width": run.config.model.width,
        "minutes_told": minutes,
        "steps": run.steps,
        "seconds": float(run.history["seconds"].iloc[-1]),
        "seconds_with_timing": run.record.seconds,
        "L_500": float(found.mean()),
        "se": float(found.std(ddof=1) / math.sqrt(len(found))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--shares", type=float, nargs="+", default=[5, 10])
    asked = parser.parse_args()
    train, test = pictures("train", 0), pictures("test", 1)[:TEST]
    python, here = environment("pythae", INSTALLS), Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("train.npy", "test.npy")]
        for file, rows in zip(files, (train, test), strict=True):
            np.save(file, rows)
        command = [str(python), str(here / "peer_pythae_race.py"), *map(str, files), str(asked.epochs)]
        told = subprocess.run([*command, str(torch.get_num_threads())], check=True, capture_output=True, text=True)
    peer = json.loads(told.stdout.strip().splitlines()[-1])
    print(peer, flush=True)
    lines = []
    for share in asked.shares:
        line = {"share": share, **ours(train, test, peer["seconds"] / share / 60)}
        line |= {"times_as_fast": peer["seconds"] / line["seconds"], "reached": line["L_500"] >= peer["L_500"]}
        print(line, flush=True)
        lines.append(line)
    keep("race", {"data": "MNIST, binarised once; the first 1,000 test pictures", "peer": peer, "likely": lines})


if __name__ == "__main__":
    main()
