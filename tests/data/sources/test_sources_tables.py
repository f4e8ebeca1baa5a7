from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from likely.data.column_readings import ColumnReading, column_readings
from likely.data.columns import column_of
from likely.data.source import Source
from likely.data.sources import open_source
from likely.data.sources.reading import Reading
from likely.errors import DataError


def opened(folder: Path, content: str | bytes, name: str = "t.csv") -> Source:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(folder / name)


def table(source: Source) -> pd.DataFrame:
    frame = source.splits["all"].values
    assert isinstance(frame, pd.DataFrame)
    return frame


def test_floats_survive_the_round_trip_to_the_last_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"x": rng.normal(size=500) * 10.0 ** rng.integers(-200, 200, 500)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(table(open_source(tmp_path / "t.csv")), frame, check_exact=True)


def test_integers_beside_missing_values_stay_integers(tmp_path: Path) -> None:
    frame = table(opened(tmp_path, "id,w\n9007199254740993,1.0\n,\n5,2.0\n"))
    assert frame["id"].dtype == "Int64"
    assert frame["id"].dropna().tolist() == [9007199254740993, 5]
    assert frame["w"].dtype == "float64"


def test_arrow_integers_beside_missing_values_stay_integers(tmp_path: Path) -> None:
    given = pa.table({"id": pa.array([9007199254740993, None]), "s": ["a", "b"]})
    parquet.write_table(given, tmp_path / "t.parquet")
    frame = table(open_source(tmp_path / "t.parquet"))
    assert frame["id"].dtype == "Int64"
    assert frame["id"][0] == 9007199254740993
    assert frame["id"].isna().tolist() == [False, True]


@pytest.mark.parametrize("decimal", [None, ",", "."])
def test_integers_with_zeros_in_front_are_codes(tmp_path: Path, decimal: str | None) -> None:
    (tmp_path / "t.csv").write_text("zip;n;word;x\n02139;0;007a;00,5\n10001;5;b;1,5\n")
    source = open_source(tmp_path / "t.csv", reading=Reading(decimal=decimal))
    assert [notice for notice in source.notices if "zeros" in notice] == [
        "t.csv: column 'zip' has zeros in front, as in 02139, so it was read as strings, as codes are; for "
        "numbers give --column NAME=count, levels or grid"
    ]
    assert table(source)["zip"].tolist() == ["02139", "10001"]
    assert table(source)["n"].tolist() == [0, 5]
    looked = column_readings(source, {"zip": "levels"}, decimal=decimal)
    assert looked["zip"].number_format is not None
    assert column_readings(source, decimal=decimal).get("zip", ColumnReading()).number_format is None
    column = column_of("zip", table(source)["zip"], "levels", reading=looked["zip"])
    assert (column.low, column.high) == (2139, 10001)


def test_a_column_without_name_is_named_and_noted(tmp_path: Path) -> None:
    source = opened(tmp_path, ",a\n0,x\n1,y\n")
    assert table(source).columns.tolist() == ["index", "a"]
    assert source.notices == ("t.csv: column 1 has no name; it is called index",)
    assert table(opened(tmp_path, "a,,index\n0,x,2\n1,y,3\n")).columns.tolist() == ["a", "c1", "index"]


def test_a_header_of_column_numbers_is_pointed_out(tmp_path: Path) -> None:
    source = opened(tmp_path, "0,1\n2.5,3\n")
    assert len(table(source)) == 2
    assert "could be a header" in source.notices[0]


def test_blank_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    source = opened(tmp_path, "a,b\n1,2\n\n  \n3,4\n\n\n")
    assert table(source).to_dict("list") == {"a": [1, 3], "b": [2, 4]}
    assert source.notices == ("t.csv: 2 blank line(s) were left out",)


def test_a_quoted_empty_field_is_a_row(tmp_path: Path) -> None:
    source = opened(tmp_path, 'a\nx\n""\ny\n')
    assert table(source)["a"].isna().tolist() == [False, True, False]
    assert source.notices == ()


def test_lines_may_end_as_on_an_old_mac(tmp_path: Path) -> None:
    assert table(opened(tmp_path, "a,b\r1,x\r2,y\r")).to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_the_separator_of_a_wide_table_is_found(tmp_path: Path) -> None:
    row = ";".join(["1,5"] * 400)
    frame = table(opened(tmp_path, ";".join(f"k{i}" for i in range(400)) + "\n" + f"{row}\n" * 60))
    assert frame.shape == (60, 400)


def test_lines_longer_than_a_field_may_be_are_read(tmp_path: Path) -> None:
    names = [f"gene-{i:0>200}" for i in range(1000)]
    frame = table(opened(tmp_path, ",".join(names) + "\n" + ",".join(["1"] * 1000)))
    assert frame.columns.tolist() == names


def test_the_line_at_which_sniffing_stops_is_not_counted(tmp_path: Path) -> None:
    frame = table(opened(tmp_path, "p,q,r;s\n" + f"{'x' * 60_000};{'y' * 60_000}\n" * 12))
    assert frame.columns.tolist() == ["p,q,r", "s"]


def test_line_ends_in_quotes_are_kept(tmp_path: Path) -> None:
    assert table(opened(tmp_path, 'a,b\r\n"two\r\nlines",1\r\n'))["a"].tolist() == ["two\r\nlines"]


def test_damaged_notes_on_columns_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2]}).to_feather(tmp_path / "t.feather", compression="uncompressed")
    whole = (tmp_path / "t.feather").read_bytes()
    assert b'"numpy_type"' in whole
    with pytest.raises(DataError, match=r"t\.feather: what it says about its columns is damaged"):
        opened(tmp_path, whole.replace(b'"numpy_type"', b'"nampy_type"'), "t.feather")


def test_a_table_split_by_spaces_is_called_one_column(tmp_path: Path) -> None:
    assert "read as one column" in opened(tmp_path, "a b\n1 2\n", "t.txt").notices[0]


def test_bytes_beyond_windows_1252_are_latin_1(tmp_path: Path) -> None:
    source = opened(tmp_path, b"town\nK\xf6ln\x81\n")
    assert table(source)["town"].tolist() == ["Köln\x81"]
    assert source.notices == ("t.csv is not UTF-8; it was read as Latin-1",)


def test_a_gzipped_table_need_not_say_so_in_its_name(tmp_path: Path) -> None:
    assert table(opened(tmp_path, gzip.compress(b"a,b\n1,2\n")))["b"].tolist() == [2]


def test_a_quote_left_open_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv, line 4: 2 field\(s\), but the first line has 3"):
        opened(tmp_path, 'a,b,c\n1,2,3\n4,"5,6\n7,8,9\n')


def test_messages_are_one_line(tmp_path: Path) -> None:
    for name, content in (("t.csv", b"a,b\n1\n"), ("t.parquet", b"PAR1\n\n"), ("t.arrow", b"ARROW1\n"), ("u.csv", b"")):
        with pytest.raises(DataError) as caught:
            opened(tmp_path, content, name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_columns_doubled_in_parquet_are_refused(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="more than one column named 'a'"):
        open_source(tmp_path / "t.parquet")


def test_an_index_saved_with_the_table_is_noted(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2]}, index=pd.Index(["p", "q"], name="id")).to_parquet(tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert table(source).columns.tolist() == ["a"]
    assert source.notices == ("t.parquet: the index 'id' is not modelled",)


def test_folder_names_do_not_become_columns(tmp_path: Path) -> None:
    (tmp_path / "year=2020").mkdir()
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "year=2020" / "t.parquet")
    assert table(open_source(tmp_path / "year=2020" / "t.parquet")).columns.tolist() == ["a"]


@pytest.mark.parametrize(("cell", "kind"), [([1, 2], "type list"), ({"k": 1}, "type dict"), (np.zeros(2), "ndarray")])
def test_cells_that_hold_several_values_are_refused(cell: object, kind: str) -> None:
    with pytest.raises(DataError, match=rf"the frame, column 'a' holds .*{kind}"):
        open_source(pd.DataFrame({"a": [cell, cell]}))


def test_complex_columns_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"'a' holds values of type complex; .* frame\['a'\]\.to_numpy\(\)\.real and \.imag"
    ):
        open_source(pd.DataFrame({"a": [1j, 2j]}))


def test_missing_values_are_left_to_the_next_layer() -> None:
    given = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
    pd.testing.assert_frame_equal(table(open_source(given)), given)
