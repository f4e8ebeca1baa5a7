"""Text files as people write them: separators, decimals, signs and dates; and again by a run's schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from likely.data import Rows, Schema, SchemaOptions, Source, decode, digest, encode, infer_schema
from likely.data.column_readings import ColumnReading, column_readings
from likely.data.date_formats import as_texts, best_formats
from likely.data.number_formats import NumberFormat, possible_formats
from likely.data.sources import open_source
from likely.data.sources.reading import Reading
from likely.errors import ConfigError, DataError

N = 40
RNG = np.random.default_rng(5)
CENTS = RNG.normal(5, 900, N).round(2)


def opened(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8", **told: Any) -> Source:
    (folder / name).write_bytes(text.encode(encoding))
    return open_source(folder / name, reading=Reading(**told))


def table(source: Source) -> pd.DataFrame:
    frame = source.splits["all"].values
    assert isinstance(frame, pd.DataFrame)
    return frame


def schema_of(source: Source, **kinds: str) -> Schema:
    return replace(
        infer_schema(
            source.splits["all"], "table", SchemaOptions(kinds=kinds, readings=column_readings(source, kinds))
        ),
        text=source.text,
    )


def european(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


AMOUNTS = {
    "thousands": ([f"{x:,.2f}" for x in CENTS], NumberFormat(thousands=",")),
    "dollars": ([f"{'-' if x < 0 else ''}${abs(x):,.2f}" for x in CENTS], NumberFormat(thousands=",", before="$")),
    "percent": ([f"{x:.2f}%" for x in CENTS], NumberFormat(after="%")),
    "euros": ([f"{european(x)} €" for x in CENTS], NumberFormat(",", ".", "", " €")),
    "spaces": ([f"{x:,.2f}".replace(",", "\u202f") for x in CENTS], NumberFormat(thousands="\u202f")),
    "code first": ([f"CHF {x:,.2f}".replace(",", "’") for x in CENTS], NumberFormat(thousands="’", before="CHF ")),
    "decimal comma": ([f"{x:.2f}".replace(".", ",") for x in CENTS], NumberFormat(",")),
}


@pytest.mark.parametrize("name", AMOUNTS)
def test_amounts_are_numbers_told_in_one_line_and_read_again(name: str, tmp_path: Path) -> None:
    texts, way = AMOUNTS[name]
    source = opened(tmp_path, "\n".join(["v\tw", *(f"{text}\t{i % 3}" for i, text in enumerate(texts))]), "t.tsv")
    assert table(source)["v"].tolist() == CENTS.tolist()
    assert source.notices == (f"t.tsv: numbers were read in v ({way})",)
    schema = schema_of(source)
    assert (schema.columns[0].written, schema.columns[0].per_unit) == (way, 100)
    assert Schema.from_dict(schema.to_dict()) == schema
    again = opened(tmp_path, (tmp_path / "t.tsv").read_text(), schema=schema)
    assert digest(again) == digest(source)
    plain = opened(tmp_path, table(source).to_csv(index=False), schema=schema)
    assert digest(plain) == digest(source)


@pytest.mark.parametrize("name", AMOUNTS)
def test_amounts_in_a_frame_are_numbers_and_come_back_as_they_were_written(name: str) -> None:
    texts, way = AMOUNTS[name]
    frame = pd.DataFrame({"v": texts, "w": np.arange(N) % 3})
    schema = schema_of(open_source(frame))
    assert (schema.columns[0].kind, schema.columns[0].written) == ("grid", way)
    rows = encode(schema, frame)
    assert rows.stored().values[:, 0].tolist() == CENTS.tolist()
    again = decode(schema, rows.stored().values)
    assert isinstance(again, pd.DataFrame)
    pd.testing.assert_frame_equal(again, frame)


def test_a_european_file_is_read_as_such(tmp_path: Path) -> None:
    lines = [f"{european(x)};{1 + i % 9}.{100 + i};k{i % 2}" for i, x in enumerate(CENTS)]
    source = opened(tmp_path, "sep=;\r\npreis;menge;art\r\n" + "\r\n".join(lines), encoding="cp1252")
    frame = table(source)
    assert frame["preis"].tolist() == CENTS.tolist()
    assert frame["menge"].tolist() == [1000 * (1 + i % 9) + 100 + i for i in range(N)]  # the file's decimal mark is ,
    assert source.text is not None
    assert (source.text.separator, source.text.decimal) == (";", ",")
    assert table(opened(tmp_path, "\n".join(line.rpartition(";")[0] for line in lines))).columns.tolist() == [
        "c0",
        "c1",
    ]


def test_what_can_be_read_in_two_ways_is_left_and_the_option_named(tmp_path: Path) -> None:
    rows = [f"{1 + i % 9},{100 + i};{1 + i % 9}/{1 + i % 12}/2024" for i in range(N)]
    text = "\n".join(["v;d", *rows])
    source = opened(tmp_path, text)
    found = column_readings(source)
    assert "--decimal . or --decimal , chooses" in found["v"].hint
    assert "%d/%m/%Y or %m/%d/%Y: --date-format d=%d/%m/%Y chooses" in found["d"].hint
    with pytest.raises(DataError, match="no column is left"):
        schema_of(source)
    assert "--decimal" in schema_of(source, d="categorical").columns[0].reason
    told = opened(tmp_path, text, decimal=",")
    assert table(told)["v"].tolist() == [float(row.partition(";")[0].replace(",", ".")) for row in rows]
    assert table(opened(tmp_path, text, decimal="."))["v"].tolist()[:2] == [1100, 2101]
    readings = column_readings(told, formats={"d": "%d/%m/%Y"})
    assert infer_schema(told.splits["all"], "table", SchemaOptions(readings=readings)).columns[1].format == "%d/%m/%Y"


def test_digits_are_dates_where_the_user_says_so(tmp_path: Path) -> None:
    text = "\n".join(["d,x", *(f"202401{1 + i % 28:02d},{i}" for i in range(N))])
    assert table(opened(tmp_path, text))["d"].dtype == "int64"
    source = opened(tmp_path, text, formats={"d": "%Y%m%d"})
    schema = infer_schema(
        source.splits["all"], "table", SchemaOptions(readings=column_readings(source, formats={"d": "%Y%m%d"}))
    )
    assert (schema.columns[0].kind, schema.columns[0].format) == ("date", "%Y%m%d")
    assert digest(opened(tmp_path, text, schema=schema)) == digest(source)


DATES = {
    "1/5/2024": "%m/%d/%Y", "05-Jan-2024": "%d-%b-%Y", "January 5, 2024": "%B %d, %Y", "20240105": "%Y%m%d",
    "2024-01-05 10:00:00+01:00": "%Y-%m-%d %H:%M:%S%z", "01/05/2024 09:30 PM": "%m/%d/%Y %I:%M %p", "17:05": "%H:%M",
    "5.1.24": "%d.%m.%y", "2024-01-05T10:00:00Z": "%Y-%m-%dT%H:%M:%SZ", "2024-01-05 10:00:00.5": "%Y-%m-%d %H:%M:%S.%f",
}  # fmt: skip


@pytest.mark.parametrize("text", DATES)
def test_dates_are_read_as_they_are_written(text: str) -> None:
    form = DATES[text]
    day = as_texts(pd.Series(pd.date_range("2024-01-05", periods=300, freq="35h")), form).drop_duplicates().tolist()
    fitting = best_formats([text, *day], np.ones(len(day) + 1, dtype=int))
    assert [found for found, fits in fitting] == [form]


def test_iso_dates_may_differ_in_how_far_they_are_written() -> None:
    texts = ["2024-01-05", "2024-01-05T10:30:00", "2024-01-05T10:30:00.25"] * 20
    frame = pd.DataFrame({"t": texts, "x": range(60)})
    schema = schema_of(open_source(frame))
    assert (schema.columns[0].kind, schema.columns[0].format, schema.columns[0].unit) == ("date", "ISO8601", "ms")
    days = encode(schema, frame)
    assert days.stored().values[:3, 0].tolist() == [0, 37_800_000, 37_800_250]
    assert torch.equal(encode(schema, decode(schema, days.stored().values)).stored().values, days.stored().values)
    zoned = pd.DataFrame({"t": [f"{text}Z" for text in texts[1:3]] * 20, "x": range(40)})
    assert schema_of(open_source(zoned)).columns[0].format == "ISO8601%z"


def test_offsets_may_change_with_the_clocks() -> None:
    frame = pd.DataFrame({"t": ["2024-03-31 01:30:00+01:00", "2024-03-31 03:30:00+02:00"] * 20, "x": range(40)})
    column = schema_of(open_source(frame)).columns[0]
    assert (column.kind, column.origin, column.high) == ("date", "2024-03-31T00:30", 1.0)  # an hour apart, in UTC


STRAYS = {
    "word": (
        ["error", *map(str, CENTS[1:])],
        "column 'v' is numeric but for 1 of 40 values, the first 'error' in row 0",
    ),
    "amount": (["n. b.", *(f"${x:,.2f}" for x in abs(CENTS[1:]))], "numeric but for 1 of 40 values, the first 'n. b.'"),
    "header": ([*map(str, CENTS[1:]), "v"], "'v' in row 39, as if that row were the header line again"),
    "infinite": ([*map(str, CENTS[1:]), "inf"], "column 'v', row 39: inf is not a finite number"),
    "date": (["2024-01-05"] * 39 + ["0000-00-00"], "dates written %Y-%m-%d but for 1 of 40 values, .* in row 39"),
}


@pytest.mark.parametrize("name", STRAYS)
def test_a_stray_cell_is_named_whichever_part_it_falls_in(name: str, tmp_path: Path) -> None:
    values, message = STRAYS[name]
    text = "\n".join(["v;x", *(f"{value};{i}" for i, value in enumerate(values))])
    source = opened(tmp_path, text)
    with pytest.raises(DataError, match=message):
        column_readings(source)
    assert column_readings(source, {"v": "ignore"}).keys() <= {"x"}
    assert schema_of(source, v="categorical").columns[0].kind == "categorical"


def test_the_first_column_without_a_name_is_the_index(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": CENTS}).sample(frac=1, random_state=1)
    column = schema_of(opened(tmp_path, frame.to_csv())).columns[0]
    assert (column.name, column.kind) == ("index", "identifier")


def test_codes_keep_their_zeros_in_a_file_given_to_a_run(tmp_path: Path) -> None:
    frame = pd.DataFrame({"zip": ["01234", "90210"] * 20, "n": pd.array([1, None] * 20, dtype="Int16"), "x": CENTS})
    schema = schema_of(open_source(frame))
    again = table(opened(tmp_path, frame.to_csv(index=False), schema=schema))
    assert again["zip"].tolist() == frame["zip"].tolist()
    assert again["n"].isna().tolist() == frame["n"].isna().tolist()


def test_types_of_a_run_are_read_from_its_own_text(tmp_path: Path) -> None:
    stamps = pd.Series(pd.date_range("2024-03-30", periods=N, freq="h"))
    frame = pd.DataFrame(
        {
            "zoned": stamps.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
            "naive": stamps,
            "arrow": stamps.astype("timestamp[us][pyarrow]"),
            "day": stamps.dt.date,
            "grade": pd.Categorical(["1", "2"] * 20, ["1", "2"], ordered=True),
            "truth": pd.array([True, None] * 20, dtype="boolean"),
            "level": pd.Series([1, 2, 3, 4] * 10).astype("category"),
        }
    )
    schema = schema_of(open_source(frame))
    again = table(opened(tmp_path, frame.to_csv(index=False), schema=schema))
    assert str(again["zoned"].dtype).endswith("Europe/Berlin]")
    assert (again["zoned"] == frame["zoned"]).all()
    for name in ("naive", "arrow", "day"):
        assert pd.to_datetime(again[name]).tolist() == stamps.tolist() or again[name].tolist() == frame[name].tolist()
    assert again["grade"].tolist() == frame["grade"].tolist()
    assert again["truth"].isna().tolist() == frame["truth"].isna().tolist()
    assert again["level"].tolist() == frame["level"].tolist()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x", "one", r"column 'x', row 1: 'one' is not a number, and the run has numbers there"),
        (
            "t",
            "2024-01-01 00:00:00",
            r"column 't', row 1: .* has no offset from UTC, and the run's dates are in Europe/Ber",
        ),
        ("d", "2024-01-01 00:00:00+01:00", r"column 'd', row 1: .* has an offset from UTC"),
        ("d", "yesterday", r"column 'd', row 1: 'yesterday' is no date such as"),
    ],
)
def test_what_a_run_cannot_read_is_named_with_its_row(name: str, text: str, message: str, tmp_path: Path) -> None:
    stamps = pd.Series(pd.date_range("2024-03-30", periods=N, freq="h"))
    frame = pd.DataFrame({"x": CENTS, "t": stamps.dt.tz_localize("Europe/Berlin", nonexistent="NaT"), "d": stamps})
    schema = schema_of(open_source(frame))
    texts = frame.astype(str).mask(frame.isna(), "")
    texts.loc[1, name] = text
    with pytest.raises(DataError, match=message):
        opened(tmp_path, texts.to_csv(index=False), schema=schema)


def test_the_separator_is_the_one_that_finds_the_columns_of_the_run(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a,b": CENTS, "c": CENTS + 1})
    schema = schema_of(opened(tmp_path, frame.to_csv(index=False, sep="~"), separator="~"))
    for mark in "~;|\t,":
        again = table(opened(tmp_path, frame.to_csv(index=False, sep=mark), schema=schema))
        pd.testing.assert_frame_equal(again, frame)
    bare = frame.to_csv(index=False, header=False, sep="~")
    source = opened(tmp_path, bare, separator="~")
    pd.testing.assert_frame_equal(table(opened(tmp_path, bare, schema=schema_of(source))), table(source))


def test_options_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for told in ({"separator": "ab"}, {"separator": '"'}, {"decimal": ";"}, {"separator": ",", "decimal": ","}):
        with pytest.raises(ConfigError, match=r"separator|decimal"):
            Reading(**told)
    source = opened(tmp_path, "d,x\n2024-01-05,1\n2024-13-05,2\n")
    with pytest.raises(ConfigError, match="no column 'e'"):
        column_readings(source, formats={"e": "%Y"})
    with pytest.raises(ConfigError, match=r"'x' has no dates to be read by .*: its type is int64"):
        column_readings(source, formats={"x": "%Y"})
    with pytest.raises(DataError, match=r"column 'd', row 1: '2024-13-05' is no date written '%Y-%m-%d'"):
        column_readings(source, formats={"d": "%Y-%m-%d"})


@pytest.mark.parametrize(("odd", "stray"), [(["y"], True), (["many"] * 5, False), (["a", "b", "c"], True)])
def test_of_few_distinct_texts_one_that_is_met_once_is_stray(odd: list[str], stray: bool) -> None:
    rows = pd.DataFrame({"y": [*np.resize(["0", "1", "2"], N - len(odd)), *odd]})
    source = Source("table", {"all": Rows(rows)})
    if stray:
        with pytest.raises(DataError, match=rf"'y' is numeric but for {len(odd)} of 40 values"):
            column_readings(source)
    else:
        assert column_readings(source)["y"] == ColumnReading()


def test_codes_and_words_are_no_amounts() -> None:
    for texts in (["A-1", "B-2"], ["1_000", "2_000"], ["10.0.0.1", "10.0.0.2"], ["1,23,4", "5"], ["12 kg", "3 kg"]):
        assert not any(not np.isnan(way.numbers(texts)).any() for way in possible_formats(texts))


@pytest.mark.parametrize(("distinct", "kind"), [(49, "identifier"), (26, "categorical"), (20, "categorical")])
def test_strings_that_most_rows_have_alone_are_an_identifier(distinct: int, kind: str) -> None:
    names = [f"k{min(i, distinct - 1)}" for i in range(51)]
    frame = pd.DataFrame({"s": names, "x": np.arange(51) % 5})
    assert schema_of(open_source(frame)).columns[0].kind == kind
