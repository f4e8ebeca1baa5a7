"""Frames and tables come back in the form that they came in."""

from __future__ import annotations

import datetime
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import likely
from likely.cli import main
from likely.data import sources
from likely.errors import DataError
from likely.report.collect import collect
from likely.run.forms import packed
from quick import quick_reports

pytestmark = pytest.mark.filterwarnings("ignore:.*effective draws")
RNG = np.random.default_rng(1)
X = pd.DataFrame(RNG.normal(size=(60, 3)).round(2))
HOLED = X.mask(RNG.random(X.shape) < 0.2)


class Foreign:
    """A frame of another library."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def to_arrow(self) -> pa.Table:
        return self.table


@pytest.mark.parametrize(
    "names",
    [
        pd.RangeIndex(3),
        pd.Index([2020, "year", 1.5], name="n"),
        pd.MultiIndex.from_tuples([("t", "mean"), ("t", "std"), ("u", 1)], names=["a", None]),
        pd.Index([datetime.date(2024, 1, 2), pd.Timestamp("2024-01-02T03:04"), None], dtype=object),
    ],
    ids=["integers", "mixed", "levels", "dates"],
)
def test_names_of_columns_come_back_from_every_verb(names: pd.Index, tmp_path: Path) -> None:
    rows = HOLED.set_axis(names, axis=1)
    likely.fit(rows, steps=2, out=tmp_path / "run")
    run = likely.load(tmp_path / "run")
    filled, deviation = run.impute(rows, samples=5, deviation=True)
    decoded = run.decode(run.encode(rows).to_numpy())
    for made in (run.sample(2), run.sample(2, with_missing=True), run.reconstruct(rows), decoded, filled, deviation):
        pd.testing.assert_index_equal(made.columns, names, exact="equiv")
    reasons = run.anomalies(rows, samples=3)
    assert all(len(reasons[name]) == len(rows) for name in rows)
    assert not rows.fillna(filled).isna().any(axis=None)
    assert np.isfinite(run.score(run.sample(2), samples=3)["log_px"]).all()
    assert main(["sample", str(tmp_path / "run"), "-n", "2", "-o", str(tmp_path / "s.parquet")]) == 0
    assert pd.read_parquet(tmp_path / "s.parquet").columns.tolist() == [str(name) for name in names]


def test_arrow_tables_come_back_as_arrow_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(2)
    count = pa.array(draw.poisson(3, 60), pa.int16(), mask=draw.random(60) < 0.2)
    town = pa.array(draw.choice(["a", "b"], 60), pa.string(), mask=draw.random(60) < 0.2)
    day = pa.array(pd.date_range("2024-01-01", periods=60, tz="Europe/Berlin")).cast(
        pa.timestamp("us", "Europe/Berlin")
    )
    rows = pa.table({"count": count, "town": town, "day": day, "x": pa.array(X[0])})
    run = likely.fit(rows, steps=2, out=tmp_path / "run")
    for made in (run.sample(4), likely.load(tmp_path / "run").sample(4, with_missing=True), run.reconstruct(rows)):
        assert isinstance(made, pa.Table)
        assert made.schema.equals(rows.schema), made.schema
    filled = run.impute(rows, samples=1)
    assert filled.schema.equals(rows.schema)
    for name in rows.column_names:
        assert filled[name].null_count == 0
        seen = rows[name].is_valid()
        assert filled[name].filter(seen).equals(rows[name].filter(seen))
    draws = run.impute(Foreign(rows), samples=5, draws=2)
    assert [one.schema.equals(rows.schema) for one in draws] == [True, True]
    frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    scores = run.score(rows, samples=3)
    pd.testing.assert_frame_equal(scores.to_pandas(), run.score(frame, samples=3), check_exact=True)
    assert run.encode(rows).column_names[0] == "z0"
    assert run.anomalies(rows.slice(0, 4), samples=3).column_names[-4:] == rows.column_names
    assert run.ask(rows, "x>0", samples=5).column_names == ["x>0", "x>0 se_mc"]
    assert run.split("test").equals(rows.take(run.division.test))
    assert isinstance(run.impute(frame, samples=5), pd.DataFrame)
    assert main(["sample", str(tmp_path / "run"), "-n", "2", "-o", str(tmp_path / "s.csv")]) == 0
    assert pd.read_csv(tmp_path / "s.csv").columns.tolist() == rows.column_names
    quick_reports(monkeypatch)
    assert collect(run).samples.columns.tolist() == rows.column_names


def test_names_that_a_run_cannot_keep_are_refused_with_the_cure() -> None:
    rows = X.set_axis(pd.interval_range(0, 3), axis=1)
    with pytest.raises(DataError, match=r"of type Interval.*frame\.columns\.map\(str\)"):
        likely.fit(rows, steps=2)


class Frame:
    """A frame as polars has it."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def to_arrow(self) -> pa.Table:
        return self.table


Frame.__module__ = "polars.dataframe.frame"


def test_frames_of_polars_come_back_as_such_with_the_marks_of_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("polars")
    library.__spec__ = ModuleSpec("polars", None)
    setattr(library, "from_arrow", Frame)  # noqa: B010
    monkeypatch.setitem(sys.modules, "polars", library)
    codes = pa.array(["a", "b"] * 30).dictionary_encode()
    size = pa.field("size", codes.type, metadata={"values": "a b"})
    rows = Frame(pa.Table.from_arrays([codes, pa.array(X[0])], schema=pa.schema([size, pa.field("x", pa.float64())])))
    run = likely.fit(rows, steps=2)
    made = [run.sample(3), run.reconstruct(rows), run.impute(rows), run.split("test"), run.decode(np.zeros((2, 2)))]
    for one in made:
        assert isinstance(one, Frame)
        assert one.table.schema.equals(rows.table.schema, check_metadata=True)
    assert isinstance(run.score(rows), Frame)
    monkeypatch.delitem(sys.modules, "polars")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert isinstance(run.sample(3), pa.Table)


def test_a_column_of_several_types_is_texts_in_a_table() -> None:
    made = packed("arrow", pd.DataFrame({"mixed": pd.Series([1, "01"], dtype=object)}))
    assert made["mixed"].to_pylist() == ["1", "01"]


class DataFrame:
    """A frame that is computed elsewhere."""

    def toPandas(self) -> None:  # noqa: N802
        raise AssertionError


class LazyFrame:
    def collect(self) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pa.table({"x": [[1], [2]]}), "'x' is of type list<.*drop the column"),
        (pa.table({"x": pa.array([1, 2], pa.time32("s"))}), "'x' is of type time32"),
        (X[0], r"a pandas.Series gives no table.*\.to_frame\(\)"),
        (Foreign(pa.array([1, 2])), r"Foreign is one column and no table.*\.to_frame\(\)"),
        (DataFrame(), r"got test_forms\.DataFrame: give data\.toPandas\(\)"),
        (LazyFrame(), r"give data\.collect\(\)"),
        ([1, 2], "got list: make it an array"),
    ],
)
def test_what_is_no_table_of_plain_cells_is_refused_with_the_cure(data: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        sources.open_source(data)
