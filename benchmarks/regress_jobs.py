"""One unit of `regress.py`, with the `likely` that PYTHONPATH names: `regress_jobs.py KIND NAME SEED FILE`.

Only what `likely` promises in public is used, so that one script measures old and new versions alike.
"""

from __future__ import annotations

import gzip
import hashlib
import inspect
import json
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import anomalies
import impute
import likely
from common import data
from likely.estimators import VAEOutlierDetector
from pieces import piece
from regress_laws import final_zeros, places, spaces
from tables_fidelity import fidelity, numbers, plain, split, utility

DRAWN, THIRD = 10_000, 3
BASELINES = ("marginals", "gaussian", "gaussian_mixture", "ppca")
STEPS, BATCH, PICTURES, SAMPLES = 3000, 128, 1000, 50


def digest(values: bytes) -> str:
    return hashlib.sha256(values).hexdigest()[:16]


def fitted(path: Path, seed: int, **options: Any) -> tuple[likely.Run, dict[str, Any]]:
    """A fit, and what it took."""
    started = time.process_time()
    run = likely.fit(path, seed=seed, **options)
    return run, {"fit_s": time.process_time() - started, "steps": run.facts["steps"]}


def scored(run: likely.Run) -> dict[str, Any]:
    """L_500 and the baselines of the run's own test rows, `(rows,)`, nats, with the base measure of each column."""
    frame = run.assess(anneal=0).frame()
    made = {"row": frame.index.to_numpy(), "log_px": frame["iwae"].to_numpy()}
    made |= {f"baseline {name}": frame[name].to_numpy() for name in BASELINES if name in frame}
    return {**made, "measure": run.measure, "spaces": json.dumps(spaces(run.schema.to_dict()))}


def table(name: str, seed: int) -> dict[str, Any]:
    """A table divided by the seed: log P of its test rows, and how its numbers end in 10,000 drawn rows."""
    path = data(f"tables/{name}.csv")
    run, facts = fitted(path, seed)
    train, drawn = pd.read_csv(path).iloc[run.division.train], run.sample(DRAWN, seed=seed)
    gridded = {column: most for column in numbers(train) if (most := places(train[column].to_numpy())) is not None}
    ends = {
        column: [final_zeros(frame[column].to_numpy(), most) for frame in (train, drawn)]
        for column, most in gridded.items()
    }
    return {**facts, **scored(run), "data": digest(path.read_bytes()), "ends": json.dumps(ends)}


def adult(_: str, seed: int) -> dict[str, Any]:
    """A third of adult's rows: log P of a tenth of them, and what a classifier learns from as many drawn rows."""
    path = data("tables/adult.csv")
    pool, test = split(path)
    header, *lines = path.read_text().splitlines()
    train = pool[: (len(pool) + len(test)) // THIRD]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "adult.csv"
        file.write_text("\n".join([header, *(lines[place] for place in train.index)]) + "\n")
        run, facts = fitted(file, seed)
        made = {**facts, **scored(run), "data": digest(file.read_bytes())}
        word = "with_missing" if "with_missing" in inspect.signature(run.sample).parameters else "with_holes"
        holes = {word: True} if any(column.missing for column in run.schema.modelled) else {}
        drawn = plain(run.sample(len(train), seed=seed, **holes))
    train, test = plain(train), plain(test)
    real, drawn = utility(test, train), drawn[list(train.columns)]
    made |= {**utility(test, drawn), **fidelity(train, drawn)}
    return {**made, **{f"real {name}": value for name, value in real.items()}}


def imputed(name: str, seed: int) -> dict[str, Any]:
    """Mean squared error of the deleted half of the cells, of `VAEImputer` and of chained Bayesian ridge."""
    each = {who: impute.filled(name, seed, who, impute.HALF, impute.table_of)["mse"] for who in ("likely", "bayes")}
    made = {"mse": each["likely"], "bayes": each["bayes"]}
    return {**made, "data": digest(data(impute.SETS[name]).read_bytes())}


def ranked(protocol: str, name: str, seed: int) -> dict[str, Any]:
    """AUROC in percent, of `VAEOutlierDetector` and of an isolation forest."""
    file = next(data("adbench").glob(f"*_{name}.npz"))
    train, asked, anomaly = anomalies.rows_of(file, seed, protocol)
    hint = {"novelty": True} if protocol == "clean" else {}
    scores = VAEOutlierDetector(random_state=seed, **hint).fit(train).score_samples(asked)
    found = {"likely": anomalies.auroc(anomaly, -scores)}
    found |= anomalies.measured(file, seed, protocol, "IForest")
    return {**found, "data": digest(file.read_bytes())}


def mnist(_: str, seed: int) -> dict[str, Any]:
    """The default model of binarised pictures after 3,000 steps of 128 rows: L_50 and ELBO of 1,000 test pictures."""
    path = data("mnist")
    run, facts = fitted(path, seed, binarize="dynamic", steps=STEPS, batch_size=BATCH)
    grey = np.frombuffer(gzip.decompress((path / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    grey = grey.reshape(-1, 28, 28)[:PICTURES]
    black = np.where(np.random.default_rng(0).random(grey.shape) < grey / 255, 255, 0).astype(np.uint8)
    found = run.score(black, samples=SAMPLES)
    bounds = {"log_px": found["log_px"].to_numpy(), "elbo": found["elbo"].to_numpy(), "row": np.arange(len(black))}
    what = {"measure": run.measure, "spaces": json.dumps(spaces(run.schema.to_dict()))}
    return {**facts, **bounds, **what, "data": digest(black.tobytes())}


KINDS = {
    "table": table,
    "adult": adult,
    "impute": imputed,
    "clean": partial(ranked, "clean"),
    "unlabelled": partial(ranked, "unlabelled"),
    "mnist": mnist,
}


def main() -> None:
    kind, name, seed, file = sys.argv[1:]
    if not Path(likely.__file__).is_relative_to(Path(os.environ["PYTHONPATH"]).resolve()):
        sys.exit(f"likely was imported from {likely.__file__}, not from PYTHONPATH")
    piece(Path(file), partial(KINDS[kind], name, int(seed)))


if __name__ == "__main__":
    main()
