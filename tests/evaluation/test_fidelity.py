"""Fidelities against numbers worked out by hand, and against scipy's Kolmogorov-Smirnov statistic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from likely.errors import DataError
from likely.evaluation import chance_fidelity, column_fidelity, pair_fidelity


def _alone(real: list[object], sampled: list[object], **style: object) -> float:
    frames = [pd.DataFrame({"x": pd.Series(values, **style)}) for values in (real, sampled)]
    return float(column_fidelity(*frames)["x"])


def _pair(real: dict[str, list[object]], sampled: dict[str, list[object]]) -> float:
    return float(pair_fidelity(pd.DataFrame(real), pd.DataFrame(sampled)).iat[0, 1])


def test_numbers_have_the_largest_difference_of_distribution_functions() -> None:
    assert _alone([1, 2, 3, 4], [3, 4, 5, 6]) == pytest.approx(0.5)
    assert _alone([1, 1, 2], [1, 2, 2, 2, 2, 2]) == pytest.approx(1 - (2 / 3 - 1 / 6))
    rng = np.random.default_rng(0)
    real, sampled = rng.normal(size=300), rng.normal(0.3, 1.4, size=700).round(1)
    assert _alone(list(real), list(sampled)) == pytest.approx(1 - ks_2samp(real, sampled).statistic)


def test_dates_are_numbers() -> None:
    days = [pd.Timestamp("2020-01-01") + pd.Timedelta(days=day) for day in range(4)]
    assert _alone(days[:2], days[1:3]) == pytest.approx(0.5)


def test_other_values_have_their_total_variation() -> None:
    assert _alone(["a", "a", "b", "c"], ["a", "b", "b", "d"]) == pytest.approx(1 - 0.5 * (0.25 + 0.25 + 0.25 + 0.25))
    assert _alone([True, False], [True, True]) == pytest.approx(0.5)


def test_a_hole_is_one_more_event() -> None:
    assert _alone(["a", None, None, "b"], ["a", "a", "b", "b"]) == pytest.approx(0.5)
    assert _alone([1.0, 2.0, np.nan, np.nan], [1.0, 2.0, 1.0, 2.0]) == pytest.approx(0.5)
    assert _alone([np.nan, np.nan], [np.nan, np.nan], dtype="float64") == 1
    low, high = [1.0, 1.0, np.nan, 3.0], [1.0, 2.0, np.nan, 3.0]
    assert _alone(low, high) == pytest.approx(0.75)
    assert _alone([-x for x in low], [-x for x in high]) == pytest.approx(0.75)


def test_pairs_see_what_columns_do_not() -> None:
    real, sampled = {"a": ["x", "x", "y", "y"], "b": [1, 1, 2, 2]}, {"a": ["x", "x", "y", "y"], "b": [1, 2, 1, 2]}
    assert (column_fidelity(pd.DataFrame(real), pd.DataFrame(sampled)) == 1).all()
    assert _pair(real, sampled) == pytest.approx(0.5)
    assert _pair(real, real) == 1


def test_numbers_of_pairs_are_put_into_the_tenths_of_the_real_rows() -> None:
    rows = np.arange(100.0)
    real = pd.DataFrame({"x": rows, "c": "one"})
    shifted = pd.DataFrame({"x": rows + 10, "c": "one"})
    assert pair_fidelity(real, shifted).loc["x", "c"] == pytest.approx(0.9)
    assert pair_fidelity(real, shifted.assign(x=rows + 0.05)).loc["x", "c"] == 1


def test_a_spike_makes_one_bin_with_what_lies_above_in_another() -> None:
    real = pd.DataFrame({"x": [0] * 92 + [5] * 8, "c": "one"})
    sampled = pd.DataFrame({"x": [0] * 80 + [7] * 20, "c": "one"})
    assert pair_fidelity(real, sampled).loc["x", "c"] == pytest.approx(0.88)


def test_a_hole_in_a_pair_is_a_value() -> None:
    real = {"a": [1.0, 1.0, np.nan, np.nan], "b": ["x", None, "x", None]}
    sampled = {"a": [1.0, 1.0, np.nan, np.nan], "b": ["x", "x", None, None]}
    assert _pair(real, sampled) == pytest.approx(0.5)


def test_pairs_are_symmetric_with_an_empty_diagonal(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.normal(size=(50, 3)), columns=list("abc"))
    found = pair_fidelity(frame, frame + 1)
    assert np.isnan(np.diag(found)).all()
    np.testing.assert_array_equal(found, found.T)


def test_chance_is_what_two_samples_of_one_law_reach(rng: np.random.Generator) -> None:
    def draw(n: int) -> pd.DataFrame:
        return pd.DataFrame({"x": rng.normal(size=n), "c": rng.choice(list("abcd"), n), "y": rng.integers(0, 30, n)})

    columns, pairs = [], []
    for _ in range(30):
        real, sampled = draw(150), draw(900)
        columns.append(column_fidelity(real, sampled))
        pairs.append(pair_fidelity(real, sampled))
    chance_columns, chance_pairs = chance_fidelity(real, sampled)
    np.testing.assert_allclose(chance_columns, sum(columns) / 30, atol=0.02)
    np.testing.assert_allclose(chance_pairs, sum(pairs) / 30, atol=0.02)
    assert chance_pairs.loc["x", "y"] < 0.9


def test_more_rows_leave_less_to_chance(rng: np.random.Generator) -> None:
    few, many = (pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n)}) for n in (100, 4000))
    assert chance_fidelity(few, few)[1].iat[0, 1] < chance_fidelity(many, many)[1].iat[0, 1] - 0.1


@pytest.mark.parametrize(
    ("real", "sampled", "words"),
    [
        (pd.DataFrame({"x": [1.0]}), pd.DataFrame({"y": [1.0]}), "no column 'x'"),
        (pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": ["1"]}), "give both the same type"),
        (pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": []}, dtype="float64"), "0 sampled"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(real: pd.DataFrame, sampled: pd.DataFrame, words: str) -> None:
    for measure in (column_fidelity, pair_fidelity, chance_fidelity):
        with pytest.raises(DataError, match=words):
            measure(real, sampled)
