"""Whether what goes in can come out again, found out before anything is learned."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from likely.data.cells import holes
from likely.data.decode import decode
from likely.data.encode import encode
from likely.data.schema import Column, Schema
from likely.data.source import Rows
from likely.errors import DataError, InputError

__all__ = ["demand_returns"]


def demand_returns(schema: Schema, rows: Rows) -> None:
    """Check that a value of each column of a table can be encoded and given back in its type.

    Parameters
    ----------
    schema, rows
        Of the training rows.

    Raises
    ------
    DataError
        If the type of a column is one that no result can have.

    """
    if not isinstance(rows.values, pd.DataFrame):
        return
    frame = rows.values.set_axis([str(name) for name in rows.values.columns], axis=1)
    for column in (*schema.modelled, *schema.conditions):
        if column.name in frame:
            _demand(schema, column, frame[[column.name]])


def _demand(schema: Schema, column: Column, frame: pd.DataFrame) -> None:
    place = int((~holes(frame.iloc[:, 0])[0]).argmax())
    alone = replace(schema, columns=(replace(column, condition=False),), event_shape=(1,))
    try:
        decode(alone, encode(alone, frame.iloc[place : place + 1]).values)
    except InputError:
        raise
    except (TypeError, ValueError, NotImplementedError, ArithmeticError) as error:
        name = column.name
        raise DataError(
            f"column {name!r} is of type {column.dtype}, in which no value can be given back; convert it first, as by "
            f"frame[{name!r}].astype('float64') or .astype(str), or leave it out with --column {name}=ignore"
        ) from error
