"""What things cost where they grow: processes, rows.

    LIKELY_DATA=... python benchmarks/scaling.py [processes] [out]

Each part keeps its pieces in `.cache/scaling`, so that the same command goes on where it stopped, and its results in
`results/scaling.json`, beside those of the other parts; what it measures, and how, stands in its own file:

processes
    `scaling_processes.py`: rows a second by one process and by two.
out
    `scaling_out.py`: 200,000 rows scored to parquet parts; `python benchmarks/scaling_out.py ROWS` takes more.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import scaling_out
import scaling_processes
from common import RESULTS, machine, store

PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "processes": scaling_processes.measured,
    "out": scaling_out.measured,
}


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all unless given")
    path = RESULTS / "scaling.json"
    for name in parser.parse_args().parts or PARTS:
        started = time.perf_counter()
        document = {**PARTS[name](), "seconds": round(time.perf_counter() - started, 1), "machine": machine()}
        print(json.dumps(document, indent=1))
        store("scaling", {**(json.loads(path.read_text()) if path.exists() else {}), name: document})


if __name__ == "__main__":
    main()
