"""The number that a row's counts are in proportion to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from likely.data.columns import column_of
from likely.data.exposure_and_weight import column_index, positive_numbers, read_values_beside
from likely.data.kinds import Kind
from likely.data.schema import Column, Schema
from likely.data.source import Rows
from likely.errors import ConfigError

__all__ = ["counted", "with_exposure"]

MAX_SHOWN = 12  # columns in a message


def with_exposure(schema: Schema, rows: Rows, name: str, requested: Collection[str] = ()) -> Schema:
    """The schema in which a column is the exposure: given, not modelled; counts are in proportion to it.

    Of a table these are the columns of the kind `count`; of an array all that hold integers from 0 on, unless their
    kinds are requested.

    Parameters
    ----------
    schema
        Of the training rows.
    rows
        These.
    name
        The column of a table, or of what came beside an array.
    requested
        Columns whose kinds were requested.

    Raises
    ------
    ConfigError
        If there is no such column, it is a condition already, or no column is a count.
    DataError
        If a number is missing or not above 0.

    """
    if isinstance(rows.values, pd.DataFrame):
        columns = _given(schema, rows.values, name)
    else:
        columns = _beside(schema, rows, name, requested)
    exposed = replace(schema, columns=columns)
    if not schema.cells_alike:
        exposed = replace(exposed, event_shape=(len(exposed.modelled),))
    cells = exposed.columns[0]
    if schema.cells_alike and (cells.hard or cells.kind == Kind.BINARY or cells.per_unit != 1 or (cells.low or 0) < 0):
        raise ConfigError(f"an exposure is for counts 0, 1, 2, ...; the cells are {cells.kind} ({cells.reason})")
    if not exposed.exposed:
        whole = [column.name for column in exposed.modelled if _whole(column)]
        cure = f"--column {whole[0]}=count makes one (of {', '.join(whole)})" if whole else "no integers from 0 on"
        raise ConfigError(f"an exposure is for counts, and no column is one; {cure}")
    return exposed


def counted(schema: Schema) -> tuple[str, ...]:
    """Notices on which columns are in proportion to the exposure, and which integers are not."""
    if schema.exposure is None or schema.cells_alike:
        return ()
    names = [schema.modelled[place].name for place in schema.exposed]
    others = [column.name for column in schema.modelled if column.name not in names and _whole(column)]
    rest = f"; {_some(others)} are not, --column NAME=count says otherwise" if others else ""
    return (f"counts are in proportion to {schema.exposure.name}: {_some(names)}{rest}",)


def _some(names: list[str]) -> str:
    return ", ".join(names[:MAX_SHOWN]) + (f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else "")


def _whole(column: Column) -> bool:
    """Integers from 0 on."""
    return column.numeric and column.kind != Kind.DATE and column.per_unit == 1 and (column.low or 0) >= 0


def _beside(schema: Schema, rows: Rows, name: str, requested: Collection[str]) -> tuple[Column, ...]:
    """The columns of an array, and the exposure that came beside it."""
    numbers = read_values_beside(rows, name, "exposure")
    _demand_free(schema, name)
    own = len(schema.columns) - len(schema.beside)
    columns = schema.columns[:own]
    if not schema.cells_alike:
        columns = tuple(_count(column, place, rows, requested) for place, column in enumerate(columns))
    return (*columns, *schema.columns[own:], _column(name, numbers))


def _count(column: Column, place: int, rows: Rows, requested: Collection[str]) -> Column:
    """The column of an array as counts, where it can be."""
    if column.name in requested or column.condition or column.kind == Kind.COUNT:
        return column
    values = pd.Series(np.asarray(rows.values)[:, place])
    try:
        return column_of(column.name, values, "count", named=False)
    except ConfigError:
        return column


def _given(schema: Schema, frame: pd.DataFrame, name: str) -> tuple[Column, ...]:
    """The columns of a table, one of them the exposure."""
    _demand_free(schema, name)
    place = column_index((column.name for column in schema.columns), name)
    return (*schema.columns[:place], _column(name, frame.iloc[:, place]), *schema.columns[place + 1 :])


def _demand_free(schema: Schema, name: str) -> None:
    if any(column.name == name for column in schema.conditions):
        raise ConfigError(f"column {name!r} cannot be a condition and the exposure; choose one")


def _column(name: str, values: pd.Series) -> Column:
    cure = "counts are in proportion to it: leave such rows out"
    numbers = positive_numbers(values, f"exposure {name!r}", cure)
    return Column(
        name,
        str(values.dtype),
        Kind.POSITIVE,
        "the exposure: counts are in proportion to it",
        mean=float(numbers.mean()),
        scale=float(numbers.std()) or 1.0,
        low=float(numbers.min()),
        high=float(numbers.max()),
        condition=True,
        exposure=True,
    )
