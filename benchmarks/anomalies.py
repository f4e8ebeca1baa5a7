"""Anomaly detection on the 24 sets of ADBench: AUROC of `VAEOutlierDetector` with its defaults, and of peers.

    LIKELY_DATA=... python benchmarks/anomalies.py [--seeds 5] [--out FOLDER] [--sets NAME ...]

Two protocols, five seeds each, which divide the rows and are the detectors' own; of rows that occur twice one is kept:

clean      half of the normal rows train (`novelty=True`); the other half and all anomalies are ranked
unlabelled all rows train, labels unseen, and all are ranked

Columns are standardised by the rows that train. Peers run here, on the same rows: isolation forest, local outlier
factor (novelty) and distance to the fifth neighbour (k = 5), of scikit-learn with its defaults else; principal
components (squares of all of them, each by its variance); and the mean log-density of five mixtures of 1, 2, 4, 8 and
16 normals (at most one for each 20 rows; full covariances, 0.001 added to variances). Beside the mean over the sets
stands the mean rank among all, 1 the best.

Every set, protocol and seed is kept in FOLDER: run the same command again to go on, and take another FOLDER for other
code.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from common import data, keep
from likely.estimators import VAEOutlierDetector
from pieces import Piece, cost, piece, table

NEIGHBOURS, COMPONENTS, ROWS_EACH = 5, (1, 2, 4, 8, 16), 20
PROTOCOLS = ("clean", "unlabelled")
Scores = np.ndarray


def rows_of(file: Path, seed: int, protocol: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that train, rows to rank, and which of these are anomalies."""
    with np.load(file) as found:
        x, y = found["X"].astype(np.float64), found["y"]
    once = np.sort(np.unique(x, axis=0, return_index=True)[1])
    x, y = x[once], y[once]
    train = asked = np.arange(len(x))
    if protocol == "clean":
        normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
        half = len(normal) // 2
        train, asked = normal[:half], np.concatenate([normal[half:], np.flatnonzero(y == 1)])
    centre, scale = x[train].mean(0), x[train].std(0)
    scaled = (x - centre) / np.where(scale > 0, scale, 1)
    return scaled[train], scaled[asked], y[asked]


def likely_scores(train: np.ndarray, asked: np.ndarray, seed: int, *, novelty: bool) -> Scores:
    """−log P of the rows' coordinates, nats."""
    return -VAEOutlierDetector(novelty=novelty, random_state=seed).fit(train).score_samples(asked)


def forest(train: np.ndarray, asked: np.ndarray, seed: int, *, novelty: bool) -> Scores:  # noqa: ARG001
    return -IsolationForest(random_state=seed).fit(train).score_samples(asked)


def factor(train: np.ndarray, asked: np.ndarray, seed: int, *, novelty: bool) -> Scores:  # noqa: ARG001
    if novelty:
        return -LocalOutlierFactor(novelty=True).fit(train).score_samples(asked)
    return -LocalOutlierFactor().fit(train).negative_outlier_factor_


def neighbours(train: np.ndarray, asked: np.ndarray, seed: int, *, novelty: bool) -> Scores:  # noqa: ARG001
    tree = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(train)
    return tree.kneighbors(asked if novelty else None)[0][:, -1]


def components(train: np.ndarray, asked: np.ndarray, seed: int, *, novelty: bool) -> Scores:  # noqa: ARG001
    found = PCA().fit(train)
    kept = found.explained_variance_ > 1e-9 * found.explained_variance_[0]
    return np.asarray((found.transform(asked)[:, kept] ** 2 / found.explained_variance_[kept]).sum(1))


def mixtures(train: np.ndarray, asked: np.ndarray, seed: int, *, novelty: bool) -> Scores:  # noqa: ARG001
    total = np.zeros(len(asked))
    for number, most in enumerate(COMPONENTS):
        count = min(most, max(1, len(train) // ROWS_EACH))
        made = GaussianMixture(count, reg_covar=1e-3, random_state=seed + number).fit(train)
        total -= made.score_samples(asked) / len(COMPONENTS)
    return total


DETECTORS: dict[str, Callable[..., Scores]] = {
    "likely": likely_scores,
    "IForest": forest,
    "LOF": factor,
    "KNN": neighbours,
    "PCA": components,
    "mixtures": mixtures,
}


def measured(file: Path, seed: int, protocol: str, name: str) -> dict[str, Any]:
    """AUROC in percent of one detector."""
    train, asked, anomaly = rows_of(file, seed, protocol)
    found = DETECTORS[name](train, asked, seed, novelty=protocol == "clean")
    return {"auroc": 100 * roc_auc_score(anomaly, np.nan_to_num(found, posinf=np.finfo(float).max))}


def summed_up(lines: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean AUROC over the sets, and mean rank among the detectors."""
    each = np.array([[line[name] for name in DETECTORS] for line in lines])
    ranks = rankdata(-each, axis=1).mean(0)
    return {
        "mean": dict(zip(DETECTORS, each.mean(0).tolist(), strict=True)),
        "mean rank": dict(zip(DETECTORS, ranks.tolist(), strict=True)),
    }


def main() -> None:
    """Both protocols, every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/anomalies"))
    parser.add_argument("--sets", nargs="*")
    told = parser.parse_args()
    files = sorted(data("adbench").glob("*.npz"), key=lambda file: file.stat().st_size)
    document: dict[str, Any] = {"protocol": __doc__, "seeds": told.seeds}
    for protocol in PROTOCOLS:
        lines, pieces = [], dict[str, list[Piece]]()
        for file in files:
            name = file.stem.partition("_")[2]
            if told.sets and name not in told.sets:
                continue
            line: dict[str, Any] = {"data": name, "rows that train": len(rows_of(file, 0, protocol)[0])}
            for detector in DETECTORS:
                some = [
                    piece(
                        told.out / "once" / protocol / name / f"{detector}-{seed}.npz",
                        partial(measured, file, seed, protocol, detector),
                    )
                    for seed in range(told.seeds)
                ]
                pieces.setdefault(detector, []).extend(some)
                values = [float(one["auroc"]) for one in some]
                line[detector] = float(np.mean(values))
                if detector == "likely":
                    line["sd of seeds"] = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            lines.append(line)
        if not lines:
            parser.error(f"no set of {told.sets}: there are {', '.join(file.stem.partition('_')[2] for file in files)}")
        table(f"AUROC, {protocol}, mean of {told.seeds} seeds", lines)
        totals = summed_up(lines)
        table(f"Of {len(lines)} sets, {protocol}", [{"": what, **of} for what, of in totals.items()])
        costs = {detector: cost(*some) for detector, some in pieces.items()}
        document[protocol] = {"lines": lines, **totals, "cost": costs}
        print(costs, flush=True)
    keep("anomalies", document)


if __name__ == "__main__":
    main()
