"""A division that the user makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import likely
from likely.data import Division

X = np.random.default_rng(0).normal(size=(40, 2))


def test_the_rows_are_used_as_told_and_stored(tmp_path: Path) -> None:
    division = Division.of(range(5, 40), [0, 1, 2])
    run = likely.fit(X, split=division, steps=5, out=tmp_path / "run")
    assert run.schema.rows == 35
    again = likely.load(tmp_path / "run")
    for kind, rows in (("train", list(range(5, 40))), ("validation", [0, 1, 2]), ("test", [])):
        assert getattr(again.division, kind).tolist() == rows
    for one in (run, again):
        with pytest.raises(likely.DataError, match="kept no test rows back"):
            one.evaluate()
    alone = likely.fit(np.vstack([X[:3], np.zeros((2, 2)) + 99, X[5:]]), split=division, steps=5)
    np.testing.assert_array_equal(alone.score(X), run.score(X))  # rows 3 and 4 play no part


def test_the_report_of_such_a_run_says_what_is_missing(tmp_path: Path) -> None:
    run = likely.fit(X, split=Division.of(range(5, 40), [0, 1, 2]), steps=5)
    with pytest.raises(likely.DataError, match="kept no test rows back"):
        run.report(tmp_path / "report.html")


@pytest.mark.parametrize(
    ("train", "validation", "says"),
    [
        ([0], [1], "training rows must be a list of at least 2"),
        ([0, 1], [], "validation rows must be a list of at least 1"),
        ([0, 1], [1], "row 1 is given twice"),
        ([0, 0], [1], "row 0 is given twice"),
        ([0, -1], [1], "whole numbers from 0 on"),
        ([0.5, 1], [2], "whole numbers from 0 on"),
    ],
)
def test_what_is_no_division_is_refused(train: Any, validation: Any, says: str) -> None:
    with pytest.raises(likely.DataError, match=says):
        Division.of(train, validation)


def test_a_division_of_other_data_is_refused(tmp_path: Path) -> None:
    division = Division.of([0, 1, 40], [2])
    with pytest.raises(likely.DataError, match="the division has row 40, and the data 40"):
        likely.fit(X, split=division)
    np.savez(tmp_path / "x.npz", x_train=X, x_test=X)
    with pytest.raises(likely.DataError, match="divided already"):
        likely.fit(tmp_path / "x.npz", split=division)
