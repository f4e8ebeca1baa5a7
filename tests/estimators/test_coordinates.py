"""Numbers by their distance and their rank."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata

from homes import homes
from likely.errors import DataError
from likely.estimators.coordinates import Coordinates


def columns(rows: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.exponential(size=rows), rng.poisson(2, rows), np.full(rows, 3.0)])


def test_rows_of_the_fit_are_scaled_and_their_mid_ranks_made_normal() -> None:
    x = columns()
    made = Coordinates.of(x)(x)
    scale = np.where(x.std(0) > 0, x.std(0), 1)
    ranks = np.column_stack([rankdata(column) for column in x.T])
    np.testing.assert_allclose(made, (x - x.mean(0)) / scale + norm.ppf(ranks / (len(x) + 1)), atol=1e-12)


def test_beyond_the_rows_of_the_fit_the_coordinate_goes_on_linearly() -> None:
    x = columns()
    far = x.max(0) + np.arange(1, 4)[:, None] * [1.0, 2.0, 3.0]
    made = np.diff(Coordinates.of(x)(far), axis=0)
    np.testing.assert_allclose(made, np.tile(2 * np.array([1, 2, 3]) / [x[:, 0].std(), x[:, 1].std(), 1], (2, 1)))
    low = np.diff(Coordinates.of(x)(-far), axis=0)
    np.testing.assert_allclose(low, -made)


def test_units_do_not_matter_and_the_order_is_kept() -> None:
    x = columns(5000)[:, :2]
    made = Coordinates.of(x)(x)
    np.testing.assert_allclose(Coordinates.of(1e6 * x - 7)(1e6 * x - 7), made, atol=1e-6)
    for before, after in zip(x.T, made.T, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= -1e-12).all()


def test_holes_stay_holes_and_what_is_no_number_stays_as_it_is() -> None:
    frame = homes().assign(new=lambda f: f["rooms"] > 3)
    made = Coordinates.of(frame)(frame)
    assert list(made.columns) == list(frame.columns)
    assert made.index.equals(frame.index)
    for name in ("town", "state", "sold", "new"):
        pd.testing.assert_series_equal(made[name], frame[name])
    for name in ("number", "price", "rooms", "baths"):
        assert made[name].dtype == np.float64
        np.testing.assert_array_equal(made[name].isna(), frame[name].isna())
    assert frame["rooms"].dtype == np.int64


def test_a_column_that_is_empty_in_the_fit_is_taken() -> None:
    x = np.column_stack([columns()[:, 0], np.full(400, np.nan)])
    made = Coordinates.of(x)
    assert np.isnan(made(x)[:, 1]).all()
    assert np.isfinite(made(np.ones((1, 2)))).all()


def test_words_where_the_fit_had_numbers_are_refused_by_the_columns_name() -> None:
    made = Coordinates.of(homes())
    with pytest.raises(DataError, match="'rooms' held numbers"):
        made(homes().assign(rooms="many"))


def test_copies_are_off_by_a_tenth_of_a_deviation() -> None:
    x = columns(3000)
    coordinates = Coordinates.of(x)
    rows = coordinates(x)
    made = coordinates.smoothed(rows, 0)
    assert made.shape == (5 * 3000, 3)
    np.testing.assert_array_equal(made[:3000], rows)
    off = (made - np.tile(rows, (5, 1)))[3000:] / np.where(rows.std(0) > 0, rows.std(0), 1)
    np.testing.assert_allclose(off.std(0), [0.1, 0.1, 0], atol=0.1 * 4 / np.sqrt(2 * len(off)))
    np.testing.assert_array_equal(made, coordinates.smoothed(rows, 0))
    frame = coordinates.smoothed(homes(), 0)
    assert len(frame) == 600
    assert frame["town"].isna().sum() == 5


@pytest.mark.parametrize(("rows", "copies"), [(10_000, 5), (20_000, 2), (60_000, 1)])
def test_many_rows_are_copied_less(rows: int, copies: int) -> None:
    x = np.random.default_rng(0).normal(size=(rows, 1))
    coordinates = Coordinates.of(x)
    assert len(coordinates.smoothed(coordinates(x), 0)) == copies * rows
