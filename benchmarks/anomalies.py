"""Anomaly detection on the twelve sets of ADBench: AUROC of `VAEOutlierDetector` with its defaults, and of peers.

    LIKELY_DATA=... python benchmarks/anomalies.py [--seeds 5] [--out FOLDER]

Two protocols, five seeds each, which divide the rows and are the detectors' own:

clean      half of the normal rows train (`novelty=True`); the other half and all anomalies are ranked
unlabelled all rows train, labels unseen, and all are ranked

Columns are standardised by the rows that train. Peers run here, on the same rows: isolation forest, local outlier
factor (novelty), distance to the fifth neighbour (k = 5), of scikit-learn with its defaults else. Published means of
the same twelve sets under `clean` (ADBench's protocol, as in Livernoche et al. 2024, On diffusion modeling for anomaly
detection): PyOD's VAE 79.5, PCA 79.5, IForest 83.9, DDPM 87.0, LOF 87.9, ICL 88.1, DTE-NP 89.4, KNN 89.6; unlabelled:
IForest 80.3, MCD 79.2, KNN 76.4, PyOD's VAE 74.6.

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
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from common import data, keep
from likely.estimators import VAEOutlierDetector
from pieces import Piece, cost, piece, table

NEIGHBOURS = 5
WANTED = {"clean": 91.5, "unlabelled": 80.5}
Scores = np.ndarray


def rows_of(file: Path, seed: int, protocol: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that train, rows to rank, and which of these are anomalies."""
    with np.load(file) as found:
        x, y = found["X"].astype(np.float64), found["y"]
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


DETECTORS: dict[str, Callable[..., Scores]] = {
    "likely": likely_scores,
    "IForest": forest,
    "LOF": factor,
    "KNN": neighbours,
}


def measured(file: Path, seed: int, protocol: str, name: str) -> dict[str, Any]:
    """AUROC in percent of one detector."""
    train, asked, anomaly = rows_of(file, seed, protocol)
    found = DETECTORS[name](train, asked, seed, novelty=protocol == "clean")
    return {"auroc": 100 * roc_auc_score(anomaly, np.nan_to_num(found, posinf=np.finfo(float).max))}


def main() -> None:
    """Both protocols, every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/anomalies"))
    told = parser.parse_args()
    files = sorted(data("adbench").glob("*.npz"), key=lambda file: file.stat().st_size)
    document: dict[str, Any] = {"protocol": __doc__, "seeds": told.seeds}
    for protocol, wanted in WANTED.items():
        lines, pieces = [], dict[str, list[Piece]]()
        for file in files:
            name = file.stem.partition("_")[2]
            line: dict[str, Any] = {"data": name}
            for detector in DETECTORS:
                some = [
                    piece(
                        told.out / protocol / name / f"{detector}-{seed}.npz",
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
        mean = {key: float(np.mean([line[key] for line in lines])) for key in lines[0] if key != "data"}
        table(f"AUROC, {protocol}, mean of {told.seeds} seeds", [*lines, {"data": "mean", **mean}])
        costs = {detector: cost(*some) for detector, some in pieces.items()}
        met = {"mean": mean["likely"], "wanted": wanted, "met": mean["likely"] >= wanted}
        document[protocol] = {"lines": lines, "mean": mean, "cost": costs, "verdict": met}
        print(met, costs, flush=True)
    keep("anomalies", document)


if __name__ == "__main__":
    main()
