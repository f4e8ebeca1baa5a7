"""Conditions on modelled columns, as people write them: `education=Masters`, `age>50`."""

from __future__ import annotations

import datetime
import difflib
import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

import numpy as np
import pandas as pd

from likely.data import dates
from likely.data.conditions import span
from likely.data.dtypes import is_duration, seconds
from likely.data.kinds import Kind
from likely.data.schema import Column, Schema
from likely.errors import ConfigError, quoted

__all__ = ["Event", "conjuncts", "number_of", "read_events", "split_words"]

OPERATOR = re.compile(r"\s*(>=|<=|!=|=|>|<)\s*(.*)", re.DOTALL)
OR = "|"
SAME = 1e-9  # relative: numbers nearer than that are the same after they are written and read
COMPARED = {"<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True)
class Event:
    """What is asked of one cell: to be one of some codes or numbers, to lie in an interval, or to be without mass.

    Attributes
    ----------
    place
        Of the cell in a row.
    codes
        The codes that are allowed; `None` for numbers.
    low, high
        Both included on a grid. Else the lower end is not, which tells where it is an atom. Equal ends of a density:
        P(x_j = low|z) is a density.
    numbers
        The only numbers that are allowed, where each has a mass: of a listed column, or an atom that is asked for.
    atoms
        Numbers within the interval that have a mass although the others have a density.

    """

    place: int
    codes: tuple[int, ...] | None = None
    low: float = -math.inf
    high: float = math.inf
    step: float | None = None
    numbers: tuple[float, ...] | None = None
    atoms: tuple[float, ...] = ()

    @property
    def without_mass(self) -> bool:
        """Whether the event is a single number of a density."""
        return self.codes is None and self.numbers is None and self.step is None and self.low == self.high


def conjuncts(schema: Schema, text: str) -> list[str]:
    """The conditions that make up an event: two of `age>50 & sex=Male`; an & within a value parts nothing."""
    names = "|".join(re.escape(column.name) for column in schema.columns)
    return re.split(rf"\s*&\s*(?=(?:{names})\s*[<>=!])", text.strip())


def split_words(schema: Schema, words: Iterable[str]) -> list[tuple[Column, str, str]]:
    """Column, operator and value of each word such as `age>50`; of columns that a word begins with the longest name.

    Raises
    ------
    ConfigError
        If no column is meant, or there is no operator.

    """
    known = {column.name: column for column in schema.columns}
    return [_split(known, word, alone=schema.cells_alike and not schema.conditions) for word in words]


def _split(known: dict[str, Column], word: str, *, alone: bool) -> tuple[Column, str, str]:
    for name in sorted(known, key=len, reverse=True):
        match = OPERATOR.fullmatch(word[len(name) :]) if word.startswith(name) else None
        if match and match[2]:
            return known[name], match[1], match[2]
    column_name = re.split(r"[<>=!]", word, maxsplit=1)[0].strip()
    if column_name in known or not re.search(r"[<>=]", word):
        raise ConfigError(f"a condition is COLUMN=VALUE, or has !=, <, <=, > or >= for =; got {quoted(word)}")
    if alone:
        raise ConfigError(
            f"this model is of P(x) alone; to be given {quoted(column_name)}, fit with --condition {column_name}"
        )
    near = difflib.get_close_matches(column_name, list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(list(known)[:20])}"
    raise ConfigError(f"no column is called {quoted(column_name)}; {hint}")


def read_events(schema: Schema, words: Iterable[tuple[Column, str, str]]) -> list[Event]:
    """One event for each column that is asked for, in their order; several conditions on one must hold together.

    Raises
    ------
    ConfigError
        If a column is left out or has no order, a value is none of its, or no value can be meant.

    """
    events: dict[str, Event] = {}
    for column, operator, value in words:
        event = _event(schema, column, operator, value)
        before = events.get(column.name)
        events[column.name] = event if before is None else _both(column, before, event)
    return sorted(events.values(), key=lambda event: event.place)


def _event(schema: Schema, column: Column, operator: str, value: str) -> Event:
    if schema.cells_alike:
        raise ConfigError("events are of the columns of a table; the cells of an array have no names")
    if column.left_out:
        raise ConfigError(f"column {column.name!r} is left out of the model ({column.reason})")
    place = [one.name for one in schema.modelled].index(column.name)
    if column.coded or column.kind == Kind.BINARY:
        return Event(place, _codes(column, operator, value))
    if column.kind == Kind.LISTED:
        return Event(place, numbers=_listed(column, operator, value))
    if operator == "!=":
        raise ConfigError(f"column {column.name!r} holds numbers: take <, <=, =, >= or > ")
    number = number_of(column, value)
    if operator == "=" and number in column.atoms:
        return Event(place, numbers=(number,))
    low, high = _interval(column, operator, number)
    first, last = _support(column)
    low, high = max(low, first), min(high, last)
    empty = low > high or (operator == "<" and low == high and column.per_unit is None)
    if empty and column.limits is not None:
        raise ConfigError(f"{column.name}{operator}{value} is beyond the limits that were declared for it")
    if empty:
        raise ConfigError(f"{column.name}{operator}{value} is outside what training rows had: {span(column)}")
    return Event(place, None, low, high, column.step, atoms=_inside(column.atoms, low, high))


def _support(column: Column) -> tuple[float, float]:
    """Where the column's distribution has its mass, but for what is kept for values never met."""
    if column.limits is not None:
        return _before(column, column.limits[0]), column.limits[1]
    if column.kind == Kind.LEVELS or column.hard:
        return float(column.low or 0), float(column.high or 0)
    if column.kind in (Kind.COUNT, Kind.POSITIVE) and column.reserve:
        first = 0.0 if column.kind == Kind.COUNT else column.step or min((0.0, *column.atoms))
        return _before(column, first), math.inf
    return -math.inf, math.inf


def _before(column: Column, number: float) -> float:
    """An end which takes the number in where it is an atom."""
    return math.nextafter(number, -math.inf) if number in column.atoms else number


def _inside(numbers: tuple[float, ...], low: float, high: float) -> tuple[float, ...]:
    return tuple(number for number in numbers if low < number <= high)


def _listed(column: Column, operator: str, value: str) -> tuple[float, ...]:
    """Which of a column's numbers are meant."""
    known = [float(one) for one in column.categories]
    if operator in ("=", "!="):
        values = [_known(column, known, number_of(column, part)) for part in value.split(OR)]
        numbers = tuple(number for number in known if (number in values) == (operator == "="))
    else:
        bound = number_of(column, value)
        numbers = tuple(number for number in known if COMPARED[operator](number, bound))
    if not numbers:
        raise ConfigError(f"{column.name}{operator}{value} is outside what training rows had: {span(column)}")
    return numbers


def _known(column: Column, known: list[float], number: float) -> float:
    near = min(known, key=lambda one: abs(one - number))
    if abs(near - number) <= SAME * abs(near):
        return near
    raise ConfigError(f"column {column.name!r} holds {len(known)} numbers, and {number:g} is none; {near:g} is one")


def _interval(column: Column, operator: str, number: float) -> tuple[float, float]:
    """Both ends included; on a grid they are values of it."""
    if column.per_unit is None:
        ends = number, number
        if operator in (">=", "<"):
            ends = _before(column, number), _before(column, number)
        return (ends[0] if operator in "=>=" else -math.inf), (ends[1] if operator in "<=" else math.inf)
    scaled = number * column.per_unit
    near, slack = round(scaled), 1e-6 * max(1.0, abs(scaled))
    exact = abs(scaled - near) < slack
    below, above = (near, near) if exact else (math.floor(scaled), math.ceil(scaled))
    if operator == "=":
        if not exact:
            raise ConfigError(f"column {column.name!r} is recorded in steps of {column.step:g}; {number:g} is none")
        return near / column.per_unit, near / column.per_unit
    if operator.startswith(">"):
        first = below + 1 if operator == ">" else above
        return first / column.per_unit, math.inf
    last = above - 1 if operator == "<" else below
    return -math.inf, last / column.per_unit


def number_of(column: Column, value: Any) -> float:
    """A number or date that someone wrote, in the column's encoded units.

    Raises
    ------
    ConfigError
        If it is none.

    """
    if column.kind == Kind.DATE:
        numbers = _of_date(column, value)
        if np.isfinite(numbers).all():
            return float(numbers[0])
        raise ConfigError(f"column {column.name!r}: {quoted(value)} is no date such as {dates.shown(column, 0)}")
    try:
        number = math.nan if isinstance(value, (bool, np.bool_)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) and is_duration(column.came):
        number = seconds(value)
    if not math.isfinite(number) and isinstance(value, str) and column.written is not None:
        number = column.written.number(value)
    if not math.isfinite(number):
        raise ConfigError(f"column {column.name!r} holds numbers, and {quoted(value)} is none")
    return number


def _of_date(column: Column, value: Any) -> np.ndarray:
    """The units of a date as the column writes it or ISO 8601 has it, in the column's zone unless it has its own."""
    ways = [pd.Series([value])] if isinstance(value, str) and column.format not in (None, "date") else []
    if isinstance(value, (str, datetime.date, np.datetime64)):
        with suppress(ValueError):
            ways.append(pd.Series([dates.in_zone(column, pd.Timestamp(value))]))
    for way in ways:
        try:
            numbers = dates.encode(column, way)
        except ValueError:
            continue
        if np.isfinite(numbers).all():
            return numbers
    return np.array([np.nan])


def _codes(column: Column, operator: str, value: str) -> tuple[int, ...]:
    names = [str(name).strip() for name in column.categories] or ["0", "1"]
    whole = names.index(value.strip()) if value.strip() in names else None
    values = [value.strip()] if whole is not None else [part.strip() for part in value.split(OR)]
    for one in values:
        if one not in names and not (one.lower() in ("true", "false") and column.kind == Kind.BINARY):
            near = difflib.get_close_matches(one, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {span(column)}"
            raise ConfigError(f"column {column.name!r} has no category {quoted(one)}; {hint}")
    codes = [names.index(one) if one in names else int(one.lower() == "true") for one in values]
    if operator in ("=", "!="):
        inside = [code for code in range(len(names)) if (code in codes) == (operator == "=")]
    elif column.kind == Kind.ORDERED and len(codes) == 1:
        wanted = {">": codes[0] + 1, ">=": codes[0]}.get(operator)
        inside = list(range(wanted, len(names)) if wanted is not None else range(codes[0] + (operator == "<=")))
    else:
        raise ConfigError(f"column {column.name!r} has categories without an order: take = or !=, and {OR} for or")
    if not inside:
        raise ConfigError(f"no category of {column.name!r} is {operator} {value}")
    return tuple(inside)


def _both(column: Column, first: Event, second: Event) -> Event:
    if first.codes is not None and second.codes is not None:
        common = tuple(code for code in first.codes if code in second.codes)
        if common:
            return Event(first.place, common)
    low, high = max(first.low, second.low), min(first.high, second.high)
    numbers = first.numbers if second.numbers is None else second.numbers
    if numbers is not None:
        both = [one.numbers for one in (first, second) if one.numbers is not None]
        numbers = tuple(number for number in _inside(numbers, low, high) if all(number in one for one in both))
    if first.codes is not None or low > high or numbers == ():
        raise ConfigError(f"the conditions on column {column.name!r} exclude each other")
    atoms = _inside(first.atoms, low, high)
    return Event(first.place, None, low, high, first.step, numbers, atoms)
