"""Validation rows in the form of the data, or one line that says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import likely
from likely.run.joining import joined

FRAME = pd.DataFrame({"a": [1.5, 2.5], "b": [1, 2], "town": ["Bath", "York"]})
BYTES = np.arange(12, dtype=np.uint8).reshape(4, 3)


def refused(match: str, rows: Any, held: Any) -> None:
    with pytest.raises(likely.InputError, match=match):
        joined(rows, held)


def test_columns_are_found_by_name_and_must_be_the_same() -> None:
    made = joined(FRAME, FRAME[["town", "b", "a"]])
    pd.testing.assert_frame_equal(made, pd.concat([FRAME, FRAME], ignore_index=True))
    refused("validation rows have no column 'b'", FRAME, FRAME.drop(columns="b"))
    refused("validation rows have a column 'c', and the data have none", FRAME, FRAME.assign(c=1))


def test_arrow_tables_stay_arrow_tables() -> None:
    table = pa.table({"a": [1.5, 2.5], "town": pa.array(["Bath", "York"]).dictionary_encode()})
    other = pa.table({"town": pa.array(["Ely"]).dictionary_encode(), "a": [3.5]})
    made = joined(table, other)
    assert isinstance(made, pa.Table)
    assert made.to_pydict() == {"a": [1.5, 2.5, 3.5], "town": ["Bath", "York", "Ely"]}
    refused("validation rows have no column 'town'", table, other.drop_columns("town"))
    refused("column of another type", table, pa.table({"a": ["x"], "town": ["Ely"]}))
    refused("of the form of the data, arrow, got DataFrame", table, FRAME)


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy])
def test_numbers_keep_the_type_of_the_data(of: Any) -> None:
    made = joined(of(BYTES), of(BYTES.astype(np.float64)))
    assert made.dtype == of(BYTES).dtype
    assert made.shape == (8, 3)
    single = joined(of(BYTES.astype(np.float32)), of(BYTES + 0.1))
    assert single.dtype == of(BYTES.astype(np.float32)).dtype
    refused("float64 holds numbers that .*uint8 does not", of(BYTES), of(BYTES + 0.5))
    refused("of the form of the data", of(BYTES), of(BYTES[:, :2]))


def test_what_cannot_be_joined_is_told() -> None:
    refused("there are no validation rows", BYTES, BYTES[:0])
    refused("of the form of the data, DataFrame, got ndarray", FRAME, BYTES)
    refused("validation rows go with data in memory", "rows.csv", BYTES)
    refused("validation rows go with data in memory", BYTES, "rows.csv")


def test_a_model_trains_on_an_arrow_table_and_validates_on_another() -> None:
    from likely import likelihoods, networks, posteriors, priors

    rng = np.random.default_rng(0)
    rows, held = (pa.table({name: rng.normal(size=n) for name in "ab"}) for n in (30, 10))
    parts = networks.ResidualMLP(2, 4, 8), networks.ResidualMLP(2, 4, 8)
    model = likely.VAE(priors.StandardNormal(2), likelihoods.Gaussian((2,)), posteriors.Normal(2), *parts)
    run = likely.train(model, rows, validation=held.select(["b", "a"]), config=likely.config.TrainingConfig(steps=2))
    assert (len(run.division.train), len(run.division.validation)) == (30, 10)
    assert isinstance(run.sample(3), pa.Table)
