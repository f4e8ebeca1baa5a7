"""Text files drawn at random: what is written comes back equal, or is told."""

from __future__ import annotations

import csv
import io
import re
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from likely.data import Source, decode, encode, infer_schema
from likely.data.cells import TOKENS
from likely.data.sources import open_source
from likely.errors import DataError, LikelyError

ODD = [
    *("1e400", "1e-400", "1_000", "0x10", "0b1", "1d5", "1,5", "1.5", "007", "-0", "+5", "1e5", "1e5.5", ".5", "5."),
    *("9" * 25, "9" * 999, "0." + "1" * 3000, "9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("True", "false", "TRUE", "yes", "inf", "-inf", "NaN", " ?", "NA", "None", "-"),
    *("2020-01-31", "31/01/2020", "3/4/2020", "12:30", "\u0663", "1\u00a0000", "\u22121", "\ufeffx"),
]
FIELDS = st.one_of(
    st.sampled_from(ODD),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False).map(repr),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8),
)
LATIN = st.text(
    st.characters(codec="cp1252", exclude_characters="\0", exclude_categories=("Cc",)), min_size=1, max_size=6
)
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf(inity)?", re.ASCII | re.IGNORECASE)
TRUTHS = {"true": True, "false": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def written(rows: list[list[str]], mark: str, *, quote: bool) -> str:
    held = io.StringIO(newline="")
    csv.writer(held, delimiter=mark, quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL).writerows(rows)
    return held.getvalue()


def opened(folder: Path, content: bytes) -> Source:
    (folder / "t.csv").write_bytes(content)
    return open_source(folder / "t.csv")


def told_in_one_line(error: LikelyError) -> None:
    assert "\n" not in str(error)


def read(folder: Path, content: bytes) -> Source | None:
    """The table, or nothing where one clear line says why there is none."""
    try:
        return opened(folder, content)
    except LikelyError as error:
        told_in_one_line(error)
        return None


def equal(text: str, value: object, notices: tuple[str, ...]) -> bool:
    """Whether a value is what was written, or a notice says what became of it."""
    if text.strip() in TOKENS:
        return bool(pd.isna(value))
    if isinstance(value, str):
        return value == text
    if isinstance(value, (bool, np.bool_)):
        return TRUTHS[text.lower()] == value
    if NUMBER.fullmatch(text.strip()) is None:
        return False
    if isinstance(value, (int, np.integer)):
        return int(text) == value
    whole = re.fullmatch(r"[-+]?\d+", text.strip())
    exact = whole is None or int(text) == value or any("not exact in float64" in notice for notice in notices)
    return exact and float(text) == value and (value != 0 or re.match(r"[-+]?[0.]*[1-9]", text.strip()) is None)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(FIELDS, min_size=width, max_size=width), min_size=1, max_size=6)
    ),
    st.sampled_from(",;\t|"),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_field_is_never_changed_in_silence(
    folder: Path, rows: list[list[str]], mark: str, quote: bool, encoding: str
) -> None:
    names = [f"k{i}" for i in range(len(rows[0]))]
    assume(len(names) > 1)
    content = written([names, *rows], mark, quote=quote).encode(encoding)
    source = read(folder, content)
    if source is None:
        return
    frame = source.splits["all"].values
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == names
    assert len(frame) == len(rows)
    for i, name in enumerate(names):
        for row, value in zip(rows, frame[name].tolist(), strict=True):
            assert equal(row[i], value, source.notices), (row[i], value)
    _through_the_schema(source, frame)


def _through_the_schema(source: Source, frame: pd.DataFrame) -> None:
    """What was read goes through the schema and back, or one line says why not."""
    rows = source.splits["all"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            schema = infer_schema(rows, "table")
        except LikelyError as error:
            told_in_one_line(error)
            return
        encoded = encode(schema, frame)
    again = decode(schema, encoded.stored().values, None, encoded.observed)
    assert isinstance(again, pd.DataFrame)
    kept = frame[again.columns.tolist()]
    pd.testing.assert_frame_equal(again, kept, check_exact=False, rtol=1e-15, atol=0)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(LATIN, min_size=2, max_size=6), st.sampled_from(["cp1252", "latin-1", "utf-16", "utf-8-sig", "utf-8"]))
def test_letters_of_any_encoding_come_back_or_the_guess_is_told(folder: Path, words: list[str], encoding: str) -> None:
    words = [f"w{word}" for word in words]
    try:
        content = written([["town", "n"], *([word, "1"] for word in words)], ",", quote=False).encode(encoding)
    except UnicodeEncodeError:
        return
    source = opened(folder, content)
    frame = source.splits["all"].values
    assert isinstance(frame, pd.DataFrame)
    if frame["town"].tolist() != words:
        assert encoding in ("cp1252", "latin-1")
        assert any("not UTF-8" in notice for notice in source.notices) or _also_utf8(content)


def _also_utf8(content: bytes) -> bool:
    try:
        return bool(content.decode("utf-8"))
    except UnicodeDecodeError:
        return False


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.text(st.sampled_from('ab1.,;"\n\r\t |é?'), max_size=60).map(str.encode) | st.binary(max_size=60))
def test_any_bytes_are_a_table_or_one_clear_line(folder: Path, content: bytes) -> None:
    source = read(folder, content)
    if source is None:
        return
    frame = source.splits["all"].values
    assert isinstance(frame, pd.DataFrame)
    assert frame.size > 0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["1e400", "1.5"], "column 'x' holds 1e400 in row 0, which is beyond float64"),
        (["1e-400", "1.5"], "column 'x' holds 1e-400 in row 0, which is beyond float64"),
        (["9" * 999, "1.5"], r"column 'x' holds 9{30}\.\.\. \(999 digits\) in row 0, which is beyond float64"),
    ],
)
def test_numbers_beyond_float64_are_refused(fields: list[str], expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=expected):
        opened(tmp_path, written([["x", "y"], *([field, "a"] for field in fields)], ",", quote=False).encode())


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (["1_000", "2_000"], ["1_000", "2_000"]),
        (["0x10", "0x11"], ["0x10", "0x11"]),
        (["1,5", "2,5"], [1.5, 2.5]),
        (["1,5", "2,5,5"], ["1,5", "2,5,5"]),
        (["$1,234.50", "$7"], [1234.5, 7.0]),
        (["1,234", "2,345"], ["1,234", "2,345"]),
        (["9" * 25, "1"], ["9" * 25, "1"]),
        (["9223372036854775807", "1"], [2**63 - 1, 1]),
        ([" 7", "+8 "], [7, 8]),
        (["1", "2.5"], [1.0, 2.5]),
        (["true", "FALSE"], [True, False]),
        (["True", "yes"], ["True", "yes"]),
    ],
)
def test_fields_become_what_they_say(fields: list[str], values: list[object], tmp_path: Path) -> None:
    content = written([["x", "y"], *([field, "a"] for field in fields)], ";", quote=False)
    frame = opened(tmp_path, content.encode()).splits["all"].values
    assert isinstance(frame, pd.DataFrame)
    assert frame["x"].tolist() == values


def test_integers_among_decimals_that_are_not_exact_are_told(tmp_path: Path) -> None:
    source = opened(tmp_path, b"x,y\n9007199254740993,1\n0.5,2\n")
    assert source.notices == ("t.csv: column 'x': 1 integer(s) are not exact in float64, such as 9007199254740993",)


def test_words_for_nothing_are_told_and_kept(tmp_path: Path) -> None:
    source = opened(tmp_path, b"a,b,c\n1, ?,x\n?, y,NA\n3, y,x\n,,x\n")
    rows = source.splits["all"]
    assert rows.tokens == {"a": "?", "b": " ?", "c": "NA"}
    assert source.notices == (
        "t.csv: ' ?' was read as missing in b",
        "t.csv: '?' was read as missing in a",
        "t.csv: 'NA' was read as missing in c",
    )
    schema = infer_schema(rows, "table")
    assert [(column.missing, column.token) for column in schema.columns] == [(2, "?"), (2, " ?"), (1, "NA")]
    assert schema.columns[0].dtype == "Int64"


def test_a_thousand_columns_are_read_and_understood_in_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(20, 400)), rng.integers(0, 9, (20, 300)), rng.choice(["a", "b", "?"], (20, 300))]
    rows = [[f"k{i}" for i in range(1000)], *([*map(str, [*a, *b, *c])] for a, b, c in zip(*parts, strict=True))]
    start = time.process_time()
    source = opened(tmp_path, written(rows, ",", quote=False).encode())
    schema = infer_schema(source.splits["all"], "table")
    assert time.process_time() - start < 6
    assert Counter(column.kind for column in schema.columns) == {"real": 400, "levels": 300, "categorical": 300}
    assert len(source.notices) == 1
