from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from likely.data import Column, Rows, Schema, SchemaOptions, decode, encode, infer_schema, span
from likely.errors import ConfigError, DataError

N = 400
RNG = np.random.default_rng(0)
WORDS = np.array(["the", "cat", "sat", "on", "a", "mat", "and", "saw"])
STAMPS = pd.Series(pd.date_range("2020-02-27", periods=N, freq="36h"))

KINDS: dict[str, tuple[Any, str, str]] = {
    "wide integers": (RNG.integers(0, 5000, N), "count", "more than 256 levels"),
    "trailing off": (RNG.geometric(0.08, N) - 1, "count", "that trail off: half of them"),
    "bounded": (RNG.integers(1, 100, N), "levels", "integers from 1 to 99"),
    "a code for unknown": (np.where(RNG.random(N) < 0.1, 99, RNG.integers(0, 6, N)), "listed", "7 different numbers"),
    "far from zero": (RNG.integers(5000, 6000, N), "grid", "integers"),
    "negative": (RNG.integers(-5000, 6000, N), "grid", "integers"),
    "unique but measured": (RNG.permutation(10**6)[:N], "count", "more than 256 levels"),
    "log-normal": (np.exp(2 * RNG.normal(size=N)), "positive", "real numbers on no grid above 0"),
    "log-normal cents": (np.round(np.exp(2 * RNG.normal(size=N)) + 0.01, 2), "positive", "recorded to 2 decimals"),
    "uniform": (RNG.random(N), "real", "real numbers"),
    "normal": (RNG.normal(size=N), "real", "real numbers"),
    "with zeros": (np.where(np.arange(N) % 2, 0.0, np.exp(2 * RNG.normal(size=N))), "positive", "its own at 0 (50.0%)"),
    "row numbers": (np.arange(N) + 1, "identifier", "row numbers"),
    "row numbers, some held out": (np.delete(np.arange(N), RNG.permutation(N)[: N // 5]), "identifier", "row numbers"),
    "customer_id": (RNG.permutation(10**6)[:N], "identifier", "named like an identifier"),
    "userId": (pd.array(RNG.permutation(10**6)[:N], dtype="Int64"), "identifier", "named like an identifier"),
    "valid": (RNG.permutation(10**6)[:N], "count", "levels"),
    "years": (np.arange(1600, 1600 + N), "grid", "integers"),
    "codes": ([f"a{i}" for i in range(N)], "identifier", "400 different strings in 400 rows: an identifier"),
    "sentences": ([" ".join(RNG.choice(WORDS, 9)) for _ in range(N)], "text", "9 words on average"),
    "many towns": ([f"town {i // 3}" for i in range(N)], "categorical", "134 different strings"),
    "ordered": (pd.Categorical(["low", "high"] * (N // 2), ["low", "high", "top"], ordered=True), "ordered", "order"),
    "categories": (pd.Categorical(["b"] * N, ["b", "a"]), "categorical", "2 different categories"),
    "small categories": (pd.Series(RNG.integers(0, 5, N), dtype="int8").astype("category"), "categorical", "5 diff"),
    "one category": (pd.Categorical(["b"] * N), "constant", "1 different"),
    "constant": ([7] * N, "constant", "always 7"),
    "days": (STAMPS.dt.normalize(), "date", "dates to the day"),
    "one day": (STAMPS.dt.normalize().map(lambda _: STAMPS[0]), "constant", "always '2020-02-27T00:00:00'"),
    "hours": (STAMPS, "date", "dates to the hour"),
    "zone": (STAMPS.dt.tz_localize("Europe/Berlin"), "date", "dates to the hour"),
    "offset": (STAMPS.dt.tz_localize("UTC+01:00").dt.as_unit("ms"), "date", "dates to the hour"),
    "seconds": (STAMPS.dt.as_unit("s") + pd.Timedelta("1s") * np.arange(N), "date", "dates to the second"),
    "nanoseconds": (pd.Series(np.arange(N), dtype="M8[ns]"), "date", "dates to the nanosecond"),
    "python dates": (STAMPS.dt.date, "date", "dates to the day"),
    "arrow dates": (STAMPS.astype("date32[day][pyarrow]"), "date", "dates to the day"),
    "arrow stamps": (
        STAMPS.dt.tz_localize("UTC").astype(pd.ArrowDtype(pa.timestamp("us", "America/New_York"))),
        "date",
        "dates to the hour",
    ),
    "iso": (STAMPS.dt.strftime("%Y-%m-%d"), "date", "written %Y-%m-%d"),
    "iso with time": (STAMPS.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), "date", "to the hour, written %Y-%m-%dT%H:%M:%SZ"),
    "milliseconds": ([f"2020-01-01 00:00:00.{i:03d}" for i in range(N)], "date", "millisecond, written"),
    "german": (STAMPS.dt.strftime("%d.%m.%Y"), "date", "written %d.%m.%Y"),
    "american": (STAMPS.dt.strftime("%m/%d/%Y"), "date", "written %m/%d/%Y"),
    "american or not": (pd.Series(["01/02/2020", "02/01/2020"] * (N // 2)), "categorical", "2 different"),
    "arrow strings": (pd.Series(["x", "y"] * (N // 2)).astype(pd.ArrowDtype(pa.string())), "categorical", "2 diff"),
    "arrow integers": (pd.Series([3, 9, 4, 5] * (N // 4)).astype("int16[pyarrow]"), "listed", "4 different numbers"),
    "arrow truths": (pd.Series([True, False] * (N // 2)).astype("bool[pyarrow]"), "binary", "only 0 and 1"),
    "arrow floats": (pd.Series(RNG.normal(size=N)).astype("float[pyarrow]"), "real", "real numbers"),
}  # fmt: skip


def one(values: Any, name: str = "a", wanted: str | None = None) -> tuple[Column, Schema, pd.DataFrame]:
    frame = pd.DataFrame({name: values}).reset_index(drop=True).assign(other=RNG.normal(size=len(values)))
    schema = infer_schema(Rows(frame), "table", SchemaOptions(kinds={name: wanted} if wanted else {}))
    return schema.columns[0], schema, frame


def comes_back(schema: Schema, frame: pd.DataFrame) -> None:
    kept = frame[[column.name for column in schema.modelled]]
    pd.testing.assert_frame_equal(decode(schema, encode(schema, frame).stored().values), kept, check_exact=True)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_found_with_its_reason_and_comes_back(name: str) -> None:
    values, kind, reason = KINDS[name]
    column, schema, frame = one(values, name)
    assert (column.kind, column.dtype) == (kind, str(frame[name].dtype))
    assert reason in column.reason
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict(), allow_nan=False))) == schema
    comes_back(schema, frame)


MODELLED = [name for name, (_, kind, _) in KINDS.items() if kind not in ("identifier", "text")]
STRINGS = [name for name in MODELLED if pd.api.types.is_string_dtype(pd.Series(KINDS[name][0]).dtype)]


@pytest.mark.parametrize(("name", "hole"), [*((name, None) for name in MODELLED), *((name, " ?") for name in STRINGS)])
def test_every_kind_keeps_its_type_beside_holes(name: str, hole: str | None) -> None:
    values = pd.Series(KINDS[name][0]).reset_index(drop=True)
    where = np.arange(N) % 7 == 3
    kept = values.astype({"int64": "Int64"}.get(str(values.dtype), values.dtype)).mask(where)
    given = kept.astype(object).where(~where, hole).astype(values.dtype) if hole is not None else kept
    column, schema, frame = one(given, name)
    assert (column.missing, column.token) == (where.sum(), hole)
    rows = encode(schema, frame)
    assert rows.observed is not None
    assert rows.observed[:, 0].tolist() == (~where).tolist()
    again = decode(schema, rows.stored().values, None, rows.observed)
    assert isinstance(again, pd.DataFrame)
    pd.testing.assert_series_equal(again[name], kept.rename(name), check_exact=True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wide integers", "grid"),
        ("wide integers", "levels"),
        ("wide integers", "real"),
        ("wide integers", "categorical"),
        ("bounded", "count"),
        ("bounded", "positive"),
        ("bounded", "ordered"),
        ("bounded", "identifier"),
        ("log-normal", "real"),
        ("log-normal cents", "grid"),
        ("row numbers", "levels"),
        ("row numbers", "grid"),
        ("codes", "categorical"),
        ("codes", "text"),
        ("sentences", "ignore"),
        ("ordered", "categorical"),
        ("categories", "ordered"),
        ("small categories", "levels"),
        ("constant", "constant"),
        ("one day", "constant"),
        ("days", "categorical"),
        ("zone", "categorical"),
        ("python dates", "categorical"),
        ("arrow dates", "categorical"),
        ("iso", "date"),
        ("iso", "categorical"),
        ("hours", "identifier"),
    ],
)
def test_every_choice_can_be_overridden(name: str, told: str) -> None:
    column, schema, frame = one(KINDS[name][0], name, told)
    assert (column.kind, column.reason) == (told, "as requested")
    if name not in ("ordered", "categories"):
        comes_back(schema, frame)


@pytest.mark.parametrize(
    ("name", "told", "message"),
    [
        ("negative", "count", "cannot be count: its values do not fit .integers"),
        ("normal", "positive", "cannot be positive"),
        ("normal", "date", "cannot be date"),
        ("days", "real", "cannot be real: its values do not fit .dates to the day"),
        ("american or not", "date", "cannot be date"),
        ("bounded", "constant", "cannot be constant"),
        ("codes", "ordered", "strings do not say how"),
    ],
)
def test_a_kind_that_does_not_fit_is_refused(name: str, told: str, message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        one(KINDS[name][0], name, told)


def test_small_tables_and_arrays_have_no_identifiers() -> None:
    assert one(np.arange(50), "id")[0].kind == "levels"
    matrix = np.stack([np.arange(N), RNG.normal(size=N)], 1)
    assert infer_schema(Rows(matrix), "array").columns[0].kind == "count"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.period_range("2024-01", periods=N, freq="M"), r"type Period.*frame\['a'\]\.dt\.to_timestamp\(\)"),
        (pd.cut(RNG.random(N), 3), "type Interval"),
        (np.array([2**53 + 1, 0] * (N // 2)), "too large"),
        (pd.Series([datetime.datetime(2020, 1, 1), datetime.date(2020, 1, 2)] * (N // 2)), "type date"),
    ],
)
def test_what_no_kind_holds_is_refused(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        one(values)


def test_new_dates_are_read_in_any_form_and_ranges_are_dates() -> None:
    column, schema, _ = one(KINDS["german"][0])
    assert span(column) == "27.02.2020 to 17.10.2021"
    assert span(one(KINDS["days"][0])[0]) == "2020-02-27 to 2021-10-17"
    assert span(one(KINDS["zone"][0])[0]) == "2020-02-27T00:00:00+01:00 to 2021-10-17T12:00:00+02:00"
    new = pd.DataFrame({"a": ["28.02.2020", "01.03.1999", "?"], "other": 0.0})
    rows = encode(schema, new)
    assert rows.stored().values[:, 0].tolist() == [1, -7668, round(column.mean)]
    again = decode(schema, rows.stored().values, None, rows.observed)
    assert isinstance(again, pd.DataFrame)
    assert again["a"].tolist()[:2] == ["28.02.2020", "01.03.1999"]
    stamps = new.assign(a=pd.to_datetime(["2020-02-28", "1999-03-01", None]))
    assert encode(schema, stamps).stored().values[:, 0].tolist() == rows.stored().values[:, 0].tolist()
    with pytest.raises(DataError, match=r"column 'a', row 1: '30.02.2020' is no date such as 27.02.2020"):
        encode(schema, new.assign(a=["28.02.2020", "30.02.2020", None]))
    with pytest.warns(UserWarning, match="1 of 2 values are off the recorded grid"):
        encode(schema, new.assign(a=np.array(["2020-02-28", "1999-03-01T12", "NaT"], "M8[s]")))


def test_draws_beyond_the_calendar_are_put_on_its_ends() -> None:
    for name in ("days", "zone", "nanoseconds", "python dates", "arrow dates", "arrow stamps", "iso"):
        _, schema, frame = one(KINDS[name][0], name)
        far = encode(schema, frame.iloc[:2]).stored().values
        far[:, 0] = far.new_tensor([-1e15, 1e15])
        made = decode(schema, far)
        assert isinstance(made, pd.DataFrame)
        assert made[name].notna().all()
        assert made[name].iloc[0] < frame[name].min() <= frame[name].max() < made[name].iloc[1]


def test_zones_are_not_guessed() -> None:
    _, schema, frame = one(KINDS["zone"][0])
    berlin = encode(schema, frame).stored().values
    utc = frame.assign(a=frame["a"].dt.tz_convert("UTC"))
    assert encode(schema, utc).stored().values.tolist() == berlin.tolist()
    with pytest.raises(DataError, match=r"has dates with a zone \(datetime64\[.*Berlin\]\), got such as 2020"):
        encode(schema, frame.assign(a=frame["a"].dt.tz_localize(None)))
    written = frame.assign(a=[stamp.isoformat() for stamp in utc["a"]])
    assert encode(schema, written).stored().values.tolist() == berlin.tolist()
    with pytest.raises(DataError, match="with a zone"):
        encode(schema, frame.assign(a=frame["a"].dt.strftime("%Y-%m-%d")))
    with pytest.raises(DataError, match="several zones"):
        encode(schema, frame.assign(a=["2020-01-01T00:00+01:00", "2020-01-01T00:00+02:00"] * (N // 2)))
