"""What X is: all rows looked at once, then a schema from the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from likely.data import (
    Division,
    Limits,
    Rows,
    Schema,
    Source,
    Split,
    channels_told,
    confirmed,
    demand_returns,
    infer_schema,
    shared,
    taken,
    ungrouped,
    with_classes,
    with_limits,
)
from likely.data.looks import Look, look
from likely.data.sources.reading import Reading
from likely.data.written import PLAIN
from likely.errors import ConfigError

__all__ = ["Description", "describe"]

SURE = ("%Y-%m-%d", "ISO8601")
SHOWN = 8


@dataclass(frozen=True)
class Description:
    """The schema, the division with every class of a condition among the training rows, and what there is to say."""

    schema: Schema
    division: Division
    notices: tuple[str, ...]


def describe(
    source: Source,
    division: Division,
    *,
    split: Split,
    limits: Limits | None,
    reading: Reading,
    kinds: Mapping[str, str] | None,
    conditions: Sequence[str],
    **told: Any,
) -> Description:
    """Say what X is: how each column is read from all rows, everything that P(x) is relative to from training rows.

    Raises
    ------
    InputError
        If a column cannot be modelled as it is, or an option does not fit it.

    """
    if source.form != "table" and reading.formats:
        raise ConfigError(f"date formats are for columns of tables; the data is of the form {source.form}")
    looks = look(source, kinds, decimal=reading.decimal, formats=reading.formats) if source.form == "table" else None

    def inferred(division: Division) -> Schema:
        train = division.rows(source, "train")
        return infer_schema(train, source.form, kinds=kinds, conditions=conditions, looks=looks, **told)

    schema = inferred(division)
    classes = with_classes(schema, source, division) if split == "random" else None
    said: tuple[str, ...] = ()
    if classes is not None:
        division, said = classes
        schema = inferred(division)
    schema = confirmed(ungrouped(schema, split, kinds or ()), division.rows(source, "validation"))
    schema = replace(_checked(schema, limits, division.rows(source, "train")), text=source.text)
    left_out = {column.name for column in schema.columns if column.left_out}
    hints = tuple(
        f"column {name!r} was left as strings: {found.hint}"
        for name, found in (looks or {}).items()
        if found.hint and name not in left_out
    )
    axis = channels_told(schema, told.get("channels"))
    said += (*_read(looks or {}), *hints, *axis, *taken(schema), *shared(schema, source, division))
    return Description(schema, division, source.notices + said)


def _checked(schema: Schema, limits: Limits | None, train: Rows) -> Schema:
    """The schema with its limits, and every column of it able to come back; the copy of the rows is let go here."""
    if limits is not None:
        schema = with_limits(schema, limits, train.values)
    demand_returns(schema, train)
    return schema


def _read(looks: Mapping[str, Look]) -> tuple[str, ...]:
    """How texts were read that could be something else; empty where none was."""
    ways = {name: str(found.written) for name, found in looks.items() if found.written not in (None, PLAIN)}
    forms = {name: found.format for name, found in looks.items() if found.format and not found.format.startswith(SURE)}
    told = [
        f"{kind} in {', '.join(f'{name} ({way})' for name, way in list(read.items())[:SHOWN])}"
        + (f" and {len(read) - SHOWN} more" if len(read) > SHOWN else "")
        for kind, read in (("numbers", ways), ("dates", forms))
        if read
    ]
    return (f"texts were read as {', as '.join(told)}",) if told else ()
