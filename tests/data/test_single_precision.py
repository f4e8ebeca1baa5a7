"""The same values in single and double precision, and listed numbers of many magnitudes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import likely
from likely.data import Column, Schema, encode


def _coded(column: Column, values: np.ndarray) -> list[float]:
    schema = Schema("table", (len(values), 1), (column,), len(values), cells_alike=False)
    coded: list[float] = encode(schema, pd.DataFrame({column.name: values})).stored().values[:, 0].tolist()
    return coded


def test_a_listed_number_is_met_only_within_its_own_rounding() -> None:
    doses = (0.0, 1e-9, 1e-8, 1e-6, 1e-3, 1.0)
    column = Column("dose", "float64", "listed", "", low=0.0, high=1.0, categories=doses, mean=0.2, scale=0.4)
    given = np.array([1e-8, 3e-8, 5e-8, 1e-7, 1e-10, 1e-3])
    assert _coded(column, given) == [1e-8, 2.0, 2.0, 2.0, 2.0, 1e-3]
    assert _coded(column, np.array(doses, np.float32)) == list(doses)


@pytest.mark.parametrize("limit", [0.1, 0.7])  # single precision rounds one up, the other down
def test_a_limit_in_single_precision_is_the_limit(limit: float) -> None:
    column = Column("x", "float32", "real", "", low=0.0, high=limit, limits=(0.0, limit))
    assert _coded(column, np.array([0.0, limit], np.float32)) == [0.0, limit]


@pytest.mark.parametrize(("fitted", "given"), [(np.float64, np.float32), (np.float32, np.float64)])
def test_two_values_are_the_same_in_single_and_double_precision(fitted: type, given: type) -> None:
    upper = np.random.default_rng(0).random((80, 20)) < 0.5
    values = np.where(upper, 0.9, 0.1)
    schema = likely.inspect(values.astype(fitted)).schema
    assert np.array_equal(encode(schema, values.astype(given)).stored().values.numpy(), upper)
    other = values.astype(given)
    other[3, 4] = 0.1001
    with pytest.raises(likely.errors.DataError, match=r"neither 0\.1"):
        encode(schema, other)
