"""What synthetic rows of adult.csv are worth: what a classifier learns from them, their laws, whom they copy.

    from tables_fidelity import evaluate, split
    train, test = split(path)
    evaluate(train, test, run.sample(len(train)))

Neither torch nor `likely` is needed; about three seconds on one core.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

HELD_OUT, TARGET, POSITIVE, NO_VALUE = 9000, "income", ">50K", "?"


def split(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and held-out rows: `default_rng(0).permutation`, the first 9,000 of which are held out."""
    frame = read(path)
    order = np.random.default_rng(0).permutation(len(frame))
    return frame.iloc[order[HELD_OUT:]], frame.iloc[order[:HELD_OUT]]


def read(path: Path) -> pd.DataFrame:
    """A csv file; `?` stays what it is."""
    return pd.read_csv(path, skipinitialspace=True, keep_default_na=False)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells that compare: numbers, and strings without blanks around them, `?` where there is no value."""
    loose = frame.select_dtypes(exclude="number")
    strings = {name: loose[name].astype("object").where(loose[name].notna(), NO_VALUE).astype(str) for name in loose}
    return frame.assign(**{name: column.str.strip() for name, column in strings.items()})


def evaluate(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame) -> dict[str, float]:
    """Utility of synthetic rows on the test rows, and their fidelity and distances to the training rows.

    Distances are of as many synthetic rows as there are test rows, the first.
    """
    train, test, synthetic = plain(train), plain(test), plain(synthetic)[list(train.columns)]
    return {**utility(test, synthetic), **fidelity(train, synthetic), **distances(train, synthetic[: len(test)])}


def utility(test: pd.DataFrame, learned: pd.DataFrame) -> dict[str, float]:
    """Accuracy, F1 of `>50K` and AUC on test rows of a gradient boosting classifier that learned from other rows.

    Categories are their places among all categories in alphabetical order, `?` being one of them.
    """
    both = pd.concat([learned, test])
    x = codes(both.drop(columns=TARGET)).to_numpy(np.float64)
    y = (both[TARGET] == POSITIVE).to_numpy()
    cut = len(learned)
    law = HistGradientBoostingClassifier(random_state=0).fit(x[:cut], y[:cut])
    p = law.predict_proba(x[cut:])[:, 1]
    return {
        "accuracy": float(accuracy_score(y[cut:], p > 0.5)),
        "F1": float(f1_score(y[cut:], p > 0.5)),
        "AUC": float(roc_auc_score(y[cut:], p)),
    }


def told_apart(real: pd.DataFrame, others: pd.DataFrame) -> float:
    """AUC with which gradient boosting tells other rows from real ones, in three folds: 0.5 is not at all.

    The real rows must be others than those that the others were made from: rows that are copied are not real then.
    """
    real, others = plain(real), plain(others)[list(real.columns)]
    x = codes(pd.concat([real, others])).to_numpy(np.float64)
    y = np.arange(len(x)) >= len(real)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    p = cross_val_predict(HistGradientBoostingClassifier(random_state=0), x, y, cv=folds, method="predict_proba")
    return float(roc_auc_score(y, p[:, 1]))


def fidelity(real: pd.DataFrame, others: pd.DataFrame) -> dict[str, float]:
    """Mean over columns of 1 − KS (numbers) or 1 − TV (categories); mean over pairs of 1 − TV.

    TV is half the sum of absolute differences of frequencies. In pairs numbers are cut at the deciles of the real rows.
    """
    cut = len(real)
    coded = codes(pd.concat([real, others]))
    for name in numbers(real):
        edges = np.unique(np.quantile(real[name], np.arange(1, 10) / 10))
        coded[name] = np.searchsorted(edges, coded[name], side="right")
    whole = {name: coded[name].to_numpy(np.int64) for name in coded}
    columns = [
        1 - ks_2samp(real[name], others[name]).statistic if name in numbers(real) else overlap(whole[name], cut)
        for name in real
    ]
    pairs = [overlap(a * (b.max() + 1) + b, cut) for a, b in combinations(whole.values(), 2)]
    return {"columns": float(np.mean(columns)), "pairs": float(np.mean(pairs))}


def distances(train: pd.DataFrame, rows: pd.DataFrame) -> dict[str, float]:
    """Median and 5% quantile of the distance to the nearest training row.

    √(Σ (difference/standard deviation)² over the numbers + how many categories differ), with the training rows'
    standard deviations.
    """
    found = nearest(train, rows)
    return {f"nearest, {what}": float(np.quantile(found, share)) for what, share in (("median", 0.5), ("5%", 0.05))}


def nearest(train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Distance of each row to the nearest training row, `(rows,)`."""
    both = codes(pd.concat([train, rows]))
    scaled = [both[[name]].to_numpy(np.float64) / train[name].std() for name in numbers(train)]
    kinds = [pd.get_dummies(both[name]).to_numpy(np.float64) * 0.5**0.5 for name in both if name not in numbers(train)]
    points = np.concatenate([*scaled, *kinds], axis=1)
    known, asked = points[: len(train)], points[len(train) :]
    rough, squares = known.astype(np.float32), np.square(known).sum(1).astype(np.float32)
    parts = np.array_split(asked.astype(np.float32), 10)
    place = np.concatenate([(squares - 2 * part @ rough.T).argmin(1) for part in parts])
    return np.asarray(np.linalg.norm(asked - known[place], axis=1))


def numbers(frame: pd.DataFrame) -> list[str]:
    """Names of the columns that hold numbers."""
    return list(frame.select_dtypes("number").columns)


def codes(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as their places in alphabetical order; numbers as they are."""
    coded = {name: np.unique(frame[name], return_inverse=True)[1] for name in frame if name not in numbers(frame)}
    return frame.assign(**coded).reset_index(drop=True)


def overlap(codes: np.ndarray, cut: int) -> float:
    """1 − TV between the frequencies of the first rows and of the others."""
    size = int(codes.max()) + 1
    first, second = (np.bincount(part, minlength=size) / len(part) for part in (codes[:cut], codes[cut:]))
    return float(1 - np.abs(first - second).sum() / 2)
