"""What the cells of an array are inferred as follows from their values, whatever type holds them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from likely.data import Schema, SchemaOptions, Source, cells_notice, decode, digest, divide, encode, infer_schema
from likely.data.kinds import Form
from likely.data.source import Rows
from likely.data.sources.colours import colour_of
from likely.data.tally import tally
from likely.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
TYPES = ("uint8", "int8", "uint16", "int64", "float16", "float32", "float64")
DIGITS = RNG.integers(0, 17, (50, 8, 8))


def schema_of(array: np.ndarray, form: Form = "array", **options: Any) -> Schema:
    return infer_schema(Rows(array), form, SchemaOptions(**options))


@pytest.mark.parametrize("shape", [(50, 8, 8), (50, 64)])
@pytest.mark.parametrize("dtype", TYPES)
def test_the_type_of_digits_changes_nothing_but_its_name(dtype: str, shape: tuple[int, ...]) -> None:
    digits = DIGITS.reshape(shape)
    found, reference = (schema_of(digits.astype(kind)) for kind in (dtype, "int32"))
    column = found.columns[0]
    assert replace(column, dtype="int32") == reference.columns[0]
    assert (column.kind, column.low, column.high, column.reserve) == ("levels", 0, 16, 1 / 51)
    assert column.mean == pytest.approx(digits.mean(), abs=1e-12)
    assert column.scale == pytest.approx(digits.std(), abs=1e-12)
    rows = encode(found, digits.astype(dtype))
    assert rows.stored().values.dtype == torch.uint8
    assert torch.equal(rows.stored().values, torch.from_numpy(digits.astype(np.uint8)))
    again = decode(found, rows.stored().values)
    assert isinstance(again, np.ndarray)
    assert again.dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pictures_scaled_to_one_are_the_same_levels(dtype: str) -> None:
    greys = (RNG.integers(0, 256, (30, 4, 4)) / 255).astype(dtype)
    reference = schema_of(greys.astype(np.float32)).columns[0]
    assert replace(schema_of(greys).columns[0], dtype="float32") == reference
    assert torch.equal(
        encode(schema_of(greys), greys).stored().values * 255, torch.from_numpy(np.round(greys * 255.0)).double()
    )


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 255, "uint8"),
        (0, 255, "int64"),
        (0, 255, "float32"),
        (0, 1, "int16"),
        (False, True, "bool"),
        (-1, 1, "int8"),
        (-1, 1, "float64"),
        (0.3, 0.7, "float32"),
        (7, 60_000, "uint16"),
    ],
)
@pytest.mark.parametrize("shape", [(40, 4, 3), (40, 5)])
def test_two_values_are_binary_and_come_back(low: float, high: float, dtype: str, shape: tuple[int, ...]) -> None:
    upper = RNG.random(shape) < 0.3
    glyphs = np.where(upper, high, low).astype(dtype)
    schema = schema_of(glyphs)
    column = schema.columns[0]
    assert (column.kind, column.hard, column.reserve) == ("binary", True, 0)
    assert (column.low, column.high) == (glyphs.min(), glyphs.max())
    assert column.mean == pytest.approx(upper.mean())
    assert schema.cells_alike
    assert Schema.from_dict(schema.to_dict()) == schema
    rows = encode(schema, glyphs)
    assert torch.equal(rows.stored().values, torch.from_numpy(upper.astype(np.uint8)))
    again = decode(schema, rows.stored().values)
    assert isinstance(again, np.ndarray)
    assert again.dtype == glyphs.dtype
    np.testing.assert_array_equal(again, glyphs)
    half = decode(schema, torch.full(shape, 0.5))
    np.testing.assert_allclose(half, (float(column.low or 0) + float(column.high or 0)) / 2, rtol=1e-6)
    (notice,) = cells_notice(schema)
    assert notice.endswith("any other value is an error; --column x=levels says otherwise")


def test_a_third_value_is_an_error_that_names_both() -> None:
    glyphs = np.where(RNG.random((40, 4, 3)) < 0.3, 255, 0).astype(np.uint8)
    schema = schema_of(glyphs)
    odd = glyphs.astype(float)
    odd[7, 2, 1] = 3
    with pytest.raises(DataError, match=r"row 7, cell .2, 1. holds 3\.0, which is neither 0 nor 255"):
        encode(schema, odd)


def test_missing_cells_of_two_values_are_not_observed() -> None:
    signs = np.where(RNG.random((40, 4, 3)) < 0.3, 1.0, -1.0)
    signs[3, 2, 1] = np.nan
    schema = schema_of(signs)
    rows = encode(schema, signs)
    assert schema.columns[0].missing == 1
    assert rows.observed is not None
    assert (~rows.observed).nonzero().tolist() == [[3, 2, 1]]
    np.testing.assert_array_equal(
        decode(schema, rows.stored().values, observed=rows.observed), signs.astype(np.float32)
    )


@pytest.mark.parametrize(
    ("low", "high", "dtype", "form", "hard"),
    [
        (0, 3, "uint8", "array", False),
        (0, 3, "uint8", "images", True),
        (60, 187, "uint8", "array", False),
        (60, 188, "uint8", "array", True),
        (0, 255, "int64", "array", False),
        (0, 4095, "uint16", "images", False),
        (-900, 900, "int16", "array", False),
        (0, 10**6, "int64", "array", False),
    ],
)
def test_levels_end_where_the_training_rows_do_but_for_bytes(
    low: int, high: int, dtype: str, form: Form, hard: bool
) -> None:
    array = RNG.integers(low, high + 1, (900, 9, 9)).astype(dtype)
    array[0, 0, :2] = low, high
    column = schema_of(array, form).columns[0]
    ends = (0, 255) if hard else (low, high)
    assert (column.kind, column.low, column.high, column.hard) == ("levels", *ends, hard)
    assert column.per_unit == 1
    assert column.reserve == (0 if hard else 1 / 901)
    assert column.scale == pytest.approx(array.std(), rel=1e-9)


def test_narrow_matrices_are_tables_whatever_holds_them() -> None:
    counts = RNG.integers(0, 9, (60, 3))
    schemas = [schema_of(counts.astype(dtype)) for dtype in TYPES]
    assert not any(schema.cells_alike for schema in schemas)
    kinds = {tuple((c.kind, c.low, c.high) for c in schema.columns) for schema in schemas}
    assert kinds == {(("listed", 0.0, 8.0),) * 3}
    assert schema_of(counts, kinds={"x": "levels"}).cells_alike


@pytest.mark.parametrize(
    ("told", "kind", "low", "reserve"),
    [("levels", "levels", 0, 1 / 51), ("real", "real", 0, 0), ("grid", "grid", 0, 0)],
)
def test_the_user_knows_better(told: str, kind: str, low: float, reserve: float) -> None:
    for dtype in TYPES:
        schema = schema_of(DIGITS.astype(dtype), kinds={"x": told})
        column = schema.columns[0]
        assert (column.kind, column.low, column.reserve) == (kind, low, pytest.approx(reserve))
        assert not cells_notice(schema)


def test_two_values_told_to_be_levels() -> None:
    glyphs = np.where(RNG.random((40, 4, 3)) < 0.3, 255, 0)
    assert schema_of(glyphs.astype(np.uint8), kinds={"x": "levels"}).columns[0].hard
    column = schema_of(glyphs, kinds={"x": "levels"}).columns[0]
    assert (column.kind, column.high, column.reserve) == ("levels", 255, 1 / 41)
    dark = schema_of(np.zeros((40, 4, 3), np.uint8), kinds={"x": "binary"}).columns[0]
    assert (dark.kind, dark.low, dark.high) == ("binary", 0, 1)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("binary", "cannot be binary: they hold more than two values; --binarize"),
        ("categorical", "can be levels, binary, real, grid, got 'categorical'"),
        ("level", "did you mean 'levels'"),
    ],
)
def test_kinds_that_cells_cannot_have(told: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        schema_of(DIGITS, kinds={"x": told})
    with pytest.raises(ConfigError, match="cannot be levels: they are real numbers on no grid"):
        schema_of(RNG.normal(size=(40, 4, 4)), kinds={"x": "levels"})


def test_glyphs_of_0_and_255_can_be_binarised() -> None:
    glyphs = np.where(RNG.random((40, 4, 3)) < 0.3, 255, 0).astype(np.uint8)
    schema = schema_of(glyphs, "images", binarize="dynamic")
    np.testing.assert_array_equal(encode(schema, glyphs).binarised_once(0).stored().values.numpy(), glyphs // 255)
    with pytest.raises(ConfigError, match="non-negative"):
        schema_of(np.where(glyphs > 0, 1, -1), binarize="threshold")


def test_values_outside_the_range_are_kept_whatever_they_are_stored_in() -> None:
    schema = schema_of(DIGITS.astype(np.uint8))
    for stray in (17.0, 300.0, -1.0, 1e9):
        rows = DIGITS[:3].astype(float)
        rows[1, 2, 3] = stray
        encoded = encode(schema, rows)
        assert encoded.stored().values[1, 2, 3] == stray
        assert torch.equal(encoded.stored().values[0].double(), torch.from_numpy(rows[0]))


def test_large_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="too large to be told"):
        schema_of(np.full((4, 3, 2), 2**60) + np.arange(2))


@pytest.mark.parametrize("dtype", [*TYPES, "bool", "uint64"])
def test_a_tally_counts_each_value(dtype: str) -> None:
    array = np.concatenate([RNG.integers(0, 100, (3000, 50)), -RNG.integers(0, 100, (9, 50))]).astype(dtype)
    found = tally(array)
    assert found is not None
    values, counts = np.unique(array, return_counts=True)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.counts, counts)
    assert found.values.dtype == array.dtype
    assert tally(RNG.normal(size=(3000, 50))) is None


def test_the_schema_of_bytes_takes_no_more_than_they_do() -> None:
    pictures = RNG.integers(0, 256, (1000, 64, 64), dtype=np.uint8)
    rows, source = Rows(pictures), Source("array", {"all": Rows(pictures)})
    divide(source, 0)
    for step in (
        lambda: infer_schema(rows, "array"),
        lambda: infer_schema(Rows(pictures.reshape(1000, -1)), "array"),
        lambda: digest(source),
        lambda: encode(infer_schema(rows, "array"), pictures),
    ):
        tracemalloc.start()
        step()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < pictures.nbytes


def test_bytes_are_encoded_without_a_copy_and_rows_in_one_piece_are_a_view() -> None:
    pictures = RNG.integers(0, 256, (100, 8, 8), dtype=np.uint8)
    assert encode(schema_of(pictures), pictures).stored().values.data_ptr() == pictures.ctypes.data
    part = Rows(pictures, np.arange(100)).read(np.arange(10, 90))
    assert np.shares_memory(part.values, pictures)
    np.testing.assert_array_equal(np.asarray(part.labels), np.arange(10, 90))
    np.testing.assert_array_equal(Rows(pictures).read(np.array([3, 5, 4])).values, pictures[[3, 5, 4]])


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("white", (255, 255, 255)),
        ("1,2,3", (1, 2, 3)),
        ((4, 5, 6), (4, 5, 6)),
        ("#ff8000", (255, 128, 0)),
        (None, None),
    ],
)
def test_colours(text: Any, colour: Any) -> None:
    assert colour_of(text) == colour


@pytest.mark.parametrize("text", ["whit", "1,2", "1,2,300", (1, 2), "#12"])
def test_what_is_no_colour(text: Any) -> None:
    with pytest.raises(ConfigError, match="is no colour; expected a name"):
        colour_of(text)


def test_two_valued_bytes_that_nobody_needs_become_codes_in_place() -> None:
    glyphs = np.where(RNG.random((40, 4, 3)) < 0.3, 255, 0).astype(np.uint8)
    schema, upper = schema_of(glyphs), glyphs == 255
    kept = encode(schema, glyphs).stored().values
    assert set(np.unique(glyphs).tolist()) == {0, 255}
    reused = encode(schema, glyphs, may_overwrite=True).stored().values
    assert reused.data_ptr() == glyphs.ctypes.data
    for codes in (kept, reused):
        np.testing.assert_array_equal(codes.numpy(), upper.astype(np.uint8))
