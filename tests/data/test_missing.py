from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from likely.data import Rows, SchemaOptions, decode, encode, infer_schema
from likely.errors import ConfigError, DataError

N = 120
RNG = np.random.default_rng(0)


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "real": rng.normal(5, 1, N),
            "cents": np.round(rng.normal(0, 9, N), 2),
            "positive": np.exp(3 * rng.normal(size=N)),
            "level": rng.integers(3, 9, N),
            "byte": rng.integers(0, 5, N).astype("uint8"),
            "flag": rng.random(N) < 0.7,
            "town": rng.choice(["Bath", " York"], N),
            "day": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, N), "D"),
        }
    )


def incomplete(share: float) -> tuple[pd.DataFrame, np.ndarray]:
    whole, missing = frame(), np.random.default_rng(2).random((N, 8)) < share
    missing[:2] = False
    types = {"level": "Int64", "byte": "UInt8", "flag": "boolean"}
    return whole.astype(types).mask(pd.DataFrame(missing, columns=whole.columns)), missing


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_schema_knows_the_observed_values_alone(share: float) -> None:
    given, missing = incomplete(share)
    schema = infer_schema(Rows(given), "table")
    assert [column.missing for column in schema.columns] == missing.sum(0).tolist()
    for column in schema.columns:
        observed = given[column.name].dropna()
        if column.coded:
            assert set(column.categories) == set(observed)
        elif column.kind != "date":
            assert (column.low, column.high) == (
                min(observed.min(), 0) if column.hard else observed.min(),
                observed.max(),
            )
            assert column.mean == pytest.approx(observed.mean())
    rows = encode(schema, given)
    assert rows.observed is not None
    np.testing.assert_array_equal(rows.observed.numpy(), ~missing)
    again = decode(schema, rows.stored().values, None, rows.observed)
    assert isinstance(again, pd.DataFrame)
    pd.testing.assert_frame_equal(again, given, check_exact=True)
    whole = decode(schema, rows.stored().values.clamp_min(0))
    assert isinstance(whole, pd.DataFrame)
    assert whole.notna().all(axis=None)


def test_what_stands_in_a_hole_lies_within_the_column() -> None:
    schema = infer_schema(Rows(frame()), "table")
    nothing = frame().astype(object).mask(np.ones((N, 8), dtype=bool))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = encode(schema, nothing)
    assert rows.observed is not None
    assert not rows.observed.any()
    assert torch.isfinite(rows.stored().values).all()
    for column, value in zip(schema.columns, rows.stored().values[0].tolist(), strict=True):
        if column.coded:
            assert value == -1
        elif column.kind == "binary":
            assert value == 0
        else:
            assert column.low is not None
            assert column.high is not None
            assert column.low <= value <= column.high
            assert value == (
                column.mean if column.per_unit is None else round(column.mean * column.per_unit) / column.per_unit
            )
    assert encode(schema, frame()).observed is None


def test_plain_types_become_nullable_where_a_hole_is_written() -> None:
    whole = frame()
    schema = infer_schema(Rows(whole), "table")
    values = encode(schema, whole).stored().values
    observed = torch.ones(values.shape, dtype=torch.bool)
    made = decode(schema, values, None, observed)
    assert isinstance(made, pd.DataFrame)
    pd.testing.assert_frame_equal(made, whole, check_exact=True)
    observed[3] = False
    made = decode(schema, values, None, observed)
    assert isinstance(made, pd.DataFrame)
    assert made.iloc[3].isna().all()
    assert made.drop(index=3).notna().all(axis=None)
    assert made[["level", "byte", "flag"]].dtypes.astype(str).tolist() == ["Int64", "UInt8", "boolean"]
    others = ["real", "cents", "positive", "town", "day"]
    assert made[others].dtypes.tolist() == whole[others].dtypes.tolist()


@pytest.mark.parametrize("word", ["", " ", "?", " ?", "NA", "N/A", " null"])
def test_words_for_nothing_are_missing_cells(word: str) -> None:
    values = pd.Series([" Private", word, " State"] * 9)
    for given in (values, values.astype(object), values.astype("category"), values.astype("string")):
        schema = infer_schema(Rows(pd.DataFrame({"a": given, "b": range(27)})), "table")
        column = schema.columns[0]
        assert column.categories == (" Private", " State")
        assert (column.missing, column.token) == (9, word if word.strip() else None)
        rows = encode(schema, pd.DataFrame({"a": given, "b": range(27)}))
        assert rows.stored().values[:3, 0].tolist() == [0, -1, 1]
        assert rows.observed is not None
        assert rows.observed[:3, 0].tolist() == [True, False, True]


def test_a_value_never_seen_is_observed_all_the_same() -> None:
    schema = infer_schema(Rows(pd.DataFrame({"a": ["x", "y"] * 9})), "table")
    rows = encode(schema, pd.DataFrame({"a": ["z", None, "x"]}))
    assert rows.stored().values.flatten().tolist() == [-1, -1, 0]
    assert rows.observed is not None
    assert rows.observed.flatten().tolist() == [True, False, True]


def test_numbers_as_text_beside_words_for_nothing() -> None:
    texts = [f"{i}.5" for i in range(30)] + ["?"]
    column = infer_schema(Rows(pd.DataFrame({"a": texts})), "table", SchemaOptions(kinds={"a": "grid"})).columns[0]
    assert (column.kind, column.missing, column.high) == ("grid", 1, 29.5)
    with pytest.raises(DataError, match="numeric but for 1 of 31"):
        infer_schema(Rows(pd.DataFrame({"a": [*texts, "many"]})), "table")


def test_columns_without_any_value_are_left_out() -> None:
    given = pd.DataFrame({"a": [None] * 9, "b": range(9), "c": ["?"] * 9, "d": [np.nan] * 9})
    schema = infer_schema(Rows(given), "table")
    assert [column.kind for column in schema.columns] == ["ignore", "levels", "ignore", "ignore"]
    assert {column.reason for column in schema.columns if column.left_out} == {"no training row has a value"}
    assert [column.missing for column in schema.columns] == [9, 0, 9, 9]
    with pytest.raises(ConfigError, match="column 'a' has no values at all, so it cannot be real"):
        infer_schema(Rows(given), "table", SchemaOptions(kinds={"a": "real"}))
    with pytest.raises(DataError, match="no column is left"):
        infer_schema(Rows(given[["a", "c"]]), "table")


@pytest.mark.parametrize(
    "array",
    [
        RNG.normal(size=(N, 3, 2)),
        RNG.normal(size=(N, 3, 2)).astype(np.float32),
        RNG.integers(0, 9, (N, 16)).astype(float),
        (RNG.random((N, 4, 4)) < 0.4).astype(np.float32),
        RNG.integers(0, 256, (N, 4, 4)) / 255,
    ],
)
def test_arrays_have_holes_too(array: np.ndarray) -> None:
    missing = RNG.random(array.shape) < 0.3
    given = np.where(missing, np.nan, array).astype(array.dtype)
    schema = infer_schema(Rows(given), "array")
    whole = infer_schema(Rows(array), "array")
    assert schema.cells_alike
    (column,) = schema.columns
    assert (column.kind, column.per_unit) == (whole.columns[0].kind, whole.columns[0].per_unit)
    assert column.missing == missing.sum()
    assert column.mean == pytest.approx(array[~missing].mean(dtype=np.float64))
    rows = encode(schema, given)
    assert rows.observed is not None
    assert torch.isfinite(rows.stored().values.double()).all()
    np.testing.assert_array_equal(rows.observed.numpy(), ~missing)
    again = decode(schema, rows.stored().values, None, rows.observed)
    assert isinstance(again, np.ndarray)
    assert again.dtype == given.dtype
    np.testing.assert_array_equal(again, given)


def test_bytes_with_missing_cells_come_as_floats() -> None:
    images = RNG.integers(0, 256, (N, 4, 4), dtype=np.uint8)
    schema = infer_schema(Rows(images), "images")
    given = np.where(images < 20, np.nan, images.astype(np.float32))
    rows = encode(schema, given)
    assert rows.stored().values.dtype == torch.uint8
    np.testing.assert_array_equal(decode(schema, rows.stored().values, None, rows.observed), given)


def test_matrices_of_unlike_columns_keep_their_shape() -> None:
    array = np.stack([RNG.normal(size=N), RNG.integers(0, 4, N), np.full(N, np.nan)], 1)
    array[::5, 1] = np.nan
    schema = infer_schema(Rows(array), "array")
    assert [column.kind for column in schema.columns] == ["real", "listed", "ignore"]
    rows = encode(schema, array)
    assert rows.observed is not None
    assert rows.observed.sum(0).tolist() == [N, N - N // 5]
    again = decode(schema, rows.stored().values, None, rows.observed)
    np.testing.assert_array_equal(again, array)
    assert torch.equal(encode(schema, np.asarray(again)).stored().values, rows.stored().values)


@pytest.mark.parametrize("word", [None, "?", "NA"])
def test_conditions_have_no_missing_cells(word: Any) -> None:
    given = pd.DataFrame({"s": ["x", "y"] * 9, "n": range(18)})
    schema = infer_schema(Rows(given), "table", SchemaOptions(conditions=["s"]))
    given.loc[3, "s"] = word
    with pytest.raises(DataError, match=r"P\(x\|y\) needs every one"):
        infer_schema(Rows(given), "table", SchemaOptions(conditions=["s"]))
    with pytest.raises(DataError, match="condition 's', row 3: the value is missing"):
        encode(schema, given)
    with pytest.raises(DataError, match="condition 's', row 0: the value is missing"):
        encode(schema, given, {"s": "?"})


def test_dates_may_be_given() -> None:
    whole = frame()
    schema = infer_schema(Rows(whole), "table", SchemaOptions(conditions=["day"]))
    y = encode(schema, whole).covariates
    assert y is not None
    for value in ("2020-01-05", pd.Timestamp("2020-01-05"), np.datetime64("2020-01-05")):
        rows = encode(schema, whole, {"day": value})
        assert rows.covariates is not None
        made = decode(schema, rows.stored().values, rows.covariates)
        assert isinstance(made, pd.DataFrame)
        assert (made["day"] == pd.Timestamp("2020-01-05")).all()
    with pytest.warns(
        UserWarning, match=r"training rows had 2020-01-0. to 2020-04-0., so P\(x\|y\) at 2031-01-01 is ext"
    ):
        encode(schema, whole, {"day": "2031-01-01"})
