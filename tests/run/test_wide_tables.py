"""Tables of many columns are stored and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

import likely
from likely.assembly import resolve
from likely.config import Config
from likely.data import Schema
from likely.data.columns import Column
from likely.run.store import _allowed


def test_a_model_of_a_thousand_columns_is_made_within_what_its_weights_allow() -> None:
    columns = tuple(Column(f"c{i}", "", "real", "a test", mean=0.0, scale=1.0, low=-3.0, high=3.0) for i in range(1000))
    schema = Schema("table", (1000,), columns, 500, cells_alike=False)
    config = Config().replace({"latent": 2, "width": 8, "likelihood": "student", "batch_size": 32})
    model = resolve(config, schema).build()
    with torch.random.fork_rng(devices=[]), _allowed(model.state_dict(), schema):
        again = resolve(config, schema).build()
    assert [*again.state_dict()] == [*model.state_dict()]


def test_a_run_of_many_categorical_columns_loads(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    counts = (9, 16, 7, 15, 6, 5, 3, 41, 8)  # their product is no size of anything
    frame = pd.DataFrame(
        {f"c{place}": draw.choice([f"v{one}" for one in range(n)], 300) for place, n in enumerate(counts)}
    )
    run = likely.fit(frame, steps=2, out=tmp_path / "run", progress=False)
    loaded = likely.load(tmp_path / "run", progress=False)
    np.testing.assert_array_equal(loaded.score(frame[:5]).log_px, run.score(frame[:5]).log_px)
