"""Whether anything is lost: fits that are killed at any moment, and resumed.

    python benchmarks/faults.py kills [--count 250] [--kinds mlp,table] [--seed 0] [--results FILE] [--anew]

`--count` kills of each kind of fit, each a fork of this process, which has imported everything and started no thread
pool. Half of them die within the writing of a checkpoint: at the n-th file operation below `checkpoints/`, n drawn at
random, or when half of a file's content is there. The others die at a random moment of the fit. A quarter of all
replace an older run (`overwrite=True`); those that do not die within a checkpoint die at a random file operation, of
which the swap is one: at their place the old run or the new one must be there, and load. Each is then resumed, a
quarter of them after another kill at a random moment of the resumed fit, and compared to the byte with one fit of the
kind that was never stopped: the weights, the history but for seconds, schema, configuration, division, and rows drawn.

The results say how many of the kills came before the plan of the fit was stored, so that the same command is given
again. After an interruption the same command goes on at the next kill. The exit code is 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import RESULTS, machine
from faults_kills import KINDS, Reference, killed, prepare


def main() -> None:
    """Kill, resume, compare, and keep count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills"])
    parser.add_argument("--count", type=int, default=250, help="kills of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS), help="of fits")
    parser.add_argument("--seed", type=int, default=0, help="of where and when")
    parser.add_argument("--results", type=Path, default=RESULTS / "faults_kills.json", help="where they are kept")
    parser.add_argument("--anew", action="store_true", help="count from nothing")
    asked = parser.parse_args()
    document: dict[str, Any] = {"seed": asked.seed, "kinds": {}, "machine": machine()}
    if asked.results.exists() and not asked.anew:
        document |= json.loads(asked.results.read_text())
    folder = Path(tempfile.mkdtemp(prefix="likely-faults-"))
    try:
        kinds = asked.kinds.split(",")
        prepare(folder, kinds)
        references = [Reference.of(kind, folder) for kind in kinds]
        for one in references:
            print(f"{one.kind}: a fit takes {one.seconds:.2f} s, {one.operations} file operations", flush=True)
        for number in range(asked.count):
            for one in references:
                counted(one, number, asked, document, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(document["kinds"], indent=1))
    sys.exit(any(told["lost"] for told in document["kinds"].values()))


def counted(
    reference: Reference, number: int, asked: argparse.Namespace, document: dict[str, Any], folder: Path
) -> None:
    """One kill of one kind, unless it was counted before."""
    kind = reference.kind
    told = document["kinds"].setdefault(kind, {"kills": 0, "lost": [], "seconds": 0.0})
    if told["kills"] > number:
        return
    started = time.perf_counter()
    found = killed(reference, folder / kind, (asked.seed, list(KINDS).index(kind), number))
    for word in found.words:
        told[word] = told.get(word, 0) + 1
    if found.lost:
        told["lost"].append({"kill": number, "what": found.lost, "words": list(found.words)})
        print(f"{kind}, kill {number}: {found.lost} ({', '.join(found.words)})", flush=True)
    told["kills"] += 1
    told["seconds"] = round(told["seconds"] + time.perf_counter() - started, 1)
    asked.results.write_text(json.dumps(document, indent=1) + "\n")
    if told["kills"] % 25 == 0:
        print(f"{kind}: {told['kills']} kills, {len(told['lost'])} lost, {told['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
