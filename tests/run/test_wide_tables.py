"""Tables of many columns are stored and read again."""

from __future__ import annotations

import torch

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
