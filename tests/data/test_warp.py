"""The warped axis: knots from training rows, and the map that they make."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likely.data import Column, Kind, Warp
from likely.data.knots import warp_knots, with_knots

RNG = np.random.default_rng(0)
NUMBERS = st.floats(-1e12, 1e12, allow_subnormal=False)


def axis(values: np.ndarray, per_unit: int | None = None, kind: Kind = "real") -> Warp:
    return Warp([warp_knots(values, per_unit, kind)], [kind == "positive"])


def gains(rows: int) -> np.ndarray:
    """92% zeros, a long tail, and a spike at the greatest value."""
    tail = np.round(np.exp(RNG.normal(8.5, 0.9, rows))).clip(1, 50_000)
    return np.where(RNG.random(rows) < 0.92, 0, np.where(RNG.random(rows) < 0.06, 99_999, tail))


@given(st.lists(NUMBERS, min_size=2, max_size=60, unique=True), st.sampled_from([None, 1, 100]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_inverse_leads_back(found: list[float], per_unit: int | None, positive: bool) -> None:
    values = np.array(found)
    values = np.abs(values) + 1e-3 if positive else values
    if per_unit is not None:
        values = np.round(values * per_unit).clip(min=1 if positive else None) / per_unit
    knots = warp_knots(values, per_unit, "positive" if positive else "real")
    if not knots:
        assert np.ptp(values) < 1e-300
        return
    assert (np.diff(np.array(knots), axis=0) > 0).all()
    warp = Warp([knots], [positive])
    x = torch.from_numpy(values)
    y, slope = warp(x)
    assert y.isfinite().all()
    assert (slope > 0).all()
    assert (y[x.argsort()].diff() >= -1e-12).all()
    size = torch.maximum(x.abs(), warp.x.abs().max().exp() if positive else warp.x.abs().max())
    assert ((warp.inverse(y) - x).abs() <= 1e-6 * size).all()
    again = warp(warp.inverse(torch.linspace(-3, 3, 41)))[0]
    assert (again.diff() >= 0).all()


@given(st.lists(NUMBERS, min_size=2, max_size=30), st.sampled_from([1, 100]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_knots_of_a_grid_are_on_edges(found: list[float], per_unit: int, positive: bool) -> None:
    values = np.round(np.array(found) / 1e6 * per_unit) / per_unit
    values = np.abs(values) + 1 / per_unit if positive else values
    knots = np.array(warp_knots(values, per_unit, "positive" if positive else "grid"))
    off = knots[:, 0] * per_unit - 0.5
    np.testing.assert_allclose(off, np.round(off), atol=1e-3)
    assert Warp([[(x, y) for x, y in knots]], [positive]).bends_between(torch.tensor(1 / per_unit, dtype=torch.float64))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (RNG.standard_t(2, 5000), "real"),
        (RNG.random(5000), "real"),
        (np.exp(2 * RNG.normal(size=5000)), "positive"),
        (np.exp(2 * RNG.normal(size=5000)), "real"),
        (np.where(RNG.random(5000) < 0.3, -40, 40) + RNG.normal(size=5000), "real"),
    ],
)
def test_the_column_is_about_standard_normal_on_the_bent_axis(values: np.ndarray, kind: Kind) -> None:
    made = axis(values[:4000], kind=kind)
    for some in (values[:4000], values[4000:]):
        y = made(torch.from_numpy(some))[0].numpy()
        assert scipy.stats.kstest(y, "norm").statistic < (0.01 if len(some) == 4000 else 0.06)
    assert len(made.x[0]) < 80


def test_a_spike_gets_its_cell() -> None:
    values = gains(20_000)
    made = axis(values, 1, "count")
    for spike in (0.0, 99_999.0):
        lower, upper, width = (float(y) for y in made.cell(torch.tensor([spike]), torch.tensor(1.0)))
        share = scipy.stats.norm.cdf(upper) - scipy.stats.norm.cdf(lower)
        assert share == pytest.approx((values == spike).mean(), rel=0.01)
        assert width == pytest.approx(upper - lower)
    beside = made.cell(torch.tensor([99_998.0]), torch.tensor(1.0))[2]
    assert 0 < beside < 1e-4  # a range without rows keeps some mass


def test_a_number_that_many_rows_hold_is_a_spike_of_a_grid_and_none_of_reals() -> None:
    values = np.where(RNG.random(5000) < 0.3, 0.0, RNG.normal(size=5000).round(3))
    for per_unit, held in ((1000, (values == 0).mean()), (None, 0.0)):
        around = axis(values, per_unit, "grid")(torch.tensor([-6e-4, 6e-4], dtype=torch.float64))[0].numpy()
        assert np.diff(scipy.stats.norm.cdf(around))[0] == pytest.approx(held, abs=0.01)


def test_a_value_far_beyond_the_rows_is_unlikely_not_impossible() -> None:
    for values, per_unit in ((RNG.random(5000), None), (gains(20_000), 1), (RNG.integers(0, 9, 5000), 1)):
        made, span = axis(values, per_unit, "grid"), float(np.ptp(values))
        for sign, end in ((1, values.max()), (-1, values.min())):
            far = torch.tensor([end, end + sign * span], dtype=torch.float64)
            assert 0.1 < sign * float(made(far)[0].diff()) < 14


def test_few_rows_leave_few_knots() -> None:
    for rows, most in ((20, 10), (100, 14), (1000, 40)):
        assert len(warp_knots(RNG.normal(size=rows), None, "real")) <= most
        assert len(warp_knots(RNG.normal(size=rows).round(1), 10, "grid")) <= most


def test_rows_that_are_all_the_same() -> None:
    assert warp_knots(np.full(10, 3.0), None, "real") == ()
    assert [x for x, _ in warp_knots(np.full(10, 3.0), 1, "grid")] == [2.5, 3.5]


def test_columns_side_by_side_are_as_they_are_alone() -> None:
    parts = [warp_knots(RNG.normal(size=n), None, "real") for n in (30, 300)]
    parts.append(warp_knots(np.exp(RNG.normal(size=100)), None, "positive"))
    logs = [False, False, True]
    together = Warp(parts, logs)
    x = torch.from_numpy(RNG.normal(size=(4, 7, 3)))
    x[..., 2] = x[..., 2].exp()
    y, slope = together(x)
    for i, (knots, log) in enumerate(zip(parts, logs, strict=True)):
        alone = Warp([knots], [log])
        for one, many in zip(alone(x[..., i]), (y, slope), strict=True):
            torch.testing.assert_close(one, many[..., i], rtol=0, atol=0)
        torch.testing.assert_close(alone.inverse(y[..., i]), together.inverse(y)[..., i], rtol=0, atol=0)
    torch.testing.assert_close(together.inverse(y), x, rtol=1e-9, atol=1e-9)


def test_straight_knots_are_a_change_of_units() -> None:
    made = Warp([((3.0, 0.0), (5.0, 1.0))], [False])
    torch.testing.assert_close(made(torch.tensor([-1.0, 9.0]))[0], torch.tensor([-2.0, 3.0]).double())
    warp = Warp([((2.0, 0.0), (2.0 * math.e, 1.0))], [True])
    torch.testing.assert_close(warp.inverse(torch.tensor([3.0])), torch.tensor([2 * math.exp(3)]).double())


def test_a_value_that_its_neighbours_match_is_no_spike() -> None:
    ages = np.repeat(np.arange(17.0, 90), 30)
    column = Column("age", "int64", "levels", "ages", per_unit=1, low=17, high=89)
    assert with_knots(column, ages).spikes == ()
    for often, spikes in ((60, ()), (100, (40.0,))):
        assert with_knots(column, np.append(ages, np.full(often - 30, 40.0))).spikes == spikes
