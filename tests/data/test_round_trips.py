"""decode(encode(x)) = x for frames of columns drawn at random, with incomplete drawn at random."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likely.data import Rows, Schema, decode, encode, infer_schema
from likely.data.cells import TOKENS
from likely.errors import DataError

ROWS = 9
Columns = st.SearchStrategy[pd.Series]


def column(values: st.SearchStrategy[Any], *dtypes: str) -> Columns:
    """A column of one of the types."""
    lists = st.lists(values, min_size=ROWS, max_size=ROWS)
    return st.builds(lambda made, dtype: pd.Series(made, dtype=object).astype(dtype), lists, st.sampled_from(dtypes))


def stamps(unit: str, per: int, most: int) -> Columns:
    """Dates of a type of one unit, whole numbers of `per` of them from any day on."""
    numbers = st.lists(st.integers(0, most), min_size=ROWS, max_size=ROWS)
    start = st.integers(-(10**8), 10**8)
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]

    def make(first: int, passed: list[int], zone: str | None) -> pd.Series:
        dates = pd.Series(np.array([first * scale + per * number for number in passed]).view(f"M8[{unit}]"))
        return dates if zone is None else dates.dt.tz_localize("UTC").dt.tz_convert(zone)

    return st.builds(make, start, numbers, st.sampled_from([None, "UTC", "Europe/Berlin", "Asia/Kolkata"]))


def written(form: str, least: int, most: int, unit: str) -> Columns:
    """Dates as strings."""
    numbers = st.lists(st.integers(least, most), min_size=ROWS, max_size=ROWS)
    return numbers.map(lambda made: pd.Series(np.array(made, dtype=f"M8[{unit}]")).dt.strftime(form).astype("str"))


def kinds(categories: list[Any], ordered: bool, codes: list[int]) -> pd.Series:
    made = [code % len(categories) for code in codes]
    return pd.Series(pd.Categorical.from_codes(made, categories=categories, ordered=ordered))


LETTERS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=6)
WORDS = LETTERS.filter(lambda text: text.strip() not in TOKENS).map(lambda text: f"{text}w")
SMALL = st.integers(-128, 127)
INTEGERS = column(SMALL, "int8", "int16", "Int8", "Int64", "float32", "float64", "int16[pyarrow]")
UNSIGNED = column(st.integers(0, 255), "uint8", "UInt16", "uint32", "uint64", "uint8[pyarrow]")
LARGE = column(st.integers(-(2**53), 2**53), "int64", "Int64", "int64[pyarrow]")
TRUTHS = column(st.booleans(), "bool", "boolean", "bool[pyarrow]")
REALS = column(st.floats(-1e6, 1e6, width=32), "float32", "float64", "Float64", "Float32", "double[pyarrow]")
MANY = column(st.floats(1e-100, 1e100), "float64", "Float64")
CENTS = column(st.integers(-(10**6), 10**6).map(lambda number: number / 100), "float64", "Float64")
STRINGS = st.lists(WORDS, min_size=1, max_size=4).flatmap(
    lambda words: column(st.sampled_from(words), "str", "object", "string", "string[pyarrow]")
)
CATEGORIES = st.builds(
    kinds,
    st.one_of(
        st.lists(WORDS, min_size=1, max_size=4, unique=True), st.lists(SMALL, min_size=1, max_size=4, unique=True)
    ),
    st.booleans(),
    st.lists(st.integers(0, 9), min_size=ROWS, max_size=ROWS),
)
DATES = st.one_of(
    stamps("s", 86_400, 10**5),
    stamps("s", 1, 10**9),
    stamps("ms", 3_600_000, 10**5),
    stamps("us", 1, 2**52),
    stamps("ns", 1, 2**53 - 1),
    stamps("ns", 60 * 10**9, 10**6),
)
TEXTS = st.one_of(
    written("%Y-%m-%d", -300_000, 300_000, "D"),
    written("%d.%m.%Y", -300_000, 300_000, "D"),
    written("%Y-%m-%dT%H:%M:%SZ", -(10**10), 10**10, "s"),
    written("%Y-%m-%d %H:%M:%S.%f", -(10**15), 10**15, "us"),
)
COLUMNS = st.one_of(INTEGERS, UNSIGNED, LARGE, TRUTHS, REALS, MANY, CENTS, STRINGS, CATEGORIES, DATES, TEXTS)
NULLABLE = {"bool": "boolean", "int8": "Int8", "int16": "Int16", "int64": "Int64", "uint8": "UInt8",
            "uint32": "UInt32", "uint64": "UInt64"}  # fmt: skip


def with_missing(values: pd.Series, incomplete: list[bool]) -> pd.Series:
    if any(incomplete):
        values = values.astype(NULLABLE.get(str(values.dtype), values.dtype))
    return values.mask(np.array(incomplete))


def lost(values: pd.Series) -> bool:
    """Whether a column says nothing: it has no value, or strings of which most are met once."""
    counts = values.value_counts()
    strings = any(isinstance(value, str) for value in counts.index) and not str(counts.index[0])[:2].isdigit()
    return bool(values.isna().all() or (strings and (counts == 1).sum() > counts.sum() / 2))


FRAMES = st.lists(
    st.builds(with_missing, COLUMNS, st.lists(st.booleans(), min_size=ROWS, max_size=ROWS)), min_size=1, max_size=4
).map(lambda columns: pd.DataFrame({f"c{i}": values for i, values in enumerate(columns)}))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(FRAMES)
def test_a_frame_of_any_columns_comes_back(frame: pd.DataFrame) -> None:
    if all(lost(values) for _, values in frame.items()):
        with pytest.raises(DataError, match="no column is left"):
            infer_schema(Rows(frame), "table")
        return
    schema = infer_schema(Rows(frame), "table")
    stored = Schema.from_dict(json.loads(json.dumps(schema.to_dict(), allow_nan=False)))
    assert stored == schema
    rows = encode(stored, frame)
    again = decode(stored, rows.stored().values, None, rows.observed)
    assert isinstance(again, pd.DataFrame)
    assert torch.equal(encode(stored, again).stored().values, rows.stored().values)
    for known in schema.columns:
        given, made = frame[known.name], None if known.left_out else again[known.name]
        assert known.missing == given.isna().sum()
        if made is None:
            assert lost(given)
        elif known.kind in ("real", "grid", "positive") and given.dtype.kind == "f":
            assert made.dtype == given.dtype
            np.testing.assert_array_equal(made.isna(), given.isna())
            own = np.finfo(getattr(given.dtype, "numpy_dtype", given.dtype)).eps
            off = np.abs(made.dropna().to_numpy(float) - given.dropna().to_numpy(float))
            assert (off <= (0 if known.per_unit is None else 3 * own) * np.abs(given.dropna().to_numpy(float))).all()
        else:
            pd.testing.assert_series_equal(made, given, check_exact=True)


def test_numbers_that_are_not_finite_are_no_integers() -> None:
    """A model with damaged weights gives them; the line says so, in the place of numpy's."""
    schema = infer_schema(Rows(pd.DataFrame({"n": np.arange(50)})), "table")
    with pytest.raises(DataError, match="column 'n': the model gives numbers that are not finite"):
        decode(schema, torch.tensor([[3.0], [np.nan]], dtype=torch.float64))
