"""P(x) of files as people have them: ties, listed numbers, cells off the grid, numbers below 0."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import likely
from likely.errors import DataError

RNG = np.random.default_rng(3)
N = 400


def test_a_tie_of_a_real_column_has_a_mass_that_no_unit_changes() -> None:
    a = RNG.normal(size=N)
    z = np.where(RNG.random(N) < 0.4, 0.0, np.pi * a + 0.5 * RNG.normal(size=N))
    found = []
    for scale in (1.0, 1000.0):
        frame = pd.DataFrame({"a": a, "z": scale * z})
        run = likely.fit(frame, steps=150)
        assert run.measure == "mixed"
        drawn = run.sample(2000)
        assert (drawn.z == 0).mean() == pytest.approx((z == 0).mean(), abs=0.06)
        found.append(run.score(frame)["log_px"].to_numpy())
    tie = z == 0
    assert found[1][tie].mean() == pytest.approx(found[0][tie].mean(), abs=0.2)
    assert found[1][~tie].mean() == pytest.approx(found[0][~tie].mean() - math.log(1000), abs=0.2)


def test_zeros_among_positive_numbers_are_drawn_and_nothing_is_negative() -> None:
    rain = np.where(RNG.random(N) < 0.68, 0.0, np.exp(RNG.normal(size=N)))
    run = likely.fit(pd.DataFrame({"rain": rain}), steps=150)
    drawn = run.sample(4000, beyond_range=True).rain
    assert (drawn == 0).mean() == pytest.approx((rain == 0).mean(), abs=0.06)
    assert (drawn >= 0).all()
    incomplete = pd.DataFrame({"rain": [np.nan, 1.0]})
    with pytest.warns(UserWarning, match="cells are missing"):
        assert run.impute(incomplete, mode=True).rain[0] == 0


@pytest.mark.parametrize("kind", ["train", "validation", "test"])
def test_a_zero_among_positive_reals_is_a_score_wherever_it_is(kind: str) -> None:
    frame = pd.DataFrame({"amount": np.exp(RNG.normal(3, 2, N)), "x": RNG.normal(size=N)})
    rows = likely.fit(frame[["x"]], steps=1).division
    frame.loc[int(getattr(rows, kind)[3]), "amount"] = 0.0
    run = likely.fit(frame, steps=20)
    assert not run.facts["diverged"]
    assert math.isfinite(run.evaluate(anneal=0, samples=20)["iwae"].nats)


def test_masses_of_counts_sum_to_one_below_0_too() -> None:
    run = likely.fit(pd.DataFrame({"visits": RNG.negative_binomial(1, 0.02, N)}), steps=50)
    grid = pd.DataFrame({"visits": np.arange(-2000, 6001)})
    mass = np.exp(likely.evaluation.evidence(run.model, run.encoded(likely.data.Rows(grid)), samples=50).terms["iwae"])
    below = grid.visits < 0
    assert mass.sum() == pytest.approx(1, abs=0.02)
    assert 0.5 < mass[below].sum() / run.schema.columns[0].reserve < 1.05  # a lower bound, row by row


def test_one_cell_off_the_grid_costs_next_to_nothing() -> None:
    frame = pd.DataFrame({"x": (10 * RNG.normal(size=N)).round(1), "y": RNG.normal(size=N).round(2)})
    run = likely.fit(frame, steps=100)
    test = frame.iloc[run.division.test]
    other = frame.copy()
    other.loc[run.division.train[0], "x"] += 0.01
    finer = likely.fit(other, steps=100)
    assert finer.schema.columns[0].per_unit == 100
    assert finer.score(test).log_px.mean() > run.score(test).log_px.mean() - 0.25  # log 10 = 2.3 on the finer grid
    drawn = 10 * finer.sample(1000).x
    assert (np.abs(drawn - drawn.round()) < 1e-6).mean() > 0.97


def test_numbers_of_a_list_alone_are_drawn_and_all_others_are_one_event() -> None:
    numbers = np.arange(0.125, 0.45, 0.025).round(3)
    run = likely.fit(pd.DataFrame({"froude": RNG.choice(numbers, N), "x": RNG.normal(size=N)}), steps=60)
    assert np.isin(run.sample(500).froude, numbers).all()
    alone = likely.fit(pd.DataFrame({"froude": RNG.choice(numbers, N)}), steps=60)
    listed = np.exp(alone.score(pd.DataFrame({"froude": numbers}), samples=3000)["log_px"])
    with pytest.warns(UserWarning, match="none of the values was seen"):
        unseen = alone.score(pd.DataFrame({"froude": [0.13, 7.0, -1.0]}), samples=3000)["log_px"]
    share = np.exp(unseen) / alone.schema.columns[0].reserve  # a lower bound, row by row
    assert ((share > 0.3) & (share < 1.1)).all()
    assert listed.sum() + np.exp(unseen[0]) == pytest.approx(1, abs=0.03)


def test_round_numbers_are_drawn_as_often_as_they_were_recorded() -> None:
    steps = RNG.choice([1, 10], N, p=[0.2, 0.8])
    frame = pd.DataFrame({"dose": np.round(RNG.normal(300, 100, N) / steps) * steps, "x": RNG.normal(size=N)})
    run = likely.fit(frame, steps=150)
    drawn = run.sample(4000).dose
    assert (drawn % 10 == 0).mean() == pytest.approx((frame.dose % 10 == 0).mean(), abs=0.05)
    stored = likely.data.Schema.from_dict(run.schema.to_dict())
    assert stored == run.schema


@pytest.mark.parametrize("beside", [1, 1.5])
def test_an_integer_of_hundreds_of_digits_is_refused_in_one_line(beside: float) -> None:
    run = likely.fit(pd.DataFrame({"x": np.arange(60) % 7 * 1.5, "y": np.arange(60) % 5}), steps=1, latent=2, width=8)
    given = pd.DataFrame({"x": pd.Series([10**400, beside], dtype=object), "y": [1, 2]})
    with pytest.raises(DataError, match=r"column 'x', row 0: 10{50}.* is not a finite number") as told:
        run.score(given)
    assert len(str(told.value)) < 200


@pytest.mark.parametrize("row", range(0, 40, 9))
def test_such_an_integer_makes_no_categories_of_numbers_wherever_it_is(row: int) -> None:
    numbers = pd.Series(np.arange(40) % 7 * 1.5, dtype=object)
    numbers[row] = 10**400
    with pytest.raises(DataError, match=rf"column 'x', row {row}: 10{{50}}.* is not a finite number"):
        likely.fit(pd.DataFrame({"x": numbers, "y": np.arange(40) % 5}), steps=1, latent=2, width=8)


@pytest.mark.filterwarnings("ignore:cells are missing", "ignore:.*more digits than float64")
def test_a_decimal_that_is_filled_has_the_places_of_the_column() -> None:
    """Also where float64 tells no decimals, and the rows given have fewer than those of the fit."""
    rng = np.random.default_rng(0)
    texts = [f"{12345678901234567 + 1000 * i}.{i % 100:02d}" for i in range(60)]
    frame = pd.DataFrame({"paid": pd.Series([Decimal(text) for text in texts], dtype=object), "x": rng.normal(size=60)})
    run = likely.fit(frame, steps=5)
    given = frame.head(4).assign(paid=[Decimal("7.5"), None, frame["paid"][2], None])
    filled = run.impute(given)["paid"]
    assert filled.tolist()[::2] == [Decimal("7.5"), frame["paid"][2]]
    assert [one.as_tuple().exponent for one in filled] == [-1, -2, -2, -2]


def test_a_signalling_nan_is_refused_with_its_row() -> None:
    numbers = [Decimal("1.25"), Decimal("2.5"), Decimal("0.75")] * 10
    frame = pd.DataFrame({"paid": pd.Series(numbers, dtype=object)})
    run = likely.fit(frame, steps=2)
    frame.loc[4, "paid"] = Decimal("sNaN")
    for refused in (likely.fit, likely.inspect, run.score, run.impute):
        with pytest.raises(likely.DataError, match=r"column 'paid', row 4: a signalling NaN .*; give None"):
            refused(frame)
