"""Whether the tests notice: small faults put into the source of a room, one at a time, and its tests run.

    python benchmarks/mutants.py objectives --count 80 [--seed 0] [--revision HEAD]
    python benchmarks/mutants.py objectives --again tests/objectives     # the survivors, on all tests of these paths

The mutants of a room (`mutants_drawn.py`: an operator, comparison, number, axis, statement or a function's twin, such
as max for min) are shuffled by the seed and the first `--count` are tried, each in a fork of this process, which has
imported everything. First the room's tests run once as they are, and which lines each test reaches is kept under
`.cache/mutants`. A mutant meets the tests that reach its statement, the quickest first, until one fails; of at most
`--seconds`, as measured. A function's code is replaced where it stands; anything else is imported anew.

`killed`: a test failed, or took ten times as long. `survived`: none did. `not reached`: no test runs the statement.
After an interruption, and with a larger count, the same command goes on. `results/mutants.json` keeps the verdicts;
what a person says of a survivor is its `reason`, and stays. The exit code is 1 while a survivor has none.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import random
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib.pyplot
import pandas
import rich
import scipy.stats
import sklearn.ensemble
import torch
import zuko

from mutants_drawn import Mutant, mutants
from mutants_forks import forked, reach, tried
from versions import ROOT, commit, git

RESULTS = Path(__file__).parent / "results" / "mutants.json"
CACHE = ROOT / ".cache" / "mutants"
PREPARED = (matplotlib.pyplot, pandas, rich, scipy.stats, sklearn.ensemble, torch, zuko)
STORE = ["run/store.py", "run/checksums.py", "run/checkpoints.py", "run/directory.py", "files"]
STORED = """checksums untrusted untrusted_training reading_back weights values_kept failing_disk failing_fit replaced
resuming states own"""
ROOMS: dict[str, tuple[list[str], list[str]]] = {
    "objectives": (["objectives"], ["tests/objectives", "tests/models", "tests/training"]),
    "likelihoods": (["likelihoods"], ["tests/likelihoods", "tests/assembly", "tests/models"]),
    "distributions": (["distributions"], ["tests/distributions", "tests/likelihoods", "tests/posteriors"]),
    "evaluation": (["evaluation"], ["tests/evaluation"]),
    "store": (STORE, ["tests/files", *(f"tests/run/test_{name}.py" for name in STORED.split())]),
}


def chosen(mutant: Mutant, reached: dict[str, Any], limit: float) -> tuple[list[str], float]:
    """The tests that reach the mutant's statement, the quickest first, and their seconds."""
    lines = {int(line): tests for line, tests in reached["lines"].get(mutant.file, {}).items()}
    within = range(mutant.lines[0], mutant.lines[1] + 1) if mutant.called else lines
    found = {test for line in within for test in lines.get(line, [])}
    names: list[str] = []
    total = 0.0
    for test in sorted(found, key=lambda one: reached["seconds"][one]):
        total += reached["seconds"][test]
        if names and total > limit:
            break
        names.append(reached["names"][test])
    return names, total


def copied(revision: str, folder: Path) -> Path:
    """A revision's files, from which everything is imported and tested."""
    packed = folder / "packed.tar"
    packed.write_bytes(git("archive", revision, at=ROOT))
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "copy", filter="data")
    return (folder / "copy").resolve()


def prepare(copy: Path) -> None:
    """Import everything from the copy, once."""
    sys.path[:0] = [str(copy / "src")]
    os.environ["PYTHONPATH"] = str(copy / "src")
    sys.dont_write_bytecode = True
    os.chdir(copy)
    import likely

    assert Path(likely.__file__).is_relative_to(copy)
    for module in pkgutil.walk_packages(likely.__path__, "likely."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def drawn(copy: Path, room: str, seed: int) -> list[Mutant]:
    """The mutants of a room, in the order in which they are tried."""
    found = []
    for part in ROOMS[room][0]:
        place = copy / "src" / "likely" / part
        for file in [place] if place.suffix else sorted(place.rglob("*.py")):
            found += mutants(str(file.relative_to(copy)), file.read_text())
    random.Random(seed).shuffle(found)
    return found


def main() -> None:
    """Draw, try, and keep what became of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("room", choices=list(ROOMS))
    parser.add_argument("--count", type=int, default=80, help="mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the order in which they are tried")
    parser.add_argument("--revision", default="HEAD", help="whose source and tests are taken")
    parser.add_argument("--seconds", type=float, default=120, help="of tests, for one mutant")
    parser.add_argument("--again", nargs="+", default=[], help="tests, for those that survived and have no reason")
    asked = parser.parse_args()
    revision = commit(asked.revision, ROOT)
    with tempfile.TemporaryDirectory() as aside:
        copy = copied(revision, Path(aside))
        prepare(copy)
        reached = {} if asked.again else measured(asked.room, revision, copy)
        found = drawn(copy, asked.room, asked.seed)
        print(f"{asked.room} of {revision}, seed {asked.seed}: {len(found)} mutants, {asked.count} of them", flush=True)
        for mutant in left(found, kept(asked.room), asked.count, again=bool(asked.again)):
            names, seconds = (asked.again, asked.seconds) if asked.again else chosen(mutant, reached, asked.seconds)
            started = time.perf_counter()
            code, by = tried(mutant, copy, names, seconds) if names else (0, "")
            verdict = "killed" if code else "survived" if names else "not reached"
            took = time.perf_counter() - started
            keep(asked.room, mutant, {"verdict": verdict, "by": by or f"exit code {code}" if code else ""})
            print(f"{verdict} {took:.1f} s, {len(names)} tests: {mutant.name}", flush=True)
    every = kept(asked.room).values()
    print(f"{asked.room}: {dict(Counter(one['verdict'] for one in every))}")
    sys.exit(any(one["verdict"] != "killed" and "reason" not in one for one in every))


def left(found: list[Mutant], known: dict[str, dict[str, Any]], count: int, *, again: bool) -> list[Mutant]:
    """The mutants to try: those of the first that have no verdict, or those that survived and have no reason."""
    if not again:
        return [one for one in found[:count] if one.name not in known]
    survived = {name for name, one in known.items() if one["verdict"] != "killed" and "reason" not in one}
    return [one for one in found if one.name in survived]


def measured(room: str, revision: str, copy: Path) -> dict[str, Any]:
    """Which lines each test of the room reaches, and its seconds."""
    told = CACHE / f"{revision}-{room}.json"
    if not told.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        tests = [*ROOMS[room][1], *(f"src/likely/{part}" for part in ROOMS[room][0])]
        code = forked(lambda: reach(copy, tests, told), 3600)
        if code != 0:
            told.unlink(missing_ok=True)
            sys.exit(f"the tests of {room} cannot run: {code}")
    found: dict[str, Any] = json.loads(told.read_text())
    print(f"{len(found['names'])} tests, {sum(found['seconds']):.0f} s; left out, as they fail: {found.get('failed')}")
    return found


def kept(room: str) -> dict[str, dict[str, Any]]:
    """What became of the room's mutants so far."""
    document = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found: dict[str, dict[str, Any]] = document.get(room, {})
    return found


def keep(room: str, mutant: Mutant, told: dict[str, Any]) -> None:
    """Write down what became of one, and what had become of it at first."""
    document = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    every = document.setdefault(room, {})
    known = every.get(mutant.name, {})
    first = {"first": known.get("first", known["verdict"])} if known else {}
    every[mutant.name] = {**told, "line": mutant.line, **first}
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
