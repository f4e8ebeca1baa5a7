"""How many rows each row counts as."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from likely.data.conditions import Given
from likely.data.exposure_and_weight import column_index, positive_numbers, read_values_beside
from likely.data.kinds import Form, Kind
from likely.data.schema import Column, Schema
from likely.data.source import Rows
from likely.errors import ConfigError, DataError

__all__ = ["WEIGHT", "weighing", "weights_of", "with_weight"]

WEIGHT = "sample_weight"  # what weights in memory are called that come beside an array in memory
REASON = "the weights: how many rows each row counts as"


def with_weight(schema: Schema, rows: Rows, name: str) -> Schema:
    """The schema that says where the weights are: they are no part of x.

    Parameters
    ----------
    schema
        Of the training rows.
    rows
        These.
    name
        The column of a table, or of what came beside an array.

    Raises
    ------
    ConfigError
        If there is no such column, or it is a condition or the exposure.
    DataError
        If a weight is missing or not above 0, or nothing else is modelled.

    """
    if any(column.name == name for column in schema.conditions):
        raise ConfigError(f"column {name!r} cannot be given and the weights; choose one")
    if not isinstance(rows.values, pd.DataFrame):
        _numbers(name, read_values_beside(rows, name, "weight"))
        return replace(schema, weight=name)
    place = column_index((column.name for column in schema.columns), name)
    _numbers(name, rows.values.iloc[:, place])
    weighing = Column(name, schema.columns[place].dtype, Kind.IGNORE, REASON)
    columns = (*schema.columns[:place], weighing, *schema.columns[place + 1 :])
    changed = replace(schema, columns=columns, weight=name)
    if not changed.modelled:
        raise DataError(f"no column is left to model but {name!r}, the weights")
    return replace(changed, event_shape=(len(changed.modelled),))


def weights_of(schema: Schema, rows: Rows, given: Given | None = None) -> torch.Tensor | None:
    """The weights of some rows, `(rows,)` float64; `None` where there are none: each row counts once.

    Of an array they are what is given under their name, or what came beside it.

    Raises
    ------
    ConfigError
        If there is not one a row.
    DataError
        If one is missing or not above 0.

    """
    if schema.weight is None:
        return None
    if not isinstance(rows.values, pd.DataFrame):
        values = (given or {}).get(schema.weight, rows.values_named(schema.weight))
        if values is not None and np.shape(values) != (len(rows),):
            raise ConfigError(
                f"expected one {schema.weight} for each of {len(rows)} rows, got shape {np.shape(values)}"
            )
        return None if values is None else torch.tensor(_numbers(schema.weight, pd.Series(values)))
    names = [str(known) for known in rows.values.columns]
    if schema.weight not in names:
        return None
    return torch.tensor(_numbers(schema.weight, rows.values.iloc[:, names.index(schema.weight)]))


def weighing(schema: Schema, rows: Rows) -> tuple[str, ...]:
    """Notices on weights that came beside an array; those of a table are a column that is left out."""
    if schema.form == Form.TABLE:
        return ()
    if schema.weight is not None:
        return (f"each row counts as {schema.weight!r} says",)
    return (f"{WEIGHT!r} is not used; --weight {WEIGHT} counts rows by it",) if WEIGHT in rows.label_names else ()


def _numbers(name: str, values: pd.Series) -> np.ndarray:
    return positive_numbers(values, f"weights {name!r}", "leave rows that count for nothing out")
