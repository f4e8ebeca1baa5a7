"""A small table and small arrays, and runs of three steps on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import likely

ROWS = 40
SIGNED = np.random.default_rng(0).normal(size=(ROWS, 2))
ARRAYS = {
    "bernoulli": np.random.default_rng(0).integers(0, 2, (ROWS, 3, 3)).astype(np.uint8),
    "beta": np.random.default_rng(0).uniform(0.1, 0.9, (ROWS, 3, 3)),
    "logistic-mixture:2:coupled": np.random.default_rng(0).integers(0, 256, (ROWS, 2, 2, 3), dtype=np.uint8),
    "truncated:gaussian": np.random.default_rng(0).integers(0, 256, (ROWS, 2, 2), dtype=np.uint8),
    "logistic": np.random.default_rng(0).normal(size=(ROWS, 2, 2)),
}


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(size=ROWS)
    return pd.DataFrame(
        {
            "real": size,
            "grid": (4 + size).round(1),
            "count": rng.poisson(np.exp(0.5 * size) + 1),
            "town": np.where(size > 0, "Bath", "York"),
        }
    )


def fitted(folder: Path, data: Any = None, **options: Any) -> likely.Run:
    """A run of three steps that scores, once stored and loaded, what it scored before."""
    data = table() if data is None else data
    run = likely.fit(data, out=folder / "run", steps=3, **({"latent": 2, "width": 16} | options))
    loaded = likely.load(folder / "run")
    given = {"town": "Bath"} if run.schema.conditions else None
    before, after = run.score(data, samples=3), loaded.score(data, samples=3)
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert np.isfinite(before["log_px"]).all()
    drawn = [list(one.sample(2, given=given)) for one in (run, loaded)]
    np.testing.assert_array_equal(*drawn)
    assert loaded.config == run.config
    return run
