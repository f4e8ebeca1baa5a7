"""Numeric columns as they come: point masses, long tails, several modes, limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import likely

ROWS, TRAIN = 3200, 2500


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=ROWS)
    tail = np.exp(8.5 + 0.4 * hidden + 0.8 * rng.normal(size=ROWS)).round().clip(1, 50_000)
    gain = np.where(rng.random(ROWS) < 0.92, 0, np.where(rng.random(ROWS) < 0.06, 99_999, tail))
    return pd.DataFrame(
        {
            "gain": gain.astype(int),
            "two modes": np.where(hidden + rng.normal(size=ROWS) > 0, 4.0, -4.0) + 0.7 * rng.normal(size=ROWS),
            "age": (38 + 13 * hidden + 5 * rng.normal(size=ROWS)).round().clip(17, 90).astype(int),
        }
    )


@pytest.fixture(scope="module")
def run(table: pd.DataFrame) -> likely.Run:
    return likely.fit(table[:TRAIN], steps=600, width=64)


def test_the_marginals_of_draws_are_those_of_the_rows(table: pd.DataFrame, run: likely.Run) -> None:
    drawn = run.sample(20_000)
    for name, column in table.items():
        assert scipy.stats.ks_2samp(column, drawn[name]).statistic < 0.03
    for value in (0, 99_999):
        assert (drawn["gain"] == value).mean() == pytest.approx((table["gain"] == value).mean(), abs=0.01)
    assert drawn["age"].between(17, 90).all()
    correlated = table.corr(method="spearman").to_numpy()
    np.testing.assert_allclose(drawn.corr(method="spearman").to_numpy(), correlated, atol=0.12)


def test_held_out_rows_are_likelier_than_under_one_logistic(table: pd.DataFrame, run: likely.Run) -> None:
    held = table[TRAIN:]
    other = likely.fit(table[:TRAIN], steps=300, width=64, likelihood="logistic")
    assert run.measure == other.measure == "mixed"
    gain = run.score(held, samples=20)["log_px"] - other.score(held, samples=20)["log_px"]
    assert gain.mean() > 3 * gain.std() / len(gain) ** 0.5


def test_the_schema_keeps_the_knots_and_the_spikes(table: pd.DataFrame, run: likely.Run) -> None:
    knots = {column.name: dict(column.knots) for column in run.schema.columns}
    assert run.schema.columns[0].spikes == (0,)
    assert {99_998.5, 99_999.5} <= set(knots["gain"])
    assert min(knots["age"]) < 17
    told = likely.fit(table[:TRAIN], steps=1, column={"age": "real"})
    assert told.schema.columns[2].knots
