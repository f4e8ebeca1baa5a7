"""What missing cells cost: a tenth, three tenths and half of the training cells deleted at random.

    LIKELY_DATA=... python benchmarks/tables_holes.py [--out FOLDER]

adult    rows without `?`, shuffled by the seed: 3,000 test rows, the next 10,000 for training; one seed.
wine     159 test rows, the other 1,440 for training; five seeds, each with a division and holes of its own.

Each cell of the training rows is deleted with the same probability, independently. `likely.fit` with defaults, which
takes a tenth of the rows it is given for validation, holes and all, is given

complete  the rows before anything was deleted
holes     the rows with the holes
dropped   the rows that have no hole; where fewer than 4 are left, nothing can be fitted
filled    every hole filled: numbers by the mean of what is left, rounded to the column's resolution, other cells by
          the most frequent value

and then scores the complete test rows: L_500, a lower bound on log P(row). A fall is the bound of `complete` less that
of another, paired by row; `se` is over rows, a row that is a test row for several seeds counting as one draw. All four
have one base measure: every column has the kind that it has in `complete`; where few rows are left and the grid that
they show is coarser, the mass of its cell is spread evenly over the finer ones.

Every fit is kept in FOLDER: run the same command again to go on, and take another FOLDER for other code.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import likely
from common import data, keep
from likely.data import Rows, Schema, Source, sources
from pieces import Piece, cost, piece, table
from tables_fidelity import NO_VALUE, plain
from tables_rows import over_rows, told

SHARES, SAMPLES, LEAST, HALF = (0.1, 0.3, 0.5), 500, 4, 0.5
SIZES = {"adult": (3000, 10_000, range(1)), "wine": (159, 1440, range(5))}


def divided(name: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test rows, all of them complete."""
    frame = sources.open_source(data(f"tables/{name}.csv")).splits["all"].values
    whole = frame[(plain(frame) != NO_VALUE).all(axis=1)]
    order, (test, train, _) = np.random.default_rng(seed).permutation(len(whole)), SIZES[name]
    return whole.iloc[order[test : test + train]], whole.iloc[order[:test]]


def filled(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Means, on the columns' grids, and modes."""
    made = frame.copy()
    for column in schema.modelled:
        cells = frame[column.name]
        value = cells.mode()[0]
        if column.numeric:
            value = cells.mean() if column.per_unit is None else round(cells.mean() * column.per_unit) / column.per_unit
        made[column.name] = cells.fillna(value)
    return made


def scored(
    train: pd.DataFrame, test: pd.DataFrame, seed: int, *, like: Schema | None = None, out: Path | None = None
) -> dict[str, Any]:
    """Fit, and score the test rows in the base measure of another schema; the run is kept where that is asked for."""
    started = time.perf_counter()
    kinds = None if like is None else {column.name: column.kind for column in like.columns}
    source = Source("table", {"train": Rows(train), "test": Rows(test)})
    run = likely.fit(source, seed=seed, column=kinds, out=out, overwrite=True)
    seconds, found = time.perf_counter() - started, run.score(test, samples=SAMPLES)
    nats = found["log_px"].to_numpy() + (0 if like is None else finer(run.schema, like))
    counts = {"fit_s": seconds, "steps": run.facts["steps"], "left": len(train)}
    return {"nats": nats, "se_mc": found["se_mc"].to_numpy(), "row": test.index.to_numpy(), **counts}


def measured(folder: Path, name: str, seed: int) -> dict[str, Piece]:
    """All fits of one table and seed, by name; those of `dropped` that cannot be made hold the rows left alone."""
    train, test = divided(name, seed)
    whole = folder / "complete"
    made = {"complete": piece(folder / "complete.npz", partial(scored, train, test, seed, out=whole))}
    like = likely.load(whole).schema
    for share in SHARES:
        holed = train.mask(np.random.default_rng([seed, round(100 * share)]).random(train.shape) < share)
        dropped, mended = (rows.astype(train.dtypes) for rows in (holed.dropna(), filled(holed, like)))
        for what, rows in {"holes": holed, "dropped": dropped, "filled": mended}.items():
            fit = partial(scored, rows, test, seed, like=like)
            make = fit if len(rows) >= LEAST else partial(dict, left=len(rows))
            made[f"{what}-{share:g}"] = piece(folder / f"{what}-{share:g}.npz", make)
    return made


def finer(schema: Schema, like: Schema) -> float:
    """Log of how many cells of one schema's grids lie in a cell of the other's, less than 0 where they are coarser."""
    total = 0.0
    for mine, other in zip(schema.modelled, like.modelled, strict=True):
        if mine.measure != other.measure:
            sys.exit(f"column {mine.name!r} is a {mine.measure} here and a {other.measure} in the complete rows")
        if not mine.coded and mine.per_unit and other.per_unit:
            total += math.log(mine.per_unit / other.per_unit)
    return total


def line(name: str, share: float, seeds: list[dict[str, Piece]]) -> dict[str, Any]:
    """One table and share of holes: what each way to treat them costs."""
    whole = {seed: made["complete"] for seed, made in enumerate(seeds)}
    falls, left, both = {}, {}, ("dropped", "filled")
    for what in ("holes", *both):
        found = {seed: made[f"{what}-{share:g}"] for seed, made in enumerate(seeds)}
        left[what] = [int(one["left"]) for one in found.values()]
        known = [seed for seed, one in found.items() if "nats" in one]
        if known == list(whole):
            lost = np.concatenate([whole[seed]["nats"] - found[seed]["nats"] for seed in known])
            falls[what] = over_rows(lost, np.concatenate([whole[seed]["row"] for seed in known]))
    mine = falls["holes"]["mean"]
    parts = {what: mine / falls[what]["mean"] for what in both if what in falls}
    return {
        "data": name,
        "cells deleted": share,
        "complete": over_rows(*(np.concatenate([one[key] for one in whole.values()]) for key in ("nats", "row"))),
        "falls": falls,
        "rows left": left["dropped"],
        "part of the fall": parts,
        "less than half": all(mine < HALF * falls[what]["mean"] for what in parts),
        **cost(*(one for made in seeds for key, one in made.items() if key.endswith(f"-{share:g}"))),
    }


def shown(found: dict[str, Any]) -> dict[str, Any]:
    """A line of the table."""
    falls, parts = found["falls"], found["part of the fall"]
    none = f"cannot be fitted: {min(found['rows left'])} to {max(found['rows left'])} rows left"
    return {
        "data": found["data"],
        "cells deleted": found["cells deleted"],
        "complete, L_500": told(found["complete"]),
        **{f"fall, {what}": told(falls[what]) if what in falls else none for what in ("holes", "dropped", "filled")},
        **{f"holes/{what}": parts.get(what, "") for what in ("dropped", "filled")},
        "less than half of each": found["less than half"],
        **{name: found[name] for name in ("wall_s", "processor_s")},
    }


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".cache/tables_holes"))
    folder, lines = parser.parse_args().out, []
    for name, (_, _, seeds) in SIZES.items():
        made = [measured(folder / name / str(seed), name, seed) for seed in seeds]
        lines += [line(name, share, made) for share in SHARES]
    table("What holes in the training rows cost, nats per complete test row", [shown(found) for found in lines])
    keep("tables_holes", {"protocol": __doc__, "lines": lines})


if __name__ == "__main__":
    main()
