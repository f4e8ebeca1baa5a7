"""Which rows train, validate and test."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import likely
from likely.data import Division, Source, divide, sources
from likely.data.source import Rows


def frame(rows: int = 100) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=rows),
            "day": (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(rows), "D")).strftime("%d.%m.%Y"),
            "year": np.sort(rng.integers(2000, 2010, rows))[::-1],
            "patient": rng.integers(0, 30, rows).astype(str),
        }
    )


def of(data: Any, split: Any, seed: int = 0) -> Division:
    return divide(sources.open_source(data), seed, split)


def test_the_default_division_is_what_it_was() -> None:
    order = np.random.default_rng(7).permutation(100)
    for made in (divide(sources.open_source(frame()), 7), of(frame(), "random", 7)):
        assert made.test.tolist() == sorted(order[:10])
        assert made.validation.tolist() == sorted(order[10:20])
        assert made.train.tolist() == sorted(order[20:])


def test_the_last_rows_by_a_column_are_test_rows_and_those_before_them_validate() -> None:
    data = frame()
    made, days = of(data, "time:day"), pd.to_datetime(data["day"], format="%d.%m.%Y")
    assert [len(part) for part in (made.train, made.validation, made.test)] == [80, 10, 10]
    assert days[made.train].max() < days[made.validation].min()
    assert days[made.validation].max() < days[made.test].min()


def test_rows_of_one_time_stay_together() -> None:
    data = frame()
    made = of(data, "time:year")
    years = [set(data["year"].iloc[part]) for part in (made.train, made.validation, made.test)]
    assert max(years[0]) < min(years[1]) <= max(years[1]) < min(years[2])
    assert len(made.test) >= 10
    assert sorted(np.concatenate([made.train, made.validation, made.test])) == list(range(100))


def test_no_group_is_in_two_parts() -> None:
    data = frame()
    made = of(data, "group:patient")
    groups = [set(data["patient"].iloc[part]) for part in (made.train, made.validation, made.test)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert 1 <= len(made.test) <= 10
    assert 1 <= len(made.validation) <= 10
    assert sorted(np.concatenate([made.train, made.validation, made.test])) == list(range(100))
    assert of(data, "group:patient", 1).test.tolist() != made.test.tolist()
    assert of(data, "group:patient").test.tolist() == made.test.tolist()


def test_a_large_group_does_not_go_where_it_does_not_fit() -> None:
    data = frame().assign(patient=["a"] * 90 + ["b"] * 4 + ["c"] * 6)
    for seed in range(5):
        made = of(data, "group:patient", seed)
        assert set(data["patient"].iloc[made.train]) == {"a"}


@pytest.mark.parametrize("text", ["{}\n", '"{}"\n', "part\n{}\n", "id,part\n0,{}\n"])
def test_a_file_names_the_part_of_each_row(tmp_path: Path, text: str) -> None:
    parts = (["train"] * 6 + ["val", "test"] * 2) * 10
    first, rest = parts[0], parts[1:]
    row = "{}" if "," not in text else "1,{}"
    lines = text.format(first) + "".join(row.format(part) + "\n" for part in rest)
    (tmp_path / "parts.csv").write_text(lines)
    for split in (tmp_path / "parts.csv", str(tmp_path / "parts.csv"), parts, np.array(parts)):
        made = of(frame(), split)
        for kind, name in (("train", "train"), ("validation", "val"), ("test", "test")):
            assert getattr(made, kind).tolist() == [i for i, part in enumerate(parts) if part == name]


def test_training_rows_validate_where_none_is_named_so() -> None:
    made = of(frame(), ["test"] * 20 + ["train"] * 80)
    assert made.test.tolist() == list(range(20))
    assert len(made.validation) == 8
    assert sorted(np.concatenate([made.train, made.validation])) == list(range(20, 100))
    assert not len(of(frame(), ["val"] * 20 + ["train"] * 80).test)


def test_a_part_that_the_source_has_stays_and_the_rest_is_divided_as_told() -> None:
    data = frame()
    source = Source("table", {"train": Rows(data[:60]), "test": Rows(data[60:])})
    made = divide(source, 0, "time:year")
    assert made.origin["test"] == "test"
    assert made.test.tolist() == list(range(40))
    assert data["year"].iloc[made.train].max() < data["year"].iloc[made.validation].min()


def test_labels_and_columns_of_an_array_divide_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.repeat(np.arange(12), 5)
    np.savez(tmp_path / "d.npz", x=x, y=y)
    made = of(tmp_path / "d.npz", "group:label")
    assert not set(y[made.train]) & set(y[made.test])
    last = of(x, "time:x2")
    assert x[last.test, 2].min() > x[last.train, 2].max()


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ("time:dya", "did you mean 'day'"),
        ("group:nothing", "which the data lacks"),
        ("time:patient", "rows have an order by numbers or dates"),
        ("time:same", "too few"),
        ("group:same", "1 group(s) are too few for 3 parts"),
        ("group:holed", "row 3 has no value"),
        ("time:holed", "row 3 has no value"),
        ("tiem:day", "split must be random, time:COLUMN, group:COLUMN or a file of parts; got 'tiem:day'"),
        ("time:", "split must be random"),
        (["train"] * 99, "names a part for 99 row(s), and the data has 100"),
        (["train"] * 99 + ["tst"], "'tst' for row 99"),
        (["test"] * 100, "training rows must be"),
    ],
)
def test_what_is_no_split_is_refused(split: Any, says: str) -> None:
    data = frame().assign(same=1, patient=[f"p{i % 30}" for i in range(100)])
    data["holed"] = np.where(np.arange(100) == 3, np.nan, np.arange(100))
    with pytest.raises(likely.InputError, match=says.replace("(", r"\(").replace(")", r"\)")):
        of(data, split)


def test_a_file_of_parts_is_a_regular_one_that_fits_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(likely.DataError, match="is no file of parts but a folder, a pipe or a device"):
            of(frame(), str(place))
    (tmp_path / "parts.gz").write_bytes(gzip.compress(b"train\n" * 60 + b"val\n" * 20 + b"test\n" * 20))
    assert len(of(frame(), str(tmp_path / "parts.gz")).test) == 20
    (tmp_path / "cut.gz").write_bytes((tmp_path / "parts.gz").read_bytes()[:-9])
    with pytest.raises(likely.DataError, match="cannot be read as a list of parts"):
        of(frame(), str(tmp_path / "cut.gz"))
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"train\n" * 100_000))
    monkeypatch.setenv("LIKELY_MAX_BYTES", "1000000")
    with pytest.raises(likely.DataError, match=r"bomb\.gz unpacks to more than"):
        of(frame(), str(tmp_path / "bomb.gz"))


def test_a_file_without_parts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "parts.txt").write_text("a\nb\n")
    with pytest.raises(likely.DataError, match="no column of parts"):
        of(frame(), str(tmp_path / "parts.txt"))
