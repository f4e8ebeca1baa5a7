"""What scikit-learn hands over -> what `likely` takes, and back."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from likely.data import WEIGHT, Division
from likely.data.cells import missing_cells
from likely.data.split import MAX_VALIDATION_ROWS
from likely.errors import DataError

__all__ = ["MIN_ROWS", "checked", "division_of", "named", "quantile", "seed_of", "some_of", "weighed", "weighted"]

MIN_ROWS = 3  # rows: two to train on and one to validate with
MIN_VALIDATION_ROWS = 5  # where a quarter of the rows allows it


def checked(estimator: Any, X: Any, names: pd.Index | None, *, fitting: bool = False) -> pd.DataFrame | np.ndarray:
    """Rows as `likely` takes them: frames as they are, whatever their columns hold, else an array of numbers.

    Parameters
    ----------
    estimator
        It is given `n_features_in_` and `feature_names_in_` while fitting, and asked for them later.
    X
        A frame, or anything that scikit-learn makes an array of numbers, NaN where a cell is missing.
    names
        The columns of the frame that was fitted; `None` for an array. An array later gets these names, and a frame
        later becomes an array where one was fitted.
    fitting
        Whether these rows are those of the fit.

    Raises
    ------
    ValueError, TypeError
        As scikit-learn words it: too few rows, other columns than in the fit, sparse, complex, infinite, no numbers.

    """
    least = MIN_ROWS if fitting else 1
    if isinstance(X, pd.DataFrame) and (fitting or names is not None):
        validate_data(estimator, X, reset=fitting, skip_check_array=True)
        if len(X) < least:
            raise DataError(
                f"Found array with {len(X)} sample(s) (shape={X.shape}) while a minimum of {least} is required by "
                f"{type(estimator).__name__}."
            )
        return X
    array = validate_data(
        estimator, X, reset=fitting, dtype="numeric", ensure_all_finite="allow-nan", ensure_min_samples=least
    )
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return array if names is None or fitting else pd.DataFrame(array, columns=names)


def weighed(rows: pd.DataFrame | np.ndarray, sample_weight: Any) -> tuple[pd.DataFrame | np.ndarray, np.ndarray | None]:
    """The rows that count for something, and how many rows each counts as; `None` where all count alike.

    Raises
    ------
    ValueError
        If there is not one number from 0 on a row, or too few rows are left.

    """
    if sample_weight is None:
        return rows, None
    weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    kept = weights > 0
    if kept.sum() < MIN_ROWS:
        raise DataError(f"{int(kept.sum())} rows have a weight above 0; at least {MIN_ROWS} are needed")
    return rows[kept], None if (weights[kept] == 1).all() else weights[kept]


def weighted(rows: pd.DataFrame | np.ndarray, weights: np.ndarray | None) -> tuple[pd.DataFrame | np.ndarray, Any]:
    """The rows, and the weights as `likely.fit` takes them: beside an array, as a column of a frame."""
    if weights is None or not isinstance(rows, pd.DataFrame):
        return rows, weights
    taken = {str(name) for name in rows.columns}
    name = next(one for i in range(len(taken) + 1) if (one := WEIGHT + "_" * i) not in taken)
    frame = rows.copy()
    frame.columns = pd.Index([str(column) for column in rows.columns])
    frame[name] = weights
    return frame, name


def quantile(values: np.ndarray, share: float, weights: np.ndarray | None) -> float:
    """The quantile of that order, each value counted by its weight."""
    if weights is None:
        return float(np.quantile(values, share))
    return float(np.quantile(values, share, weights=weights, method="inverted_cdf"))


def named(values: pd.DataFrame | np.ndarray, names: pd.Index | None) -> pd.DataFrame | np.ndarray:
    """A result with all columns of the frame that was fitted, by their own names; those left out are missing."""
    if names is None or not isinstance(values, pd.DataFrame):
        return values
    values = values.set_axis([str(name) for name in values.columns], axis=1)
    return values.reindex(columns=[str(name) for name in names]).set_axis(names, axis=1)


def division_of(rows: pd.DataFrame | np.ndarray, seed: int) -> Division:
    """All rows train but a tenth, which choose the weights: at most 5,000, at least 5 or a quarter, at least one.

    Who fits an estimator keeps the rows that it is judged by, so there are no test rows. Of each column with missing
    cells a row that misses it trains, so that Q(z|x) knows such rows.
    """
    count = len(rows)
    held = min(max(1, count // 10, min(MIN_VALIDATION_ROWS, count // 4)), MAX_VALIDATION_ROWS)
    order = _order(_missing(rows), seed)
    return Division.of(np.sort(order[held:]), np.sort(order[:held]))


def some_of(rows: pd.DataFrame | np.ndarray, most: int, seed: int) -> np.ndarray:
    """Which rows are taken, in rising order: all, or as many as asked, drawn by the seed.

    Of each column with missing cells a row that misses it is taken, and one that has it.
    """
    if len(rows) <= most:
        return np.arange(len(rows))
    missing = _missing(rows)
    missing = missing[:, missing.any(0)]
    return np.sort(_order(np.hstack([missing, ~missing]), seed)[-most:])


def _order(cells: np.ndarray, seed: int) -> np.ndarray:
    """Rows in random order, such that of each column of `(rows, columns)` that holds a truth one is among the last."""
    order = np.random.default_rng(seed).permutation(len(cells))
    needed = np.isin(order, order[cells[order].argmax(0)[cells.any(0)]])
    return np.concatenate([order[~needed], order[needed]])


def _missing(rows: pd.DataFrame | np.ndarray) -> np.ndarray:
    return np.column_stack([missing_cells(values)[0] for _, values in pd.DataFrame(rows).items()])


def seed_of(random_state: Any) -> int:
    """A whole number as it is; else one drawn as scikit-learn draws, from numpy's global generator for `None`."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
