"""Imputation: the error of what is put in the place of deleted cells, in three protocols.

    LIKELY_DATA=... python benchmarks/impute.py [--seeds 5] [--out FOLDER] [--parts half fifth unseen speed]

half    The first 5,000 rows of concrete, wine, boston, power-plant and, X only, of ADBench's magic.gamma, pendigits,
        yeast and breastw, and of letter, which is told apart; columns are standardised before anything is deleted, by
        all of their cells; each cell is deleted with probability 1/2, by the seed. Every method fits the rows with
        their holes and fills them; what is told is the mean of the squared errors of the deleted cells.
fifth   The same of scikit-learn's breast_cancer, wine, diabetes and digits with probability 1/5; the root of the mean.
unseen  CACTI's protocol (Gorla et al. 2025): of the nine tables 80% of the rows, standardised by their own cells, fit,
        30% of all cells are missing completely at random, and the others are filled: root mean squared error and R2 of
        the deleted cells of unseen rows.
speed   Seconds: 4,600 x 58 fitted and filled, 1,000 x 30 filled, a search over 20 fits of wine; and the share of
        deleted cells within the 90% intervals of 19 imputations of each of five tables.

likely       `VAEImputer(random_state=seed)`: defaults, conditional means
extra trees  scikit-learn's IterativeImputer with ExtraTreesRegressor(50), 6 rounds: missForest's kind
bayes        IterativeImputer with its own BayesianRidge, 10 rounds
neighbours   KNNImputer of 10

Every fit is kept in FOLDER: run the same command again to go on, and take another FOLDER for other code.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common import data, keep
from likely.estimators import VAEImputer
from pieces import Piece, cost, piece, table

ROWS, HALF, FIFTH, UNSEEN = 5000, 0.5, 0.2, 0.3
DRAWS = 19  # the least and the greatest of them are the ends of an interval of 90%
SETS = {
    **{name: f"tables/{name}.csv" for name in ("concrete", "wine", "boston", "power-plant")},
    "magic.gamma": "adbench/22_magic.gamma.npz",
    "pendigits": "adbench/28_pendigits.npz",
    "yeast": "adbench/47_yeast.npz",
    "breastw": "adbench/4_breastw.npz",
}
NINE = {**SETS, "letter": "tables/letter.csv"}
OWN = ("breast_cancer", "wine", "diabetes", "digits")  # scikit-learn's
KEYS = ("mse", "rmse")
COVERED = ("concrete", "wine", "boston", "power-plant", "breastw")
WANTED, LETTER, SHORT, COVERAGE = 0.565, 0.477, 1.02, (0.88, 0.92)
TASKS = ("4,600 x 58", "1,000 x 30", "search")
SPAM, MIDDLE, SEARCH = 60.0, 3.0, 30.0  # seconds


def table_of(name: str) -> np.ndarray:
    """The rows of a table, as they are."""
    file = data(NINE[name])
    x = np.load(file)["X"] if file.suffix == ".npz" else pd.read_csv(file).to_numpy()
    return x[:ROWS].astype(np.float64)


def own(name: str) -> np.ndarray:
    """The rows of one of scikit-learn's sets."""
    return np.asarray(getattr(datasets, f"load_{name}")().data, dtype=np.float64)


def standardised(x: np.ndarray, by: np.ndarray | None = None) -> np.ndarray:
    """By all cells of `by`, or by its own."""
    by = x if by is None else by
    scale = by.std(0)
    return np.asarray((x - by.mean(0)) / np.where(scale > 0, scale, 1))


METHODS: dict[str, Callable[[int], Any]] = {
    "likely": lambda seed: VAEImputer(random_state=seed),
    "extra trees": lambda seed: IterativeImputer(
        ExtraTreesRegressor(50, random_state=seed, n_jobs=1), max_iter=6, random_state=seed
    ),
    "bayes": lambda seed: IterativeImputer(max_iter=10, random_state=seed),
    "neighbours": lambda _: KNNImputer(n_neighbors=10),
}


def filled(name: str, seed: int, method: str, share: float, rows: Callable[[str], np.ndarray]) -> dict[str, Any]:
    """Mean squared error of one method on the rows that it was fitted to."""
    x = standardised(rows(name))
    gone = np.random.default_rng(seed).random(x.shape) < share
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = METHODS[method](seed).fit_transform(np.where(gone, np.nan, x))
    return {"mse": float(np.square(made - x)[gone].mean())}


def unseen(name: str, seed: int, method: str) -> dict[str, Any]:
    """Root mean squared error and R2 of one method on rows that it was not fitted to."""
    rng, rows = np.random.default_rng(seed), table_of(name)
    order, count = rng.permutation(len(rows)), round(0.8 * len(rows))
    x = standardised(rows, rows[order[:count]])
    gone = rng.random(x.shape) < UNSEEN
    holed, new = np.where(gone, np.nan, x), order[count:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = METHODS[method](seed).fit(holed[order[:count]]).transform(holed[new])
    off, of = np.square(made - x[new])[gone[new]], x[new][gone[new]]
    return {"rmse": float(np.sqrt(off.mean())), "r2": float(1 - off.mean() / of.var())}


def covered(name: str, seed: int) -> dict[str, Any]:
    """The share of deleted cells within the central 90% of their distribution, by 19 imputations."""
    x = standardised(table_of(name))
    gone = np.random.default_rng(seed).random(x.shape) < HALF
    holed = np.where(gone, np.nan, x)
    run = VAEImputer(random_state=seed).fit(holed).run_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = np.stack(run.impute(holed, draws=DRAWS, seed=seed))
    # The rank of a cell among its draws, its place among equal ones by chance: all of 0 to 19 are as likely.
    below, upto = (drawn < x).sum(0), (drawn <= x).sum(0)
    inner = np.clip(np.minimum(upto, DRAWS - 1) - np.maximum(below, 1) + 1, 0, None) / (upto - below + 1)
    return {"coverage": float(inner[gone].mean())}


def timed(what: str) -> dict[str, Any]:
    """Wall-clock seconds of one task."""
    rng = np.random.default_rng(0)
    rows, columns = (4600, 58) if what == "4,600 x 58" else (1000, 30)
    z = rng.normal(size=(rows, 8))
    x = np.tanh(z @ rng.normal(size=(8, columns))) + 0.3 * rng.normal(size=(rows, columns))
    x[rng.random(x.shape) < FIFTH] = np.nan
    started = time.perf_counter()
    if what == "search":
        rows_of_wine, target = datasets.load_wine(return_X_y=True)
        holed = np.where(rng.random(rows_of_wine.shape) < FIFTH, np.nan, rows_of_wine)
        steps = make_pipeline(VAEImputer(random_state=0), StandardScaler(), LogisticRegression())
        GridSearchCV(steps, {"logisticregression__C": [0.1, 0.3, 1.0, 3.0]}, cv=5, refit=False).fit(holed, target)
        return {"seconds": time.perf_counter() - started}
    imputer = VAEImputer(random_state=0).fit(x)
    fitted = time.perf_counter()
    imputer.transform(x)
    ended = time.perf_counter()
    return {"seconds": ended - started, "fit": fitted - started, "transform": ended - fitted}


Found = dict[str, dict[str, list[Piece]]]


def all_of(out: Path, part: str, names: Any, seeds: int, work: Callable[..., dict[str, Any]]) -> Found:
    """Every set, method and seed of one protocol."""
    found: Found = {}
    for method in METHODS:
        for name in names:
            found.setdefault(name, {})[method] = [
                piece(out / part / name / f"{method}-{seed}.npz", partial(work, name, seed, method))
                for seed in range(seeds)
            ]
            errors = {key: [round(float(one[key]), 4) for one in found[name][method] if key in one] for key in KEYS}
            print(part, name, method, errors, flush=True)
    return found


def lines_of(found: Found, key: str, *, root: bool = False) -> list[dict[str, Any]]:
    """A line a set: each method's mean over seeds, and by how much ours is better than extra trees."""
    lines = []
    for name, methods in found.items():
        values = {method: np.array([float(one[key]) for one in some]) for method, some in methods.items()}
        values = {method: np.sqrt(some) for method, some in values.items()} if root else values
        line: dict[str, Any] = {"data": name, **{method: float(some.mean()) for method, some in values.items()}}
        better = values["extra trees"] - values["likely"]
        se = float(better.std(ddof=1) / np.sqrt(len(better))) if len(better) > 1 else 0.0
        lines.append(line | {"better by": float(better.mean()), "se": se})
    return lines


def costs_of(found: Found) -> dict[str, Any]:
    """What each method took in all."""
    return {method: cost(*(one for name in found for one in found[name][method])) for method in METHODS}


def seconds_of(out: Path) -> dict[str, dict[str, float]]:
    """Of each task of `timed`."""
    found = {task: piece(out / "speed" / f"{task}.npz", partial(timed, task)) for task in TASKS}
    keys = ("seconds", "fit", "transform")
    return {task: {key: float(one[key]) for key in keys if key in one} for task, one in found.items()}


def coverage_of(out: Path, seeds: int) -> dict[str, float]:
    """Of each table the mean over seeds."""

    def share(name: str, seed: int) -> float:
        return float(piece(out / "covered" / f"{name}-{seed}.npz", partial(covered, name, seed))["coverage"])

    return {name: float(np.mean([share(name, seed) for seed in range(seeds)])) for name in COVERED}


def main() -> None:
    """Every protocol that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/impute"))
    parser.add_argument("--parts", nargs="*", default=["half", "fifth", "unseen", "speed"])
    told = parser.parse_args()
    document: dict[str, Any] = {"protocol": __doc__, "seeds": told.seeds}
    verdicts: dict[str, bool] = {}
    if "half" in told.parts:
        found = all_of(told.out, "half", NINE, told.seeds, partial(filled, share=HALF, rows=table_of))
        lines = lines_of(found, "mse")
        eight = [line for line in lines if line["data"] in SETS]
        mean = {method: float(np.mean([line[method] for line in eight])) for method in METHODS}
        table(f"MSE of deleted cells, half of all, mean of {told.seeds} seeds", lines)
        table("Mean of the eight", [mean])
        verdicts[f"mean of eight at most {WANTED}"] = mean["likely"] <= WANTED
        verdicts["ahead of extra trees, or level, on each"] = all(line["better by"] > -2 * line["se"] for line in lines)
        verdicts[f"letter at most {LETTER}"] = lines[-1]["likely"] <= LETTER
        costs = {"eight": costs_of({name: found[name] for name in SETS}), "letter": costs_of({"": found["letter"]})}
        print(costs, flush=True)
        document["half"] = {"lines": lines, "mean": mean, "cost": costs}
    if "fifth" in told.parts:
        found = all_of(told.out, "fifth", OWN, told.seeds, partial(filled, share=FIFTH, rows=own))
        lines = lines_of(found, "mse", root=True)
        table(f"RMSE of deleted cells, a fifth of all, mean of {told.seeds} seeds", lines)
        for line in lines:
            least = min(line[method] for method in METHODS if method != "likely")
            verdicts[f"{line['data']} within 2% of the best rival"] = line["likely"] <= SHORT * least
        document["fifth"] = {"lines": lines, "cost": costs_of(found)}
    if "unseen" in told.parts:
        found = all_of(told.out, "unseen", NINE, told.seeds, unseen)
        lines, shares = lines_of(found, "rmse"), lines_of(found, "r2")
        table("RMSE of deleted cells of unseen rows", lines)
        table("R2 of them", shares)
        document["unseen"] = {"rmse": lines, "r2": shares, "cost": costs_of(found)}
    if "speed" in told.parts:
        spent, shares_of = seconds_of(told.out), coverage_of(told.out, told.seeds)
        print(spent, shares_of, flush=True)
        verdicts[f"4,600 x 58 in {SPAM:g} s"] = spent["4,600 x 58"]["seconds"] <= SPAM
        verdicts[f"1,000 x 30 filled in {MIDDLE:g} s"] = spent["1,000 x 30"]["transform"] <= MIDDLE
        verdicts[f"20 fits of wine in {SEARCH:g} s"] = spent["search"]["seconds"] <= SEARCH
        mean_share = float(np.mean(list(shares_of.values())))
        verdicts["intervals of 90% hold 88 to 92%"] = COVERAGE[0] <= mean_share <= COVERAGE[1]
        document["speed"] = {"seconds": spent, "coverage": shares_of, "mean coverage": mean_share}
    print(verdicts, flush=True)
    if set(told.parts) == {"half", "fifth", "unseen", "speed"}:
        keep("impute", {**document, "verdicts": verdicts})


if __name__ == "__main__":
    main()
