"""Fields of a text file as a run's schema has them: texts first, then what the column holds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from likely.data.cells import numbers_of
from likely.data.dtypes import is_duration
from likely.data.kinds import Kind
from likely.data.number_formats import NumberFormat
from likely.data.schema import Column
from likely.data.sources.typed import Typed, strings, typed
from likely.errors import DataError

__all__ = ["as_column", "settled"]

OFFSET = re.compile(r":\d\d(\.\d+)?\s*(Z|[-+]\d\d:?\d\d)\s*$", re.ASCII)


def as_column(what: str, column: Column, texts: pd.Series, decimal: str) -> Typed:
    """The fields of a column as values of its type: codes that are strings stay as they stand.

    Parameters
    ----------
    what
        The file and the column, for messages.
    column
        Of the schema.
    texts
        `(rows,)`, as they stand.
    decimal
        The decimal mark of the file that the run was fitted on, for columns which had no decimals there.

    Raises
    ------
    DataError
        If a field is no number, truth or date where the column has these.

    """
    kept = strings(texts)
    held, known = kept.values, kept.values.notna().to_numpy()
    if is_duration(column.came):
        return Typed(_durations(what, held, known), kept.token)
    kind = column.inner if column.dtype == "category" and column.inner else column.dtype
    if column.left_out and not _numeric(kind):
        return kept
    if kind.startswith("datetime64") or (kind.startswith(("timestamp", "date")) and kind.endswith("[pyarrow]")):
        return Typed(_dates(what, kind, held, known), kept.token)
    if column.format == "date":
        return Typed(pd.Series(_dates(what, "datetime64[s]", held, known)).dt.date.astype(object), kept.token)
    if not _numeric(kind):
        return kept
    plain = typed(what, texts, [])
    if plain.texts or (column.written is not None or decimal != "."):
        plain = _numbers(what, column, held, plain, decimal)
    if kind.lower().startswith(("float16", "float32", "halffloat", "float[")) and not plain.texts:
        plain = replace(plain, values=_single(plain.values, kind))
    if kind.startswith("bool") and not plain.texts and plain.values.dtype.kind in "iu":
        plain = Typed(pd.array(plain.values, dtype="boolean"), plain.token) if _truths(plain.values) else plain
    return plain


def settled(values: pd.Series, column: Column) -> pd.Series:
    """Some rows of a column in the type that the run's rows had, where it holds them; in the wider one elsewhere."""
    kind = column.inner if column.dtype == "category" and column.inner else column.dtype
    held = values.dtype.kind
    empty = held == "f" and bool(values.isna().all())
    if kind.startswith(("float", "Float", "double")):
        return values.astype("float64") if held in "iu" else values
    if kind.startswith(("Int", "UInt")) or (empty and kind.startswith(("int", "uint"))):
        return values.astype("Int64") if held in "iu" or empty else values
    if kind == "boolean" or (empty and kind == "bool"):
        return values.astype("boolean") if held == "b" or empty else values
    return values


def _single(values: Any, kind: str) -> np.ndarray:
    """Numbers in the precision of the run's: the same digits are then the same number."""
    half = kind.lower().startswith(("float16", "half"))
    return np.asarray(
        pd.Series(values).to_numpy(np.float64, na_value=np.nan).astype(np.float16 if half else np.float32)
    )


def _numeric(kind: str) -> bool:
    return kind.lower().startswith(("int", "uint", "float", "double", "bool", "half", "decimal"))


def _truths(values: Any) -> bool:
    return bool(pd.Series(values).dropna().isin((0, 1)).all())


def _numbers(what: str, column: Column, held: pd.Series, plain: Typed, decimal: str) -> Typed:
    """By the column's way of writing where it fits every field; else plain numbers as they were read."""
    known, written = held.notna().to_numpy(), column.written or NumberFormat(decimal=decimal)
    numbers = np.full(len(held), np.nan)
    numbers[known] = numbers_of(held[known], written)
    stray = np.isnan(numbers) & known
    if not stray.any():
        if not plain.texts and np.array_equal(np.asarray(plain.values, dtype=np.float64), numbers, equal_nan=True):
            return plain
        return Typed(_narrowed(numbers, known, held, written), plain.token, column.written)
    if not plain.texts or column.left_out or column.coded or column.kind == Kind.BINARY:
        return plain
    place = int(stray.argmax())
    raise DataError(
        f"{what}, {_at(held, place)} is not a number, and the run has numbers there"
        + (f" ({written})" if written != NumberFormat() else "")
    )


def _narrowed(numbers: np.ndarray, known: np.ndarray, held: pd.Series, written: NumberFormat) -> Any:
    """Integers where no field has decimals, as when the run's own rows were read."""
    whole = (numbers[known] == np.round(numbers[known])).all() and (np.abs(numbers[known]) < 2.0**53).all()
    if not whole or held[known].str.contains(written.decimal, regex=False).any():
        return numbers
    if known.all():
        return numbers.astype(np.int64)
    return pd.arrays.IntegerArray(np.where(known, numbers, 0).astype(np.int64), ~known)


def _dates(what: str, kind: str, held: pd.Series, known: np.ndarray) -> Any:
    """Dates as pandas and likely write them, ISO 8601, in the column's zone; offsets may change with the clocks."""
    in_brackets = re.search(r"(?:, |tz=)([^\]]+)\]", kind)
    zone = None if in_brackets is None else in_brackets[1]
    offset = np.array([bool(OFFSET.search(text)) for text in held[known]], dtype=bool)
    odd = offset if zone is None else ~offset
    if odd.any():
        place = int(np.flatnonzero(known)[odd.argmax()])
        raise DataError(
            f"{what}, {_at(held, place)} has {'an' if zone is None else 'no'} offset from UTC, and "
            f"the run's dates are {'without a zone' if zone is None else f'in {zone}'}; write dates such as "
            f"2024-03-31 12:00:00{'' if zone is None else '+02:00'}"
        )
    read = pd.to_datetime(held.astype(object), format="ISO8601", errors="coerce", utc=zone is not None)
    lost = read.isna().to_numpy() & known
    if lost.any():
        place = int(lost.argmax())
        raise DataError(f"{what}, {_at(held, place)} is no date such as 2024-03-31 12:00:00")
    return read if zone is None else read.dt.tz_convert(zone)


def _at(held: pd.Series, place: int) -> str:
    return f"row {held.index[place]}: {held.iloc[place]!r:.60}"


def _durations(what: str, held: pd.Series, known: np.ndarray) -> Any:
    read = pd.to_timedelta(held.astype(object), errors="coerce")
    lost = read.isna().to_numpy() & known
    if lost.any():
        place = int(lost.argmax())
        raise DataError(f"{what}, {_at(held, place)} is no duration such as 1 days 02:30:00")
    return read
