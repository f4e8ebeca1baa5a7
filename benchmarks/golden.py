"""Whether two versions of `likely` train to the same bytes: the same seeded fits of every shape, from two checkouts.

    python benchmarks/golden.py OLD NEW [--shapes table,ladder] [--seeds 5]

OLD and NEW are revisions, or paths of checkouts. Each version fits, in one process with one thread, every shape of
`golden_fits.py` for few steps: a table with missing cells, pictures by convolutions, a condition, a mixture prior, a
flow, a ladder, a sphere, codes, an ensemble, exemplars, objectives of several samples, an open budget. Compared, byte
by byte: each weight, the history but for seconds, and ten scores. The exit code is 1 if anything differs that the old
version has.

Where a change means to draw other random numbers, `--seeds` asks instead for the best validation ELBO of 300 steps with
that many seeds: the difference of the means, and its standard error over seeds (two samples: other numbers are drawn).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common import machine
from versions import version

HERE = Path(__file__).resolve().parent


def found_by(sources: Path, shapes: str, seeds: int, folder: Path) -> dict[str, Any]:
    """Shape -> what was compared -> digest; or shape -> the bounds of the seeds."""
    told = os.environ | {"PYTHONPATH": str(sources), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(HERE / "golden_fits.py"), str(folder), shapes, str(seeds)]
    made = subprocess.run(words, env=told, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def main() -> None:
    """Fit both, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--shapes", default="", help="some of them; all unless given")
    parser.add_argument("--seeds", type=int, default=0, help="compare bounds over so many seeds, not bytes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        versions = {side: version(getattr(asked, side), Path(aside) / side) for side in ("old", "new")}
        found = {
            side: found_by(one.sources, asked.shapes, asked.seeds, Path(aside) / f"{side}-runs")
            for side, one in versions.items()
        }
    facts = machine()
    print(f"{versions['old'].name} -> {versions['new'].name}: {facts['processor']}, one thread; {facts['versions']}")
    sys.exit(compared(found) if not asked.seeds else measured(found))


def measured(found: dict[str, dict[str, Any]]) -> int:
    """How many shapes' bounds differ by more than two standard errors."""
    apart = 0
    for shape in found["old"]:
        old, new = (np.array(found[side][shape]) for side in ("old", "new"))
        se = float(np.sqrt((old.var(ddof=1) + new.var(ddof=1)) / len(old)))
        difference = float(new.mean() - old.mean())
        apart += abs(difference) > 2 * se
        print(f"{shape}: {old.mean():.3f} -> {new.mean():.3f}, {difference:+.3f} ± {se:.3f} nats, {len(old)} seeds")
    return min(1, apart)


def compared(found: dict[str, dict[str, Any]]) -> int:
    """Whether any shape differs."""
    differing = 0
    for shape, old in found["old"].items():
        apart = [what for what, digest in old.items() if found["new"].get(shape, {}).get(what) != digest]
        differing += bool(apart)
        added = len(set(found["new"].get(shape, {})) - set(old))
        more = f" (the new one has {added} more)" if added else ""
        print(f"{shape}: {'differs: ' + ', '.join(apart) if apart else 'equal'}{more}")
    print(f"{differing} of {len(found['old'])} differ")
    return min(1, differing)


if __name__ == "__main__":
    main()
