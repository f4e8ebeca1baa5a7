"""Whether what goes in can come out again, found out before anything is learned."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from likely.data.cells import missing_cells
from likely.data.decode import decode
from likely.data.dtypes import came_as, is_duration
from likely.data.encode import encode
from likely.data.schema import Column, Schema
from likely.data.source import Rows, Source
from likely.data.sources.plain import rounded
from likely.errors import DataError, InputError

__all__ = ["demand_returns", "rounded_in", "with_types"]


def rounded_in(schema: Schema, source: Source) -> tuple[str, ...]:
    """Notices on values that the model knows less exactly than they were given, of rows in memory."""
    names = [column.name for column in schema.columns if not column.left_out]
    held = [one for one in source.splits.values() if isinstance(one, Rows)]
    sentences = [rounded(one.given, names) for one in held if one.given is not None]
    return tuple(line for lines in sentences for line in lines)


def with_types(schema: Schema, rows: Rows) -> Schema:
    """The schema of a table with the types that its columns came in, in which results are given back."""
    if rows.given is None or not isinstance(rows.values, pd.DataFrame):
        return schema
    place = {str(name): i for i, name in enumerate(rows.given.columns)}
    return replace(
        schema,
        columns=tuple(
            _typed(column, came_as(rows.given.iloc[:, place[column.name]], rows.values[column.name]))
            if column.name in place
            else column
            for column in schema.columns
        ),
    )


def _typed(column: Column, came: str | None) -> Column:
    reason = f"{column.reason}; durations, in seconds" if is_duration(came) else column.reason
    return replace(column, came=came, reason=reason)


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
    place = int((~missing_cells(frame.iloc[:, 0])[0]).argmax())
    alone = replace(schema, columns=(replace(column, condition=False),), event_shape=(1,))
    try:
        decode(alone, encode(alone, frame.iloc[place : place + 1]).stored().values)
    except InputError:
        raise
    except (TypeError, ValueError, NotImplementedError, ArithmeticError) as error:
        name = column.name
        raise DataError(
            f"column {name!r} is of type {column.dtype}, in which no value can be given back; convert it first, as by "
            f"frame[{name!r}].astype('float64') or .astype(str), or leave it out with --column {name}=ignore"
        ) from error
