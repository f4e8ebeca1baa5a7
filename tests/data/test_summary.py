"""A summary counts what a column holds: every present cell once, missing ones apart."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from likely.data import Column
from likely.data.summary import summarise


def test_numbers_are_binned_and_all_of_them_counted(rng: np.random.Generator) -> None:
    values = pd.Series(np.where(rng.random(500) < 0.1, np.nan, rng.integers(0, 300, 500)))
    found = summarise(Column("x", "float64", "grid", "integers"), values)
    assert found.present + found.missing == 500
    assert sum(found.counts) == found.present == values.notna().sum()
    assert (found.low, found.high) == (values.min(), values.max())
    assert found.span == (f"{values.min():.0f}", f"{values.max():.0f}")


def test_a_value_that_occurs_often_is_told() -> None:
    found = summarise(Column("x", "float64", "grid", "integers"), pd.Series([0.0] * 9 + [7.0, np.nan]))
    assert found.often(0.3) == "0 in 90%"
    assert found.often(0.95) == ""
    assert found.top == ((0.0, 9), (7.0, 1))


def test_codes_are_counted_by_their_categories_and_strangers_are_holes() -> None:
    column = Column("x", "int64", "categorical", "as requested", categories=(1, 2))
    found = summarise(column, pd.Series([1, 1, 2, 3]))
    assert (found.top, found.missing, found.counts, found.span) == (((1, 2), (2, 1)), 1, (), None)
    assert found.often(0.1) == ""


@pytest.mark.parametrize("written", [False, True])
def test_dates_are_told_as_dates(written: bool) -> None:
    dates = pd.Series(pd.date_range("2020-01-05", periods=90))
    values = dates.dt.strftime("%Y-%m-%d") if written else dates
    values = values.mask(dates.dt.day == 7)
    found = summarise(Column("x", str(values.dtype), "date", "dates"), values)
    assert found.span == ("2020-01-05", "2020-04-03")
    assert sum(found.counts) == 87
    told = found.to_dict()
    assert (told["low"], told["high"]) == ("2020-01-05", "2020-04-03")
    assert told["histogram"]["edges"][0] == "2020-01-05"
    json.dumps(told)


def test_moments_within_a_day_keep_their_time() -> None:
    values = pd.Series(pd.to_datetime(["2020-01-05 10:00", "2020-01-05 10:30"]).tz_localize("Europe/Zurich"))
    assert summarise(Column("x", str(values.dtype), "date", "dates"), values).span == (
        "2020-01-05T10:00:00",
        "2020-01-05T10:30:00",
    )


def test_what_never_occurs_twice_has_no_picture() -> None:
    found = summarise(Column("x", "str", "identifier", "all different"), pd.Series(["a", "b", None]))
    assert (found.distinct, found.missing, found.top, found.counts) == (2, 1, (), ())


@pytest.mark.parametrize("values", [[None, None], [np.nan, np.nan], []])
def test_a_column_without_values_has_no_picture(values: list[object]) -> None:
    found = summarise(Column("x", "object", "ignore", "as requested"), pd.Series(values, dtype="object"))
    assert (found.present, found.distinct, found.span) == (0, 0, None)
    json.dumps(found.to_dict())
