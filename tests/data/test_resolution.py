"""Which numbers have mass of their own, are listed, or were recorded to coarser steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from likely.data import Column, Rows, Schema, confirmed, encode, infer_schema
from likely.data.resolution import resolutions

RNG = np.random.default_rng(5)
N = 2000


def schema_of(**columns: Any) -> Schema:
    return infer_schema(Rows(pd.DataFrame(columns)), "table")


def column_of(values: Any, **beside: Any) -> Column:
    return schema_of(a=values, **beside).columns[0]


def rounded(shares: dict[int, float], rows: int = N, spread: float = 300.0) -> np.ndarray:
    """Normal numbers, each rounded to one of some steps."""
    steps = RNG.choice(list(shares), rows, p=list(shares.values()))
    made: np.ndarray = np.round(RNG.normal(0, spread, rows) / steps) * steps
    return made


def test_the_shares_of_the_resolutions_are_found() -> None:
    shares = {1: 0.2, 5: 0.3, 10: 0.5}
    found = dict(resolutions(rounded(shares, 20_000), 1))
    assert found == pytest.approx(shares, abs=0.03)
    assert sum(found.values()) == pytest.approx(1)


def test_numbers_of_one_resolution_have_none() -> None:
    assert resolutions(rounded({1: 1.0}), 1) == ()
    assert resolutions(RNG.normal(size=N), None) == ()
    held = np.where(RNG.random(N) < 0.6, 0, rounded({1: 1.0}))  # a zero that many rows hold is a multiple of all
    assert resolutions(held, 1) == ()


def test_a_few_numbers_off_a_coarse_grid_leave_it_its_weight() -> None:
    values = (10 * RNG.normal(size=400)).round(1)
    assert column_of(values).resolutions == ()
    values[7] += 0.01
    made = column_of(values)
    assert made.per_unit == 100
    assert dict(made.resolutions)[10] > 0.99


def test_one_number_off_every_grid_is_a_stray_and_not_the_end_of_the_grid() -> None:
    values = (10 * RNG.normal(size=400)).round(1)
    values[7] = 1 / 3
    made = column_of(values)
    assert (made.kind, made.per_unit) == ("grid", 10)
    assert made.reason.startswith("recorded to 1 decimals, 1 of 400 numbers aside")
    values[:4] = 1 / np.arange(3, 7)
    assert column_of(values).per_unit is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_that_their_type_tells_apart_barely_are_on_no_grid(dtype: str) -> None:
    large = 5e3 if dtype == "float32" else 5e12
    values = RNG.normal(large, large / 16, 1000).astype(dtype)
    assert column_of(values).per_unit is None


def test_rain_of_which_most_is_none_stays_real() -> None:
    values = np.zeros(1000)
    values[:5] = RNG.gamma(2.0, size=5)
    assert column_of(values).per_unit is None


def test_resolutions_stay_where_other_rows_bear_them_out() -> None:
    made = schema_of(a=rounded({1: 0.3, 10: 0.7}))
    assert confirmed(made, Rows(pd.DataFrame({"a": rounded({1: 0.3, 10: 0.7}, 200)}))) == made
    other = confirmed(made, Rows(pd.DataFrame({"a": rounded({1: 1.0}, 200)}))).columns[0]
    assert (other.resolutions, other.reason) == ((), "integers")


def test_numbers_that_many_rows_hold_are_atoms_of_a_real_column() -> None:
    made = column_of(np.where(RNG.random(N) < 0.3, 0.0, np.where(RNG.random(N) < 0.1, 2.5, RNG.normal(size=N))))
    assert made.atoms == (0.0, 2.5)
    assert made.measure == "mixed"
    assert "mass of its own at 0 (" in made.reason
    few = RNG.normal(size=N)
    few[:15] = 1.25  # fewer than one in a hundred
    assert column_of(few).atoms == ()


def test_copies_of_whole_rows_make_no_atoms() -> None:
    frame = pd.DataFrame({"a": RNG.normal(size=60), "b": RNG.normal(size=60)})
    often = pd.concat([frame] * 20, ignore_index=True)
    assert [column.atoms for column in infer_schema(Rows(often), "table").columns] == [(), ()]
    assert infer_schema(Rows(often[["a"]]), "table").columns[0].atoms == ()
    once = pd.concat([frame, frame.iloc[[3] * 40]], ignore_index=True)  # one row alone is copied
    assert infer_schema(Rows(once), "table").columns[0].atoms == ()
    often["a"] = np.where(np.arange(len(often)) % 60 < 20, 0.0, often.a)
    assert infer_schema(Rows(often), "table").columns[0].atoms == (0.0,)


def test_an_atom_beside_a_code_of_two_values_is_found() -> None:
    amount = np.where(RNG.random(N) < 0.7, 0.0, np.exp(2 * RNG.normal(size=N)))
    made = column_of(amount, kind=RNG.choice(["card", "cash"], N))
    assert (made.kind, made.atoms) == ("positive", (0.0,))


def test_atoms_met_in_single_precision_are_atoms() -> None:
    schema = schema_of(a=np.where(RNG.random(N) < 0.3, 0.1, RNG.normal(size=N)))
    given = pd.DataFrame({"a": np.array([0.1, 0.2], np.float32)})
    assert encode(schema, given).stored().values[:, 0].tolist() == [0.1, np.float64(np.float32(0.2))]


def test_few_numbers_are_listed_and_others_stay_what_they_are() -> None:
    froude = RNG.choice(np.arange(0.125, 0.45, 0.025).round(3), 300)
    schema = schema_of(a=froude)
    column = schema.columns[0]
    assert (column.kind, len(column.categories)) == ("listed", len(np.unique(froude)))
    assert column.reserve == pytest.approx(1 / 301)
    given = pd.DataFrame({"a": [np.float32(0.125), 0.15, 0.13, -7]})
    values = encode(schema, given).stored().values[:, 0].tolist()
    assert values[:2] == [0.125, 0.15]
    assert values[2] == values[3] > column.categories[-1]  # one event
    assert column_of(RNG.integers(0, 33, 400)).kind == "levels"  # 33 numbers
    assert column_of(np.arange(120) % 30).kind == "levels"  # four rows each


def test_a_table_of_numbers_never_listed_is_told_once() -> None:
    schema = schema_of(a=np.arange(100) % 5)
    with pytest.warns(UserWarning, match="none of the values was seen"):
        encode(schema, pd.DataFrame({"a": [7, 8]}))
