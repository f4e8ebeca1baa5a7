"""Declared limits: beyond them P(x) is 0."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from likely.data.cells_alike import NAME
from likely.data.conditions import within
from likely.data.encode import encode
from likely.data.events import number_of
from likely.data.kinds import NUMERIC, Form, Kind
from likely.data.knots import MIN_POSITIVE, with_knots
from likely.data.schema import REQUESTED, Column, Schema
from likely.errors import ConfigError, quoted

__all__ = ["Limits", "with_limits"]

Limits = Mapping[str, Any] | Sequence[Any] | str


def with_limits(schema: Schema, limits: Limits, rows: pd.DataFrame | np.ndarray) -> Schema:
    """The schema with `Column.limits` as they are declared; levels of an array are those between them.

    On a grid the limits are the least and the greatest value of the grid that lies within what was declared: a limit
    inside a cell leaves that cell out unless its middle is within. Dates are limits in the column's encoded units.

    Parameters
    ----------
    schema
        Inferred from the training rows.
    limits
        Column -> `(low, high)`, `None` for an open side, or the text `low:high`; numbers, or dates as the column writes
        them. Of arrays whose cells are of one kind that alone, or under the name `x`.
    rows
        The training rows.

    Raises
    ------
    ConfigError
        If a column is unknown or has no order, a limit is no number or date of its, or no two values are left.
    DataError
        If a training row holds a value beyond.

    """
    given = limits if isinstance(limits, Mapping) else {NAME if schema.cells_alike else "": limits}
    names = [column.name for column in schema.columns]
    for name in given:
        if str(name) not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(names[:20])}"
            raise ConfigError(f"limits are of a column, COLUMN=LOW:HIGH, and none is called {quoted(name)}; {hint}")
    pairs = {str(name): pair for name, pair in given.items()}
    columns = [
        _limited(column, pairs[column.name], cells=schema.cells_alike) if column.name in pairs else column
        for column in schema.columns
    ]
    limited = replace(schema, columns=tuple(columns))
    bound = [column for column in columns if column.name in pairs]
    if schema.cells_alike:
        encode(replace(limited, columns=(columns[0],)), rows)
    elif bound:
        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, columns=names[: rows.shape[1]])
        encoded = encode(Schema(Form.TABLE, (len(bound),), tuple(bound), schema.rows, cells_alike=False), frame)
        kinds = {column.name: column.kind for column in schema.columns}
        numbers = {column.name: encoded.column(i).numpy() for i, column in enumerate(bound)}
        moved = [with_knots(c, numbers[c.name]) if c.name in pairs and c.kind != kinds[c.name] else c for c in columns]
        return replace(limited, columns=tuple(moved))
    return limited


def _limited(column: Column, limits: Any, *, cells: bool) -> Column:
    what = "the array" if cells else f"column {column.name!r}"
    if column.condition:
        raise ConfigError(f"{what} is a condition, given and not modelled: it has no limits")
    if column.kind not in NUMERIC:
        other = ", or --column x=levels first" if cells and column.kind == Kind.BINARY else ""
        raise ConfigError(f"{what} is {column.kind} ({column.reason}): limits are for numbers and dates{other}")
    low, high = _on_grid(column, *_pair(column, limits))
    if math.isinf(low) and math.isinf(high):
        raise ConfigError(f"{what}: give at least one limit, LOW:HIGH, LOW: or :HIGH; got {_in_words(limits)}")
    if low >= high:
        raise ConfigError(f"{what}: limits must leave two values or more, lower before higher; got {_in_words(limits)}")
    if not cells:
        bound = replace(_reaching(column, low), limits=(low, high))
        return replace(bound, reason=f"{column.reason}; {within(bound)} by declaration")
    if column.kind != Kind.LEVELS or math.isinf(high - low):
        raise ConfigError(
            f"limits of an array are both ends of its levels, such as 0:255; got {_in_words(limits)} for cells of the "
            f"kind {column.kind} ({column.reason})"
        )
    reason = f"{REQUESTED}: levels {low:g} to {high:g}, any other value is an error"
    return replace(column, low=low, high=high, hard=True, reserve=0.0, reason=reason)


def _reaching(column: Column, low: float) -> Column:
    """A kind whose support has all that is allowed: of counts and positive numbers what is below their own end too."""
    if column.kind not in (Kind.COUNT, Kind.POSITIVE) or low >= (0 if column.kind == Kind.COUNT else MIN_POSITIVE):
        return column
    return replace(column, kind=Kind.REAL if column.per_unit is None else Kind.GRID)


def _pair(column: Column, limits: Any) -> tuple[float, float]:
    """Encoded numbers, infinite where a side is open."""
    if isinstance(limits, str):
        splits = [(limits[:i], limits[i + 1 :]) for i, letter in enumerate(limits) if letter == ":"]
        if not splits:
            raise ConfigError(f"limits of {column.name!r} are LOW:HIGH, one of them may be empty; got {quoted(limits)}")
        return _first_that_reads(column, [tuple(part.strip() or None for part in pair) for pair in splits])
    if not isinstance(limits, Sequence) or len(limits) != 2:
        raise ConfigError(
            f"limits of {column.name!r} are a pair (low, high), None for an open side; got {quoted(limits)}"
        )
    return _first_that_reads(column, [tuple(limits)])


def _first_that_reads(column: Column, pairs: Sequence[tuple[Any, ...]]) -> tuple[float, float]:
    """Times of day hold colons too: the limits are parted at the one that leaves two dates."""
    errors = []
    for low, high in pairs:
        try:
            return _end(column, low, -math.inf), _end(column, high, math.inf)
        except ConfigError as error:
            errors.append(error)
    raise errors[0]


def _end(column: Column, value: Any, open_: float) -> float:
    return open_ if value is None or value == open_ else number_of(column, value)


def _on_grid(column: Column, low: float, high: float) -> tuple[float, float]:
    """The least and the greatest value of the grid between them."""
    if column.per_unit is None:
        return low, high
    first, last = (
        scaled if math.isinf(scaled) else _near(scaled) for scaled in (low * column.per_unit, high * column.per_unit)
    )
    if math.isfinite(first):
        first = math.ceil(first)
    if math.isfinite(last):
        last = math.floor(last)
    return first / column.per_unit, last / column.per_unit


def _near(scaled: float) -> float:
    """A whole number that rounding alone keeps a number from being: 0.29 · 100 is 29."""
    whole = float(round(scaled))
    return whole if math.isclose(scaled, whole, rel_tol=1e-15, abs_tol=1e-9) else scaled


def _in_words(limits: Any) -> str:
    return limits if isinstance(limits, str) else ":".join("" if end is None else str(end) for end in limits)
