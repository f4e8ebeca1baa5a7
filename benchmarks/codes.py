"""Two codes for a classifier: accuracy of logistic regression on codes of `VariationalAutoencoder`, beside PCA's.

    OMP_NUM_THREADS=1 python benchmarks/codes.py [--seeds 5] [--out FOLDER]

scikit-learn's breast_cancer and wine, labels unseen: `VariationalAutoencoder(2, random_state=seed)` with its defaults,
and PCA of two components of standardised columns, are fitted to all rows. Their codes, standardised, go to logistic
regression: mean accuracy of five folds (stratified, shuffled by the seed). Every fit is kept in FOLDER.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common import keep
from likely.estimators import VariationalAutoencoder
from pieces import piece, table

SETS = {"breast_cancer": load_breast_cancer, "wine": load_wine}
CODES: dict[str, Callable[[int], Any]] = {
    "likely": lambda seed: VariationalAutoencoder(2, random_state=seed),
    "PCA": lambda seed: make_pipeline(StandardScaler(), PCA(2, random_state=seed)),
}
ALLOWED = 0.01


def accuracy(name: str, method: str, seed: int) -> dict[str, Any]:
    """Mean accuracy of five folds."""
    x, y = SETS[name](return_X_y=True)
    codes = CODES[method](seed).fit_transform(x)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    found = cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), codes, y, cv=folds)
    return {"accuracy": float(found.mean())}


def main() -> None:
    """Both sets, every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/codes"))
    told = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for name in SETS:
        line: dict[str, Any] = {"data": name}
        for method in CODES:
            some = [
                piece(told.out / f"{name}-{method}-{seed}.npz", partial(accuracy, name, method, seed))
                for seed in range(told.seeds)
            ]
            line[method] = float(np.mean([one["accuracy"] for one in some]))
            line[f"{method}, by seed"] = [round(float(one["accuracy"]), 3) for one in some]
            line[f"{method} s"] = float(np.mean([one["processor_s"] for one in some]))
        lines.append({**line, "level": bool(line["likely"] >= line["PCA"] - ALLOWED)})
    table("Accuracy on two codes", lines)
    keep("codes", {"protocol": __doc__, "seeds": told.seeds, "lines": lines})


if __name__ == "__main__":
    main()
