from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import likely

ROWS = 120


def every_kind() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2020-01-01", tz="Europe/Berlin")
    return pd.DataFrame(
        {
            "binary": rng.random(ROWS) < 0.3,
            "categorical": rng.choice([" Private", " State"], ROWS),
            "ordered": pd.Categorical(rng.choice(["low", "high"], ROWS), ["low", "high"], ordered=True),
            "constant": 7,
            "listed": rng.integers(1, 9, ROWS).astype("int8"),
            "levels": rng.integers(1, 99, ROWS).astype("int8"),
            "count": rng.poisson(400, ROWS) * rng.integers(0, 9, ROWS),
            "grid": rng.normal(0, 9, ROWS).round(1),
            "real": rng.normal(size=ROWS).astype("float32"),
            "positive": np.exp(3 * rng.normal(size=ROWS)),
            "date": start + pd.to_timedelta(rng.integers(0, 10**4, ROWS), "min"),
            "identifier": np.arange(ROWS),
            "text": [f"row {i} says {rng.integers(10**6)} and more" for i in range(ROWS)],
            "ignore": np.nan,
        }
    )


def test_a_frame_of_every_kind_is_fitted_and_drawn_in_its_own_types(tmp_path: Path) -> None:
    frame = every_kind()
    run = likely.fit(frame, out=tmp_path / "run", steps=3, latent=2, width=16)
    assert {column.name: column.kind for column in run.schema.columns} == {name: name for name in frame}
    left = frame.columns[-3:].tolist()
    assert [notice for notice in run.notices if "left out" in notice] == [
        f"column {name!r} is left out: {next(c for c in run.schema.columns if c.name == name).reason}" for name in left
    ]
    drawn = likely.load(tmp_path / "run").sample(50)
    assert drawn.dtypes.to_dict() == frame.drop(columns=left).dtypes.to_dict()
    assert drawn.notna().all(axis=None)
    assert np.isfinite(run.score(frame, samples=3)["log_px"]).all()
    assert np.isfinite(run.score(drawn, samples=3)["log_px"]).all()
