"""Dates as whole numbers of a unit since an origin, and back.

A date t is encoded as (t − origin)/unit, exactly: the unit is the coarsest of which all training dates are whole
numbers, and |t − origin| stays below 2^53 of them. Where there is a zone, t is in UTC.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from likely.data.date_formats import ZONED, as_texts, parsed
from likely.data.kinds import Kind
from likely.data.knots import with_knots
from likely.data.schema import Column
from likely.errors import DataError

__all__ = ["column_of", "decode", "encode", "from_iso", "in_zone", "iso", "shown", "stamps"]

UNITS = {"D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
WORDS = {"D": "day", "h": "hour", "m": "minute", "s": "second", "ms": "millisecond", "us": "microsecond",
         "ns": "nanosecond"}  # fmt: skip
MAX_EXACT = 2.0**53  # integers up to here are exact in float64
YEARS = {True: ("1678", "2262"), False: ("1000", "9999-12-31")}


def stamps(values: pd.Series, form: str | None = None) -> np.ndarray:
    """Dates of any type, or texts of a format (ISO 8601 unless given), as `datetime64` in UTC; NaT is no date."""
    index = _read(values, form)
    return np.asarray((index if index.tz is None else index.tz_convert(None)).to_numpy())


def _read(values: pd.Series, form: str | None) -> pd.DatetimeIndex:
    if values.dtype.kind == "M":
        return pd.DatetimeIndex(values)
    if form == "date":
        return pd.DatetimeIndex(pd.to_datetime(values, errors="coerce"))
    if form is not None:
        return pd.DatetimeIndex(parsed(values.astype(str).tolist(), form))
    return pd.DatetimeIndex(pd.to_datetime(values.astype(str), format="ISO8601", errors="coerce"))


def column_of(name: str, dtype: str, dates: np.ndarray, form: str | None) -> Column:
    """The schema's column of at least two different dates.

    Raises
    ------
    DataError
        If they lie so far apart that their number of units is not exact in float64.

    """
    own = np.datetime_data(dates.dtype)[0]
    origin, last = dates.min(), dates.max()
    far = int(last.astype(np.int64)) - int(origin.astype(np.int64))
    unit = own
    if far < 2**63:
        passed = (dates - origin).astype(np.int64)
        unit = next(unit for unit in UNITS if not (passed % max(1, UNITS[unit] // UNITS[own])).any())
        far = int(passed.max()) * UNITS[own] // UNITS[unit]
    if far >= MAX_EXACT:
        raise DataError(
            f"column {name!r} holds dates to the {WORDS[unit]} that lie {far} {WORDS[unit]}s apart, which float64 "
            f"cannot tell exactly; round them, or leave the column out with --column {name}=ignore"
        )
    numbers = passed / (UNITS[unit] // UNITS[own])
    reason = f"dates to the {WORDS[unit]}" + (f", written {form}" if form not in (None, "date") else "")
    column = Column(
        name,
        dtype,
        Kind.DATE,
        reason,
        mean=float(numbers.mean()),
        scale=float(numbers.std()),
        low=0.0,
        high=float(far),
        per_unit=1,
        origin=str(np.datetime_as_string(origin, unit="auto")),
        unit=unit,
        format=form,
    )
    return with_knots(column, numbers)


def encode(column: Column, values: pd.Series) -> np.ndarray:
    """Dates as units since the column's origin, float64; NaN for what is no date.

    Raises
    ------
    DataError
        If one side has a zone and the other none, or a date is too far away.

    """
    _check_zone(column, values)
    dates = stamps(values, column.format)
    origin, unit = np.datetime64(column.origin), column.unit or "ns"
    finest = min((np.datetime_data(dates.dtype)[0], np.datetime_data(origin.dtype)[0], unit), key=UNITS.__getitem__)
    finest = finest if finest in ("s", "ms", "us", "ns") else "s"
    known = ~np.isnat(dates)
    try:
        given, start = (pd.DatetimeIndex(part).as_unit(finest).asi8 for part in (dates[known], [origin]))
    except pd.errors.OutOfBoundsDatetime as error:
        raise DataError(f"column {column.name!r}: {error}; training rows had dates near {column.origin}") from error
    if len(given) and np.abs(given.astype(np.float64) - start[0]).max() > 2.0**62:
        raise DataError(f"column {column.name!r} holds dates too far from those of training, near {column.origin}")
    whole, rest = np.divmod(given - start[0], UNITS[unit] // UNITS[finest])
    numbers = np.full(len(dates), np.nan)
    numbers[known] = whole + rest / (UNITS[unit] // UNITS[finest])
    return numbers


def _check_zone(column: Column, values: pd.Series) -> None:
    """Dates with and without a zone cannot be told apart; texts of a format have none to speak of."""
    if column.format is not None and values.dtype.kind != "M":
        return
    try:
        given = _read(values, column.format).tz is not None
    except ValueError as error:
        raise DataError(
            f"column {column.name!r} has dates of several zones; use pd.to_datetime(..., utc=True)"
        ) from error
    known = _zoned(column.dtype) or str(column.format).endswith(("Z", ZONED))
    if given != known and len(values):
        raise DataError(
            f"column {column.name!r} has dates {'with' if known else 'without'} a zone "
            f"({column.format or column.dtype}), got such as {values.iloc[0]}; use .dt.tz_localize"
        )


def _zoned(dtype: str) -> bool:
    return ", " in dtype


def in_zone(column: Column, stamp: pd.Timestamp) -> pd.Timestamp:
    """A date that someone wrote without a zone, in that of the column; one with a zone, in UTC where it has none.

    Raises
    ------
    ValueError
        If the clocks of that zone never show it, or twice.

    """
    texts = column.format not in (None, "date")
    zone = "UTC" if texts and ZONED in str(column.format) else None
    if not texts and _zoned(column.dtype):
        zone = column.dtype.partition("[")[2].partition("]")[0].partition(", ")[2].removeprefix("tz=")
    return stamp.tz_localize(zone) if zone and stamp.tz is None else stamp


def decode(column: Column, numbers: np.ndarray) -> pd.Series:
    """Units since the origin as dates of the column's type; a draw beyond the years that it has is put on the last."""
    return _typed(column, pd.Series(_dates(column, numbers)))


def _typed(column: Column, dates: pd.Series) -> pd.Series:
    if column.format == "date":
        return dates.dt.date.astype(object)
    if column.format is not None:
        return as_texts(dates, column.format).astype(column.dtype)
    return (dates.dt.tz_localize("UTC") if _zoned(column.dtype) else dates).astype(column.dtype)


def _dates(column: Column, numbers: np.ndarray) -> np.ndarray:
    origin, unit = np.datetime64(column.origin), column.unit or "ns"
    finest = min((np.datetime_data(origin.dtype)[0], unit), key=UNITS.__getitem__)
    finest = finest if finest in ("s", "ms", "us", "ns") else "s"
    ends = (np.datetime64(year, "s") - origin.astype("M8[s]") for year in YEARS["[ns" in column.dtype])
    least, most = (end.astype(np.float64) * 1e9 / UNITS[unit] for end in ends)
    inside = np.clip(np.rint(numbers), min(least, column.low or 0), max(most, column.high or 0))
    return np.asarray(origin.astype(f"M8[{finest}]") + inside.astype(np.int64).astype(f"m8[{unit}]"))


def iso(values: pd.Series) -> pd.Series:
    """Dates as texts, in UTC where they have a zone: so they name categories."""
    texts = [stamp.isoformat() for stamp in pd.DatetimeIndex(stamps(values, "date"))]
    return pd.Series(texts, index=values.index, dtype=object)


def from_iso(column: Column, texts: np.ndarray) -> pd.Series:
    """The dates that name categories, in the column's own type."""
    return _typed(column, pd.Series(pd.to_datetime(pd.Series(texts, dtype=object), format="ISO8601")))


def shown(column: Column, number: float) -> str:
    """A number of a column as people read it, and may give it: dates as they are written, other numbers short."""
    if column.kind != Kind.DATE:
        return f"{number:g}" if column.per_unit is None else f"{number:.10g}"
    if column.format not in (None, "date") or _zoned(column.dtype):
        date = decode(column, np.array([number])).iloc[0]
        return date if isinstance(date, str) else str(date.isoformat())
    return str(np.datetime_as_string(_dates(column, np.array([number]))[0], unit="auto"))
