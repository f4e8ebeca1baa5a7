from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likely.data import Rows, Schema, SchemaOptions, decode, divide, encode, infer_schema
from likely.data.kinds import Form
from likely.data.source import Source
from likely.errors import ConfigError, DataError, RunError

N = 40
RNG = np.random.default_rng(0)

COLUMNS: dict[str, tuple[Any, str, str]] = {
    "bools": (RNG.random(N) < 0.5, "binary", "only 0 and 1"),
    "zero_one": (RNG.integers(0, 2, N), "categorical", "only 0 and 1"),
    "zero_one_floats": (RNG.integers(0, 2, N).astype(float), "categorical", "only 0 and 1"),
    "levels": (np.arange(N) - 3, "levels", "integers from -3 to 36"),
    "listed": (np.arange(N) % 7 - 3, "listed", "7 different numbers from -3 to 3"),
    "whole_floats": (np.arange(N) % 7 + 5.0, "listed", "7 different numbers from 5 to 11"),
    "counts": (np.arange(N) * 100, "count", "integers from 0 to 3900"),
    "cents": (np.round(RNG.normal(size=N) * 50, 2), "grid", "recorded to 2 decimals"),
    "cents32": (np.round(RNG.normal(size=N) * 50, 2).astype("float32"), "grid", "recorded to 2 decimals"),
    "reals": (RNG.normal(size=N), "real", "on no grid"),
    "reals32": (RNG.normal(size=N).astype("float32"), "real", "on no grid"),
    "strings": (RNG.choice(["a", " b", "ç"], N), "categorical", "3 different strings"),
    "digits_as_text": (RNG.choice(["01", "02"], N), "categorical", "2 different strings"),
    "category": (pd.Categorical(RNG.choice(["y", "x"], N)), "categorical", "2 different"),
    "number_category": (pd.Categorical(RNG.choice([3, 1], N)), "categorical", "2 different"),
    "constant": (np.full(N, 2.5), "constant", "always 2.5"),
    "constant_text": (np.full(N, "x"), "constant", "always 'x'"),
    "nullable": (pd.array(np.arange(N) % 5, dtype="Int16"), "listed", "5 different numbers from 0 to 4"),
    "nullable_bool": (pd.array(RNG.random(N) < 0.5, dtype="boolean"), "binary", "only 0 and 1"),
    "nullable_real": (pd.array(RNG.normal(size=N), dtype="Float64"), "real", "on no grid"),
    "bytes": (np.arange(N).astype("uint8"), "levels", "integers from 0 to 39"),
    "big": (2**52 + np.arange(N) * 1000, "grid", "integers"),
}


def schema_of(values: Any, form: Form = "table", **options: Any) -> Schema:
    return infer_schema(Rows(values), form, SchemaOptions(**options))


@pytest.mark.parametrize("name", COLUMNS)
def test_kinds_are_inferred_with_their_reason_and_round_trip(name: str) -> None:
    values, kind, reason = COLUMNS[name]
    frame = pd.DataFrame({name: values})
    schema = schema_of(frame)
    (column,) = schema.columns
    assert column.kind == kind
    assert reason in column.reason
    assert column.name == name
    assert column.dtype == str(frame[name].dtype)
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict(), allow_nan=False))) == schema
    pd.testing.assert_frame_equal(decode(schema, encode(schema, frame).stored().values), frame, check_exact=True)


def test_a_whole_frame_round_trips_in_any_column_order_and_index() -> None:
    frame = pd.DataFrame({name: values for name, (values, _, _) in COLUMNS.items()}, index=range(100, 100 + N))
    schema = schema_of(frame)
    assert schema.event_shape == (len(COLUMNS),)
    assert schema.dims == len(COLUMNS)
    mixed = frame[list(frame.columns[::-1])].assign(more="ignored")
    encoded = encode(schema, mixed)
    assert encoded.stored().values.dtype == torch.float64
    pd.testing.assert_frame_equal(
        decode(schema, encoded.stored().values), frame.reset_index(drop=True), check_exact=True
    )


def test_identifiers_are_left_out_with_their_reason() -> None:
    frame = pd.DataFrame({"id": [f"id-{i}" for i in range(200)], "n": np.arange(200) % 9})
    schema = schema_of(frame)
    assert schema.columns[0].kind == "identifier"
    assert "identifier" in schema.columns[0].reason
    assert [column.name for column in schema.modelled] == ["n"]
    with pytest.raises(DataError, match="no column is left"):
        schema_of(frame[["id"]])


@pytest.mark.parametrize(
    ("values", "told", "kind"),
    [
        (np.arange(N) % 5, "real", "real"),
        (np.arange(N) % 5, "grid", "grid"),
        (np.arange(N) % 5, "categorical", "categorical"),
        (np.arange(N) % 5, "ignore", "ignore"),
        (np.arange(N) * 9 % 400, "levels", "levels"),
        (np.round(np.linspace(0, 1, N), 1), "real", "real"),
        (np.array([" 1", "2.5"] * 20), "grid", "grid"),
    ],
)
def test_the_user_knows_better(values: np.ndarray, told: str, kind: str) -> None:
    frame = pd.DataFrame({"a": values, "b": np.arange(N) % 3})
    column = schema_of(frame, kinds={"a": told}).columns[0]
    assert column.kind == kind
    assert "as requested" in column.reason or column.reason == "recorded to 1 decimals"


@pytest.mark.parametrize(
    ("kinds", "error", "message"),
    [
        ({"prize": "real"}, ConfigError, "did you mean 'price'"),
        ({"price": "reel"}, ConfigError, "did you mean 'real'"),
        ({"price": "levels"}, ConfigError, "cannot be levels"),
        ({"price": "binary"}, ConfigError, "cannot be binary"),
        ({"town": "real"}, DataError, "is not a number"),
    ],
)
def test_overrides_that_do_not_fit(kinds: dict[str, str], error: type[Exception], message: str) -> None:
    frame = pd.DataFrame({"price": RNG.normal(size=N), "town": ["Bath", "York"] * 20})
    with pytest.raises(error, match=message):
        schema_of(frame, kinds=kinds)


def with_stray() -> list[str]:
    return [str(i) for i in range(N - 2)] + ["12 km", "?"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (with_stray(), r"numeric but for 1 of 39 values, the first '12 km' in row 38.*--column a=categorical"),
        ([1.0, np.inf] * 20, "row 1: inf is not a finite number"),
        (np.array(["2020-01-01", "2030-01-01T00:00:00.000000001"] * 20, "M8[ns]"), "lie .* nanoseconds apart"),
        (pd.period_range("2024-01", periods=N, freq="M"), "type Period"),
        ([b"a"] * N, "type bytes"),
        ([[1], [2]] * 20, "type list"),
        (np.ones(N) * 1j, "type complex"),
        ([10**18 + i for i in range(N)], "too large"),
        ([1e300 * i for i in range(N)], "too large"),
    ],
)
def test_columns_that_cannot_be_modelled_are_named(values: Any, message: str) -> None:
    frame = pd.DataFrame({"a": pd.Series(values), "b": np.arange(N)})
    with pytest.raises(DataError, match=message) as caught:
        schema_of(frame)
    assert "column 'a'" in str(caught.value)
    assert schema_of(frame, kinds={"a": "ignore"}).columns[0].kind == "ignore"


def test_rows_are_named_by_their_label() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.5, np.inf]}, index=[10, 20, 30])
    with pytest.raises(DataError, match="row 30"):
        schema_of(frame)
    schema = schema_of(frame.iloc[:2])
    with pytest.raises(DataError, match="row 30"):
        encode(schema, frame)


def test_one_row_is_no_distribution() -> None:
    with pytest.raises(DataError, match=r"1 row\(s\)"):
        schema_of(pd.DataFrame({"a": [1]}))


def test_unseen_categories_have_code_minus_one_and_come_back_missing() -> None:
    frame = pd.DataFrame({"s": ["a", "b"] * 10, "c": pd.Categorical(["x", "y"] * 10)})
    schema = schema_of(frame)
    assert schema.columns[0].categories == ("a", "b")
    assert schema.columns[0].reserve == pytest.approx(1 / 21)
    codes = encode(schema, pd.DataFrame({"s": ["b", "z"], "c": ["q", "x"]})).stored().values
    assert codes.tolist() == [[1, -1], [-1, 0]]
    again = decode(schema, codes)
    assert isinstance(again, pd.DataFrame)
    assert again.isna().to_numpy().tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("value", [2, -1, 0.5])
def test_hard_limits_name_column_row_and_value(value: float) -> None:
    schema = schema_of(pd.DataFrame({"flag": [False, True] * 10, "n": np.arange(20)}))
    odd = pd.DataFrame({"flag": [0.0, value], "n": [0, 999]}, index=["p", "q"])
    with pytest.raises(DataError, match=rf"column 'flag': row q holds {float(value)}"):
        encode(schema, odd)


@pytest.mark.parametrize("value", [256, -1, 3.5])
def test_bytes_are_law_for_arrays(value: float) -> None:
    images = RNG.integers(0, 200, (10, 3, 3)).astype(np.uint8)
    schema = schema_of(images, "images")
    assert (schema.columns[0].low, schema.columns[0].high, schema.columns[0].hard) == (0, 255, True)
    odd = images.astype(float)
    odd[4, 1, 2] = value
    with pytest.raises(DataError, match=rf"row 4, cell .1, 2. holds {float(value)}.*levels values 0 to 255"):
        encode(schema, odd)
    bright = np.full((1, 3, 3), 255, np.uint8)
    np.testing.assert_array_equal(decode(schema, encode(schema, bright).stored().values), bright)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (RNG.integers(0, 256, (N, 3, 2)).astype(np.uint8), "levels"),
        (RNG.integers(0, 17, (N, 3, 2)).astype(np.uint8), "levels"),
        (RNG.random((N, 3, 2)) < 0.5, "binary"),
        ((RNG.random((N, 3, 2)) < 0.5).astype(np.uint8), "binary"),
        ((RNG.random((N, 3, 2)) < 0.5).astype(np.float32), "binary"),
        (RNG.integers(0, 17, (N, 3, 2)).astype(np.float64), "levels"),
        (RNG.integers(-900, 900, (N, 3, 2)).astype(np.int16), "levels"),
        (RNG.normal(size=(N, 3, 2)).astype(np.float32), "real"),
        (RNG.normal(size=(N, 3, 2)), "real"),
        (np.round(RNG.normal(size=(N, 3, 2)), 3), "levels"),
        (np.where(RNG.random((N, 3, 2)) < 0.5, 255, 0).astype(np.uint8), "binary"),
        (np.where(RNG.random((N, 3, 2)) < 0.5, -1, 1), "binary"),
        (np.where(RNG.random((N, 3, 2)) < 0.5, 0.3, 0.7).astype(np.float32), "binary"),
        (RNG.integers(0, 4096, (N, 3, 2)).astype(np.uint16), "levels"),
    ],
)
def test_arrays_with_cells_alike_round_trip_with_their_type(array: np.ndarray, kind: str) -> None:
    schema = schema_of(array, "array")
    assert schema.cells_alike
    assert schema.columns[0].kind == kind
    stored = schema.to_dict()
    assert stored["uniform"] is True  # as files of every version have it
    assert Schema.from_dict(json.loads(json.dumps(stored, allow_nan=False))) == schema
    encoded = encode(schema, array)
    again = decode(schema, encoded.stored().values)
    assert isinstance(again, np.ndarray)
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
    assert decode(schema, torch.full_like(encoded.stored().values, 0.25, dtype=torch.float64)).dtype.kind == "f"


def test_matrices_of_unlike_columns_round_trip() -> None:
    array = np.stack([RNG.normal(size=N), np.arange(N) % 3, np.full(N, 7.0)], axis=1)
    schema = schema_of(array, "array")
    assert [column.kind for column in schema.columns] == ["real", "listed", "constant"]
    np.testing.assert_array_equal(decode(schema, encode(schema, array).stored().values), array)


def test_arrays_that_cannot_be_modelled() -> None:
    schema = schema_of(RNG.normal(size=(N, 3, 2)), "array")
    with pytest.raises(DataError, match=r"shape \(3, 2\), as in training; got \(2, 3\)"):
        encode(schema, np.zeros((4, 2, 3)))
    with pytest.raises(DataError, match=r"row 1, cell \(0, 0\) is infinite"):
        encode(schema, np.where(np.arange(4)[:, None, None] == 1, np.inf, np.zeros((4, 3, 2))))
    with pytest.raises(DataError, match=r"every cell .* is 5\.0"):
        schema_of(np.full((N, 3, 2), 5.0), "array")
    with pytest.raises(DataError, match="no cells"):
        schema_of(np.zeros((N, 0, 2)), "array")
    with pytest.raises(DataError, match=r"every cell .* is missing"):
        schema_of(np.full((N, 3, 2), np.nan), "array")
    with pytest.raises(DataError, match=r"every cell .* is 0: there is nothing"):
        schema_of(np.zeros((N, 3, 2), np.uint8), "array")
    with pytest.raises(ConfigError, match=r"no column 'y': .* shape \(40, 3, 2\) are of one kind, given by x=real"):
        schema_of(RNG.normal(size=(N, 3, 2)), "array", kinds={"y": "real"})


def test_draws_beyond_the_type_do_not_wrap_around() -> None:
    frame = pd.DataFrame({"a": np.array([-32000, 32000, 5], "int16"), "b": pd.array([1000, 60000, 7], dtype="UInt16")})
    schema = schema_of(frame)
    drawn = decode(schema, torch.tensor([[40000.0, -3.0], [-40000.0, 70000.0]], dtype=torch.float64))
    assert isinstance(drawn, pd.DataFrame)
    assert drawn.to_numpy().tolist() == [[32767, 0], [-32768, 65535]]
    array = np.array([[[-32000, 32000]], [[5, 6]]], "int16")
    made = decode(schema_of(array, "array"), torch.tensor([[[40000.0, -40000.0]]]))
    assert isinstance(made, np.ndarray)
    assert made.tolist() == [[[32767, -32768]]]


@pytest.mark.parametrize(
    "images",
    [
        RNG.integers(0, 256, (N, 4, 4)).astype(np.uint8),
        RNG.random((N, 4, 4)) * 0.9,
        RNG.random((N, 4, 4)).astype(np.float32),
        RNG.integers(0, 60000, (N, 4, 4)).astype(np.uint16),
    ],
)
def test_binarised_levels_keep_their_probability(images: np.ndarray) -> None:
    high = {"u1": 255.0, "f8": 1.0, "f4": 1.0}.get(images.dtype.str[1:], float(images.max()))
    schema = schema_of(images, "images", binarize="static")
    assert schema.columns[0].kind == "binary"
    assert schema.columns[0].high == high
    encoded = encode(schema, images)
    np.testing.assert_allclose(encoded.stored().values.double().numpy(), images.astype(float), rtol=1e-6)
    ones = encoded.binarised_once(0).stored().values
    assert set(ones.unique().tolist()) == {0, 1}
    assert ones.double().mean().item() == pytest.approx(images.mean() / high, abs=4 / np.sqrt(images.size))
    assert torch.equal(ones, encoded.binarised_once(0).stored().values)
    again = decode(schema, ones)
    assert again.dtype == np.uint8


def test_binarizing_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="0/1 already"):
        schema_of((RNG.random((N, 4, 4)) < 0.5).astype(np.uint8), "images", binarize="dynamic")
    with pytest.raises(ConfigError, match="non-negative"):
        schema_of(RNG.normal(size=(N, 4, 4)), "array", binarize="dynamic")
    with pytest.raises(ConfigError, match="the data is a table"):
        schema_of(pd.DataFrame({"a": np.arange(N)}), binarize="dynamic")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values.pop("columns"),
        lambda values: values.update(extra=1),
        lambda values: values["columns"][0].update(colour="red"),
        lambda values: values["columns"][0].update(kind="reel"),
        lambda values: values["columns"][0].pop("name"),
        lambda values: values.update(columns=3),
        lambda values: values.update(event_shape=["a"]),
        lambda values: values.pop("uniform"),
    ],
)
def test_a_schema_of_another_version_is_refused(spoil: Any) -> None:
    values = schema_of(pd.DataFrame({"a": np.arange(N)})).to_dict()
    spoil(values)
    with pytest.raises(RunError, match="not one that this version wrote"):
        Schema.from_dict(values)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 6), st.lists(st.integers(-(10**6), 10**6), min_size=3, max_size=9))
def test_written_decimals_come_back_to_the_last_digit(decimals: int, whole: list[int]) -> None:
    texts = [f"{number / 10**decimals:.{decimals}f}" for number in whole]
    frame = pd.DataFrame({"a": [float(text) for text in texts]})
    schema = schema_of(frame)
    again = decode(schema, encode(schema, frame).stored().values)
    assert isinstance(again, pd.DataFrame)
    assert again["a"].tolist() == frame["a"].tolist()


def test_rows_are_divided_once_by_the_seed() -> None:
    source = Source("table", {"all": Rows(pd.DataFrame({"a": np.arange(100)}))})
    first, second = divide(source, 5), divide(source, 5)
    parts = [first.train, first.validation, first.test]
    assert [len(part) for part in parts] == [80, 10, 10]
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    np.testing.assert_array_equal(first.test, second.test)
    assert first.test.tolist() != divide(source, 6).test.tolist()
    for seed in (-1, 2**63):
        with pytest.raises(ConfigError, match="seed must be"):
            divide(source, seed)


def test_splits_that_cannot_be_used() -> None:
    rows = Rows(np.zeros((5, 2)))
    with pytest.raises(DataError, match="a train split is needed"):
        divide(Source("array", {"test": rows}), 0)
    with pytest.raises(DataError, match="the val split has no rows"):
        divide(Source("array", {"train": rows, "val": Rows(np.zeros((0, 2)))}), 0)
    with pytest.raises(DataError, match="too few to divide"):
        divide(Source("array", {"all": Rows(np.zeros((3, 2)))}), 0)


@pytest.mark.parametrize(("levels", "dtype"), [(255, "float32"), (255, "float64"), (16, "float32")])
def test_pictures_scaled_to_one_are_levels_and_come_back_exactly(levels: int, dtype: str) -> None:
    images = (RNG.integers(0, levels + 1, (30, 4, 4)) / levels).astype(dtype)
    schema = schema_of(images, "array")
    assert schema.columns[0].kind == "levels"
    assert schema.columns[0].per_unit == levels
    again = decode(schema, encode(schema, images).stored().values)
    assert np.array_equal(np.asarray(again), images)


def test_large_integers_keep_their_range() -> None:
    column = schema_of(pd.DataFrame({"t": 1_700_000_001 + np.arange(100)})).columns[0]
    from likely.assembly.families import logistic

    likelihood = logistic([column], (1,))
    law = likelihood(torch.zeros(2))
    values = torch.arange(1_700_000_001, 1_700_000_101, dtype=torch.float64)
    inside = law.log_prob(values[:, None]).exp().sum()
    assert inside.item() == pytest.approx(1 - column.reserve, abs=1e-5)
    assert law.sample(torch.Size((500,))).max() <= values.max()


def test_values_off_the_grid_and_columns_never_seen_are_told() -> None:
    schema = schema_of(pd.DataFrame({"n": np.arange(20), "s": list("ab") * 10}))
    with pytest.warns(UserWarning, match="1 of 2 values are off the recorded grid"):
        encode(schema, pd.DataFrame({"n": [1.0, 2.4], "s": ["a", "b"]}))
    with pytest.warns(UserWarning, match="none of the values was seen"):
        encode(schema, pd.DataFrame({"n": [1, 2], "s": ["x", "y"]}))


def test_codes_read_as_numbers_still_match_their_strings() -> None:
    schema = schema_of(pd.DataFrame({"code": ["1", "2", "A", "B"] * 10}))
    assert encode(schema, pd.DataFrame({"code": [1, 2]})).stored().values.flatten().tolist() == [0, 1]


def test_samples_of_a_binarised_run_are_understood() -> None:
    images = RNG.integers(0, 256, (30, 4, 4)).astype(np.uint8)
    schema = schema_of(images, "images", binarize="dynamic")
    drawn = (RNG.random((20, 4, 4)) < 0.5).astype(np.uint8)
    assert torch.equal(encode(schema, drawn).binarised_once(0).stored().values, torch.from_numpy(drawn))
