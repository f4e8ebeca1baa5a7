"""Frames and tables come back in the form that they came in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import likely
from likely.cli import main
from likely.report.collect import collect

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
    ],
    ids=["integers", "mixed", "levels"],
)
def test_names_of_columns_come_back_from_every_verb(names: pd.Index, tmp_path: Path) -> None:
    rows = HOLED.set_axis(names, axis=1)
    likely.fit(rows, steps=2, out=tmp_path / "run")
    run = likely.load(tmp_path / "run")
    filled, deviation = run.impute(rows, samples=5, deviation=True)
    decoded = run.decode(run.encode(rows).to_numpy())
    for made in (run.sample(2), run.sample(2, with_holes=True), run.reconstruct(rows), decoded, filled, deviation):
        pd.testing.assert_index_equal(made.columns, names, exact="equiv")
    assert not rows.fillna(filled).isna().any(axis=None)
    assert np.isfinite(run.score(run.sample(2), samples=3)["log_px"]).all()
    assert main(["sample", str(tmp_path / "run"), "-n", "2", "-o", str(tmp_path / "s.parquet")]) == 0
    assert pd.read_parquet(tmp_path / "s.parquet").columns.tolist() == [str(name) for name in names]


def test_arrow_tables_come_back_as_arrow_tables(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    count = pa.array(draw.poisson(3, 60), pa.int16(), mask=draw.random(60) < 0.2)
    town = pa.array(draw.choice(["a", "b"], 60), pa.string(), mask=draw.random(60) < 0.2)
    day = pa.array(pd.date_range("2024-01-01", periods=60, tz="Europe/Berlin")).cast(
        pa.timestamp("us", "Europe/Berlin")
    )
    rows = pa.table({"count": count, "town": town, "day": day, "x": pa.array(X[0])})
    run = likely.fit(rows, steps=2, out=tmp_path / "run")
    for made in (run.sample(4), likely.load(tmp_path / "run").sample(4, with_holes=True), run.reconstruct(rows)):
        assert isinstance(made, pa.Table)
        assert made.schema.equals(rows.schema), made.schema
    filled = run.impute(rows, samples=5)
    assert filled.schema.equals(rows.schema)
    for name in rows.column_names:
        assert filled[name].null_count == 0
        seen = rows[name].is_valid()
        assert filled[name].filter(seen).equals(rows[name].filter(seen))
    draws = run.impute(Foreign(rows), samples=5, draws=2)
    assert [one.schema.equals(rows.schema) for one in draws] == [True, True]
    frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    pd.testing.assert_frame_equal(run.score(rows, samples=3), run.score(frame, samples=3), check_exact=True)
    assert isinstance(run.impute(frame, samples=5), pd.DataFrame)
    assert main(["sample", str(tmp_path / "run"), "-n", "2", "-o", str(tmp_path / "s.csv")]) == 0
    assert pd.read_csv(tmp_path / "s.csv").columns.tolist() == rows.column_names
    assert collect(run).samples.columns.tolist() == rows.column_names


def test_sparse_columns_come_back_sparse() -> None:
    counts = pd.arrays.SparseArray(np.random.default_rng(0).poisson(0.3, 60))
    rows = pd.DataFrame({"v": counts, "x": X[0]})
    run = likely.fit(rows, steps=2)
    for made in (run.sample(5), run.reconstruct(rows), run.impute(rows)):
        assert made["v"].dtype == rows["v"].dtype
    assert run.impute(rows)["v"].tolist() == rows["v"].tolist()
