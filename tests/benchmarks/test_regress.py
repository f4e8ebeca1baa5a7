"""What `benchmarks/regress.py` says of two versions: whether their nats compare, and by how much they differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likely.data import Column, Schema
from regress_laws import Space, by_row, by_seed, changed, final_zeros, places, spaces, worst

GRID = Column("x", "float64", "grid", "", per_unit=10)
REAL = Column("x", "float64", "real", "")
ATOMS = replace(REAL, atoms=(0.0,))
LISTED = Column("x", "float64", "listed", "", categories=(0.1, 0.2, 0.5))


def of(column: Column) -> dict[str, Space]:
    return spaces(Schema("table", (1,), (column,), 100, cells_alike=False).to_dict())


@pytest.mark.parametrize(
    ("old", "new", "how"),
    [
        (GRID, replace(GRID, kind="count", low=0.0, limits=(0.0, 9.0)), {}),
        (GRID, replace(GRID, resolutions=((1, 0.2), (10, 0.8))), {}),
        (GRID, LISTED, {}),
        (LISTED, replace(LISTED, categories=(0.1, 0.2)), {}),
        (GRID, replace(LISTED, categories=(0.1, 0.25)), {"x": "cells of 0.1 -> values"}),
        (GRID, replace(LISTED, categories=("a", "b")), {"x": "cells of 0.1 -> values"}),
        (GRID, replace(GRID, per_unit=100), {"x": "cells of 0.1 -> cells of 0.01"}),
        (REAL, REAL, {}),
        (REAL, ATOMS, {"x": "density -> density, atoms at 0"}),
        (ATOMS, LISTED, {"x": "density, atoms at 0 -> values"}),
        (GRID, replace(GRID, kind="identifier"), {"x": "cells of 0.1 -> left out"}),
        (GRID, replace(GRID, condition=True), {"x": "cells of 0.1 -> left out"}),
    ],
)
def test_nats_compare_in_one_base_measure_alone(old: Column, new: Column, how: dict[str, str]) -> None:
    assert changed(of(old), of(new)) == how
    assert len(changed(of(new), of(old))) == len(how)


def test_a_schema_of_before_atoms_is_read() -> None:
    document = Schema("table", (1,), (REAL,), 100, cells_alike=False).to_dict()
    for column in document["columns"]:
        del column["atoms"]
    assert spaces(document) == of(REAL)


def test_final_zeros_are_multiples_of_ten_recorded_steps() -> None:
    values = np.array([0.3, 1.0, 2.0, 12.7])
    assert places(values) == 1
    assert final_zeros(values, 1) == 0.5
    assert places(np.array([10, 25])) == 0
    assert final_zeros(np.array([10, 25]), 0) == 0.5
    assert places(np.array([88.97620, 0.00632])) == 5
    assert final_zeros(np.array([88.97620, 0.00632]), 5) == 0.5
    assert places(np.random.default_rng(0).normal(size=100)) is None
    assert places(np.append(np.full(199, 0.3), 1 / 3)) == 1


def test_the_largest_difference_of_final_zeros_keeps_its_sign() -> None:
    assert worst([{"a": [0.5, 0.6], "b": [0.5, 0.2]}, {"a": [0.5, 0.5]}]) == (pytest.approx(-0.3), "b")


def test_differences_are_paired_and_a_row_counts_once() -> None:
    rows, old = np.array([3, 5, 8, 3, 5, 8]), np.arange(6.0)
    new = old + np.array([1, 2, 3, 1, 2, 3])
    found = by_row({"row": rows, "log_px": old}, {"row": rows, "log_px": new})
    assert found["mean"] == pytest.approx(2)
    assert found["se"] == pytest.approx(1 / 3**0.5)
    lost = by_row({"row": rows, "log_px": old}, {"row": rows, "log_px": np.append(new[:5], -np.inf)})
    assert lost["mean"] == pytest.approx(9 / 5)
    assert lost["without mass"] == [0, 1]
    assert by_seed(np.array([0.5, 0.7]), np.array([0.6, 1.0])) == pytest.approx({"mean": 0.2, "se": 0.1})
    assert by_seed(np.array([0.5]), np.array([0.6]))["se"] is None
