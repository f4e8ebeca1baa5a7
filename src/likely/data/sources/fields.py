"""The fields of a text file, column by column: by the run's schema, or by what all of them can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from likely.data.sources.by_schema import as_column
from likely.data.sources.reading import Reading
from likely.data.sources.typed import Typed, amounts, typed

__all__ = ["read_columns", "several"]

MAX_SHOWN = 8  # columns in a notice


def read_columns(name: str, raw: pd.DataFrame, reading: Reading, notices: list[str]) -> tuple[dict[str, Typed], str]:
    """Every column in its type, and the decimal mark of the file.

    Numbers with marks and signs are read where one way of reading fits every field of the column. Where a comma, or a
    point, may part decimals or thousands, the other columns of the file decide.

    Parameters
    ----------
    name
        Of the file, for messages.
    raw
        The fields, as they stand.
    reading
        What is known of them.
    notices
        Sentences are added here.

    """
    if reading.schema is not None:
        known, text = reading.known, reading.schema.text
        mark = reading.decimal or ("." if text is None else text.decimal)
        columns = {
            str(label): as_column(_what(name, label), known[str(label)], texts, mark)
            if str(label) in known
            else typed(_what(name, label), texts, [])
            for label, texts in raw.items()
        }
        return columns, mark
    told_of = {str(label): [] if str(label) in reading.formats else notices for label in raw}
    plain = {str(label): typed(_what(name, label), texts, told_of[str(label)]) for label, texts in raw.items()}
    for label in set(reading.formats) & set(plain):
        there = pd.isna(plain[label].values)
        plain[label] = Typed(raw[label].mask(there) if there.any() else raw[label], plain[label].token)
    ways = {label: amounts(column, reading.decimal) for label, column in plain.items() if column.texts}
    points = {label: _thousands(raw[label], column) for label, column in plain.items() if _pointed(raw[label], column)}
    decimal = reading.decimal or _decimal(ways, points)
    columns = dict(plain)
    for label, readings in ways.items():
        fitting = [way for way in readings if decimal is None or len(readings) == 1 or _mark(way) == decimal]
        if len(fitting) == 1 and label not in reading.formats:
            columns[label] = fitting[0]
    if decimal == ",":
        columns |= {label: readings for label, readings in points.items() if readings is not None}
    return columns, decimal or "."


def _what(name: str, label: Any) -> str:
    return f"{name}: column {str(label)!r}"


def _pointed(texts: pd.Series, column: Typed) -> bool:
    """Whether plain numbers have points in them."""
    return _floats(column) and bool(texts.str.contains(".", regex=False).any())


def _floats(column: Typed) -> bool:
    return not column.texts and bool(pd.Series(column.values).dtype.kind == "f")


def _thousands(texts: pd.Series, column: Typed) -> Typed | None:
    """Plain numbers, if their points can part thousands; else `None`."""
    there = pd.isna(column.values)
    readings = amounts(Typed(texts.mask(there) if there.any() else texts, column.token), ",")
    return readings[0] if len(readings) == 1 else None


def _mark(way: Typed) -> str:
    return "." if way.written is None else way.written.decimal


def _decimal(ways: Mapping[str, list[Typed]], points: Mapping[str, Typed | None]) -> str | None:
    """The decimal mark of the columns that can be read in one way only; `None` where they have none, or both."""
    sure = {_mark(readings[0]) for readings in ways.values() if len(readings) == 1 and _floats(readings[0])}
    sure |= {"." for readings in points.values() if readings is None}
    return sure.pop() if len(sure) == 1 else None


def several(by_column: Mapping[str, Any], wanted: Any) -> str:
    """The names of the columns that have something, at most eight."""
    names = [name for name, its in by_column.items() if its == wanted]
    return ", ".join(names[:MAX_SHOWN]) + (f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else "")
