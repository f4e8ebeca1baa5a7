"""Many rows scored to a folder of parquet parts: rows a second, memory, and going on after a kill.

    python benchmarks/scaling_out.py [ROWS]

Makes a table of 8 real columns and one of three categories, in parquet files of up to a million rows, fits a small run
on 5,000 more, and scores all with K = 1 (`likely score RUN FOLDER -o PARTS/ --samples 1`), once without a break, and
once killed by SIGKILL when half of the parts are there and gone on with (`--resume`). The values must be the same.
Memory is RssAnon, what the process holds of its own, looked at twenty times a second. `LIKELY_MAX_BYTES` is 16 MiB, so
that the rows stay in their files however few there are.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import parquet

import likely
from common import keep

FILE_ROWS, FIT_ROWS = 1_000_000, 5_000
LIMIT = {"LIKELY_MAX_BYTES": str(2**24)}


def table(rows: int, seed: int) -> pd.DataFrame:
    """Rows of three clusters."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, rows)
    frame = pd.DataFrame({f"x{i}": (rng.normal(size=rows) + (i + 1) * kind).round(3) for i in range(8)})
    return frame.assign(kind=np.array(["a", "b", "c"])[kind])


def anonymous(process: int) -> float:
    """RssAnon of a process, in MiB; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)


def scored(words: list[str], out: Path, until: int | None = None) -> dict[str, Any]:
    """One command: its seconds and the most memory; killed when so many parts are there, where that is given."""
    began, peaks = time.perf_counter(), []
    process = subprocess.Popen([sys.executable, "-m", "likely", *words], env=os.environ | LIMIT, stderr=subprocess.PIPE)
    while process.poll() is None:
        peaks.append((time.perf_counter() - began, anonymous(process.pid)))
        if until is not None and len(list(out.glob("part-*"))) >= until:
            process.send_signal(signal.SIGKILL)
            process.wait()
        time.sleep(0.05)
    said = process.stderr.read().decode() if process.stderr else ""
    if process.returncode != (0 if until is None else -signal.SIGKILL):
        sys.exit(said)
    seconds = time.perf_counter() - began
    half = [held for at, held in peaks if at > seconds / 2]
    return {
        "seconds": round(seconds, 1),
        "rss_anon_mib": round(max(held for _, held in peaks), 1),
        "rss_anon_mib_first_half": round(max(held for at, held in peaks if at <= seconds / 2), 1),
        "rss_anon_mib_second_half": round(max(half, default=0.0), 1),
    }


def measured(rows: int = 200_000) -> dict[str, Any]:
    """All figures for so many rows."""
    folder = Path(tempfile.mkdtemp(prefix="scaling-out-"))
    try:
        data = folder / "data"
        data.mkdir()
        for number, first in enumerate(range(0, rows, FILE_ROWS)):
            table(min(FILE_ROWS, rows - first), number).to_parquet(data / f"{number:05d}.parquet", index=False)
        likely.fit(table(FIT_ROWS, 10**6), out=folder / "run", steps=200, latent=2, width=32)
        words = ["score", str(folder / "run"), str(data), "--samples", "1", "-o"]
        whole, broken = folder / "whole", folder / "broken"
        straight = scored([*words, str(whole)], whole)
        parts = len(list(whole.glob("part-*")))
        killed = scored([*words, str(broken)], broken, until=parts // 2)
        resumed = scored([*words, str(broken), "--resume"], broken)
        names = [one.name for one in sorted(whole.glob("part-*"))]
        same = names == [one.name for one in sorted(broken.glob("part-*"))] and all(
            parquet.read_table(whole / name).equals(parquet.read_table(broken / name)) for name in names
        )
        return {
            "rows": rows,
            "bytes": sum(file.stat().st_size for file in data.iterdir()),
            "parts": parts,
            "rows_per_second": round(rows / straight["seconds"]),
            "without_a_break": straight,
            "killed_at_half": killed,
            "gone_on_with": resumed,
            "same_values": same,
        }
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    figures = measured(*map(int, sys.argv[1:]))
    keep("scaling_out", figures)
    sys.exit(0 if figures["same_values"] else 1)
