"""What `impute` may not change: observed cells, whatever the types of the fit and of the rows given."""

from __future__ import annotations

import decimal
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import likely
from likely.data import Column
from likely.data.filling import fill_cells

ROWS = 60
BIG = decimal.Decimal("12345678901234567.01")
AMOUNT = pd.ArrowDtype(pa.decimal128(10, 2))
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*effective draws"),
    pytest.mark.filterwarnings("ignore:cells are missing"),
    pytest.mark.filterwarnings("ignore:.*off the recorded grid"),
]


@pytest.fixture(scope="module")
def run() -> likely.Run:
    draw = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "age": draw.integers(18, 90, ROWS).astype("int8"),
            "zip": draw.choice(["01234", "90210"], ROWS),
            "day": pd.date_range("2024-01-01", periods=ROWS, tz="Europe/Berlin"),
            "x": draw.normal(size=ROWS).round(2),
        }
    )
    return likely.fit(rows, steps=2)


def filled(run: likely.Run, **columns: Any) -> pd.DataFrame:
    rows = {"age": [20, 30, 40], "zip": ["01234"] * 3, "x": [0.1, 0.2, 0.3]}
    rows["day"] = pd.date_range("2024-02-01", periods=3, tz="Europe/Berlin")
    made = run.impute(pd.DataFrame(rows | columns), samples=5)
    assert isinstance(made, pd.DataFrame)
    assert not made.isna().any(axis=None)
    return made


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (pd.Series([230.0, np.nan, 45]), "float64"),
        (pd.Series([33.5, np.nan, 45]), "float64"),
        (pd.Series([120.0, np.nan, 45]), "int8"),
        (pd.Series([-0.0, np.nan, 45]), "float64"),
        (pd.Series([1e15, np.nan, 45]), "float64"),
        (pd.Series([230, None, 45], dtype="Int64"), "Int64"),
        (pd.Series([100, None, 45], dtype="Int8"), "Int8"),
        (pd.Series([230, None, 45], dtype="int32[pyarrow]"), "int32[pyarrow]"),
        (pd.Series([33.5, None, 45], dtype="Float32"), "Float32"),
        (pd.Series([decimal.Decimal("33.25"), None, decimal.Decimal("45.00")], dtype=AMOUNT), AMOUNT),
        (pd.Series(pd.arrays.SparseArray([33.5, np.nan, 45])), pd.SparseDtype("float64", np.nan)),
        (pd.Series([decimal.Decimal("33.30"), None, decimal.Decimal("45")], dtype=object), "object"),
        (pd.Series(["33", None, "45"], dtype=object), "object"),
        (pd.Series([np.nan] * 3), "int8"),
        (pd.Series([None] * 3, dtype=object), "int8"),
        (pd.Series([None] * 3, dtype="Int64"), "Int64"),
    ],
)
def test_numbers_that_are_observed_stay(run: likely.Run, given: pd.Series, dtype: Any) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = filled(run, age=given)["age"]
    assert not [line for line in told if "cannot hold" in str(line.message)]
    assert made.dtype == dtype
    kept = given.notna()
    assert made[kept].tolist() == given[kept].tolist()
    assert [type(v) for v in made[kept]] == [type(v) for v in given[kept].astype(made.dtype)]
    assert np.signbit(np.float64(made[0])) == np.signbit(np.float64(given.fillna(0).iloc[0]))
    assert 18 <= float(made.iloc[1]) <= 90


def test_a_column_without_values_takes_the_type_of_the_fit(run: likely.Run) -> None:
    made = filled(run, zip=[np.nan] * 3, day=[None] * 3)
    assert set(made["zip"]) <= {"01234", "90210"}
    assert made["day"].dtype == "datetime64[us, Europe/Berlin]"
    assert made["day"].between("2024-01-01", "2024-03-01").all()


@pytest.mark.filterwarnings("ignore:.*the run has strings there")
def test_codes_given_as_numbers_become_objects_and_that_is_told(run: likely.Run) -> None:
    given = pd.array([90210, None, 10001], dtype="Int64")
    with pytest.warns(UserWarning, match="column 'zip': Int64 cannot hold what is put into missing cells"):
        made = filled(run, zip=given)["zip"].tolist()
    assert (made[0], made[2]) == (90210, 10001)
    assert made[1] in ("01234", "90210")


def test_decimals_beyond_float64_stay() -> None:
    rows = pd.DataFrame({"d": [BIG, BIG + 1] * 30, "x": np.random.default_rng(0).normal(size=ROWS)})
    exact = likely.fit(rows, column={"d": "ignore"}, steps=2)
    incomplete = rows.assign(x=rows["x"].where(rows.index > 0))
    assert exact.impute(incomplete, samples=5)["d"].tolist() == rows["d"].tolist()
    said = "column 'd': 30 of 60 values, such as 12345678901234567.01, have more digits"
    told = rows.assign(d=[BIG, decimal.Decimal("1.5")] * 30)
    rounding = likely.fit(told, steps=2)
    assert said in " ".join(rounding.notices)
    with pytest.warns(UserWarning, match=said):
        rounding.score(told, samples=3)
    other = likely.fit(rows.assign(d=np.arange(ROWS) % 7), steps=2)
    mixed = pd.DataFrame({"d": [decimal.Decimal("1.00"), None], "x": [1.0, np.nan]})
    made = other.impute(mixed, samples=5)["d"].tolist()
    assert str(made[0]) == "1.00"
    assert isinstance(made[1], decimal.Decimal)


@pytest.mark.parametrize(
    ("given", "new", "dtype"),
    [
        (pd.Series([1, None], dtype="Int8"), pd.Series([300]), "Int64"),
        (pd.Series([1, None], dtype="Int8"), pd.Series([2.5]), "Float64"),
        (pd.Series([2**60 + 1, None], dtype="Int64"), pd.Series([2.5]), "object"),
        (pd.Series([1, None], dtype="int8[pyarrow]"), pd.Series([300]), "int64[pyarrow]"),
        (pd.Series([1, np.nan], dtype="float16"), pd.Series([70000.0]), "float64"),
        (
            pd.Series(pd.to_datetime(["2024-01-01", None])).astype("datetime64[s]"),
            pd.Series(pd.to_datetime(["2024-01-01 00:00:00.5"])).astype("datetime64[ms]"),
            "datetime64[ms]",
        ),
    ],
)
def test_a_type_that_cannot_hold_a_new_value_widens(given: pd.Series, new: pd.Series, dtype: str) -> None:
    made, told = fill_cells(Column("v", "x", "real", ""), given, new, np.array([False, True]))
    assert made.dtype == dtype
    assert made.tolist() == [given[0], new[0]]
    assert told == f"column 'v': {given.dtype} cannot hold what is put into missing cells; it became {made.dtype}"


def test_other_types_hold_what_is_put_into_them() -> None:
    column, hole = Column("v", "x", "categorical", ""), np.array([False, True, True])
    new = pd.Series(["b", "a"])
    for dtype in ("str", "object", "string[pyarrow]", pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))):
        given = pd.Series(["a", None, None]).astype(dtype)
        made, told = fill_cells(column, given, new, hole)
        assert (made.tolist(), made.dtype, told) == (["a", "b", "a"], given.dtype, None)
    made, told = fill_cells(column, pd.Series(["a", None, None], dtype="category"), new, hole)
    assert made.cat.categories.tolist() == ["a", "b"]
    assert told == "column 'v': ['b'] became categories of it"
    made, told = fill_cells(column, pd.Series([True, None, None], dtype="boolean"), pd.Series([True, False]), hole)
    assert (made.tolist(), made.dtype, told) == ([True, True, False], "boolean", None)


def test_names_of_columns_keep_their_types() -> None:
    draw = np.random.default_rng(1)
    rows = pd.DataFrame(draw.normal(size=(ROWS, 3)).round(2))
    incomplete = rows.mask(draw.random(rows.shape) < 0.2)
    run = likely.fit(incomplete, steps=2)
    made, deviation = run.impute(incomplete, samples=5, deviation=True)
    assert made.columns.tolist() == deviation.columns.tolist() == [0, 1, 2]
    assert not incomplete.fillna(made).isna().any(axis=None)
    pd.testing.assert_frame_equal(made.where(incomplete.notna()), incomplete, check_exact=True)
