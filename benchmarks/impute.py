"""Imputation: half of the cells deleted completely at random, the error of what is put in their place.

    LIKELY_DATA=... python benchmarks/impute.py [--seeds 5] [--out FOLDER]

The first 5,000 rows of concrete, wine, boston, power-plant and, X only, of ADBench's magic.gamma, pendigits, yeast and
breastw; columns are standardised before anything is deleted, by all of their cells; each cell is deleted with
probability ½, by the seed. Every method fits the rows with their holes and fills them; what is told is the mean of the
squared errors of the deleted cells.

likely       `VAEImputer(random_state=seed)`: defaults, conditional means
extra trees  scikit-learn's IterativeImputer with ExtraTreesRegressor(50), 6 rounds: missForest's kind
bayes        IterativeImputer with its own BayesianRidge, 10 rounds
neighbours   KNNImputer of 10

Every fit is kept in FOLDER: run the same command again to go on, and take another FOLDER for other code.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from common import data, keep
from likely.estimators import VAEImputer
from pieces import Piece, cost, piece, table

ROWS, SHARE = 5000, 0.5
SETS = {
    **{name: f"tables/{name}.csv" for name in ("concrete", "wine", "boston", "power-plant")},
    "magic.gamma": "adbench/22_magic.gamma.npz",
    "pendigits": "adbench/28_pendigits.npz",
    "yeast": "adbench/47_yeast.npz",
    "breastw": "adbench/4_breastw.npz",
}
WANTED, WITHOUT_YEAST, AHEAD = 0.58, 0.53, 7


def holed(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised rows, and which cells are deleted."""
    file = data(SETS[name])
    x = np.load(file)["X"] if file.suffix == ".npz" else pd.read_csv(file).to_numpy()
    x = x[:ROWS].astype(np.float64)
    scale = x.std(0)
    x = (x - x.mean(0)) / np.where(scale > 0, scale, 1)
    return x, np.random.default_rng(seed).random(x.shape) < SHARE


METHODS: dict[str, Callable[[int], Any]] = {
    "likely": lambda seed: VAEImputer(random_state=seed),
    "extra trees": lambda seed: IterativeImputer(
        ExtraTreesRegressor(50, random_state=seed, n_jobs=1), max_iter=6, random_state=seed
    ),
    "bayes": lambda seed: IterativeImputer(max_iter=10, random_state=seed),
    "neighbours": lambda _: KNNImputer(n_neighbors=10),
}


def measured(name: str, seed: int, method: str) -> dict[str, Any]:
    """Mean squared error of one method."""
    x, gone = holed(name, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = METHODS[method](seed).fit_transform(np.where(gone, np.nan, x))
    return {"mse": float(np.square(made - x)[gone].mean())}


def main() -> None:
    """Every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/impute"))
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    told = parser.parse_args()
    found: dict[str, dict[str, list[Piece]]] = {}
    for method in told.methods:
        for name in SETS:
            found.setdefault(name, {})[method] = [
                piece(told.out / name / f"{method}-{seed}.npz", partial(measured, name, seed, method))
                for seed in range(told.seeds)
            ]
            print(name, method, np.mean([one["mse"] for one in found[name][method]]), flush=True)
    lines = []
    for name, methods in found.items():
        mse = {method: np.array([float(one["mse"]) for one in some]) for method, some in methods.items()}
        line: dict[str, Any] = {"data": name, **{method: float(values.mean()) for method, values in mse.items()}}
        if "extra trees" in mse and told.seeds > 1:
            better = mse["extra trees"] - mse["likely"]
            line |= {"better by": float(better.mean()), "se": float(better.std(ddof=1) / np.sqrt(len(better)))}
        lines.append(line)
    mean = {key: float(np.mean([line[key] for line in lines])) for key in told.methods}
    rest = {key: float(np.mean([line[key] for line in lines if line["data"] != "yeast"])) for key in told.methods}
    table(f"MSE of deleted cells, mean of {told.seeds} seeds", lines)
    table("Means", [{"data": "all", **mean}, {"data": "without yeast", **rest}])
    if set(told.methods) != set(METHODS):
        return
    ahead = sum(line["better by"] > 0 for line in lines)
    verdicts = {
        f"mean of at most {WANTED}": mean["likely"] <= WANTED,
        f"without yeast at most {WITHOUT_YEAST}": rest["likely"] <= WITHOUT_YEAST,
        f"better than extra trees on {AHEAD}": ahead >= AHEAD,
    }
    costs = {method: cost(*(one for name in found for one in found[name][method])) for method in METHODS}
    print(verdicts, costs, flush=True)
    document = {"protocol": __doc__, "seeds": told.seeds, "lines": lines, "mean": mean, "without yeast": rest}
    keep("impute", {**document, "cost": costs, "verdicts": verdicts})


if __name__ == "__main__":
    main()
