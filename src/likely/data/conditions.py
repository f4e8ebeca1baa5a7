"""The values y that a model of P(x|y) is given."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from likely.data.dates import shown
from likely.data.dtypes import is_duration, seconds
from likely.data.kinds import Form
from likely.data.schema import Column, Schema
from likely.data.source import Rows
from likely.errors import ConfigError, DataError, quoted

__all__ = ["Given", "condition_values", "series", "span", "with_conditions_beside", "within"]

Given = Mapping[str, Any]
MAX_SHOWN = 12  # categories in a message


def span(column: Column) -> str:
    """The values that a column had in training, in words: its range (dates as dates), or its categories."""
    if column.left_out:
        return ""
    if not column.coded:
        return " to ".join(shown(column, end) for end in (column.low, column.high) if end is not None)
    first = ", ".join(quoted(value) for value in column.categories[:MAX_SHOWN])
    return first + (f", ... ({len(column.categories)})" if len(column.categories) > MAX_SHOWN else "")


def within(column: Column) -> str:
    """The declared limits in words: `at least 0`, `0 to 1`."""
    low, high = column.limits or (-math.inf, math.inf)
    if math.isinf(low):
        return f"at most {shown(column, high)}"
    least = shown(column, low)
    return f"at least {least}" if math.isinf(high) else f"from {least} to {shown(column, high)}"


def with_conditions_beside(schema: Schema, rows: Rows, given: Given | None = None) -> dict[str, Any]:
    """The values that are given; for other conditions that are beside the rows, as labels are, these; no weights."""
    values = {} if given is None else {str(name): given[name] for name in given}
    if schema.form != Form.TABLE and schema.weight is not None:
        values.pop(schema.weight, None)
    for column in schema.beside:
        labels = rows.values_named(column.name)
        if labels is not None:
            values.setdefault(column.name, labels)
    return values


def condition_values(schema: Schema, rows: Rows) -> dict[str, Any]:
    """The values that the conditions have in some rows."""
    values = with_conditions_beside(schema, rows)
    if isinstance(rows.values, pd.DataFrame):
        frame = rows.values.rename(columns=str)
        return values | {column.name: frame[column.name].to_numpy() for column in schema.conditions}
    names = [column.name for column in schema.columns]
    own = [column.name for column in schema.conditions if column not in schema.beside]
    return values | {name: rows.values[:, names.index(name)] for name in own}


def series(
    schema: Schema, given: Given | None, rows: int, frame: pd.DataFrame | None = None
) -> Iterator[tuple[Column, pd.Series]]:
    """Each condition with one value a row: what is given, else what the frame holds.

    Raises
    ------
    ConfigError
        If something else is given, or not one value or one a row.
    DataError
        If a condition has no values.

    """
    values_given = {} if given is None else {str(name): given[name] for name in given}
    _refuse_others(schema, values_given)
    lacking = [
        c for c in schema.conditions if c.name not in values_given and (frame is None or c.name not in frame.columns)
    ]
    if lacking:
        asked = ", ".join(f"--given {column.name}=VALUE ({span(column)})" for column in lacking)
        names = ", ".join(column.name for column in schema.conditions)
        raise DataError(f"this model is of P(x | {names}), and no value is given: say {asked}")
    for column in schema.conditions:
        values = _a_row_each(column, values_given[column.name], rows) if column.name in values_given else None
        yield column, frame[column.name] if values is None and frame is not None else values


def _refuse_others(schema: Schema, given: dict[str, Any]) -> None:
    known = [column.name for column in schema.conditions]
    for name in given:
        if name in known:
            continue
        if not known:
            raise ConfigError(f"this model is of P(x) alone; to be given {quoted(name)}, fit with --condition {name}")
        if name in [column.name for column in schema.modelled] and not schema.cells_alike:
            raise ConfigError(f"column {name!r} is modelled, not given; to be given it, fit with --condition {name}")
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"conditions: {', '.join(known)}"
        raise ConfigError(f"{quoted(name)} is no condition of this model; {hint}")


def _a_row_each(column: Column, value: Any, rows: int) -> pd.Series:
    values = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if values.ndim == 0:
        values = np.repeat(values, rows)
    if values.shape != (rows,):
        raise ConfigError(
            f"condition {column.name!r} needs one value, or one for each of {rows} rows; got shape {values.shape}"
        )
    series_of = pd.Series(values if values.dtype.kind == "M" else values.tolist(), dtype=object).infer_objects()
    if is_duration(column.came) and series_of.dtype.kind not in "iuf":
        series_of = series_of.map(seconds)
    if column.dtype.startswith("bool") and series_of.dtype.kind not in "biuf":
        series_of = series_of.map(lambda text: TRUTH.get(str(text).lower(), text)).infer_objects()
    return series_of


TRUTH = {"true": True, "false": False}
