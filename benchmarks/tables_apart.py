"""Power-plant with no value of V in two parts: what of kernels' lead is memory of the hours that rows are of.

    LIKELY_DATA=... python benchmarks/tables_apart.py [--seeds 3] [--out FOLDER]

V is known to two decimals and stands still for hours: 634 values in 9,568 rows, so that a row divided at random has
training rows of the same hours, and within one value of V the other columns vary less than among its neighbours. Here
values of V are divided 80/10/10 by the seed, and rows go with theirs; V is modelled as any column. `likely.fit` has its
defaults; the mixture and the kernels are those of `tables_likelihood.py`, chosen by the same validation rows. L_500 of
test rows, nats, differences paired by row; beside it the same for rows divided at random.

Every seed is kept in FOLDER: run the same command again to go on, and take another FOLDER for other code.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import likely
from common import data, keep
from likely.data import Division
from pieces import Piece, cost, piece, table
from tables_rivals import kernels

COLUMN, SHARE = "V", 0.1  # of its values that test, and that validate


def apart(values: pd.Series, seed: int) -> Division:
    """Rows divided by their values, whole values to each part."""
    order = np.random.default_rng(seed).permutation(values.unique())
    count = int(SHARE * len(order))
    test, validation = (values.isin(order[first : first + count]).to_numpy() for first in (0, count))
    parts = (np.flatnonzero(rows) for rows in (~(test | validation), validation, test))
    return Division(*parts, dict.fromkeys(("train", "validation", "test"), "all"))


def scored(how: str, seed: int) -> dict[str, Any]:
    """One fit, and what it, the mixture and the kernels make of its test rows."""
    frame = pd.read_csv(data("tables/power-plant.csv"))
    run = likely.fit(frame, seed=seed, split=apart(frame[COLUMN], seed) if how == "apart" else "random", progress=False)
    found, source = run.assess(anneal=0).frame(), run.training_source()
    train, held, test = (
        run.encoded(run.division.rows(source, part)).to("cpu") for part in ("train", "validation", "test")
    )
    law, what = kernels(run, train, held)
    return {
        "iwae": found["iwae"].to_numpy(),
        "mixture": found["gaussian_mixture_warped"].to_numpy(),
        "kde": law.log_prob(law.seen(test.stored().values)).numpy(),
        "kde_what": what,
    }


def line(how: str, seed: int, one: Piece) -> dict[str, Any]:
    """The means of one seed, and the errors of the differences."""
    told: dict[str, Any] = {"rows divided": how, "seed": seed, "test rows": len(one["iwae"])}
    told["L_500"] = float(one["iwae"].mean())
    for rival in ("mixture", "kde"):
        better = one["iwae"] - one[rival]
        told |= {f"L_500 - {rival}": float(better.mean()), f"se, {rival}": float(better.std() / np.sqrt(len(better)))}
    return told | {"kernels": str(one["kde_what"])}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(".cache/tables_apart"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pieces = {
        (how, seed): piece(asked.out / f"{how}-{seed}.npz", partial(scored, how, seed))
        for how in ("apart", "random")
        for seed in range(asked.seeds)
    }
    lines = [line(how, seed, one) for (how, seed), one in pieces.items()]
    table("Power-plant, values of V apart and at random", lines)
    keep("tables_apart", {"protocol": __doc__, "lines": lines, "cost": cost(*pieces.values())})


if __name__ == "__main__":
    main()
