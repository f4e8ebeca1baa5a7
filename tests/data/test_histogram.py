"""Bins hold what they should, on the axis that shows it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from likely.data.histogram import bins, ceiling, numbers


def test_numbers_of_dates_are_seconds_and_holes_are_nan() -> None:
    dates = pd.Series(pd.to_datetime(["1970-01-02", None, "1969-12-31"]))
    np.testing.assert_array_equal(numbers(dates), [86400.0, np.nan, -86400.0])
    np.testing.assert_array_equal(numbers(dates.dt.tz_localize("Asia/Tokyo")), [86400.0, np.nan, -86400.0])
    np.testing.assert_array_equal(numbers(pd.Series([1, None], dtype="Int64")), [1.0, np.nan])
    assert numbers(pd.Series(["a"])) is None
    assert numbers(pd.Series([True])) is None


@pytest.mark.parametrize("values", [np.arange(7.0), np.arange(90.0), np.arange(100.0, 3000.0)])
def test_each_bin_holds_the_same_number_of_integers(values: np.ndarray) -> None:
    for cut in (0.0, 0.005):
        found = bins(values, cut=cut)
        assert found.scale == "linear"
        assert len(set(np.diff(found.edges))) == 1
        assert (found.edges % 1 == 0.5).all()


def test_each_bin_holds_the_same_number_of_decimals(rng: np.random.Generator) -> None:
    values = (rng.integers(1, 62, 4000) / 100).astype(np.float64)
    for cut in (0.0, 0.005):
        shares = bins(values, cut=cut, most=48).shares(values)
        assert shares[shares > 0][1:-1].min() > 0.5 * shares.max()


def test_nothing_is_outside_where_nothing_is_cut(rng: np.random.Generator) -> None:
    for values in (rng.normal(size=500), rng.integers(0, 7, 500), rng.lognormal(0, 3, 500), np.full(9, 2.5)):
        assert bins(np.asarray(values, float), cut=0.0).shares(values).sum() == pytest.approx(1)


def test_the_axis_follows_the_tails(rng: np.random.Generator) -> None:
    tail = rng.lognormal(8.5, 1, 4000).round()
    spiked = np.where(rng.random(4000) < 0.92, 0, tail)
    assert bins(rng.normal(size=4000)).scale == "linear"
    assert bins(rng.exponential(size=4000)).scale == "linear"
    assert bins(rng.poisson(0.1, 4000).astype(float)).scale == "linear"
    assert bins(rng.lognormal(0, 3, 4000)).scale == "log"
    assert bins(spiked).scale == "symlog"
    assert bins(np.r_[spiked, -spiked]).scale == "symlog"
    assert bins(rng.lognormal(0, 3, 4000), dates=True).scale == "linear"


def test_zero_has_a_bin_of_its_own_on_a_symlog_axis(rng: np.random.Generator) -> None:
    values = np.where(rng.random(4000) < 0.92, 0, rng.lognormal(8.5, 1, 4000).round())
    for both in (values, np.r_[values, -values]):
        found = bins(both)
        assert (np.diff(found.edges) > 0).all()
        place = int(np.flatnonzero((found.edges[:-1] < 0) & (found.edges[1:] > 0))[0])
        assert found.shares(both)[place] == pytest.approx((np.abs(both) < found.linear).mean())
        assert found.shares(both).sum() == pytest.approx(1)


@pytest.mark.parametrize("values", [[], [np.inf], [3.0], [1e300, -1e299], [10.0**17, 10.0**17 + 16]])
def test_bins_bear_any_values(values: list[float]) -> None:
    for cut in (0.0, 0.005):
        assert (np.diff(bins(np.array(values), cut=cut).edges) > 0).all()


def test_spikes_are_cut_and_what_is_no_spike_is_not() -> None:
    flat = np.array([3.0, 2.0, 4.0, 3.0, 2.0, 1.0, 1.0, 2.0])
    assert ceiling(flat) > 4
    assert ceiling(np.r_[flat, 50.0]) < 6
    assert ceiling(np.r_[50.0, flat, 40.0]) < 6
    assert ceiling(np.r_[flat, 50.0, 40.0]) > 50
    assert ceiling(np.r_[flat, 50.0, 4.0], np.r_[flat, 4.0, 40.0]) < 6
    assert ceiling(np.array([9.0, 1.0])) > 9
    assert ceiling(np.zeros(9)) > 0
