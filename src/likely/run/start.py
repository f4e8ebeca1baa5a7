"""Another fit that starts from the weights of a run, on rows of the same schema."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from likely.assembly import Own, resolve
from likely.config import Config, ModelConfig, TrainingConfig
from likely.data import (
    DividedRows,
    EncodedRows,
    Schema,
    Source,
    encode,
    sources,
    with_conditions_beside,
    with_weight,
)
from likely.data.kinds import Form, Kind
from likely.data.sources.reading import Reading
from likely.errors import ConfigError, DataError, quoted
from likely.run.describing import placed
from likely.run.many import divided_whole, in_blocks
from likely.run.options import DataOptions, FitOptions
from likely.run.plan import Plan
from likely.run.progress import bar
from likely.run.reading import beside
from likely.run.run import Run
from likely.run.settling import carried_out, data_of, settle
from likely.run.store import load

__all__ = ["started"]

MAX_BEYOND = 0.05  # share of a column's cells outside the range of the run that a fit starts from
SEEN = "rows of this data may have trained the run that the fit starts from; of those log P(x) is no test"


def started(init: Run | str | Path, data: Any, options: FitOptions) -> Run:
    """A run of the model and the schema of another, trained anew from its weights; see `likely.fit`."""
    begun = init if isinstance(init, Run) else load(init, progress=options.progress)
    about, parts = options.data, ("encoder", "decoder", "model")
    again = [*about.of_schema, *(name for name in parts if getattr(options, name) is not None)]
    if again:
        raise ConfigError(f"{again[0]} is set by the run that the fit starts from; leave it out")
    own = replace(begun.own, objective=options.own_objective)
    asked = _config(begun, own, options)
    schema = begun.schema
    reading = Reading(schema=schema) if schema.form == Form.TABLE else Reading()
    with bar("reading", shown=options.progress) as tick:
        source = sources.open_source(
            data,
            resize=schema.resize,
            background=schema.background,
            progress=tick,
            reading=reading,
            memory=options.most_bytes,
        )
    source, weight = _placed(source, schema, about)
    rows = divided_whole(source, asked.seed, about.split)
    if weight is not None and schema.form != Form.TABLE:
        schema = with_weight(schema, rows.read("train"), weight)
    record = data_of(data, source, schema, about.split, options)
    kept = isinstance(about.split, str) and about.split == "random" and record.digest == begun.record.data.digest
    if kept:
        rows, record = rows.divided_as(begun.division), replace(record, split=begun.record.data.split)
    said = (*(() if kept and SEEN not in begun.notices else (SEEN,)), *_same(schema, rows))
    home = "a run in memory" if begun.directory is None else str(begun.directory)
    resolved = resolve(asked, schema, own)
    resolved = replace(resolved, config=in_blocks(settle(resolved.config), schema, source))
    plan = Plan(
        resolved,
        copy.deepcopy(begun.model).to(resolved.config.device),
        rows,
        record,
        (f"starts from the weights of {home}", *source.notices, *said),
        home,
        options.progress,
        options.cache_folder,
        profile=options.profile,
    )
    return carried_out(plan, options, plan.model.state_dict())


def _config(begun: Run, own: Own, options: FitOptions) -> Config:
    """The run's model, trained by the options given now: without a warm-up unless requested, as z is in use already."""
    base = options.config or Config(training=TrainingConfig(warmup=0.0))
    mine, known = base.model, begun.config.model
    if mine not in (ModelConfig(), known):
        raise ConfigError("the configuration is of another model than that of the run that the fit starts from")
    base = replace(base, model=known, factories={})
    config = base.replace(options.assigned)
    for item in fields(ModelConfig):
        asked, has = getattr(config.model, item.name), getattr(known, item.name)
        if asked != has:
            raise ConfigError(f"{item.name} is {has} in the run that the fit starts from, not {asked}; leave it out")
    return own.demanded(config)


def _placed(source: Source, schema: Schema, options: DataOptions) -> tuple[Source, str | None]:
    """The source with what is given beside an array in memory, and the name of the weights that are given.

    Columns that are named are those of the schema.
    """
    if isinstance(options.condition, Mapping):
        source = beside(source, options.condition)
    else:
        names = options.conditions
        known = [column.name for column in schema.conditions]
        other = [name for name in names if name not in known]
        if other:
            raise ConfigError(
                f"condition {quoted(other[0])}: in the run that the fit starts from {', '.join(known) or 'nothing'} is "
                "given"
            )
    source, exposed, weighted = placed(source, options.exposure, options.weight)
    exposure = schema.exposure and schema.exposure.name
    for what, name, has in (("exposure", exposed, exposure), ("weight", weighted, schema.weight)):
        beside_array = what == "weight" and schema.form != Form.TABLE
        if name is not None and name != has and not beside_array:
            raise ConfigError(f"{what} {quoted(name)}: in the run that the fit starts from it is {has or 'not there'}")
    return source, weighted


def _same(schema: Schema, divided: DividedRows) -> tuple[str, ...]:
    """Check that rows are of a schema; what there is to say of those beyond its ranges.

    Raises
    ------
    DataError
        If they are not; it names the column.

    """
    if divided.source.form != schema.form:
        raise DataError(f"the data is of the form {divided.source.form}, and that of the run is {schema.form}")
    part = divided.read("train")
    if isinstance(part.values, pd.DataFrame):
        known = [column.name for column in schema.columns]
        other = [str(name) for name in part.values.columns if str(name) not in known]
        if other:
            raise DataError(f"column {other[0]!r} is not one of the run that the fit starts from; leave it out")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            rows = encode(schema, part.values, with_conditions_beside(schema, part))
        except UserWarning as notice:
            raise DataError(f"the rows are not of the run's schema: {notice}") from notice
    return tuple(said for place in range(len(schema.modelled)) for said in _column(schema, place, rows))


def _column(schema: Schema, place: int, rows: EncodedRows) -> tuple[str, ...]:
    column = schema.modelled[place]
    cells = rows.column(None if schema.cells_alike else place)
    if rows.observed is not None:
        observed = rows.observed if schema.cells_alike else rows.observed[:, place]
        if not observed.all() and not column.missing:
            raise DataError(
                f"column {column.name!r} has missing cells, and had none in the run that the fit starts from"
            )
    if column.coded or column.kind == Kind.LISTED:
        new = (cells < 0).sum() if column.coded else (cells > max(column.categories)).sum()
        if new:
            raise DataError(
                f"column {column.name!r}: {int(new)} of {len(cells)} training rows hold values that the run which the "
                "fit starts from never met; leave these rows out, or fit without init"
            )
        return ()
    if column.low is None or column.high is None or column.kind == Kind.BINARY or not cells.numel():
        return ()
    outside = float(((cells < column.low) | (cells > column.high)).double().mean())
    span = f"{column.low:g} to {column.high:g}"
    if outside > MAX_BEYOND:
        raise DataError(
            f"column {column.name!r}: {outside:.1%} of the training cells lie outside {span}, the range of the run "
            "that the fit starts from; fit without init"
        )
    return (f"column {column.name!r}: {outside:.2%} of the training cells lie outside {span}",) if outside else ()
