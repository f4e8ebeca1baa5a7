"""How the texts of each column are read, as numbers, dates or strings: decided by all rows of the source.

So it does not depend on the division into training, validation and test rows. A few stray cells do not turn a column of
numbers into strings either: they are an error. The base measure is what log P(x) is a density or a mass with respect
to; what it is made of (rounding steps, such as 0.01 of prices; ranges; categories) is taken from training rows alone,
in `infer.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from likely.data import date_formats, number_formats
from likely.data.cells import missing_cells, numbers_of
from likely.data.kinds import CATEGORY_KINDS, LEFT_OUT, Kind
from likely.data.number_formats import MIN_FITTING_SHARE, NumberFormat
from likely.data.source import Source
from likely.errors import ConfigError, DataError, quoted

__all__ = ["ColumnReading", "column_reading", "column_readings"]

PLAIN_TYPES = (str, bool, int, float, np.bool_, np.number)


@dataclass(frozen=True)
class ColumnReading:
    """How a column is read.

    Attributes
    ----------
    number_format
        The format of its numbers; `None` where the texts are not read as numbers.
    date_format
        The format of its dates, for `strptime`; `None` where the texts are not read as dates.
    missing_text
        The most frequent text of its missing cells, such as `?`; `None` where there is none.
    hint
        What else the texts could be, and the option that chooses it; empty where there is no choice.

    """

    number_format: NumberFormat | None = None
    date_format: str | None = None
    missing_text: str | None = None
    hint: str = ""


def column_readings(
    source: Source,
    kinds: Mapping[str, str] | None = None,
    *,
    decimal: str | None = None,
    formats: Mapping[str, str] | None = None,
) -> dict[str, ColumnReading]:
    """How each column of texts is read, by column; columns of numbers, dates or other types have no entry.

    Parameters
    ----------
    source
        All rows, of every part that the source came in, before they are divided into training, validation and test
        rows.
    kinds
        Column -> the kind that the user requests.
    decimal
        The decimal mark of numbers in texts, where the user gives it.
    formats
        Column -> the format of its dates, where the user gives it.

    Raises
    ------
    DataError
        If a number is not finite, or a column holds numbers or dates but for a few cells, the first of which is named.
    ConfigError
        If `formats` names no column, or no column of texts.

    """
    kinds, formats = kinds or {}, formats or {}
    # one frame for each part that the source came in (`train`, `val`, `test`), or one of all rows
    frames = [values for rows in source.splits.values() if isinstance(values := rows.read().values, pd.DataFrame)]
    names = [str(name) for name in frames[0].columns] if frames else []
    for name in formats:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise ConfigError(
                f"date format: no column {quoted(name)}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    readings = {}
    for index, name in enumerate(names):
        pieces = [frame.iloc[:, index] for frame in frames]
        values = pieces[0] if len(pieces) == 1 else pd.concat(pieces)
        reading = column_reading(name, values, kinds.get(name), decimal=decimal, date_format=formats.get(name))
        if reading is not None:
            readings[name] = reading
    return readings


def column_reading(
    name: str,
    values: pd.Series,
    requested: str | None = None,
    *,
    decimal: str | None = None,
    date_format: str | None = None,
) -> ColumnReading | None:
    """How the texts of one column are read; arguments and errors as in `column_readings`.

    `None` where there is nothing to decide: the column holds no texts or no present value, or the requested kind keeps
    texts as they are.
    """
    if date_format is not None and (not _are_texts(values) or requested not in (None, Kind.DATE)):
        is_date = requested in (None, Kind.DATE)
        other = f"its type is {values.dtype}" if is_date else f"it is requested as {requested}"
        raise ConfigError(f"column {name!r} has no dates to be read by {quoted(date_format)}: {other}; expected texts")
    if requested in LEFT_OUT or requested in CATEGORY_KINDS:
        return None
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "f":
        _refuse_infinite(name, values, values.to_numpy())
        return None
    if values.dtype.kind != "O" and not pd.api.types.is_string_dtype(values.dtype):
        return None
    if isinstance(values.dtype, pd.CategoricalDtype):
        return None
    missing, missing_text = missing_cells(values)
    present = values[~missing]
    if not len(present):
        return None
    if not all(isinstance(value, PLAIN_TYPES) for value in present):
        return None
    if not _are_texts(present):
        numbers = numbers_of(present)
        if not np.isnan(numbers).any():
            _refuse_infinite(name, present, numbers)
        _refuse_strays(name, present, numbers, "numeric")
        return None
    reading = (
        _requested_dates(name, present, date_format)
        if date_format is not None
        else _inferred_reading(name, present, requested, decimal)
    )
    return replace(reading, missing_text=missing_text)


def _are_texts(values: pd.Series) -> bool:
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
    return ColumnReading(date_format=date_format)


def _inferred_reading(name: str, present: pd.Series, requested: str | None, decimal: str | None) -> ColumnReading:
    codes, distinct = pd.factorize(present)
    counts, texts = np.bincount(codes), distinct.tolist()
    date_fits = date_formats.best_formats(texts, counts) if requested in (None, Kind.DATE) else []
    if date_fits and all(fits.all() for _, fits in date_fits):
        if len(date_fits) == 1:
            return ColumnReading(date_format=date_fits[0][0])
        either = " or ".join(date_format for date_format, _ in date_fits)
        return ColumnReading(
            hint=f"they could be dates written {either}: --date-format {name}={date_fits[0][0]} chooses"
        )
    number_fits = [] if requested == Kind.DATE else number_formats.best_formats(texts, counts, decimal)
    complete = [number_format for number_format, numbers in number_fits if not np.isnan(numbers).any()]
    if len(complete) > 1:
        marks = " or ".join(f"--decimal {number_format.decimal}" for number_format in complete)
        return ColumnReading(hint=f"they could be numbers of several ways of writing: {marks} chooses")
    if complete:
        # A file's integers arrive as numbers; texts of digits alone are those with zeros in front, or of
        # a frame that holds texts: codes, such as postcodes, unless a kind is requested.
        may_be_codes = requested is None and _all_digits(texts)
        return ColumnReading(number_format=None if may_be_codes else complete[0])
    if date_fits:
        _refuse_strays(name, present, np.where(date_fits[0][1], 0.0, np.nan)[codes], f"dates written {date_fits[0][0]}")
    if number_fits:
        _refuse_strays(name, present, number_fits[0][1][codes], "numeric")
    return ColumnReading()


def _all_digits(texts: list[str]) -> bool:
    """Whether no text has more than digits and a sign, so that all may be codes, such as postcodes."""
    return all(text.strip().lstrip("+-").isdigit() for text in texts)


def _refuse_strays(name: str, present: pd.Series, numbers: np.ndarray, what: str) -> None:
    """Refuse a column most of whose cells are `what`, where `numbers` are NaN in the other cells."""
    stray = np.isnan(numbers)
    if not stray.any() or len(present) - stray.sum() <= MIN_FITTING_SHARE * len(present):
        return
    place = int(stray.argmax())
    value = present.iloc[place]
    header = ", as if that row were the header line again" if str(value).strip() == name else ""
    raise DataError(
        f"column {name!r} is {what} but for {stray.sum()} of {len(present)} values, the first "
        f"{quoted(value)} in row {present.index[place]}{header}; mend them, or choose --column {name}=categorical or "
        f"--column {name}=ignore"
    )
