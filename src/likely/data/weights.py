"""How many rows each row counts as."""

from __future__ import annotations

import difflib
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from likely.data.cells import holes, numbers_of
from likely.data.schema import Column, Schema
from likely.data.source import Rows
from likely.errors import ConfigError, DataError

__all__ = ["WEIGHT", "weights_of", "with_weight"]

WEIGHT = "sample_weight"  # the name under which weights come beside an array
REASON = "the weights: how many rows each row counts as"


def with_weight(schema: Schema, rows: Rows, name: str) -> Schema:
    """The schema in which a column has the weights: it is no part of x.

    Parameters
    ----------
    schema
        Of the training rows.
    rows
        These.
    name
        The column of a table.

    Raises
    ------
    ConfigError
        If there is no such column, or it is a condition or the exposure.
    DataError
        If a weight is missing or not above 0, or nothing else is modelled.

    """
    names = [column.name for column in schema.columns]
    if not isinstance(rows.values, pd.DataFrame) and name == WEIGHT and rows.labels_named(WEIGHT) is not None:
        _checked(WEIGHT, pd.Series(rows.labels_named(WEIGHT)))
        return schema
    if not isinstance(rows.values, pd.DataFrame):
        raise ConfigError(f"no column {name!r}: the data is an array; in Python give weight=values, one a row")
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise ConfigError(f"no column {name!r}" + (f"; did you mean {near[0]!r}?" if near else f"; columns: {names}"))
    place = names.index(name)
    if schema.columns[place].condition:
        raise ConfigError(f"column {name!r} cannot be given and the weights; choose one")
    _checked(name, rows.values.iloc[:, place])
    made = Column(name, schema.columns[place].dtype, "ignore", REASON, weight=True)
    changed = replace(schema, columns=(*schema.columns[:place], made, *schema.columns[place + 1 :]))
    if not changed.modelled:
        raise DataError(f"no column is left to model but {name!r}, the weights")
    return replace(changed, event_shape=(len(changed.modelled),))


def weights_of(schema: Schema, rows: Rows) -> torch.Tensor | None:
    """The weights of some rows, `(rows,)` float64; `None` where there are none: each row counts once.

    Raises
    ------
    DataError
        If one is missing or not above 0.

    """
    if not isinstance(rows.values, pd.DataFrame):
        told = rows.labels_named(WEIGHT)
        return None if told is None else torch.tensor(_checked(WEIGHT, pd.Series(told)))
    name = next((column.name for column in schema.columns if column.weight), None)
    names = [str(known) for known in rows.values.columns]
    if name not in names or name is None:
        return None
    return torch.tensor(_checked(name, rows.values.iloc[:, names.index(name)]))


def _checked(name: str, values: pd.Series) -> np.ndarray:
    missing, _ = holes(values)
    numbers = numbers_of(values.mask(missing) if missing.any() else values)
    wrong = ~(np.isfinite(numbers) & (numbers > 0))
    if wrong.any():
        place = int(wrong.argmax())
        raise DataError(
            f"weights {name!r}, row {values.index[place]}: {values.tolist()[place]!r} is not a number above 0; leave "
            "rows that count for nothing out"
        )
    return np.asarray(numbers, dtype=np.float64)
