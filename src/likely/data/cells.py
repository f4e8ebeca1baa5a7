"""What a cell says before its column is known: nothing, a number, or something else."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from likely.data.number_formats import NumberFormat

__all__ = ["NUMBER", "TOKENS", "missing_cells", "numbers_of"]

TOKENS = ("", "?", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "NaT", "n/a", "nan", "null")
NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
INFINITY = r"[-+]?[iI]nf(inity)?"
ANY_NUMBER = re.compile(rf"\s*({NUMBER}|{INFINITY})\s*", re.ASCII)


def missing_cells(values: pd.Series) -> tuple[np.ndarray, str | None]:
    """Which cells have no value: NaN, None, NA, NaT, blanks, and words for nothing such as `?` or `NA`.

    Returns
    -------
    (numpy.ndarray, str | None)
        `(rows,)` boolean, and the word that stands there most often, as it is written; `None` where there is none.

    """
    missing: np.ndarray = values.isna().to_numpy()
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        distinct = dtype.categories.tolist()
    elif dtype.kind in "OU":
        distinct = list({value for value in values.tolist() if isinstance(value, str)})
    else:
        return missing, None
    words = [word for word in distinct if isinstance(word, str) and word.strip() in TOKENS]
    if not words:
        return missing, None
    counts = {word: (values == word).to_numpy(dtype=bool, na_value=False) for word in words}
    missing = np.logical_or.reduce([missing, *counts.values()])
    named = [word for word in words if word.strip() and counts[word].any()]
    return missing, max(named, key=lambda word: int(counts[word].sum()), default=None)


def numbers_of(values: pd.Series, written: NumberFormat | None = None) -> np.ndarray:
    """`(rows,)` float64: numbers written as digits, or numbers already; NaN for anything else (`1_000`, `0x10`).

    Texts are read as they are `written`; where that does not fit them all, as plain numbers, if that does.
    """
    if pd.api.types.is_numeric_dtype(values.dtype):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    known = {value: _number(value) for value in values.unique()}
    if written is not None:
        as_written = {
            value: written.number(value) if isinstance(value, str) else value_read
            for value, value_read in known.items()
        }
        plainly = np.isnan(list(as_written.values())).any() and not np.isnan(list(known.values())).any()
        known = known if plainly else as_written
    return np.array([known[value] for value in values.tolist()], dtype=np.float64)


def _number(value: object) -> float:
    if isinstance(value, str):
        return float(value) if ANY_NUMBER.fullmatch(value) else np.nan
    if not isinstance(value, (bool, int, float, np.number, np.bool_)):
        return np.nan
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return np.inf
