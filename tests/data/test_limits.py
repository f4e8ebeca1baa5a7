"""Limits that are declared: how they are read, what they refuse, and how they are stored."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import likely
from likely.data import Rows, Schema, SchemaOptions, encode, infer_schema, with_limits
from likely.data.events import read_events, split_words
from likely.errors import ConfigError, DataError
from likely.evaluation.baselines.fitted import fit_baselines

N = 200


def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    minutes = pd.to_timedelta(draw.permutation(N) * 7, "m")
    return pd.DataFrame(
        {
            "amount": draw.gamma(2, 50, N).round(2),
            "share": draw.uniform(0.1, 0.9, N),
            "day": pd.Timestamp("2024-03-01") + pd.to_timedelta(draw.permutation(N), "D"),
            "at": (pd.Timestamp("2024-03-01") + minutes).strftime("%Y-%m-%d %H:%M"),
            "town": draw.choice(["Bath", "York"], N),
            "sold": draw.random(N) > 0.5,
            "id": [f"row {i}" for i in range(N)],
        }
    )


def inferred(**options: Any) -> Schema:
    return infer_schema(Rows(table()), "table", SchemaOptions(**options))


def limited(limits: Any, **options: Any) -> Schema:
    return with_limits(inferred(**options), limits, table())


def column(schema: Schema, name: str) -> likely.Column:
    return next(one for one in schema.columns if one.name == name)


READ: dict[str, tuple[str, Any, tuple[float, float]]] = {
    "a pair": ("share", (0, 1), (0.0, 1.0)),
    "an open top": ("share", (0, None), (0.0, math.inf)),
    "an open bottom": ("share", (None, 1), (-math.inf, 1.0)),
    "infinity is open": ("share", (-math.inf, 2.5), (-math.inf, 2.5)),
    "text": ("share", "0:1", (0.0, 1.0)),
    "text, open": ("share", " 0 : ", (0.0, math.inf)),
    "text, below": ("amount", ":1e4", (-math.inf, 10_000.0)),
    "texts": ("share", ("-0.5", "1"), (-0.5, 1.0)),
    "on the grid but for rounding": ("amount", (0.07 - 0.07, 1000.29), (0.0, 1000.29)),
    "inside a cell": ("amount", (-0.004, 1000.004), (0.0, 1000.0)),
    "inside a cell, half": ("amount", (-0.015, 999.995), (-0.01, 999.99)),
    "a date": ("day", ("2024-02-28", None), (-2.0, math.inf)),
    "dates as text": ("day", "2024-03-01:2024-12-31", (0.0, 305.0)),
    "a date of Python": ("day", (datetime.date(2024, 2, 29), pd.Timestamp("2025-01-01")), (-1.0, 306.0)),
    "noon of a day": ("day", ("2024-02-28 12:00", "2025-01-01 12:00"), (-1.0, 306.0)),
    "times of day": ("at", "2024-03-01 00:00:2024-04-01 12:30", (0.0, 45_390.0)),
    "times of day, open": ("at", "2024-02-29 23:53:", (-7.0, math.inf)),
}


@pytest.mark.parametrize("case", READ)
def test_limits_are_read_in_the_columns_units(case: str) -> None:
    name, told, expected = READ[case]
    found = column(limited({name: told}), name)
    low, high = found.limits or (math.nan, math.nan)
    assert (low, high) == pytest.approx(expected, abs=1e-12)
    plain = column(inferred(), name)
    assert (found.low, found.high, found.kind) == (plain.low, plain.high, plain.kind)
    assert found.reason.startswith(f"{plain.reason}; ")
    assert found.reason.endswith("by declaration")


REFUSED: dict[str, tuple[Any, str]] = {
    "no column": ({"amuont": (0, 1)}, "none is called 'amuont'; did you mean 'amount'"),
    "no name": ((0, 1), "limits are of a column, COLUMN=LOW:HIGH"),
    "upside down": ({"amount": (5, 1)}, "lower before higher; got 5:1"),
    "one value": ({"amount": "5:5"}, "two values or more"),
    "one value of the grid": ({"amount": ("0.001", "0.012")}, "two values or more"),
    "no limit": ({"amount": (None, None)}, "give at least one limit"),
    "no limit in the text": ({"amount": ":"}, "give at least one limit"),
    "no pair": ({"amount": 5}, r"a pair \(low, high\)"),
    "no colon": ({"amount": "5"}, "are LOW:HIGH"),
    "no number": ({"amount": "none:5"}, "'none' is none"),
    "nan": ({"amount": (math.nan, 5)}, "nan is none"),
    "a truth": ({"amount": (True, 5)}, "True is none"),
    "no date": ({"day": (3, None)}, "3 is no date such as 2024-03-01"),
    "no date in the text": ({"at": "soon:late"}, "'soon' is no date such as 2024-03-01 00:00"),
    "categories": ({"town": (0, 1)}, "'town' is categorical .*limits are for numbers and dates"),
    "truths": ({"sold": (0, 1)}, "'sold' is binary .*limits are for numbers and dates"),
    "left out": ({"id": (0, 1)}, "'id' is identifier .*limits are for numbers and dates"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_limit_is_refused(case: str) -> None:
    told, said = REFUSED[case]
    with pytest.raises(ConfigError, match=said):
        limited(told)


def test_a_condition_has_no_limits() -> None:
    with pytest.raises(ConfigError, match="'amount' is a condition, given and not modelled"):
        limited({"amount": (0, None)}, conditions=["amount"])


def test_a_training_row_beyond_is_refused_at_fit_by_row_column_and_value() -> None:
    rows = table()
    rows.index = [f"r{i}" for i in range(N)]
    rows.loc["r17", "amount"] = -3.25
    with pytest.raises(DataError, match=r"column 'amount': row r17 holds -3.25, .* limits: at least 0"):
        with_limits(infer_schema(Rows(rows), "table"), {"amount": (0, None)}, rows)
    with pytest.raises(DataError, match=r"column 'day': row \d+ holds 2024-0\d-\d\d, .*from 2024-03-01 to 2024-04-01"):
        likely.inspect(table(), limits={"day": "2024-03-01:2024-04-01"})
    with pytest.raises(DataError, match="limits: at most 100"):
        likely.fit(table(), limits={"amount": (None, 100)}, steps=1)


def test_a_later_row_beyond_is_refused_and_one_in_a_cell_at_the_limit_is_not() -> None:
    schema = limited({"amount": (0, 1000), "share": (0, 1)})
    row = table().head(2)
    for name, value in (("amount", -0.01), ("amount", 1000.01), ("share", -1e-9), ("share", 1.0000001)):
        with pytest.raises(DataError, match=f"column '{name}': row 1 holds {value:.10g}, beyond its"):
            encode(schema, row.assign(**{name: [row[name].iloc[0], value]}))
    assert encode(schema, row.assign(amount=[0.0, 1000.0], share=[0.0, 1.0])).stored().values[:, 0].tolist() == [
        0.0,
        1000.0,
    ]
    with pytest.warns(UserWarning, match="1 of 2 values are off the recorded grid"):
        assert encode(schema, row.assign(amount=[5.0, -0.004])).stored().values[:, 0].tolist() == [5.0, 0.0]
    assert encode(schema, row.assign(amount=[5.0, np.nan])).observed is not None


def test_limits_are_kept_as_strict_json() -> None:
    schema = limited({"amount": (0, None), "share": (None, 1), "day": "2024-02-28:2025-12-31"})
    text = json.dumps(schema.to_dict(), allow_nan=False)
    kept = {one["name"]: one["limits"] for one in json.loads(text)["columns"]}
    assert kept["amount"] == [0.0, None]
    assert kept["share"] == [None, 1.0]
    assert kept["day"] == [-2.0, 670.0]
    assert kept["town"] is None
    assert Schema.from_dict(json.loads(text)) == schema


def test_an_event_may_leave_the_range_and_not_the_limits() -> None:
    rows = table().assign(rooms=np.arange(N) % 40)
    schema = with_limits(infer_schema(Rows(rows), "table"), {"amount": (0, 1000), "rooms": (0, 99)}, rows)
    assert read_events(schema, split_words(schema, ["amount>=20"]))[0].high == 1000
    asked = read_events(schema, split_words(schema, ["rooms>=95"]))[0]
    assert (asked.low, asked.high) == (95, 99)
    with pytest.raises(ConfigError, match=r"amount>=2000 is beyond the limits that were declared"):
        read_events(schema, split_words(schema, ["amount>=2000"]))
    plain = infer_schema(Rows(rows), "table")
    with pytest.raises(ConfigError, match="rooms>=95 is outside what training rows had: 0 to 39"):
        read_events(plain, split_words(plain, ["rooms>=95"]))


@pytest.mark.parametrize("told", ["0:255", (0, 255), {"x": "0:255"}, {"x": (0, 255)}])
def test_levels_of_an_array_become_law(told: Any) -> None:
    x = np.random.default_rng(0).integers(0, 17, (30, 4, 4))
    plain = likely.inspect(x).schema.columns[0]
    found = likely.inspect(x, limits=told).schema.columns[0]
    assert (plain.low, plain.high, plain.hard) == (0.0, 16.0, False)
    assert (found.low, found.high, found.hard, found.reserve, found.kind) == (0.0, 255.0, True, 0.0, "levels")
    assert (found.mean, found.scale, found.per_unit) == (plain.mean, plain.scale, plain.per_unit)
    if told != (0, 255):
        return
    run = likely.fit(x, limits=told, steps=2, latent=2, width=8)
    assert not run.notices
    assert np.isfinite(run.score(x + 239)["log_px"]).all()
    with pytest.raises(DataError, match=r"row 0, cell .0, 0. holds 256, .* levels values 0 to 255"):
        run.score(x * 0 + 256)


def test_what_an_array_cannot_be_limited_to_is_refused() -> None:
    x = np.random.default_rng(0).integers(0, 17, (30, 4, 4))
    for told in ("0:", (None, 16)):
        with pytest.raises(ConfigError, match="both ends of its levels"):
            likely.inspect(x, limits=told)
    with pytest.raises(ConfigError, match="for cells of the kind real"):
        likely.inspect(np.random.default_rng(0).normal(size=(30, 4, 4)), limits=(-9, 9))
    with pytest.raises(ConfigError, match=r"the array is binary .*--column x=levels"):
        likely.inspect(x % 2, limits=(0, 1))
    with pytest.raises(ConfigError, match="none is called 'y'"):
        likely.inspect(x, limits={"y": (0, 255)})
    with pytest.raises(DataError, match=r"holds 1[0-6], .* levels values 0 to 9 that are allowed"):
        likely.inspect(x, limits=(0, 9))
    matrix = np.random.default_rng(0).uniform(size=(60, 3))
    assert likely.inspect(matrix, limits={"x1": (0, 1)}).schema.columns[1].limits == (0.0, 1.0)


@pytest.mark.parametrize(
    ("limits", "kind", "allowed"),
    [((0.02, None), "positive", [0.02]), ((0, None), "grid", [0.02, 0.0]), ((None, 900), "grid", [0.02, 0.0, -1.0])],
)
def test_a_limit_below_a_kinds_own_end_makes_what_is_allowed_possible(limits: Any, kind: str, allowed: Any) -> None:
    drawn = np.random.default_rng(0).normal(size=(N, 2))
    frame = pd.DataFrame({"amount": np.round(np.exp(1.5 * drawn[:, 0]), 2) + 0.02, "other": drawn[:, 1]})
    assert column(infer_schema(Rows(frame), "table"), "amount").kind == "positive"
    run = likely.fit(frame, steps=2, latent=1, width=8, limits={"amount": limits})
    found = column(run.schema, "amount")
    assert found.kind == kind
    assert len(found.knots) > 2
    rows = frame.head(len(allowed)).assign(amount=allowed)
    assert np.isfinite(run.score(rows, samples=5)["log_px"]).all()


@pytest.mark.parametrize("limits", [(0, None), (1, None), (2, 400)])
def test_baselines_keep_to_limits_within_the_kinds_own_range(limits: Any) -> None:
    counts = pd.DataFrame({"visits": 5 + np.random.default_rng(0).negative_binomial(1, 0.02, 300)})
    schema = with_limits(infer_schema(Rows(counts), "table"), {"visits": limits}, counts)
    fitted = fit_baselines(schema, encode(schema, counts), latent=1)
    every = pd.DataFrame({"visits": np.arange(limits[0], (limits[1] or 50_000) + 1)})
    for one in fitted.score(encode(schema, every)):
        assert np.exp(one.nats).sum() == pytest.approx(1, abs=2e-3 if limits[1] is None else 1e-9), one.name
