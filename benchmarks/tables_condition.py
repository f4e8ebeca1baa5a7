"""Conditional sampling of adult.csv: rows given an event, of `likely` and of TVAE, beside the real rows that meet it.

    LIKELY_DATA=... python benchmarks/tables_condition.py [--out FOLDER]

The models are those of `tables_synthesis.py`, which must have run with the same FOLDER: three fits of `likely`, one of
TVAE (ctgan 0.12.1). `likely` draws 2,000 rows by `sample(given=...)`; of TVAE, which takes no events on numbers, the
rows are kept that meet the event, out of the 23,561 that it drew (rejection sampling). Real rows are the held-out ones
that meet it; the training rows that meet it show what chance allows. Three events, and five columns of which they do
not speak:

mean      |mean − mean of the real rows|, in their standard deviations
spread    |log of the ratio of the standard deviations|; infinite where a column does not vary

Seconds are those of drawing.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import likely
from common import data, keep
from pieces import table
from tables_fidelity import plain, read, split
from tables_synthesis import SEEDS

ROWS = 2000
NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
EVENTS = {
    ("education=Masters",): "education-num",
    ("age>50", "sex=Female"): "age",
    ("workclass=Self-emp-not-inc", "hours-per-week>=50"): "hours-per-week",
}


def meets(rows: pd.DataFrame, event: tuple[str, ...]) -> pd.DataFrame:
    """The rows that an event is true of."""
    kept = np.ones(len(rows), dtype=bool)
    for word in event:
        name, sign = next((part, sign) for sign in (">=", ">", "=") if (part := word.partition(sign)[0]) in rows)
        value = word[len(name) + len(sign) :]
        column = rows[name]
        if sign == "=":
            kept &= (column.astype(str).str.strip() == value).to_numpy()
        else:
            kept &= (column >= float(value) if sign == ">=" else column > float(value)).to_numpy()
    return rows[kept]


def errors(rows: pd.DataFrame, real: pd.DataFrame, columns: list[str]) -> dict[str, np.ndarray]:
    """Of each column."""
    mean, spread = rows[columns].mean() - real[columns].mean(), rows[columns].std() / real[columns].std()
    with np.errstate(divide="ignore"):
        return {
            "mean": np.abs(mean / real[columns].std()).to_numpy(),
            "spread": np.abs(np.log(spread.to_numpy(np.float64))),
        }


def main() -> None:
    """Every event."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".cache/tables_synthesis"))
    folder = parser.parse_args().out
    train, test = (plain(rows) for rows in split(data("tables/adult.csv")))
    peer = plain(read(folder / "tvae" / "synthetic.csv"))
    runs = [likely.load(folder / f"likely-{seed}" / "run") for seed in SEEDS]
    lines, wins, compared = [], 0, 0
    for event, told in EVENTS.items():
        columns = [name for name in NUMBERS if name != told][:5]
        real = meets(test, event)
        started = time.perf_counter()
        drawn = [run.sample(ROWS, given=list(event), seed=seed) for seed, run in enumerate(runs)]
        seconds = (time.perf_counter() - started) / len(runs)
        found = [errors(rows, real, columns) for rows in drawn]
        mine = {what: np.mean([one[what] for one in found], 0) for what in ("mean", "spread")}
        kept = meets(peer, event)
        others = {"TVAE": errors(kept, real, columns), "training rows": errors(meets(train, event), real, columns)}
        for what in ("mean", "spread"):
            ahead = mine[what] < others["TVAE"][what]
            wins, compared = wins + int(ahead.sum()), compared + len(columns)
            line: dict[str, Any] = {
                "event": " and ".join(event),
                "real rows": len(real),
                "share": len(real) / len(test),
                "P(event)": float(np.mean([rows.attrs["given"]["probability"] for rows in drawn])),
                "TVAE's rows": len(kept),
                "error of": what,
                "likely": float(mine[what].mean()),
                **{name: float(other[what].mean()) for name, other in others.items()},
                "columns ahead": f"{int(ahead.sum())} of {len(columns)}",
                "draw, s": seconds,
            }
            lines.append(line)
    table("Rows given an event: mean error of five columns", lines)
    verdict = all(line["likely"] < line["TVAE"] for line in lines)
    print({"better than TVAE in every mean": verdict, "columns ahead": f"{wins} of {compared}"}, flush=True)
    document = {"protocol": __doc__, "lines": lines, "columns ahead": wins, "compared": compared, "better": verdict}
    keep("tables_condition", document)


if __name__ == "__main__":
    main()
