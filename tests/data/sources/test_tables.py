from __future__ import annotations

import decimal
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from likely.data import Source, sources
from likely.errors import DataError


def write(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def frame_of(source: Source) -> pd.DataFrame:
    frame = source.splits["all"].values
    assert isinstance(frame, pd.DataFrame)
    return frame


def read(path: Path) -> pd.DataFrame:
    return frame_of(sources.open_source(path))


def example() -> pd.DataFrame:
    return pd.DataFrame(
        {"i": [1, -2, 3], "f": [0.5, 1.25, -3.0], "s": ["a", " b", "c,d"], "b": [True, False, True], "d": [2, 2, 2]}
    )


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".pq", ".arrow", ".feather"])
def test_every_format_gives_the_same_frame(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{suffix}"
    if suffix in (".parquet", ".pq"):
        example().to_parquet(path, index=False)
    elif suffix in (".arrow", ".feather"):
        example().to_feather(path)
    else:
        example().to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    source = sources.open_source(path)
    assert source.form == "table"
    assert source.path == path
    pd.testing.assert_frame_equal(frame_of(source), example())


def test_an_arrow_stream_is_read(tmp_path: Path) -> None:
    import pyarrow as pa

    table = pa.Table.from_pandas(example(), preserve_index=False)
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    pd.testing.assert_frame_equal(read(tmp_path / "t.arrow"), example())


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_separator_is_found(mark: str, tmp_path: Path) -> None:
    text = "\n".join(mark.join(row) for row in (["a", "b", "c"], ["1", "2.5", "x"], ["3", "4.5", "y"])) + "\n"
    frame = read(write(tmp_path, text))
    assert frame.columns.tolist() == ["a", "b", "c"]
    assert frame["a"].tolist() == [1, 3]
    assert frame["b"].tolist() == [2.5, 4.5]


def test_quotes_protect_separators_and_line_ends(tmp_path: Path) -> None:
    frame = read(write(tmp_path, 'a,b\n"x,1","two\nlines"\ny,"say ""hi"""\n'))
    assert frame["a"].tolist() == ["x,1", "y"]
    assert frame["b"].tolist() == ["two\nlines", 'say "hi"']


def test_a_single_column_is_read(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a\n1\n2\n")).to_dict("list") == {"a": [1, 2]}


def test_blank_lines_before_the_header_and_windows_line_ends(tmp_path: Path) -> None:
    assert read(write(tmp_path, "\r\n\r\na,b\r\n1,2\r\n3,4\r\n")).to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_a_table_without_header_gets_names_and_says_so(tmp_path: Path) -> None:
    source = sources.open_source(write(tmp_path, "1,2.5\n3,4.5\n"))
    assert frame_of(source).to_dict("list") == {"c0": [1, 3], "c1": [2.5, 4.5]}
    assert any("no header" in notice for notice in source.notices)


def test_bytes_that_are_not_utf8_are_read_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("town,n\nKöln,1\nZürich,2\n".encode("cp1252"))
    source = sources.open_source(path)
    assert frame_of(source)["town"].tolist() == ["Köln", "Zürich"]
    assert any("UTF-8" in notice for notice in source.notices)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_part_of_the_first_name(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("town,n\nKöln,1\nZürich,2\n".encode(encoding))
    assert read(path).to_dict("list") == {"town": ["Köln", "Zürich"], "n": [1, 2]}


@pytest.mark.parametrize("word", ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?", " ? ", " "])
def test_words_for_missing(word: str, tmp_path: Path) -> None:
    assert read(write(tmp_path, f"a,b\n1,x\n{word},y\n"))["a"].isna().tolist() == [False, True]


@pytest.mark.parametrize("word", ["None", "none", "n.a.", "-", "??"])
def test_other_words_are_values(word: str, tmp_path: Path) -> None:
    assert read(write(tmp_path, f"a,b\nx,1\n{word},2\n"))["a"].tolist() == ["x", word]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("a,b\n", "no rows"),
        ("a,b,a\n1,2,3\n", "more than one column named 'a'"),
        ("a,b\n1,2\n3\n", "line 3"),
        ("a,b\n1,2\n3,4,5\n", "line 3"),
        ("a,b\n" + "x" * 200_000 + ",1\n", "field larger"),
    ],
)
def test_what_is_no_table_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(write(tmp_path, text))
    assert "t.csv" in str(caught.value)


def test_zero_bytes_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,\0\0\n")
    with pytest.raises(DataError, match="zero bytes"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize("keep", [5, 20, -1])
def test_truncated_gzip_is_refused(keep: int, tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 500)
    (tmp_path / "t.csv.gz").write_bytes(whole[:keep])
    with pytest.raises(DataError, match=r"t\.csv\.gz"):
        read(tmp_path / "t.csv.gz")


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow"])
def test_damaged_columnar_files_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{suffix}"
    (example().to_parquet if suffix == ".parquet" else example().to_feather)(path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:8], b"a,b\n1,2\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            read(path)


def test_frames_are_checked() -> None:
    with pytest.raises(DataError, match="more than one column named '1'"):
        sources.open_source(pd.DataFrame([[1, 2]], columns=["1", 1]))
    with pytest.raises(DataError, match="no columns"):
        sources.open_source(pd.DataFrame(index=[0, 1]))
    with pytest.raises(DataError, match="no rows"):
        sources.open_source(pd.DataFrame({"a": []}))


def test_the_callers_frame_is_left_alone() -> None:
    frame = pd.DataFrame({0: [1, 2], "d": pd.Series([1, 2], dtype=object)}, index=[7, 9])
    before = frame.copy()
    read_back = frame_of(sources.open_source(frame))
    pd.testing.assert_frame_equal(frame, before)
    assert read_back.columns.tolist() == ["0", "d"]
    assert read_back.index.tolist() == [7, 9]


def test_numbers_kept_as_objects_are_numbers() -> None:
    frame = pd.DataFrame(
        {
            "money": pd.Series([decimal.Decimal("1.10"), decimal.Decimal("2.25")], dtype=object),
            "whole": pd.Series([1, 2], dtype=object),
            "mixed": pd.Series([1, 2.5], dtype=object),
            "flag": pd.Series([True, False], dtype=object),
            "gap": pd.Series([1.5, None], dtype=object),
        }
    )
    read_back = frame_of(sources.open_source(frame))
    assert read_back.dtypes.astype(str).tolist() == ["float64", "int64", "float64", "bool", "float64"]
    assert read_back["money"].tolist() == [1.1, 2.25]
    assert np.isnan(read_back["gap"][1])
