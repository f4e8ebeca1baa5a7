"""Anomaly detection on the 24 sets of ADBench: AUROC of `VAEOutlierDetector` with its defaults, and of peers.

    LIKELY_DATA=... OMP_NUM_THREADS=1 python benchmarks/anomalies.py [--seeds 5] [--out FOLDER] [--sets NAME ...]

Two protocols, five seeds each, which divide the rows and are the detectors' own; of rows that occur twice one is kept:

clean      half of the normal rows train; the other half and all anomalies are ranked
unlabelled all rows train, labels unseen, and all are ranked

Columns are standardised by the rows that train. `likely` is told nothing; `likely, told` is the same fit with the hint
`novelty=True` (clean) or `False` (unlabelled). Peers run here, on the same rows: isolation forest, local outlier factor
(novelty) and distance to the fifth neighbour (k = 5), of scikit-learn with its defaults else; principal components
(squares of all of them, each by its variance); and the mean log-density of five mixtures of 1, 2, 4, 8 and 16 normals
(at most one for each 20 rows; full covariances, 0.001 added to variances). Beside the mean over the sets stands the
mean rank among `likely` and the peers, 1 the best.

`left out` is the mean over the sets of the share λ of columns by themselves that the other 23 would have chosen of
SHARES, by the mean of both protocols (and, where a hint is told, by its protocol).

own    scikit-learn's wine (class 1 is normal) and breast_cancer (benign is normal), divided as clean
speed  seconds of one processor: 50,000 rows x 39 columns fitted and scored; 2,000 rows x 1,000 columns fitted, 1,000 of
       them scored; 150, 500 and 999 rows x 10 columns fitted. Rows are mixtures of normals, drawn by the seed.

Every set, protocol and seed is kept in FOLDER: run the same command again to go on, and take another FOLDER for other
code.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer, load_wine
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
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)  # of the columns by themselves, of which `left out` chooses
LIKELY, TOLD = "likely", "likely, told"
HINTED = {"clean": 0.0, "unlabelled": 1.5}  # the share with the hint
SIZES = ((50_000, 39, 50_000), (2000, 1000, 1000), (150, 10, 150), (500, 10, 500), (999, 10, 999))
OWN = {"wine": (load_wine, 1), "breast_cancer": (load_breast_cancer, 1)}
Scores = np.ndarray


def rows_of(file: Path, seed: int, protocol: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that train, rows to rank, and which of these are anomalies."""
    with np.load(file) as found:
        x, y = found["X"].astype(np.float64), found["y"]
    return divided(x, y, seed, protocol)


def divided(x: np.ndarray, y: np.ndarray, seed: int, protocol: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


PEERS: dict[str, Callable[..., Scores]] = {
    "IForest": forest,
    "LOF": factor,
    "KNN": neighbours,
    "PCA": components,
    "mixtures": mixtures,
}


def auroc(anomaly: np.ndarray, scores: Scores) -> float:
    """In percent."""
    return 100 * float(roc_auc_score(anomaly, np.nan_to_num(scores, posinf=np.finfo(float).max)))


def of_likely(train: np.ndarray, asked: np.ndarray, anomaly: np.ndarray, seed: int, protocol: str) -> dict[str, Any]:
    """AUROC of the detector as it is, with the hint, and by each share of the columns by themselves."""
    detector = VAEOutlierDetector(random_state=seed).fit(train)
    encoded = detector.run_.encoded(detector.run_.rows_of(asked)[0])
    assert detector.columns_ is not None
    alone = detector.columns_.log_prob(encoded).sum(1)
    log_px = detector.score_samples(asked) - detector.share_ * alone
    by_share = [auroc(anomaly, -log_px - share * alone) for share in SHARES]
    scores = {LIKELY: -log_px - detector.share_ * alone, TOLD: -log_px - HINTED[protocol] * alone}
    return {**{name: auroc(anomaly, one) for name, one in scores.items()}, "by_share": by_share}


def measured(file: Path, seed: int, protocol: str, name: str) -> dict[str, Any]:
    """AUROC in percent of one detector."""
    train, asked, anomaly = rows_of(file, seed, protocol)
    if name == LIKELY:
        return of_likely(train, asked, anomaly, seed, protocol)
    return {name: auroc(anomaly, PEERS[name](train, asked, seed, novelty=protocol == "clean"))}


def summed_up(lines: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean AUROC over the sets, and mean rank of `likely` among the peers."""
    names = [LIKELY, *PEERS]
    each = np.array([[line[name] for name in names] for line in lines])
    ranks = rankdata(-each, axis=1).mean(0)
    told = {TOLD: float(np.mean([line[TOLD] for line in lines]))}
    return {
        "mean": dict(zip(names, each.mean(0).tolist(), strict=True)) | told,
        "mean rank": dict(zip(names, ranks.tolist(), strict=True)),
    }


def left_out(of_sets: np.ndarray, choosing: np.ndarray) -> float:
    """Mean over sets of what the share has that the other sets choose: `(sets, shares)` each."""
    chosen = ((choosing.sum(0) - choosing) / (len(choosing) - 1)).argmax(1)
    return float(of_sets[np.arange(len(of_sets)), chosen].mean())


def own(folder: Path, seeds: int) -> list[dict[str, Any]]:
    """Of scikit-learn's own sets, clean."""
    lines = []
    for name, (load, normal) in OWN.items():
        x, y = load(return_X_y=True)

        def made(seed: int, x: np.ndarray = x, y: np.ndarray = (y != normal).astype(int)) -> dict[str, Any]:
            train, asked, anomaly = divided(x, y, seed, "clean")
            found = of_likely(train, asked, anomaly, seed, "clean")
            peers = {peer: auroc(anomaly, score(train, asked, seed, novelty=True)) for peer, score in PEERS.items()}
            return {LIKELY: found[LIKELY], TOLD: found[TOLD], **peers}

        some = [piece(folder / "own" / f"{name}-{seed}.npz", partial(made, seed)) for seed in range(seeds)]
        names = (LIKELY, TOLD, *PEERS)
        lines.append({"data": name} | {key: float(np.mean([one[key] for one in some])) for key in names})
    return lines


def drawn(rows: int, columns: int) -> np.ndarray:
    """Rows of five normals with covariances of rank ten and noise."""
    rng = np.random.default_rng(0)
    which, centres = rng.integers(5, size=rows), 2 * rng.normal(size=(5, columns))
    maps = rng.normal(size=(5, 10, columns)) / np.sqrt(10)
    x = centres[which] + 0.3 * rng.normal(size=(rows, columns))
    for number in range(5):
        x[which == number] += rng.normal(size=((which == number).sum(), 10)) @ maps[number]
    return x


def speed() -> list[dict[str, Any]]:
    """Seconds of the processor."""
    lines = []
    for rows, columns, asked in SIZES:
        x, started = drawn(rows, columns), time.process_time()
        detector = VAEOutlierDetector(random_state=0).fit(x)
        fitted = time.process_time()
        detector.score_samples(x[:asked])
        seconds = {"fit s": fitted - started, "score s": time.process_time() - fitted}
        lines.append({"rows": rows, "columns": columns, "scored": asked, **seconds})
    return lines


def main() -> None:
    """Both protocols, every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/anomalies"))
    parser.add_argument("--sets", nargs="*")
    told = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(data("adbench").glob("*.npz"), key=lambda file: file.stat().st_size)
    files = [file for file in files if not told.sets or file.stem.partition("_")[2] in told.sets]
    if not files:
        parser.error(f"no set of {told.sets}")
    document: dict[str, Any] = {"protocol": __doc__, "seeds": told.seeds, "shares": SHARES}
    shares = {protocol: np.zeros((len(files), len(SHARES))) for protocol in PROTOCOLS}
    for protocol in PROTOCOLS:
        lines, pieces = [], dict[str, list[Piece]]()
        for number, file in enumerate(files):
            name = file.stem.partition("_")[2]
            line: dict[str, Any] = {"data": name, "rows that train": len(rows_of(file, 0, protocol)[0])}
            for detector in (LIKELY, *PEERS):
                some = [
                    piece(
                        told.out / protocol / name / f"{detector}-{seed}.npz",
                        partial(measured, file, seed, protocol, detector),
                    )
                    for seed in range(told.seeds)
                ]
                pieces.setdefault(detector, []).extend(some)
                for key in (LIKELY, TOLD) if detector == LIKELY else (detector,):
                    line[key] = float(np.mean([one[key] for one in some]))
                if detector == LIKELY:
                    line["sd of seeds"] = float(np.std([one[LIKELY] for one in some], ddof=min(1, len(some) - 1)))
                    shares[protocol][number] = np.mean([one["by_share"] for one in some], 0)
            lines.append(line)
        table(f"AUROC, {protocol}, mean of {told.seeds} seeds", lines)
        totals = summed_up(lines)
        table(f"Of {len(lines)} sets, {protocol}", [{"": what, **of} for what, of in totals.items()][:1])
        table(f"Mean rank, {protocol}", [totals["mean rank"]])
        costs = {detector: cost(*some) for detector, some in pieces.items()}
        document[protocol] = {"lines": lines, **totals, "cost": costs}
        print(costs, flush=True)
    both = sum(shares.values()) / len(shares)
    found = [
        {
            "protocol": protocol,
            "left out": left_out(of, both),
            "left out, told": left_out(of, of),
            **{f"λ = {share:g}": float(value) for share, value in zip(SHARES, of.mean(0), strict=True)},
        }
        for protocol, of in shares.items()
    ]
    table("By the share of columns by themselves", found)
    document |= {"by share": found, "own": own(told.out, told.seeds)}
    table("scikit-learn's own sets, clean", document["own"])
    document["speed"] = speed()
    table("Speed", document["speed"])
    keep("anomalies", document)


if __name__ == "__main__":
    main()
