"""A prediction from P(X): the income of held-out rows of adult, beside gradient boosting.

    LIKELY_DATA=... python benchmarks/ask_adult.py --out FOLDER

A third of adult's rows, shuffled by the seed: 2,000 are held out, the others given to both.

likely    one fit of all columns with defaults, a tenth of its rows validating and none for test, income a column like
          any other; then `run.ask(held out, "income=>50K")`, P(income = >50K|the row's other cells)
boosting  scikit-learn's HistGradientBoostingClassifier with defaults, fitted for income alone

AUC and log loss (nats a row) of both, their standard errors over rows by 1,000 bootstrap samples, the paired
differences, and seconds. `expected` and `found` are how many rows of each tenth of the probabilities had > 50K.

The fit is kept in FOLDER: run the same command again to ask anew, and take another FOLDER for other code.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score

import likely
from common import data, keep
from likely.data import Division, sources

ROWS, HELD_OUT, RESAMPLED, TENTHS = 10_853, 2000, 1000, 10
EVENT, COLUMN = "income=>50K", "income"


def divided(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows that are given, and held-out ones."""
    frame = sources.open_source(data("tables/adult.csv")).splits["all"].values
    order = np.random.default_rng(seed).permutation(len(frame))[:ROWS]
    return frame.iloc[order[HELD_OUT:]], frame.iloc[order[:HELD_OUT]]


def fitted(train: pd.DataFrame, folder: Path, seed: int) -> likely.Run:
    """The run of an earlier command, or a new one."""
    if (folder / "weights.safetensors").exists():
        return likely.load(folder)
    order = np.random.default_rng(seed).permutation(len(train))
    few = len(train) // 10
    division = Division.of(np.sort(order[few:]), np.sort(order[:few]))
    return likely.fit(train, out=folder, overwrite=True, seed=seed, split=division)


def boosted(train: pd.DataFrame, test: pd.DataFrame, truth: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """Probabilities, and seconds."""
    started = time.perf_counter()
    features = pd.concat([train, test]).drop(columns=COLUMN)
    kinds = {name: "category" for name in features if not pd.api.types.is_numeric_dtype(features[name])}
    features = features.astype(kinds)
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=seed)
    model.fit(features.iloc[: len(train)], truth)
    return model.predict_proba(features.iloc[len(train) :])[:, 1], time.perf_counter() - started


def judged(truth: np.ndarray, chances: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    """AUC and log loss of each, their standard errors, and those of the differences, by the same bootstrap samples."""
    rng = np.random.default_rng(seed)
    drawn = [np.arange(len(truth)), *rng.integers(len(truth), size=(RESAMPLED, len(truth)))]
    made: dict[str, Any] = {}
    for measure, function in (("auc", roc_auc_score), ("log_loss", log_loss)):
        found = {name: np.array([function(truth[i], p[i]) for i in drawn]) for name, p in chances.items()}
        found["likely - boosting"] = found["likely"] - found["boosting"]
        made[measure] = {name: {"value": each[0], "se": each[1:].std()} for name, each in found.items()}
    return made


def calibration(truth: np.ndarray, p: np.ndarray) -> list[dict[str, float]]:
    """Of each tenth of the rows by their probability: how many were expected to be so, and how many were."""
    parts = np.array_split(np.argsort(p), TENTHS)
    return [{"expected": float(p[part].sum()), "found": int(truth[part].sum())} for part in parts]


def main() -> None:
    """Fit or load, ask, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    train, test = divided(told.seed)
    truth = {name: (rows[COLUMN].str.strip() == ">50K").to_numpy() for name, rows in (("train", train), ("test", test))}
    run = fitted(train, told.out, told.seed)
    started = time.perf_counter()
    found = run.ask(test, EVENT)
    asking = time.perf_counter() - started
    p, seconds = boosted(train, test, truth["train"], told.seed)
    chances = {"likely": found[EVENT].to_numpy(), "boosting": p}
    result = {
        "rows": {"given": len(train), "held_out": len(test)},
        **judged(truth["test"], chances, told.seed),
        "se_mc": {f"{share:.0%}": found[f"{EVENT} se_mc"].quantile(share) for share in (0.5, 0.95, 1)},
        "seconds": {"fit": run.facts["seconds"], "ask": asking, "boosting": seconds},
        "tenths": {name: calibration(truth["test"], each) for name, each in chances.items()},
    }
    for measure in ("auc", "log_loss"):
        for name, each in result[measure].items():
            print(f"{measure:9} {name:18} {each['value']:+.4f} +- {each['se']:.4f}")
    print(result["seconds"], result["se_mc"])
    keep("ask_adult", result)


if __name__ == "__main__":
    main()
