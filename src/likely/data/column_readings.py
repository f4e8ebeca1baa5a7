"""How each column of a table is read, decided by all rows, whatever part they fall in; what does not fit is refused.

Whether a column of texts holds numbers, dates or strings must not depend on the division into parts, nor may one stray
cell. What enters the base measure (steps, ranges, categories) is taken from training rows alone, elsewhere.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from likely.data import date_formats
from likely.data import written as number_formats
from likely.data.cells import missing_cells, numbers_of
from likely.data.kinds import CODED, LEFT_OUT, Kind
from likely.data.source import Source
from likely.data.written import MIN_FITTING, Written
from likely.errors import ConfigError, DataError, quoted

__all__ = ["ColumnReading", "column_reading", "column_readings"]

PLAIN_TYPES = (str, bool, int, float, np.bool_, np.number)


@dataclass(frozen=True)
class ColumnReading:
    """How a column is read.

    Attributes
    ----------
    written
        How its numbers are written; `None` where the texts are not read as numbers.
    format
        How its dates are written, for `strptime`; `None` where they are not read as dates.
    token
        What stands most often where a value is missing.
    hint
        What the texts could be, and the option that says so; empty where there is nothing to choose.

    """

    written: Written | None = None
    format: str | None = None
    token: str | None = None
    hint: str = ""


def column_readings(
    source: Source,
    kinds: Mapping[str, str] | None = None,
    *,
    decimal: str | None = None,
    formats: Mapping[str, str] | None = None,
) -> dict[str, ColumnReading]:
    """How each column of a table is read, by all its rows; typed columns have no entry, as nothing is to be read.

    Parameters
    ----------
    source
        As it was opened.
    kinds
        Column -> kind, where the user knows better.
    decimal
        The decimal mark of numbers in texts, where the user knows it.
    formats
        Column -> how its dates are written.

    Raises
    ------
    DataError
        If a number is not finite, or a column is numbers or dates but for a few cells, the first of which is named.
    ConfigError
        If `formats` names no column, or no column of texts.

    """
    kinds, formats = kinds or {}, formats or {}
    frames = [values for one in source.splits.values() if isinstance(values := one.read().values, pd.DataFrame)]
    names = [str(name) for name in frames[0].columns] if frames else []
    for name in formats:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise ConfigError(
                f"date format: no column {quoted(name)}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    readings = {}
    for place, name in enumerate(names):
        parts = [frame.iloc[:, place] for frame in frames]
        values = parts[0] if len(parts) == 1 else pd.concat(parts)
        seen = column_reading(name, values, kinds.get(name), decimal=decimal, date_format=formats.get(name))
        if seen is not None:
            readings[name] = seen
    return readings


def column_reading(
    name: str,
    values: pd.Series,
    wanted: str | None = None,
    *,
    decimal: str | None = None,
    date_format: str | None = None,
) -> ColumnReading | None:
    """How one column is read; `None` where it is typed. Arguments and errors are those of `column_readings`."""
    if date_format is not None and (not _texts(values) or wanted not in (None, Kind.DATE)):
        other = f"it is requested as {wanted}" if wanted not in (None, Kind.DATE) else f"its type is {values.dtype}"
        raise ConfigError(f"column {name!r} has no dates to be read by {quoted(date_format)}: {other}; expected texts")
    if wanted in LEFT_OUT or wanted in CODED:
        return None
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "f":
        _refuse_infinite(name, values, values.to_numpy())
        return None
    if values.dtype.kind != "O" and not pd.api.types.is_string_dtype(values.dtype):
        return None
    if isinstance(values.dtype, pd.CategoricalDtype):
        return None
    missing, token = missing_cells(values)
    present = values[~missing]
    if not len(present):
        return None
    if not all(isinstance(value, PLAIN_TYPES) for value in present):
        return None
    if not _texts(present):
        numbers = numbers_of(present)
        if not np.isnan(numbers).any():
            _refuse_infinite(name, present, numbers)
        _refuse_strays(name, present, numbers, None)
        return None
    read = (
        _requested_dates(name, present, date_format)
        if date_format is not None
        else _inferred_reading(name, present, wanted, decimal)
    )
    return ColumnReading(read.written, read.format, token, read.hint)


def _texts(values: pd.Series) -> bool:
    return pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty")


def _refuse_infinite(name: str, values: pd.Series, numbers: np.ndarray) -> None:
    infinite = np.isinf(numbers)
    if infinite.any():
        place = int(infinite.argmax())
        raise DataError(
            f"column {name!r}, row {values.index[place]}: {values.iloc[place]!s:.60} is not a finite number; leave the "
            "cell empty where nothing is known"
        )


def _requested_dates(name: str, present: pd.Series, date_format: str) -> ColumnReading:
    try:
        known = date_formats.parsed(present.tolist(), date_format).notna().to_numpy()
    except ValueError as error:
        raise ConfigError(f"column {name!r}: {quoted(date_format)} is no format such as %d/%m/%Y ({error})") from error
    if not known.all():
        place = int((~known).argmax())
        row, text = present.index[place], present.iloc[place]
        raise DataError(f"column {name!r}, row {row}: {quoted(text)} is no date written {quoted(date_format)}")
    return ColumnReading(format=date_format)


def _inferred_reading(name: str, present: pd.Series, wanted: str | None, decimal: str | None) -> ColumnReading:
    codes, distinct = pd.factorize(present)
    counts, texts = np.bincount(codes), distinct.tolist()
    date_fits = date_formats.best(texts, counts) if wanted in (None, Kind.DATE) else []
    if date_fits and all(fits.all() for _, fits in date_fits):
        if len(date_fits) == 1:
            return ColumnReading(format=date_fits[0][0])
        forms = " or ".join(date_format for date_format, _ in date_fits)
        return ColumnReading(
            hint=f"they could be dates written {forms}: --date-format {name}={date_fits[0][0]} chooses"
        )
    readings = [] if wanted == Kind.DATE else number_formats.best(texts, counts, decimal)
    complete = [reading for reading, read in readings if not np.isnan(read).any()]
    if len(complete) > 1:
        marks = " or ".join(f"--decimal {reading.decimal}" for reading in complete)
        return ColumnReading(hint=f"they could be numbers of several ways of writing: {marks} chooses")
    if complete:
        return ColumnReading(written=complete[0] if wanted is not None or _more_than_digits(texts) else None)
    if date_fits:
        _refuse_strays(name, present, np.where(date_fits[0][1], 0.0, np.nan)[codes], f"dates written {date_fits[0][0]}")
    if readings:
        _refuse_strays(name, present, readings[0][1][codes], None)
    return ColumnReading()


def _more_than_digits(texts: list[str]) -> bool:
    """Whether texts are written as amounts are; digits alone may be codes."""
    return any(not text.strip().lstrip("+-").isdigit() for text in texts)


def _refuse_strays(name: str, present: pd.Series, read: np.ndarray, what: str | None) -> None:
    stray = np.isnan(read)
    if not stray.any() or len(present) - stray.sum() <= MIN_FITTING * len(present):
        return
    place = int(stray.argmax())
    value = present.iloc[place]
    again = ", as if that row were the header line again" if str(value).strip() == name else ""
    raise DataError(
        f"column {name!r} is {what or 'numeric'} but for {stray.sum()} of {len(present)} values, the first "
        f"{quoted(value)} in row {present.index[place]}{again}; mend them, or choose --column {name}=categorical or "
        f"--column {name}=ignore"
    )
