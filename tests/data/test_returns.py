from __future__ import annotations

import decimal
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import likely
from likely.cli import main
from likely.data import Rows, demand_returns, infer_schema
from likely.data.dtypes import dtype_of, name_of, restored
from likely.data.sources.plain import plain, rounded
from likely.errors import DataError

N = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=N).round(2)
WORDS = RNG.choice(["a", "b", "c"], N)

FRAME = pd.DataFrame(
    {
        "sparse integers": pd.arrays.SparseArray(RNG.poisson(0.2, N)),
        "sparse numbers": pd.arrays.SparseArray(np.where(RNG.random(N) < 0.8, 0, X), fill_value=0.0),
        "sparse and missing": pd.arrays.SparseArray(np.where(RNG.random(N) < 0.5, np.nan, X)),
        "sparse truths": pd.arrays.SparseArray(X > 0),
        "big-endian": X.astype(">f8"),
        "big-endian integers": np.arange(N).astype(">i4"),
        "long double": X.astype("longdouble"),
        "arrow decimals": pd.Series(
            [decimal.Decimal(f"{x:.2f}") for x in X[1:]] + [None], dtype=pd.ArrowDtype(pa.decimal128(10, 2))
        ),
        "arrow dictionary": pd.Series(WORDS).astype(pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
        "durations": pd.to_timedelta(RNG.integers(0, 5000, N), unit="m"),
        "arrow durations": pd.Series(pd.to_timedelta(RNG.integers(0, 9, N), unit="h")).astype(
            pd.ArrowDtype(pa.duration("ms"))
        ),
        "arrow days": pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 90, N), unit="D")).astype(
            pd.ArrowDtype(pa.date32())
        ),
        "arrow times": pd.Series(pd.date_range("2024-03-30", periods=N, freq="h", tz="Europe/Berlin")).astype(
            pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin"))
        ),
        "decimals": pd.Series([decimal.Decimal(f"{x:.2f}") for x in X], dtype=object),
        "texts": pd.Series(WORDS).astype("string[python]"),
    }
)


def test_what_comes_in_another_way_is_fitted_and_given_back_in_its_type(tmp_path: Any) -> None:
    fitted = likely.fit(FRAME, steps=3, width=8, out=tmp_path / "run")
    assert fitted.split("test").dtypes.tolist() == FRAME.dtypes.tolist()
    run = likely.load(tmp_path / "run")
    drawn = run.sample(4)
    assert drawn.dtypes.tolist() == FRAME.dtypes.tolist()
    assert run.reconstruct(FRAME.head(3)).dtypes.tolist() == FRAME.dtypes.tolist()
    assert isinstance(drawn["decimals"][0], decimal.Decimal)
    assert drawn["decimals"][0].as_tuple().exponent == -2
    assert set(drawn["arrow days"]) <= {day.date() for day in pd.date_range("2024-01-01", "2024-04-01")}
    assert (drawn["durations"].dt.total_seconds() % 60 == 0).all()
    assert drawn["durations"].between(FRAME["durations"].min(), FRAME["durations"].max()).all()
    for rows in (FRAME, drawn):
        assert np.isfinite(run.score(rows, samples=3)["log_px"]).all()
    few = FRAME.tail(4)
    filled = run.impute(few, samples=5)
    assert filled.dtypes.tolist() == FRAME.dtypes.tolist()
    assert not filled.isna().any().any()
    for name in FRAME:
        seen = few[name].notna().to_numpy()
        assert few[name][seen].tolist() == filled[name][seen].tolist(), name
    late = run.sample(5, given=["durations>=2 days"])
    assert (late["durations"] >= pd.Timedelta("2D")).all()
    incomplete = FRAME.assign(**{name: FRAME[name].where(FRAME.index % 3 > 0) for name in list(FRAME)[6:]})
    with pytest.warns(UserWarning, match="cells are missing in long double"):
        again = run.impute(incomplete.head(4), samples=5)
    assert again.dtypes.tolist() == FRAME.dtypes.tolist()
    assert again.notna().all(axis=None)
    for name in list(FRAME)[6:]:
        assert again[name][again.index % 3 > 0].tolist() == FRAME.head(4)[name][again.index % 3 > 0].tolist(), name


@pytest.mark.parametrize(
    "dtype",
    [
        *("Sparse[int64, 0]", "Sparse[float64, nan]", "Sparse[float64, 1.5]", "Sparse[bool, False]", ">f8", "float128"),
        *("decimal128(10, 2)[pyarrow]", "dictionary<values=large_string, indices=uint32, ordered=1>[pyarrow]"),
        *("timestamp[us][pyarrow]", "timestamp[ns, tz=Europe/Berlin][pyarrow]", "duration[ms][pyarrow]"),
        *("date32[day][pyarrow]", "string_view[pyarrow]", "string[python]", "datetime64[ns, UTC]", "timedelta64[s]"),
    ],
)
def test_a_type_is_known_by_its_name(dtype: str) -> None:
    assert name_of(dtype_of(dtype)) == dtype


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_are_seconds_and_back(unit: str) -> None:
    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    given = pd.Series(np.array([0, 1, -1, 7 * per + 1, -86_400 * per]), dtype=f"timedelta64[{unit}]")
    given[5] = pd.NaT
    seconds = plain(given)
    assert seconds.tolist()[:5] == [0, 1 / per, -1 / per, 7 + 1 / per, -86_400]
    assert np.isnan(seconds[5])
    pd.testing.assert_series_equal(restored(seconds, str(given.dtype)), given)
    beyond = restored(pd.Series([1e300]), str(given.dtype))
    assert beyond[0].total_seconds() > 1e9


def test_durations_go_through_a_csv_and_conditions(tmp_path: Any) -> None:
    rows = pd.DataFrame({"late": pd.to_timedelta(RNG.integers(0, 5000, N), unit="m"), "x": X})
    run = likely.fit(rows, steps=3, width=8)
    rows.to_csv(tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(
        run.score(str(tmp_path / "t.csv"), samples=3), run.score(rows, samples=3), check_exact=True
    )
    pd.testing.assert_frame_equal(
        run.score(rows.astype({"late": object}), samples=3), run.score(rows, samples=3), check_exact=True
    )
    with pytest.raises(DataError, match=r"'late' holds durations.*total_seconds"):
        likely.fit(rows.assign(late=X), steps=3, width=8).score(rows)
    given = likely.fit(rows, steps=3, width=8, condition="late")
    assert given.sample(2, given={"late": pd.Timedelta("1D")})["late"].tolist() == [pd.Timedelta("1D")] * 2
    assert given.sample(1, given=["late=2h 30min"])["late"].tolist() == [pd.Timedelta(hours=2.5)]
    law = likely.fit(rows, steps=3, width=8, limits={"late": "0:5 days"})
    assert next(column.limits for column in law.schema.columns if column.name == "late") == (0, 432_000)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pd.Series([decimal.Decimal("12345678901234567.01"), decimal.Decimal("1.10")]), "1 of 2 values, such as 12345"),
        (pd.Series([decimal.Decimal("0.10"), None]), None),
        (pd.Series([decimal.Decimal(2**53 + 1)], dtype=pd.ArrowDtype(pa.decimal128(20, 0))), "1 of 1 values"),
        (pd.Series(np.array([1, 0.5], np.longdouble) / 3), "2 of 2 values"),
        (pd.Series(np.array([0.5], np.longdouble)), None),
        (pd.Series(np.array([2**60 + 1, 10**9], "m8[ns]")), "1 of 2 values"),
    ],
)
def test_values_that_the_model_rounds_are_told(values: pd.Series, told: str | None) -> None:
    frame = pd.DataFrame({"d": values})
    assert rounded(frame, ["x"]) == ()
    lines = rounded(frame, ["d"])
    assert (lines == ()) if told is None else (told in lines[0] and lines[0].startswith("column 'd': "))


def test_a_dictionary_of_numbers_is_numbers() -> None:
    numbers = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, 0] * 15, pa.int32()), pa.array([300, 7], pa.int64()))
    frame = pd.DataFrame({"n": pd.Series(pd.arrays.ArrowExtensionArray(numbers)), "x": X})
    run = likely.fit(frame, steps=3, width=8)
    assert set(run.sample(20)["n"]) <= {7, 300}


def test_a_type_that_cannot_be_given_back_is_refused_before_anything_is_learned() -> None:
    frame = pd.DataFrame({"v": X, "x": X})
    schema = infer_schema(Rows(frame), "table")
    demand_returns(schema, Rows(frame))
    odd = replace(schema, columns=(replace(schema.columns[0], dtype="vague[12]"), schema.columns[1]))
    with pytest.raises(DataError, match=r"'v' is of type vague\[12\].*astype\('float64'\).*--column v=ignore"):
        demand_returns(odd, Rows(frame))
    given = replace(odd, columns=(replace(odd.columns[0], condition=True), odd.columns[1]))
    with pytest.raises(DataError, match="'v' is of type"):
        demand_returns(given, Rows(frame))


def test_fit_and_inspect_ask_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: Any) -> None:
    from likely.run import describing

    def refuse(*_: object) -> None:
        raise DataError("column 'v' is of type vague")

    FRAME[["long double"]].astype(float).to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.setattr(describing, "demand_returns", refuse)
    for words in (["fit", "-o", str(tmp_path / "run")], ["inspect"]):
        assert main([words[0], str(tmp_path / "t.csv"), *words[1:]]) == 2
        assert capsys.readouterr().err == "likely: column 'v' is of type vague\n"
    assert not (tmp_path / "run").exists()
