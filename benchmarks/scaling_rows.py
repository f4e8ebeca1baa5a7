"""Fits of more rows than memory holds: seconds, memory, and whether a step takes as long as from memory.

    LIKELY_DATA=... python benchmarks/scaling_rows.py [--out FOLDER] [--parts linear hundred table array same]

linear  One epoch over 10^4 to 10^7 rows of 20 columns, `--memory 1e8` from 10^6 rows on: seconds of each part of the
        fit, the slope of log seconds against log rows, peak of RssAnon (memory that no file backs) and of all memory.
hundred One epoch over 10^8 rows in the same way, where it is asked for: about an hour by what 10^7 take, and
        30 GB more.
table   20 million rows x 20 columns, a folder of parquet files, `--memory 1e9`.
array   10.2 million pictures of 28 x 28 bytes, one npy file of 8 GB, `--memory 1e9`.
        Both: RssAnon, and steps a second beside those of the same model on rows of the same data that are in memory.
same    The same block size and seed: weights from files and from memory, a million rows and more, compared bit by bit.

Data: power-plant's rows, four of them side by side, with noise of a tenth of each column's deviation, rounded as they
were; scikit-learn's digits, each pixel made 3.5 x 3.5, levels 0 to 255 with noise. Both by seed. Each fit is a
process of its own, one thread; results go to results/scaling_rows.json, files to FOLDER (30 GB), where they are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib import pyplot as plt
from pyarrow import parquet
from sklearn.datasets import load_digits

from common import data, keep
from pieces import table

mpl.use("Agg")
COLUMNS, PART = 20, 1_000_000
LINEAR = (10_000, 100_000, 1_000_000, 10_000_000)
HUNDRED = 100_000_000
TABLE_ROWS, PICTURES = 20_000_000, 10_200_000
BATCH = {"table": 2048, "array": 512}
SMALL = {"table": 400_000, "array": 100_000}  # rows of the fit in memory whose steps are compared
NOISE = 20  # levels that a pixel is moved by at most
POLL = 0.05  # seconds


def plant(rows: int, seed: int) -> pd.DataFrame:
    """Rows of 20 columns: four rows of power-plant side by side, with noise."""
    known = pd.read_csv(data("tables/power-plant.csv"))
    rng = np.random.default_rng(seed)
    columns = {}
    for copy in range(COLUMNS // known.shape[1]):
        chosen = known.to_numpy()[rng.integers(0, len(known), rows)]
        chosen = np.round(chosen + 0.1 * known.to_numpy().std(0) * rng.normal(size=chosen.shape), 2)
        columns |= {f"{name}{copy}": chosen[:, place] for place, name in enumerate(known.columns)}
    return pd.DataFrame(columns)


def plant_folder(folder: Path, rows: int) -> Path:
    """A folder of parquet files of at most a million rows each."""
    place = folder / f"plant-{rows}"
    if not place.exists():
        half = folder / f".plant-{rows}"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        for number, first in enumerate(range(0, rows, PART)):
            frame = plant(min(PART, rows - first), number)
            parquet.write_table(pa.Table.from_pandas(frame), half / f"part-{number:03}.parquet")
        half.rename(place)
    return place


def digits_file(folder: Path, rows: int) -> Path:
    """An npy file of pictures of 28 x 28 bytes."""
    place = folder / f"digits-{rows}.npy"
    if not place.exists():
        images = load_digits().images / 16
        grown = np.stack([np.kron(255 * image, np.ones((7, 7)))[1::2, 1::2] for image in images]).astype(np.int16)
        rng, half = np.random.default_rng(0), folder / f".digits-{rows}.npy"
        folder.mkdir(parents=True, exist_ok=True)
        with half.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (rows, 28, 28)}
            np.lib.format.write_array_header_1_0(file, header)
            for first in range(0, rows, 50_000):
                noisy = grown[rng.integers(0, len(grown), min(50_000, rows - first))]
                noisy += rng.integers(-NOISE, NOISE + 1, noisy.shape, dtype=np.int16)
                file.write(noisy.clip(0, 255).astype(np.uint8).data)
        half.rename(place)
    return place


def fitted(source: Path, out: Path, *options: str) -> dict[str, Any]:
    """One fit by the command line in a process of its own: seconds, peaks of memory, share of a processor."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(out.with_name(out.name + ".cache"), ignore_errors=True)
    command = [sys.executable, "-m", "likely", "fit", str(source), "-o", str(out), *options]
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True)
    anonymous = resident = 0
    while process.poll() is None:
        lines = _status(process.pid)
        anonymous, resident = max(anonymous, lines.get("RssAnon", 0)), max(resident, lines.get("VmRSS", 0))
        time.sleep(POLL)
    wall = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"{' '.join(command)}: {process.stderr.read() if process.stderr else ''}")
    facts, history = json.loads((out / "run.json").read_text()), pd.read_csv(out / "history.csv")
    last = history.iloc[-1]
    return {
        "wall_s": round(wall, 1),
        "training_s": round(float(last["seconds"]), 1),
        "steps": int(last["step"]),
        "steps_a_second": round(float(last["step"] / last["seconds"]), 2),
        "anonymous_MB": round(anonymous / 1e3),
        "resident_MB": round(resident / 1e3),
        "val_elbo": round(float(last["val_elbo"]), 3),
        "training_rows": facts.get("sample_of"),
    }


def _status(pid: int) -> dict[str, int]:
    """Kilobytes of memory of a process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}


def epoch(folder: Path, rows: int) -> dict[str, Any]:
    """One epoch over so many rows."""
    memory = ("--memory", "1e8") if rows >= PART else ()
    options = (*memory, "--epochs", "1", "--set", "batch_size=2048")
    return {
        "rows": rows,
        "streamed": bool(memory),
        **fitted(plant_folder(folder, rows), folder / "linear", *options),
    }


def linear(folder: Path) -> dict[str, Any]:
    """Seconds and memory against rows."""
    lines = []
    for rows in LINEAR:
        lines.append(epoch(folder, rows))
        print(lines[-1], flush=True)
    counts, seconds = np.log([line["rows"] for line in lines]), np.log([line["wall_s"] for line in lines])
    last = np.diff(seconds[-2:])[0] / np.diff(counts[-2:])[0]
    table("one epoch", lines)
    _drawn(lines)
    return {"lines": lines, "slope": float(np.polyfit(counts, seconds, 1)[0]), "slope_of_the_last_two": float(last)}


def _drawn(lines: list[dict[str, Any]]) -> None:
    """Seconds and memory against rows, as a picture beside the results."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    rows = [line["rows"] for line in lines]
    left.loglog(rows, [line["wall_s"] for line in lines], "o-", label="the whole fit")
    left.loglog(rows, [line["training_s"] for line in lines], "s-", label="one epoch of training")
    left.set(xlabel="rows of 20 columns", ylabel="seconds")
    left.legend()
    right.semilogx(rows, [line["anonymous_MB"] for line in lines], "o-", label="RssAnon")
    right.set(xlabel="rows of 20 columns", ylabel="MB that no file backs", ylim=(0, None))
    right.axvspan(PART / 2, rows[-1] * 2, alpha=0.1, label="rows in files")
    right.legend()
    figure.savefig(Path(__file__).parent / "results" / "scaling_rows.svg", metadata={"Date": None})


def large(folder: Path, kind: str, steps: int) -> dict[str, Any]:
    """More rows than memory may hold, beside rows of the same data in memory."""
    make, rows = (plant_folder, TABLE_ROWS) if kind == "table" else (digits_file, PICTURES)
    model = ("--set", f"batch_size={BATCH[kind]}", "--set", f"steps={steps}")
    found = fitted(make(folder, rows), folder / kind, "--memory", "1e9", *model)
    print(found, flush=True)
    held = fitted(make(folder, SMALL[kind]), folder / f"{kind}-held", *model)
    print(held, flush=True)
    ratio = found["steps_a_second"] / held["steps_a_second"]
    table(kind, [{"rows": rows, **found}, {"rows": SMALL[kind], **held}])
    return {"rows": rows, "from_files": found, "in_memory": held, "steps_ratio": round(ratio, 3)}


def same(folder: Path) -> dict[str, Any]:
    """Weights from files and from memory."""
    from safetensors.numpy import load_file

    rows, weights = 1_500_000, []
    for name, memory in (("files", "1e8"), ("memory", "1e12")):
        options = ("--set", "block_rows=6553", "--set", "steps=300", "--set", "batch_size=2048")
        fitted(plant_folder(folder, rows), folder / f"same-{name}", "--memory", memory, *options)
        weights.append(load_file(folder / f"same-{name}" / "weights.safetensors"))
    equal = all(
        np.array_equal(one, weights[1][name], equal_nan=one.dtype.kind == "f") for name, one in weights[0].items()
    )
    return {"rows": rows, "tensors": len(weights[0]), "equal": bool(equal)}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".cache/scaling"))
    parser.add_argument("--parts", nargs="*", default=["linear", "table", "array", "same"])
    parser.add_argument("--steps", type=int, default=1000)
    chosen = parser.parse_args()
    results = Path(__file__).parent / "results" / "scaling_rows.json"
    document: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    parts = {
        "linear": lambda: linear(chosen.out),
        "hundred": lambda: epoch(chosen.out, HUNDRED),
        "table": lambda: large(chosen.out, "table", chosen.steps),
        "array": lambda: large(chosen.out, "array", chosen.steps),
        "same": lambda: same(chosen.out),
    }
    for name in chosen.parts:
        document[name] = parts[name]()
        keep("scaling_rows", document)


if __name__ == "__main__":
    main()
