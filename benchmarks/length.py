"""What a default fit reaches, and how soon, beside a long fit by earlier code: log P(row) and processor seconds.

    LIKELY_DATA=... python benchmarks/length.py OLD [NEW] [--tables concrete,adult] [--out FOLDER]

OLD and NEW (this checkout unless given) are revisions, or paths of checkouts, whose sources are copied aside. For each
table and seed both fit at the same time, each in a process of its own with one thread, so that a busy machine slows
both; on two otherwise idle cores all takes about an hour.

concrete, boston, wine, power-plant
    Seeds 0 to 4. OLD fits with `steps=5000`, NEW with its defaults; the seed divides the rows, the same for both.
adult
    Seed 0, the training rows of `tables_synthesis.py`, both with their defaults; there is what drawn rows are worth.

log P(row) is that of `Run.score` with 500 samples by NEW, of the first 500 test rows: OLD's weights are put into NEW's
run for it, so that one estimator measures both models. Beside it is L_500 by draws of Q alone. Differences
are paired by row, and are given only where both count in the same base measure; all seeds of a row are one draw in
`se`: `by seed` says what a new seed may change. Seconds are of the processor, of the fit alone. Pieces are kept in
FOLDER: run the same command again to go on, and take another FOLDER for other code.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import likely
from common import data, keep
from pieces import Piece, piece, table
from regress_laws import by_row, changed, spaces
from tables_synthesis import training_file
from versions import ROOT, Version, version

STEPS, SAMPLES, MAX_ROWS = 5000, 500, 500
SEEDS = {**dict.fromkeys(("concrete", "boston", "wine", "power-plant"), range(5)), "adult": range(1)}
SIDES = ("old", "new")


def fitted(path: Path, seed: int, options: dict[str, Any], out: Path) -> dict[str, Any]:
    """A fit, its processor seconds, and L_500 of its test rows by draws of Q alone; run and weights are stored."""
    started = time.process_time()
    run = likely.fit(path, seed=seed, **options)
    seconds = time.process_time() - started
    rows = run.encoded(run.division.rows(run.training_source(), "test")).to("cpu")
    rows, index = rows.take(torch.arange(min(MAX_ROWS, len(rows)))), np.asarray(run.division.test)[:MAX_ROWS]
    bound = likely.evaluation.evidence(run.model, rows, samples=SAMPLES).terms["iwae"]
    run.save(out, overwrite=True)
    np.savez(out.with_suffix(".weights.npz"), **{name: part.numpy() for name, part in run.model.state_dict().items()})
    facts = {"steps": run.facts["steps"], "fit_s": seconds, "spaces": json.dumps(spaces(run.schema.to_dict()))}
    return {**facts, "row": index, "by_q": bound}


def scored(folder: Path, seed: str) -> dict[str, Any]:
    """log P of the same test rows by both models, by one estimator: the new run with its weights, and with the old."""
    run, found = likely.load(folder / f"{seed}-new"), {}
    rows = run.division.rows(run.training_source(), "test").values[:MAX_ROWS]
    for side in SIDES:
        with np.load(folder / f"{seed}-{side}.weights.npz") as stored:
            weights = {name: torch.from_numpy(part) for name, part in stored.items()}
        unknown = run.model.load_state_dict(weights, strict=False).unexpected_keys
        if unknown:
            sys.exit(f"the weights of {side} do not fit into the new model: it has no {', '.join(unknown)}")
        scores = run.score(rows, samples=SAMPLES)
        found |= {side: scores["log_px"].to_numpy(), f"stable_{side}": scores["stable"].to_numpy()}
    return found


def unit(path: str, seed: str, file: str, steps: str) -> None:
    """One fit, in a process of its own."""
    if not Path(likely.__file__).is_relative_to(Path(os.environ["PYTHONPATH"]).resolve()):
        sys.exit(f"likely was imported from {likely.__file__}, not from PYTHONPATH")
    options, place = {"steps": int(steps)} if int(steps) else {}, Path(file)
    piece(place, partial(fitted, Path(path), int(seed), options, place.with_suffix("")))


def unit_scored(folder: str, seed: str) -> None:
    """The scores of a pair of fits, in a process of its own."""
    piece(Path(folder) / f"{seed}-scored.npz", partial(scored, Path(folder), seed))


def both(name: str, seed: int, versions: dict[str, Version], folder: Path) -> tuple[Piece, Piece]:
    """Both versions at once; what is done is kept."""
    files = {side: folder / name / f"{seed}-{side}.npz" for side in SIDES}
    if not all(file.exists() for file in files.values()):
        path = training_file(folder) if name == "adult" else data(f"tables/{name}.csv")
        processes = []
        for side, file in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            told = os.environ | {"PYTHONPATH": str(versions[side].sources), "OMP_NUM_THREADS": "1"}
            steps = STEPS if side == "old" and name != "adult" else 0
            words = [sys.executable, __file__, "unit", str(path), str(seed), str(file), str(steps)]
            processes.append(subprocess.Popen(words, env=told, stdout=subprocess.DEVNULL))
        codes = [process.wait() for process in processes]
        if any(codes):
            sys.exit(f"{name}, seed {seed}: a fit failed")
        print(f"{name}, seed {seed}", flush=True)
    told = os.environ | {"PYTHONPATH": str(versions["new"].sources), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, __file__, "score", str(folder / name), str(seed)], env=told, check=True)
    log_px = {**np.load(folder / name / f"{seed}-scored.npz")}
    old, new = ({**np.load(files[side]), "log_px": log_px[side]} for side in SIDES)
    return old, new


def summary(name: str, pairs: list[tuple[Piece, Piece]]) -> dict[str, Any]:
    """All seeds of one table."""
    old, new = (
        {key: np.concatenate([pair[place][key] for pair in pairs]) for key in ("row", "log_px", "by_q")}
        for place in (0, 1)
    )
    moved = changed(*(json.loads(str(one["spaces"])) for one in pairs[0]))
    seconds = [[float(pair[place]["fit_s"]) for pair in pairs] for place in (0, 1)]
    return {
        "data": name,
        "seeds": len(pairs),
        "rows": len(np.unique(old["row"])),
        **{side: float(part["log_px"].mean()) for side, part in zip(SIDES, (old, new), strict=True)},
        "difference": None if moved else by_row(old, new),
        "difference by Q alone": None if moved else by_row(old, new, "by_q"),
        "by seed": None if moved else [by_row(*pair)["mean"] for pair in pairs],
        "changed": moved,
        **{f"steps, {side}": [int(pair[place]["steps"]) for pair in pairs] for place, side in enumerate(SIDES)},
        **{f"seconds, {side}": seconds[place] for place, side in enumerate(SIDES)},
        "seconds, new/old": sum(seconds[1]) / sum(seconds[0]),
    }


def shown(line: dict[str, Any]) -> dict[str, Any]:
    """One line of the Markdown table."""
    gain = line["difference"]
    return {
        **{key: line[key] for key in ("data", "seeds", "rows")},
        **{side: f"{line[side]:.3f}" for side in SIDES},
        "new - old": "not the same measure" if gain is None else f"{gain['mean']:+.3f} ± {gain['se']:.3f}",
        "by Q alone": "" if gain is None else f"{line['difference by Q alone']['mean']:+.3f}",
        "by seed": ", ".join(f"{one:+.2f}" for one in line["by seed"] or ()),
        "steps": " -> ".join(f"{np.mean(line[f'steps, {side}']):,.0f}" for side in SIDES),
        "seconds": " -> ".join(f"{np.mean(line[f'seconds, {side}']):.1f}" for side in SIDES),
        "ratio": f"{line['seconds, new/old']:.2f}",
    }


def main() -> None:
    """Measure, print, keep."""
    if sys.argv[1:2] == ["unit"]:
        unit(*sys.argv[2:])
        return
    if sys.argv[1:2] == ["score"]:
        unit_scored(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new", nargs="?", default=str(ROOT))
    parser.add_argument("--tables", default=",".join(SEEDS))
    parser.add_argument("--out", type=Path, default=Path(".cache/length"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        versions = {side: version(getattr(asked, side), Path(aside) / side) for side in SIDES}
        lines = [
            summary(name, [both(name, seed, versions, asked.out.resolve()) for seed in SEEDS[name]])
            for name in asked.tables.split(",")
        ]
    names = {side: versions[side].name for side in SIDES}
    table(f"Default fits of {names['new']} beside {STEPS:,} steps of {names['old']}", [shown(line) for line in lines])
    keep("length", {"protocol": __doc__, "versions": names, "lines": lines})


if __name__ == "__main__":
    main()
