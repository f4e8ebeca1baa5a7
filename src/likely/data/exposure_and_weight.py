"""Exposures and weights: numbers above 0, one a row, that are no part of x."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from likely.data.cells import missing_cells, numbers_of
from likely.data.kinds import Form
from likely.data.source import Rows, Source
from likely.errors import ConfigError, DataError, quoted

__all__ = ["column_index", "positive_numbers", "read_values_beside", "with_values_beside"]


def with_values_beside(source: Source, values: Any, name: str) -> Source:
    """The source with exposures or weights in memory put beside its rows, an array in memory, under this name.

    Raises
    ------
    ConfigError
        If the data are a table, or divided already, or there is not one number a row.

    """
    if list(source.splits) != ["all"] or source.form == Form.TABLE:
        raise ConfigError(f"values of {name} are for one array or tensor; of a table name the column")
    rows = source.splits["all"].read()
    numbers = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    if numbers.shape != (len(rows),) or numbers.dtype.kind not in "iuf":
        raise ConfigError(f"expected one {name} for each of {len(rows)} rows, got {numbers.dtype} {numbers.shape}")
    others = pd.DataFrame() if rows.beside is None else rows.beside
    return replace(source, splits={"all": replace(rows, beside=others.assign(**{name: numbers}))})


def read_values_beside(rows: Rows, name: str, what: str) -> pd.Series:
    """The values, one a row, that came beside an array under this name.

    Raises
    ------
    ConfigError
        If nothing did; `what` is the option that asks for it.

    """
    values = rows.values_named(name)
    if values is None:
        known = f"what came beside it: {', '.join(rows.label_names)}" if rows.label_names else "nothing came beside it"
        cure = f"in Python give {what}=values, one a row"
        raise ConfigError(f"no {what} {quoted(name)} beside the array ({known}); {cure}")
    return pd.Series(values)


def column_index(names: Iterable[str], name: str) -> int:
    """The index of a column of a table.

    Raises
    ------
    ConfigError
        If there is none of this name.

    """
    known = list(names)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise ConfigError(
            f"no column {quoted(name)}" + (f"; did you mean {near[0]!r}?" if near else f"; columns: {known}")
        )
    return known.index(name)


def positive_numbers(values: pd.Series, what: str, cure: str) -> np.ndarray:
    """The values as numbers, `(rows,)` float64.

    Raises
    ------
    DataError
        If one is missing or not above 0; it says `what` they are, and the `cure`.

    """
    missing, _ = missing_cells(values)
    numbers = numbers_of(values.mask(missing) if missing.any() else values)
    wrong = ~(np.isfinite(numbers) & (numbers > 0))
    if wrong.any():
        place = int(wrong.argmax())
        raise DataError(
            f"{what}, row {values.index[place]}: {quoted(values.tolist()[place])} is not a number above 0; {cure}"
        )
    return np.asarray(numbers, dtype=np.float64)
