"""The peer's side of `tables_synthesis.py`: TVAE of ctgan 0.12.1 with its defaults, csv in and csv out.

Runs in ctgan's virtual environment, never in ours; started by `tables_synthesis.py` as

    .cache/peers/ctgan/bin/python benchmarks/peer_tvae.py TRAIN.csv ROWS THREADS OUT.csv

Columns of strings are its discrete columns. Prints one line of JSON: versions, threads, seconds of fit and sampling.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from ctgan import TVAE


def main() -> None:
    path, count, threads, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    np.random.seed(0)
    frame = pd.read_csv(path, keep_default_na=False)
    model, clocks = TVAE(), [(time.perf_counter(), time.process_time())]
    model.fit(frame, list(frame.select_dtypes("object").columns))
    clocks.append((time.perf_counter(), time.process_time()))
    made = model.sample(count)
    clocks.append((time.perf_counter(), time.process_time()))
    made.to_csv(out, index=False)
    took = {
        f"{what}_{clock}_s": clocks[i + 1][j] - clocks[i][j]
        for i, what in enumerate(("fit", "sample"))
        for j, clock in enumerate(("wall", "processor"))
    }
    versions = {name: version(name) for name in ("ctgan", "rdt", "torch", "numpy", "pandas")}
    print(json.dumps({**took, "threads": threads, "versions": {**versions, "python": platform.python_version()}}))


if __name__ == "__main__":
    main()
