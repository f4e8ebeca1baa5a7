"""What a change of `likely` does to its numbers: two versions side by side, paired by seed and by row.

    LIKELY_DATA=... python benchmarks/regress.py OLD NEW [--jobs concrete,adult] [--out FOLDER]

OLD and NEW are revisions, or paths of checkouts. The sources of both are copied aside at the start; a checkout that
differs from its commit is named COMMIT+DIGEST. Each unit (a job's set and seed) runs in a process of its own with one
thread, OLD and NEW at the same time and one unit after another: on two otherwise idle cores all jobs take at most half
an hour. Defaults throughout, but fewer seeds, rows and steps than the benchmarks that results are told by:

concrete, boston, wine, power-plant
    `likely.fit` with seeds 0, 1, 2 (power-plant 0, 1) divides the rows; L_500 of the test rows, and the best of
    marginals, gaussian, gaussian_mixture and ppca, fitted again by each version in its own base measure. How numbers
    end: the share of values that are multiples of ten recorded steps, in the training rows and in 10,000 drawn rows.
adult
    A third of the rows, seed 0: the same L_500; accuracy, F1 and AUC, on 9,000 other rows, of a classifier that
    learned from as many drawn rows (`tables_fidelity.py`). Its baseline learned from the real ones.
impute
    concrete and boston, seeds 0 and 1: mean squared error of `VAEImputer` (`impute.py`); baseline: chained Bayesian
    ridge.
anomalies
    glass, wine, cardio and vowels, clean (`novelty=True`) and unlabelled, seed 0: AUROC of `VAEOutlierDetector`
    (`anomalies.py`); baseline: isolation forest.
mnist
    Dynamically binarised, 3,000 steps of 128 rows, seed 0: L_50 and ELBO of 1,000 test pictures, binarised once.

A difference is NEW less OLD. Where the base measure of a column differs nothing is subtracted, and the columns are
told. `±` is the standard error over rows of log P (all seeds of a row are one draw; what a new seed would change comes
on top: see `by seed`), and over pairs of seeds else. Seconds are of the processor, of all units of a
line, imports left out. Units that are done for the same pair, and the same code of the units, are kept in FOLDER and
not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import data, machine, store
from pieces import Piece, table
from regress_laws import by_row, by_seed, changed, worst
from versions import Version, version

HERE = Path(__file__).resolve().parent
SETS = ("glass", "wine", "cardio", "vowels")
TABLES = ("concrete", "boston", "wine", "power-plant")
DEFINES = ("regress_jobs", "regress_laws", "tables_fidelity", "impute", "anomalies")
BASELINES = ("marginals", "gaussian", "gaussian_mixture", "ppca")
JOBS: dict[str, list[tuple[str, str, range]]] = {
    **{name: [("table", name, range(2 if name == "power-plant" else 3))] for name in TABLES},
    "adult": [("adult", "adult", range(1))],
    "impute": [("impute", name, range(2)) for name in ("concrete", "boston")],
    "anomalies": [(kind, name, range(1)) for kind in ("clean", "unlabelled") for name in SETS],
    "mnist": [("mnist", "mnist", range(1))],
}
Pairs = list[tuple[Piece, Piece]]
Line = dict[str, Any]


def protocol() -> str:
    """A digest of the code that defines the units."""
    return hashlib.sha256(b"".join((HERE / f"{name}.py").read_bytes() for name in DEFINES)).hexdigest()[:7]


def units(job: str) -> Iterator[tuple[str, str, int]]:
    for kind, name, seeds in JOBS[job]:
        for seed in seeds:
            yield kind, name, seed


def measure(unit: tuple[str, str, int], versions: dict[str, Version], folder: Path) -> None:
    """Both versions at once; what is done is kept, what fails is told and tried again by the next run."""
    kind, name, seed = unit
    files = {side: folder / f"{kind}-{name}-{seed}-{side}.npz" for side in versions}
    if all(file.exists() for file in files.values()):
        return
    started, processes = time.perf_counter(), {}
    for side, file in files.items():
        file.unlink(missing_ok=True)
        told = os.environ | {"PYTHONPATH": str(versions[side].sources), "OMP_NUM_THREADS": "1"}
        words = [sys.executable, str(HERE / "regress_jobs.py"), kind, name, str(seed), str(file)]
        with file.with_suffix(".log").open("w") as log:
            processes[side] = subprocess.Popen(words, env=told, stdout=log, stderr=log)
    codes = {side: process.wait() for side, process in processes.items()}
    for side, code in codes.items():
        if code:
            with files[side].with_suffix(".log").open("a") as log:
                log.write(f"(exit code {code})\n")
    ended = " FAILED" if any(codes.values()) else ""
    print(f"{kind} {name} {seed}: {time.perf_counter() - started:.0f} s{ended}", flush=True)


def done(kind: str, name: str, seeds: Sequence[int], folder: Path) -> tuple[Pairs, list[str]]:
    """What both versions have finished, checked to be of the same data; and what of them failed."""
    pairs, failures = [], []
    for seed in seeds:
        files = [folder / f"{kind}-{name}-{seed}-{side}.npz" for side in ("old", "new")]
        if all(file.exists() for file in files):
            old, new = ({**np.load(file)} for file in files)
            if str(old["data"]) != str(new["data"]) or not np.array_equal(old.get("row"), new.get("row")):
                sys.exit(f"{kind} {name}, seed {seed}: the two versions were not given the same rows")
            pairs.append((old, new))
        for file in files:
            log = file.with_suffix(".log")
            if not file.exists() and log.exists() and (words := log.read_text().strip()):
                failures.append(f"{file.stem}: {' '.join(words.splitlines()[-2:])}")
    return pairs, failures


def seconds(pairs: Pairs) -> Line:
    return {
        f"{what}, s {side}": round(float(sum(pair[place][key] for pair in pairs)), 1)
        for what, key in (("all", "processor_s"), ("fit", "fit_s"))
        for place, side in enumerate(("old", "new"))
        if key in pairs[0][place]
    }


def by_rows(what: str, pairs: Pairs, key: str = "log_px") -> Line:
    """One line of log P, in nats."""
    old, new = (
        {name: np.concatenate([one[name] for one in some]) for name in some[0] if some[0][name].ndim}
        for some in zip(*pairs, strict=True)
    )
    moved = changed(*(json.loads(str(one["spaces"])) for one in pairs[0]))
    measures = [str(one["measure"]) for one in pairs[0]]
    line: Line = {"what": what, "rows": len(np.unique(old["row"])), "seeds": len(pairs), **both(old[key], new[key])}
    gain = by_row(old, new, key)
    if not moved:
        gain["by seed"] = [by_row(*pair, key)["mean"] for pair in pairs]
    line |= {"difference": None if moved else gain["mean"], "se": None if moved else gain["se"]}
    line |= {"by seed": gain.get("by seed"), "without mass": gain["without mass"]}
    for side, some in (("old", old), ("new", new)):
        means = {name: float(some[f"baseline {name}"].mean()) for name in BASELINES if f"baseline {name}" in some}
        best = max(means, key=lambda name: means[name]) if means else None
        line[f"baseline {side}"] = None if best is None else [best, means[best]]
    return {**line, "measure": " -> ".join(dict.fromkeys(measures)), "changed": moved}


def both(old: np.ndarray, new: np.ndarray) -> Line:
    """The means over what has mass."""
    return {side: float(values[np.isfinite(values)].mean()) for side, values in (("old", old), ("new", new))}


def by_seeds(what: str, pairs: Pairs, key: str, baseline: str) -> Line:
    """One line of a figure that a seed has one of."""
    old, new, base, other = (
        np.array([float(pair[side][name]) for pair in pairs]) for name in (key, baseline) for side in (0, 1)
    )
    gain = by_seed(old, new)
    return {
        "what": what,
        "rows": None,
        "seeds": len(pairs),
        **both(old, new),
        "difference": gain["mean"],
        "se": gain["se"],
        "by seed": (new - old).tolist(),
        "baseline old": [baseline, float(base.mean())],
        "baseline new": [baseline, float(other.mean())],
    }


def lines_of(kind: str, name: str, pairs: Pairs) -> list[Line]:
    """The lines of one set."""
    if kind in ("table", "mnist"):
        more = [by_rows("mnist: ELBO", pairs, "elbo")] if kind == "mnist" else []
        return [by_rows(f"{name}: log P", pairs) | seconds(pairs), *more]
    if kind == "adult":
        figures = [by_seeds(f"adult, a third: {key}", pairs, key, f"real {key}") for key in ("AUC", "F1")]
        return [by_rows("adult, a third: log P", pairs) | seconds(pairs), *figures]
    if kind == "impute":
        return [by_seeds(f"imputation, {name}: MSE", pairs, "mse", "bayes") | seconds(pairs)]
    return [by_seeds(f"anomalies, {name}, {kind}: AUROC", pairs, "likely", "IForest") | seconds(pairs)]


def summed(protocol: str, found: list[Pairs]) -> Line:
    """Mean over the sets."""
    line = by_seeds(
        f"anomalies, mean of {len(found)}, {protocol}: AUROC",
        [pair for pairs in found for pair in pairs],
        "likely",
        "IForest",
    )
    return {**line, "seeds": len(found[0])}


def ends_of(name: str, pairs: Pairs) -> Line:
    """How a table's numbers end."""
    line: Line = {"data": name, "columns": len(json.loads(str(pairs[0][0]["ends"])))}
    for place, side in enumerate(("old", "new")):
        line[side] = list(worst([json.loads(str(pair[place]["ends"])) for pair in pairs]))
    return {
        **line,
        "shares": {side: json.loads(str(pairs[0][place]["ends"])) for place, side in enumerate(("old", "new"))},
    }


def shown(line: Line) -> dict[str, str]:
    """One line of the Markdown table."""

    def number(value: Any, form: str = ".3f") -> str:
        return "" if value is None else format(value, form)

    def base(value: Any) -> str:
        return "" if value is None else f"{value[0]} {value[1]:.3f}"

    difference = "not the same measure" if line.get("changed") else number(line["difference"], "+.3f")
    if line["se"] is not None:
        difference += f" ± {line['se']:.3f}"
    lost = line.get("without mass") or [0, 0]
    return {
        "what": line["what"],
        "rows": number(line["rows"], ","),
        "seeds": str(line["seeds"]),
        **{
            side: number(line[side]) + (f" ({lost[place]} rows -inf)" if lost[place] else "")
            for place, side in enumerate(("old", "new"))
        },
        "new - old": difference,
        "by seed": ", ".join(f"{gain:+.3f}" for gain in line["by seed"] or ()),
        **{f"baseline, {side}": base(line[f"baseline {side}"]) for side in ("old", "new")},
        "measure": line.get("measure", ""),
        **{f"s {side}": number(line.get(f"all, s {side}"), ".0f") for side in ("old", "new")},
    }


def collected(folder: Path) -> dict[str, Any]:
    """All that is done for this pair."""
    lines, ends, failures = list[Line](), list[Line](), list[str]()
    for job, parts in JOBS.items():
        sums: dict[str, list[Pairs]] = {}
        for kind, name, seeds in parts:
            pairs, failed = done(kind, name, seeds, folder)
            failures += failed
            if not pairs:
                continue
            lines += lines_of(kind, name, pairs)
            ends += [ends_of(name, pairs)] if kind == "table" else []
            if job == "anomalies":
                sums.setdefault(kind, []).append(pairs)
        lines += [summed(protocol, found) for protocol, found in sums.items()]
    return {"lines": lines, "final zeros": ends, "failures": failures}


def told(document: dict[str, Any]) -> None:
    """Print the tables, what failed, and where."""
    versions = document["versions"]
    if document["lines"]:
        table(f"{versions['old']} -> {versions['new']}", [shown(line) for line in document["lines"]])
    for line in document["lines"]:
        if line.get("changed"):
            print(f"{line['what']}: {'; '.join(f'{name}: {how}' for name, how in line['changed'].items())}\n")
    if document["final zeros"]:
        title = "Share of final zeros: drawn less training rows, the largest of all columns and seeds"
        ends = [
            {
                "data": line["data"],
                "gridded columns": line["columns"],
                **{side: f"{line[side][0]:+.3f} ({line[side][1]})" for side in ("old", "new")},
            }
            for line in document["final zeros"]
        ]
        table(title, ends)
    for failure in document["failures"]:
        print(f"FAILED {failure}")
    facts, clocks = document["machine"], document["seconds"]
    print(f"{facts['processor']}, {facts['cores']} cores, one thread a process; {facts['versions']}")
    print(
        f"By the clock {clocks['this run']:,.0f} s, this run; of the processor {clocks['processor']:,.0f} s, all units"
    )


def main() -> None:
    """Measure what is asked for, then tell all that is done for the pair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--jobs", default=",".join(JOBS), help=f"some of {','.join(JOBS)}")
    parser.add_argument("--out", type=Path, default=Path(".cache/regress"))
    asked = parser.parse_args()
    jobs = asked.jobs.split(",")
    if unknown := sorted(set(jobs) - set(JOBS)):
        parser.error(f"no job is called {unknown[0]!r}; jobs: {', '.join(JOBS)}")
    data("tables")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as aside:
        versions = {side: version(getattr(asked, side), Path(aside) / side) for side in ("old", "new")}
        names = {side: found.name for side, found in versions.items()}
        folder = (asked.out / f"{names['old']}-{names['new']}-{protocol()}").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{names['old']} -> {names['new']}", flush=True)
        for job in jobs:
            for unit in units(job):
                measure(unit, versions, folder)
    found = collected(folder)
    used = sum(line.get(f"all, s {side}", 0) for line in found["lines"] for side in names)
    clocks = {"this run": round(time.perf_counter() - started, 1), "processor": round(used, 1)}
    document = {"protocol": __doc__, "versions": names, **found, "seconds": clocks, "machine": machine()}
    store("regress", document)
    told(document)


if __name__ == "__main__":
    main()
