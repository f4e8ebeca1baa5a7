"""Mutated inputs: each is read as other libraries read it, gives the untouched result, or one clear line.

    python benchmarks/mutations.py                      # 100,000 inputs; goes on where it was stopped
    python benchmarks/mutations.py --inputs 2000 --only data
    python benchmarks/mutations.py --show 1234          # what became of one input, with the traceback

Workers are used again and again. Each may take 2 GiB of memory beyond what it begins with, and 10 s of processor time
for an input, after which the system ends it. What is done is kept in `.cache/mutations`, by blocks of 500 inputs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mutations_data
import mutations_runs
from common import keep
from likely.errors import LikelyError
from likely.files import MAX_BYTES

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "mutations"
BLOCK, SECONDS, WALL, MEMORY, LONGEST = 500, 10, 60, 2 * 2**30, 300
GOOD = ("the same", "one line", "signed anew: read", "signed anew: one line")


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes
    ----------
    index, group, way
        Its number, the file that it is of, and how that was changed.
    became
        One of `GOOD`, or what should not be: `different`, `raised`, `long`, `signal`, `hang`.
    detail
        The message, or the place of the error.

    """

    index: int
    group: str
    way: str
    became: str
    detail: str = ""


def judged(read: Callable[[], Any], compare: Callable[[Any], None]) -> tuple[str, str]:
    """What became of an input, and the message."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read()
    except LikelyError as error:
        told = str(error)
        return ("one line" if len(told) <= LONGEST and "\n" not in told else "long"), told
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "likely" in frame.filename]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        return "raised", f"{type(error).__name__} at {place}: {str(error)[:200]}"
    try:
        compare(found)
    except (mutations_data.DiffersError, AssertionError) as error:
        return "different", str(error)[:300]
    except Exception as error:
        return "different", f"the other library: {type(error).__name__}: {str(error)[:200]}"
    return "the same", ""


class Bench:
    """The untouched files, and a place for mutated ones."""

    def __init__(
        self, originals: Path, work: Path, only: str | None, names: tuple[str, ...] = mutations_runs.NAMES
    ) -> None:
        self.originals, self.work = originals, work
        self.kinds = ["data", "runs"] if only is None else [only]
        self.runs = mutations_runs.Runs(originals / "runs", work / "runs", names) if "runs" in self.kinds else None

    def tried(self, seed: int, index: int) -> Outcome:
        """The outcome of one input."""
        rng = np.random.default_rng([seed, index])
        if self.kinds[index % len(self.kinds)] == "data" or self.runs is None:
            return self._data(index, rng)
        group, way, anew, read, compare = self.runs.mutated(rng)
        became, detail = judged(read, compare)
        if anew and became in ("the same", "different"):
            became, detail = "read", ""
        return Outcome(index, group, way, f"signed anew: {became}" if anew else became, detail)

    def _data(self, index: int, rng: np.random.Generator) -> Outcome:
        name = mutations_data.NAMES[int(rng.integers(len(mutations_data.NAMES)))]
        way, content = mutations_data.mutated(rng, name, self.originals / "data", self.originals / "others")
        place = self.work / "data" / name
        if place.parent.exists():
            shutil.rmtree(self.work / "data")
        if name.startswith("pictures/"):
            shutil.copytree(self.originals / "data" / "pictures", self.work / "data" / "pictures")
            opened = self.work / "data" / "pictures"
        elif name.endswith(".png"):
            opened = self.work / "data"
        else:
            opened = place
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        became, detail = judged(lambda: mutations_data.read(opened), lambda got: mutations_data.compare(got, opened))
        return Outcome(index, name, way, became, detail)


def make(originals: Path, names: tuple[str, ...] = mutations_runs.NAMES) -> None:
    """The untouched files, made once."""
    if not (originals / "ready").exists():
        shutil.rmtree(originals, ignore_errors=True)
        mutations_data.make(originals / "data", 0)
        mutations_data.make(originals / "others", 1)
        mutations_runs.make(originals / "runs", names)
        (originals / "ready").touch()


def work(pipe: Connection, originals: Path, place: Path, only: str | None, seed: int) -> None:
    """What a worker does: try the inputs whose numbers come through the pipe."""
    torch.set_num_threads(1)
    os.environ[MAX_BYTES] = str(MEMORY // 2)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    bench = Bench(originals, place, only)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    while True:
        index = pipe.recv()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        found = bench.tried(seed, index)
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(found)


class Worker:
    """A process that tries inputs; a new one in its place where it ends."""

    def __init__(self, originals: Path, only: str | None, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mutations-"))
        self.arguments = (originals, self.folder, only, seed)
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, *self.arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.index: int | None = None

    def give(self, index: int) -> None:
        self.index, self.since = index, time.monotonic()
        self.pipe.send(index)

    def ended(self) -> Outcome | None:
        """The outcome of its input, where there is one by now."""
        if self.index is None:
            return None
        try:
            if self.pipe.poll(0.02):
                found: Outcome = self.pipe.recv()
                self.index = None
                return found
        except EOFError:
            pass
        late = time.monotonic() - self.since > WALL
        if not late and self.process.is_alive():
            return None
        if late:
            self.process.kill()
        self.process.join()
        code = -(self.process.exitcode or 0)
        became = "hang" if late or code == signal.SIGPROF else "signal"
        found = Outcome(
            self.index, "?", "?", became, "" if late else signal.Signals(code).name if code > 0 else str(code)
        )
        self.start()
        return found

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        shutil.rmtree(self.folder, ignore_errors=True)


def block(workers: list[Worker], numbers: range) -> list[Outcome]:
    """The outcomes of some inputs."""
    left, found = iter(numbers), []
    while len(found) < len(numbers):
        for worker in workers:
            ended = worker.ended()
            if ended is not None:
                found.append(ended)
            if worker.index is None:
                index = next(left, None)
                if index is not None:
                    worker.give(index)
    return found


def told(folder: Path) -> dict[str, Any]:
    """The counts of all blocks that are done."""
    counts: dict[str, Counter[str]] = {}
    failures, total, seconds = [], 0, 0.0
    for file in sorted(folder.glob("block-*.json")):
        held = json.loads(file.read_text())
        total, seconds = total + held["inputs"], seconds + held["seconds"]
        failures += held["failures"]
        for group, became in held["counts"].items():
            counts.setdefault(group, Counter()).update(became)
    whole: Counter[str] = sum(counts.values(), Counter())
    return {"inputs": total, "seconds": round(seconds), "outcomes": dict(whole.most_common()),
            "of": {group: dict(became.most_common()) for group, became in sorted(counts.items())},
            "failures": failures}  # fmt: skip


def done(folder: Path, number: int, found: list[Outcome], seconds: float) -> None:
    """Keep one block."""
    counts: dict[str, Counter[str]] = {}
    for one in found:
        counts.setdefault(one.group, Counter())[one.became] += 1
    held = {"inputs": len(found), "seconds": seconds, "counts": counts,
            "failures": [asdict(one) for one in found if one.became not in GOOD]}  # fmt: skip
    (folder / f"block-{number:05d}.json").write_text(json.dumps(held))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=("data", "runs"))
    parser.add_argument("--again", action="store_true", help="forget what was done before, and the untouched files")
    parser.add_argument("--show", type=int, metavar="INPUT")
    told_by = parser.parse_args()
    originals, folder = CACHE / "originals", CACHE / f"{told_by.only or 'all'}-{told_by.seed}"
    if told_by.again:
        shutil.rmtree(CACHE, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    make(originals)
    if told_by.show is not None:
        with tempfile.TemporaryDirectory() as scratch:
            print(Bench(originals, Path(scratch), told_by.only).tried(told_by.seed, told_by.show))
        return
    workers = [Worker(originals, told_by.only, told_by.seed) for _ in range(told_by.workers)]
    try:
        for number in range(-(-told_by.inputs // BLOCK)):
            if (folder / f"block-{number:05d}.json").exists():
                continue
            start = time.monotonic()
            numbers = range(number * BLOCK, min(told_by.inputs, (number + 1) * BLOCK))
            found = block(workers, numbers)
            done(folder, number, found, time.monotonic() - start)
            bad = [one for one in found if one.became not in GOOD]
            print(f"{numbers.stop} inputs, {len(bad)} failures in these {len(found)}", flush=True)
            for one in bad:
                print(f"  {one}", flush=True)
    finally:
        for worker in workers:
            worker.stop()
    keep("mutations", {"command": " ".join(sys.argv), "seed": told_by.seed, **told(folder)})


if __name__ == "__main__":
    main()
