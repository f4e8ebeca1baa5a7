"""Whether two versions of `likely` train to the same bytes: the same seeded fits of every shape, from two checkouts.

    python benchmarks/golden.py OLD NEW [--shapes table,ladder]

OLD and NEW are revisions, or paths of checkouts. Each version fits, in one process with one thread, every shape of
`golden_fits.py` for few steps: a table with missing cells, pictures by convolutions, a condition, a mixture prior, a
flow, a ladder, a sphere, codes, an ensemble, exemplars, objectives of several samples, an open budget. Compared, byte
by byte: the weights, the history but for seconds, and ten scores. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine
from versions import version

HERE = Path(__file__).resolve().parent


def digests(sources: Path, shapes: str, folder: Path) -> dict[str, dict[str, str]]:
    """Shape -> what was compared -> digest."""
    told = os.environ | {"PYTHONPATH": str(sources), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(HERE / "golden_fits.py"), str(folder), shapes]
    made = subprocess.run(words, env=told, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, dict[str, str]] = json.loads(made.stdout)
    return found


def main() -> None:
    """Fit both, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--shapes", default="", help="some of them; all unless given")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        versions = {side: version(getattr(asked, side), Path(aside) / side) for side in ("old", "new")}
        found = {
            side: digests(one.sources, asked.shapes, Path(aside) / f"{side}-runs") for side, one in versions.items()
        }
    differing = 0
    for shape, old in found["old"].items():
        apart = [what for what, digest in old.items() if found["new"].get(shape, {}).get(what) != digest]
        differing += bool(apart)
        print(f"{shape}: {'differs: ' + ', '.join(apart) if apart else 'equal'}")
    facts = machine()
    print(f"{versions['old'].name} -> {versions['new'].name}: {differing} of {len(found['old'])} differ")
    print(f"{facts['processor']}, one thread; {facts['versions']}")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
