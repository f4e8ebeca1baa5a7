"""What the training rows hold in one column, in few numbers: enough to draw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from likely.data.histogram import Scale, bins, numbers
from likely.data.kinds import Kind
from likely.data.schema import Column
from likely.data.texts_as_numbers import as_numbers

__all__ = ["Summary", "moment", "percent", "short", "summarise"]

MAX_SHOWN = 12  # categories of a summary
FINE_BINS = 48  # of a histogram that is drawn as a line of blocks
MONTH = 31 * 86400  # seconds: dates that span more are shown without their time of day


@dataclass(frozen=True)
class Summary:
    """One column's training rows.

    Attributes
    ----------
    name
        Of the column.
    present, missing
        How many cells have a value, and how many have none.
    distinct
        How many different values there are.
    top
        `(value, count)` of the most frequent values, at most 12, in that order; empty where no value occurs twice.
    dates
        Numbers are seconds since 1970, in the column's own zone.
    low, high
        Of numbers and dates; `None` of anything else.
    edges, counts
        Bins, and how many values lie in each; empty where a column is not numbers or dates.
    scale, linear
        Of the axis on which the bins are about equally wide (`data.histogram.Bins`).

    """

    name: str
    present: int
    missing: int
    distinct: int
    top: tuple[tuple[Any, int], ...] = ()
    dates: bool = False
    low: float | None = None
    high: float | None = None
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    scale: Scale = "linear"
    linear: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for JSON; dates as ISO 8601."""
        low, high = (self._in_words(value) for value in (self.low, self.high))
        return {
            "missing": self.missing,
            "distinct": self.distinct,
            "low": low,
            "high": high,
            "top": [{"value": value, "count": count} for value, count in self.top],
            "histogram": {"edges": [self._in_words(edge) for edge in self.edges], "counts": list(self.counts)},
        }

    @property
    def span(self) -> tuple[str, str] | None:
        """Lowest and highest value, to be read: dates to the day where they span a month; `None` of other columns."""
        if self.low is None or self.high is None:
            return None
        if not self.dates:
            return short(self.low), short(self.high)
        first, last = moment(self.low), moment(self.high)
        days = self.high - self.low > MONTH
        return (first[:10], last[:10]) if days else (first, last)

    def often(self, share: float) -> str:
        """A number or date that more than this share of the values are, and how many are; empty if there is none."""
        value, count = self.top[0] if self.top and self.counts else (None, 0)
        if count <= share * self.present:
            return ""
        return f"{short(value) if isinstance(value, float) else value} in {percent(count / self.present)}"

    def _in_words(self, value: float | None) -> Any:
        return moment(value) if self.dates and value is not None else value


def short(value: float) -> str:
    """A number in six digits, a whole one in all of them."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:g}"


def moment(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601; a day alone where it is midnight."""
    text = str(np.datetime64(round(seconds), "s"))
    return text.removesuffix("T00:00:00")


def summarise(column: Column, values: pd.Series) -> Summary:
    """The summary of a column's observed values.

    Parameters
    ----------
    column
        What it was inferred as: numbers are binned unless they are codes, and dates may be written as strings.
    values
        Of the training rows, as they came.

    """
    coded = column.coded
    values = values.where(values.isin(list(column.categories))) if coded else as_numbers(column, values)
    present = values.dropna()
    counted = present.value_counts()
    head = counted.head(MAX_SHOWN) if len(counted) and counted.iloc[0] > 1 else counted.head(0)
    dates = pd.api.types.is_datetime64_any_dtype(values.dtype)
    common: dict[str, Any] = {
        "present": len(present),
        "missing": len(values) - len(present),
        "distinct": len(counted),
        "top": tuple((_plain(value), int(count)) for value, count in head.items()),
        "dates": dates,
    }
    known = None if column.coded or column.kind == Kind.BINARY else numbers(present)
    if known is None or not known.size:
        return Summary(column.name, **common)
    spread = bins(known, dates=dates, most=FINE_BINS, cut=0.0)
    inside = np.histogram(known, spread.edges)[0]
    return Summary(
        column.name,
        **common,
        low=float(known.min()),
        high=float(known.max()),
        edges=tuple(spread.edges.tolist()),
        counts=tuple(inside.tolist()),
        scale=spread.scale,
        linear=spread.linear,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat().removesuffix("T00:00:00")
    return value.item() if isinstance(value, np.generic) else value


def percent(share: float) -> str:
    """A share as people write it: 0.023%, 4.5%, 37%, 100%; what is not all is never 100%."""
    number = 100 * share
    if number < 10:
        return f"{number:.2g}%"
    return f"{number:.0f}%" if number >= 100 or number < 99.5 else ">99%"
