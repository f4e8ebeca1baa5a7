"""Rows a second of training by one process of one thread and by two, of the same batches.

A fit is timed by the first process's clock, from one step to the next; the median leaves out validations, which are
few. Rounds alternate between one process and two, and the ratio is the median over the rounds. The bytes of an
all-reduce are those of the weights; its seconds are measured by itself, between two processes on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import likely
from common import data
from likely import world
from likely.training import Monitor
from pieces import piece

ROUNDS = {"table": 5, "conv": 3}  # of fits by one and by two
FLOOR, WARM = 1.7, 10  # the least ratio; steps that are not counted
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "scaling" / "processes"
GIGABITS = (1, 10, 100)  # of a network, for which an all-reduce is computed
JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "table": ("tables/adult.csv", {"batch_size": 2048, "steps": 130}),
    "conv": ("mnist", {"network": "conv", "batch_size": 256, "steps": 40}),
}


class Clock(Monitor):
    """The clock after each step, and the seconds of the processor that this process has taken."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.taken: list[float] = []

    def on_step(self, step: int, total: int) -> None:
        del step, total
        self.times.append(time.perf_counter())
        self.taken.append(time.process_time())


def fitted(job: str) -> dict[str, Any]:
    """Seconds of a step, in this process and those that were started with it; of an all-reduce of the weights."""
    name, options = JOBS[job]
    clock = Clock()
    with world.joined() if world.launched() else contextlib.nullcontext():
        run = likely.fit(data(name), progress=False, monitors=[clock], device="cpu", precision="float32", **options)
        numbers = sum(weight.numel() for weight in run.model.parameters())
        gradient, started = torch.zeros(numbers), time.perf_counter()
        for _ in range(10):
            world.total(gradient)
        reduced = (time.perf_counter() - started) / 10
    steps, taken = (np.diff(each)[WARM:] if each else np.zeros(0) for each in (clock.times, clock.taken))
    return {"steps": steps, "taken": taken, "numbers": numbers, "reduce_s": reduced, "rows": len(run.division.train)}


def timed(job: str, count: int, place: Path) -> Mapping[str, Any]:
    """What `fitted` finds with so many processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    there = {**os.environ, "OMP_NUM_THREADS": "1", "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    there |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, __file__, "--job", job, str(place)]
    each = [
        subprocess.Popen(command, env={**there, "RANK": str(number), "LOCAL_RANK": str(number)})
        for number in range(count)
    ]
    if any(process.wait() for process in each):
        sys.exit(f"{job} by {count} processes has failed")
    with np.load(place) as found:
        return dict(found)


def measured() -> dict[str, Any]:
    """The ratio of rows a second by two processes to those by one, for each model."""
    lines = {job: _line(job, {count: _rounds(job, count) for count in (1, 2)}) for job in JOBS}
    return {"protocol": " ".join((__doc__ or "").split()), "rounds": ROUNDS, "floor": FLOOR, "jobs": lines}


def _rounds(job: str, count: int) -> list[dict[str, np.ndarray]]:
    found = []
    for number in range(ROUNDS[job]):
        for other in (1, 2):  # one after the other, so that both meet the same machine
            path, place = CACHE / f"{job}-{other}-{number}.npz", CACHE / f"steps-{job}-{other}-{number}.npz"
            CACHE.mkdir(parents=True, exist_ok=True)
            one = piece(path, lambda other=other, place=place: timed(job, other, place))  # type: ignore[misc]
            found += [one] if other == count else []
    return found


def _line(job: str, by: dict[int, list[dict[str, np.ndarray]]]) -> dict[str, Any]:
    name, options = JOBS[job]
    batch = options["batch_size"]
    seconds = {n: [float(np.median(one["steps"])) for one in found] for n, found in by.items()}
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    size, step = 4 * int(by[2][0]["numbers"]), statistics.median(seconds[2])
    return {
        "data": name,
        "options": options,
        "training_rows": int(by[1][0]["rows"]),
        "rows_a_second": {n: round(batch / statistics.median(each)) for n, each in seconds.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "step_ms": {n: [round(1000 * each, 2) for each in found] for n, found in seconds.items()},
        # of the first process, waiting left out: what remains where others use the cores too
        "processor_ms": {
            n: round(1000 * statistics.median(float(np.median(one["taken"])) for one in found), 2)
            for n, found in by.items()
        },
        "all_reduce_bytes": size,
        "all_reduce_ms": round(1000 * statistics.median(float(one["reduce_s"]) for one in by[2]), 2),
        # a ring sends and receives twice the bytes, less a share, however many processes there are
        "all_reduce_share_of_step": {
            f"{gigabits} Gbit/s": round(2 * size / (gigabits * 1.25e8) / step, 4) for gigabits in GIGABITS
        },
    }


def main() -> None:
    """One process of a timed fit; the first one writes what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", choices=JOBS, required=True)
    parser.add_argument("place", type=Path)
    asked = parser.parse_args()
    found = fitted(asked.job)
    if os.environ["RANK"] == "0":
        np.savez(asked.place, **found)


if __name__ == "__main__":
    main()
