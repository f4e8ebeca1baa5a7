"""What X is: all rows looked at once, then a schema from the training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from likely.data import (
    WEIGHT,
    DividedRows,
    Limits,
    Rows,
    Schema,
    SchemaOptions,
    Source,
    cells_notice,
    channels_notice,
    confirmed,
    counted,
    demand_returns,
    infer_schema,
    shared,
    sources,
    ungrouped,
    weighing,
    with_classes,
    with_exposure,
    with_limits,
    with_values_beside,
    with_weight,
)
from likely.data.bad_row import bad_rows_named_by
from likely.data.column_readings import ColumnReading, column_readings
from likely.data.kinds import Form, Kind
from likely.data.number_formats import PLAIN
from likely.data.returns import rounded_in, with_types
from likely.data.schema import EXPOSURE, Column
from likely.data.without_masses import without_masses
from likely.errors import ConfigError
from likely.run.options import Beside, DataOptions
from likely.run.progress import bar
from likely.run.reading import beside

__all__ = ["Description", "as_it_is", "describe", "opened", "placed"]

SURE = ("%Y-%m-%d", "ISO8601")
MAX_SHOWN = 8  # columns named in a notice


@dataclass(frozen=True)
class Description:
    """The schema, the rows with every class of a condition among those that train, and what there is to say."""

    schema: Schema
    rows: DividedRows
    notices: tuple[str, ...]


def opened(data: Any, options: DataOptions, *, progress: bool, memory: int | None = None) -> tuple[Source, DataOptions]:
    """The source with what is given beside its rows, and the options with names in the place of what was given.

    Raises
    ------
    InputError
        If the data cannot be read, or what is given does not fit them.

    """
    with bar("reading", shown=progress) as tick:
        source = sources.open_source(
            data,
            resize=options.resize,
            background=options.colour,
            progress=tick,
            reading=options.reading,
            memory=memory,
        )
    if isinstance(options.condition, Mapping):
        source = beside(source, options.condition)
    source, exposure, weight = placed(source, options.exposure, options.weight)
    return source, replace(options, condition=options.conditions, exposure=exposure, weight=weight)


def describe(rows: DividedRows, options: DataOptions, plain: Callable[[Column], bool] | None = None) -> Description:
    """What X is: how each column is read, by all rows; everything that P(x) is relative to, by training rows.

    Where `plain` holds of a column without listed numbers and atoms, it has none: its likelihood gives them no mass.

    Raises
    ------
    InputError
        If a column cannot be modelled as it is, or an option does not fit it.

    """
    source, reading, kinds, split = rows.source, options.reading, options.column, options.split
    if source.form != Form.TABLE and reading.formats:
        raise ConfigError(f"date formats are for columns of tables; the data is of the form {source.form}")
    readings = (
        column_readings(source, kinds, decimal=reading.decimal, formats=reading.formats)
        if source.form == Form.TABLE
        else None
    )

    requested = SchemaOptions(
        kinds,
        options.conditions,
        options.binarize,
        options.resize,
        options.colour,
        readings,
        options.channels,
    )

    def schema_of(train: Rows) -> Schema:
        with bad_rows_named_by(rows.division.train):
            inferred = infer_schema(train, source.form, requested)
        return inferred if plain is None else without_masses(inferred, train, plain, kinds or ())

    schema = schema_of(rows.read("train"))
    classes = with_classes(schema, source, rows.division) if isinstance(split, str) and split == "random" else None
    notices: tuple[str, ...] = ()
    if classes is not None:
        division, notices = classes
        rows = rows.divided_as(division)
        schema = schema_of(rows.read("train"))
    train = rows.read("train")
    schema = _with_weight_and_exposure(ungrouped(schema, split, kinds or ()), train, options)
    schema = confirmed(schema, rows.read("validation"))
    schema = with_types(schema, source.splits[rows.division.origin["train"]].read())
    schema = replace(_checked(schema, options.limits, train), text=source.text)
    left_out = {column.name for column in schema.columns if column.left_out}
    hints = tuple(
        f"column {name!r} was left as strings: {one.hint}"
        for name, one in (readings or {}).items()
        if one.hint and name not in left_out
    )
    axis = channels_notice(schema, options.channels)
    notices += (
        *_read(readings or {}),
        *hints,
        *axis,
        *cells_notice(schema),
        *counted(schema),
        *shared(schema, rows),
    )
    notices += (*weighing(schema, train), *rounded_in(schema, source))
    return Description(schema, rows, source.notices + notices)


def as_it_is(rows: DividedRows, options: DataOptions) -> Description:
    """What X is for a model of the user's own, whose likelihood says what has mass: every number in data units.

    No column has listed numbers or atoms, and the cells of an array are levels, 0 and 1, or reals.
    """
    described, kinds = describe(rows, options, lambda _: True), options.column
    schema, cell = described.schema, described.schema.columns[0]
    units = schema.binarize or cell.kind in (Kind.LEVELS, Kind.GRID, Kind.REAL) or (cell.low, cell.high) == (0, 1)
    if (
        schema.form != Form.TABLE
        and not kinds
        and not (schema.cells_alike and units)
        and schema.beside == schema.conditions
    ):
        described = describe(rows, replace(options, column={"x": "real"}), lambda _: True)
    said = cells_notice(described.schema)
    return replace(described, notices=tuple(notice for notice in described.notices if notice not in said))


def placed(source: Source, exposure: Beside, weight: Beside) -> tuple[Source, str | None, str | None]:
    """The source with exposures and weights that are values beside its rows, and the names of the two columns."""
    names: list[str | None] = []
    for given, name in ((exposure, EXPOSURE), (weight, WEIGHT)):
        column = given if given is None or isinstance(given, str) else name
        if column is not given:
            source = with_values_beside(source, given, name)
        names.append(column)
    return source, names[0], names[1]


def _with_weight_and_exposure(schema: Schema, train: Rows, options: DataOptions) -> Schema:
    """The schema without the column of the weights, and with the exposure given."""
    exposure, weight = options.exposure, options.weight
    if isinstance(weight, str):
        schema = with_weight(schema, train, weight)
    return with_exposure(schema, train, exposure, options.column or ()) if isinstance(exposure, str) else schema


def _checked(schema: Schema, limits: Limits | None, train: Rows) -> Schema:
    """The schema with its limits, and every column of it able to come back."""
    if limits is not None:
        schema = with_limits(schema, limits, train.values)
    demand_returns(schema, train)
    return schema


def _read(readings: Mapping[str, ColumnReading]) -> tuple[str, ...]:
    """How texts were read that could be something else; empty where none was."""
    ways = {
        name: str(reading.number_format)
        for name, reading in readings.items()
        if reading.number_format not in (None, PLAIN)
    }
    forms = {
        name: reading.date_format
        for name, reading in readings.items()
        if reading.date_format and not reading.date_format.startswith(SURE)
    }
    phrases = [
        f"{kind} in {', '.join(f'{name} ({way})' for name, way in list(read.items())[:MAX_SHOWN])}"
        + (f" and {len(read) - MAX_SHOWN} more" if len(read) > MAX_SHOWN else "")
        for kind, read in (("numbers", ways), ("dates", forms))
        if read
    ]
    return (f"texts were read as {', as '.join(phrases)}",) if phrases else ()
