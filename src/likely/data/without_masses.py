"""Columns whose numbers have no mass of their own, for likelihoods that give them none."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from likely.data.cells import missing_cells, numbers_of
from likely.data.kinds import Kind
from likely.data.knots import with_knots
from likely.data.numeric import numeric, requested_numeric
from likely.data.schema import Column, Schema
from likely.data.source import Rows
from likely.errors import ConfigError

__all__ = ["without_masses"]


def without_masses(
    schema: Schema, rows: Rows, takes: Callable[[Column], bool], requested: Collection[str] = ()
) -> Schema:
    """The schema of a table for a likelihood that knows neither listed numbers nor atoms.

    Where it takes a column that has them, the column is what it would be without: levels, counts, a grid or reals, with
    one mass or density for every number.

    Parameters
    ----------
    schema, rows
        Inferred from these training rows.
    takes
        Whether the likelihood is that of such a column.
    requested
        Names of the columns whose kind the user requested.

    Raises
    ------
    ConfigError
        If a column is requested to be listed.

    """
    if schema.cells_alike:
        return schema
    columns = list(schema.columns)
    for place, column in enumerate(columns):
        if column.condition or not (column.kind == Kind.LISTED or column.atoms):
            continue
        plain = _plain(column, _values(rows, place))
        if not takes(plain):
            continue
        if column.kind == Kind.LISTED and column.name in requested:
            raise ConfigError(
                f"column {column.name!r} is requested as listed, and this likelihood knows no listed numbers; "
                f"give --column {column.name}={plain.kind}, or leave the likelihood out"
            )
        columns[place] = plain
    return replace(schema, columns=tuple(columns))


def _values(rows: Rows, place: int) -> pd.Series:
    if isinstance(rows.values, pd.DataFrame):
        return rows.values.iloc[:, place]
    return pd.Series(np.asarray(rows.values)[:, place])


def _plain(column: Column, values: pd.Series) -> Column:
    present = values[~missing_cells(values)[0]]
    numbers = numbers_of(present, column.written)
    read = present if pd.api.types.is_numeric_dtype(present.dtype) else pd.Series(numbers, index=present.index)
    kept = column.kind if column.atoms and column.requested else None
    read_column = None if kept is None else requested_numeric(column.name, read, kept)
    read_column = with_knots(read_column or numeric(column.name, read, listing=False), numbers)
    reason = read_column.reason if column.written is None else f"{read_column.reason}; {column.written} in texts"
    beside = {name: getattr(column, name) for name in ("dtype", "missing", "token", "written", "inner")}
    return replace(read_column, reason=reason, **beside)
