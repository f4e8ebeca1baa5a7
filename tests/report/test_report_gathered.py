"""What is gathered for the page: copies of training rows, the column that colours the codes, a part of many rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import likely
from likely.data import Rows
from likely.report import collect
from likely.report.copies import copies
from likely.report.planes import colouring, plane


def _few_values(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.choice(list("uvw"), rows), "b": rng.integers(0, 3, rows), "c": rng.integers(0, 40, rows)}
    )
    frame.loc[rng.random(rows) < 0.2, "a"] = None
    return frame


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    path = tmp_path_factory.mktemp("gathered") / "few.csv"
    _few_values(300).to_csv(path, index=False)
    return likely.fit(path, steps=5, width=8, blocks=1, latent=2, progress=False)


def test_copies_are_counted_as_a_comparison_of_all_rows_counts_them(run: likely.Run) -> None:
    train, test = run.split("train"), run.split("test")
    drawn = pd.concat([train.head(30), test.assign(c=1000).head(10)], ignore_index=True)

    def known(frame: pd.DataFrame) -> int:
        rows = set(map(tuple, train.astype(object).where(train.notna(), "none").to_numpy()))
        given = frame.astype(object).where(frame.notna(), "none").to_numpy()
        return sum(tuple(row) in rows for row in given)

    assert copies(run, drawn, test) == (30, 40, known(test), len(test))
    assert known(test) > 0


def test_copies_are_not_told_of_densities_or_without_the_data(run: likely.Run, tmp_path: Path) -> None:
    reals = likely.fit(pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2))), steps=2, progress=False)
    assert copies(reals, pd.DataFrame(), pd.DataFrame()) is None
    run.save(tmp_path / "run")
    data = Path(str(run.record.data.path))
    text = data.read_text()
    data.write_text("a,b,c\nu,1,2\n")
    try:
        assert copies(likely.load(tmp_path / "run"), run.split("test"), run.split("test")) is None
    finally:
        data.write_text(text)


@pytest.mark.parametrize("rows", [30, 400])
def test_the_column_that_the_plane_tells_most_of_is_found(rows: int) -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(rows, 2))
    kind = np.where(points[:, 0] > 0, "right", "left")
    frame = pd.DataFrame(
        {"noise": rng.normal(size=rows), "kind": kind, "half": points[:, 1] + 2 * rng.normal(size=rows)}
    )
    found = colouring(points, frame)
    assert found is not None
    assert found[0] == "kind"
    assert 0.3 < found[2] < 1
    assert colouring(points, frame[["noise"]]) is None or rows < 60


def test_axes_say_how_much_they_show() -> None:
    codes = np.random.default_rng(0).normal(size=(500, 3)) * [3.0, 1.0, 0.01]
    assert plane(codes).axes[0].startswith("component 1 (9")
    assert plane(codes[:, :2]).axes == ("z0", "z1")


def test_of_many_rows_a_part_is_taken_in_their_order() -> None:
    part = collect._part(Rows(pd.DataFrame({"x": range(1000)})), 50, seed=3)
    assert len(part) == 50
    assert part.values["x"].is_monotonic_increasing
    assert part.values["x"].max() > 500
