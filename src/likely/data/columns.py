"""What one column of a table is, with the reason."""

from __future__ import annotations

import datetime
import difflib
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from likely.data import dates
from likely.data.cells import missing_cells, numbers_of
from likely.data.column_readings import ColumnReading, column_reading
from likely.data.kinds import LEFT_OUT, Kind
from likely.data.knots import with_knots
from likely.data.numeric import numeric, requested_numeric
from likely.data.schema import REQUESTED, Column
from likely.errors import ConfigError, DataError, quoted

__all__ = ["MAX_CATEGORIES", "column_of"]

MAX_CATEGORIES = 5000  # different strings of a column; more are an identifier
MAX_UNNUMBERED = 50  # rows up to which ascending integers are no row numbers
INDEX = "index"
MIN_TEXT_WORDS, MIN_TEXT_LENGTH = 4.0, 60.0  # words, or characters, on average: from there on strings are text
NAMED_ID = re.compile(r"(.*[ _.-])?(id|uuid|guid|key|index|row|rownames?|row[ _.-]?(number|num|no))|.*[a-z]I[dD]")
CURES = {
    "Period": "make them dates by {}.dt.to_timestamp()",
    "Interval": "make them numbers by {0}.map(lambda one: one.mid), or strings by {0}.astype(str)",
    "time": "make them durations by pd.to_timedelta({}.astype(str))",
    "bytes": "make them strings by {}.str.decode('utf-8')",
}
PLAIN = (str, bool, int, float, np.bool_, np.number)


def column_of(
    name: str, values: pd.Series, wanted: str | None, *, named: bool = True, reading: ColumnReading | None = None
) -> Column:
    """What a column is: by its type, its observed values and, for identifiers, its name and the order of its rows.

    Booleans are binary, pandas categoricals categorical or ordered, numbers what `numeric` says, dates and strings that
    are all dates of one writing are dates, one value is constant. Of more than 50 rows, integers that rise from row to
    row over nearly every number from 0 on, and integers without a repetition that are named like an identifier (of any
    number of rows: `index`), are identifiers. Strings are text where they have four words or 60 characters on average,
    else identifiers, if more than half of the rows hold one that no other row holds, or there are more than 5,000. A
    column without any value, text and identifiers are left out.

    Parameters
    ----------
    name, values
        The training rows.
    wanted
        The kind that the user wants, or `None`.
    named
        It is a table's own column: one of an array is never an identifier.
    reading
        How its texts are read, where all rows were looked at (`column_readings`); else these are.

    Raises
    ------
    DataError
        If values are neither numbers, strings nor dates, cannot be told apart in float64, or are numbers but for a few.
    ConfigError
        If the values do not fit the kind that is wanted.

    """
    known = tuple(Kind)
    if wanted is not None and wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; kinds: {', '.join(known)}"
        raise ConfigError(f"column {name!r}: unknown kind {quoted(wanted)}{hint}")
    dtype, (missing, token) = str(values.dtype), missing_cells(values)
    count = int(missing.sum())
    reading = reading or column_reading(name, values, wanted) or ColumnReading()
    beside: dict[str, Any] = {"dtype": dtype, "missing": count, "token": token or reading.missing_text}
    if wanted in LEFT_OUT:
        return Column(name, kind=Kind(wanted), reason=REQUESTED, **beside)
    if count == len(values):
        if wanted is not None:
            raise ConfigError(f"column {name!r} has no values at all, so it cannot be {wanted}")
        return Column(name, kind=Kind.IGNORE, reason="no training row has a value", **beside)
    present = values[~missing] if count else values
    if wanted is None:
        identifier = _identifier(name, present) if named and not count else None
        return replace(identifier or _inferred(name, present, reading), **beside)
    requested = _requested(name, present, wanted, reading)
    if requested is None:
        reason = _inferred(name, present, reading).reason
        raise ConfigError(f"column {name!r} cannot be {wanted}: its values do not fit ({reason})")
    return replace(requested, **beside)


def _plain(values: pd.Series) -> bool:
    """Numbers or truths."""
    dtype = values.dtype
    numbers = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
    return numbers or pd.api.types.is_bool_dtype(dtype)


def _python_dates(values: pd.Series) -> bool:
    return values.dtype == object and all(type(value) is datetime.date for value in values.tolist())


def _identifier(name: str, values: pd.Series) -> Column | None:
    """Row numbers, and numbers that name rows."""
    if (len(values) <= MAX_UNNUMBERED and name != INDEX) or not pd.api.types.is_integer_dtype(values.dtype):
        return None
    numbers = values.to_numpy()
    if numbers[0] >= 0 and numbers[-1] < 1.5 * len(numbers) + 10 and (numbers[1:] > numbers[:-1]).all():
        return Column(name, "", Kind.IDENTIFIER, "rising row numbers, which say nothing of a row")
    if NAMED_ID.fullmatch(name.lower() if name.isupper() else name) and values.is_unique:
        return Column(name, "", Kind.IDENTIFIER, "different in every row, and named like an identifier")
    return None


def _inferred(name: str, values: pd.Series, reading: ColumnReading) -> Column:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return _left_out(name, values) or _categories(name, values, None)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _dates(name, values, None)
    if _plain(values):
        return with_knots(numeric(name, values), values.to_numpy(np.float64))
    if _python_dates(values):
        return _dates(name, values, "date")
    _refuse_objects(name, values)
    distinct = values.unique().tolist()
    if len(distinct) > 1 and reading.date_format is not None:
        return _dates(name, values, reading.date_format)
    if len(distinct) > 1 and reading.number_format is not None:
        read = pd.Series(numbers_of(values, reading.number_format), index=values.index)
        column = with_knots(numeric(name, read), read.to_numpy())
        if not column.coded:
            return replace(
                column, written=reading.number_format, reason=f"{column.reason}; {reading.number_format} in texts"
            )
    left_out = _left_out(name, values)
    if left_out is not None:
        return replace(left_out, reason=f"{left_out.reason}; {reading.hint}") if reading.hint else left_out
    return _codes(name, distinct, len(values), None)


def _requested(name: str, values: pd.Series, wanted: str, reading: ColumnReading) -> Column | None:
    """The column as the kind it was requested to be; `None` where its values do not fit it."""
    if wanted == Kind.CONSTANT and values.nunique() > 1:
        return None
    form = _form(values, reading)
    if wanted == Kind.DATE:
        return replace(_dates(name, values, form), reason=REQUESTED) if form is not None else None
    coded = wanted in (Kind.CATEGORICAL, Kind.ORDERED, Kind.CONSTANT)
    if form in ("", "date"):
        return _coded_dates(name, values, wanted, form) if coded else None
    if isinstance(values.dtype, pd.CategoricalDtype):
        if coded:
            return _categories(name, values, wanted)
        inner = pd.Series(values.to_numpy(), index=values.index)
        answer = _requested(name, inner, wanted, reading)
        return None if answer is None else replace(answer, inner=str(inner.dtype))
    if not _plain(values):
        _refuse_objects(name, values)
        if wanted == Kind.ORDERED:
            raise ConfigError(
                f"column {name!r} cannot be ordered: its strings do not say how; make it an ordered pandas categorical"
            )
    if coded:
        return _codes(name, values.unique().tolist(), len(values), wanted)
    numbers = values if _plain(values) else _to_numbers(name, values, reading)
    column = requested_numeric(name, numbers, wanted)
    if column is None and form is None and (answer := _inferred(name, values, reading)).kind == wanted:
        return answer
    if column is None:
        return None
    return with_knots(replace(column, written=reading.number_format), numbers.to_numpy(np.float64))


def _form(values: pd.Series, reading: ColumnReading) -> str | None:
    """How dates are written: empty for a type of dates, `date` for Python's; `None` for what are no dates."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return ""
    if isinstance(values.dtype, pd.CategoricalDtype) or _plain(values):
        return None
    if _python_dates(values):
        return "date"
    return reading.date_format


def _dates(name: str, values: pd.Series, form: str | None) -> Column:
    dtype = str(values.dtype)
    try:
        stored = pd.api.types.pandas_dtype(dtype) == values.dtype
    except TypeError:
        stored = False
    if not stored:
        raise DataError(
            f"column {name!r} has a type that cannot be written down, {dtype}; give its zone a name with .dt.tz_convert"
        )
    stamps = dates.stamps(values, form or None)
    if (stamps == stamps[0]).all():
        return _coded_dates(name, values, None, form)
    return dates.column_of(name, dtype, stamps, form or None)


def _coded_dates(name: str, values: pd.Series, wanted: str | None, form: str | None) -> Column:
    texts = dates.iso(values).unique().tolist()
    return replace(_codes(name, texts, len(values), wanted), format=form or None)


def _categories(name: str, values: pd.Series, wanted: str | None) -> Column:
    """A pandas categorical: its categories in their order, those that never occur among them."""
    missing = missing_cells(pd.Series(values.cat.categories))[0]
    kept = values.cat.categories[~missing]
    _refuse_objects(name, pd.Series(kept))
    kind: Any = wanted or (
        Kind.ORDERED if values.cat.ordered else Kind.CONSTANT if len(kept) == 1 else Kind.CATEGORICAL
    )
    reason = f"{len(kept)} different categories" + (", in order" if kind == Kind.ORDERED else "")
    return Column(
        name,
        "category",
        kind,
        reason if wanted is None else REQUESTED,
        categories=tuple(kept.tolist()),
        inner=str(kept.dtype),
        reserve=1 / (len(values) + 1),
    )


def _codes(name: str, distinct: list[Any], rows: int, wanted: str | None) -> Column:
    distinct = sorted(distinct, key=lambda value: (str(type(value)), value))
    kind = Kind(wanted) if wanted else Kind.CONSTANT if len(distinct) == 1 else Kind.CATEGORICAL
    reason = f"always {quoted(distinct[0])}" if len(distinct) == 1 else f"{len(distinct)} different strings"
    return Column(
        name,
        "",
        kind,
        reason if wanted is None else REQUESTED,
        categories=tuple(value.item() if isinstance(value, np.generic) else value for value in distinct),
        reserve=1 / (rows + 1),
    )


def _left_out(name: str, values: pd.Series) -> Column | None:
    """Strings most of which no other row has, or of which there are too many."""
    counts = values.value_counts()
    rows, distinct = len(values), [value for value in counts[counts > 0].index.tolist() if isinstance(value, str)]
    if not distinct or ((counts == 1).sum() <= rows / 2 and len(distinct) <= MAX_CATEGORIES):
        return None
    words = sum(len(text.split()) for text in distinct) / len(distinct)
    length = sum(map(len, distinct)) / len(distinct)
    kind = Kind.TEXT if words >= MIN_TEXT_WORDS or length >= MIN_TEXT_LENGTH else Kind.IDENTIFIER
    what = f"free text, {words:.0f} words on average" if kind == Kind.TEXT else "an identifier"
    return Column(name, "", kind, f"{len(distinct)} different strings in {rows} rows: {what}")


def _refuse_objects(name: str, values: pd.Series) -> None:
    odd = next((value for value in values.tolist() if not isinstance(value, PLAIN) or isinstance(value, complex)), None)
    if odd is not None:
        kind = type(odd).__name__
        cure = CURES.get(kind, "make them numbers or strings").format(f"frame[{name!r}]")
        raise DataError(
            f"column {name!r} holds values of type {kind}, such as {str(odd)[:40]!r}; {cure}, or leave the column out "
            f"with --column {name}=ignore"
        )


def _to_numbers(name: str, values: pd.Series, reading: ColumnReading) -> pd.Series:
    numbers = numbers_of(values, reading.number_format)
    if np.isnan(numbers).any():
        place = int(np.isnan(numbers).argmax())
        raise DataError(f"column {name!r}, row {values.index[place]}: {quoted(values.iloc[place])} is not a number")
    return pd.Series(numbers, index=values.index)
