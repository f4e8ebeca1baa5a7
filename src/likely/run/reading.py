"""The rows that a verb is about."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from likely.data import WEIGHT, Given, Rows, RowStore, Source, digest, sources, weights_of
from likely.data.dtypes import is_duration, name_of
from likely.data.kinds import Form
from likely.data.returns import rounded_in
from likely.data.schema import LABEL, Schema
from likely.data.sources.reading import Reading
from likely.errors import ConfigError, DataError
from likely.evaluation import Origin

if TYPE_CHECKING:
    from likely.run.record import DataRecord
    from likely.run.run import Run

__all__ = [
    "beside",
    "demand_same",
    "fitted_on",
    "index_of",
    "reading_of",
    "rows_of",
    "source_of",
    "store_of",
    "training_source",
    "weighed",
]


def rows_of(run: Run, data: Any = None) -> tuple[Rows, Callable[[], Origin]]:
    """The rows that a verb is about; what reading changed in them is said in warnings.

    With them comes a function that says what they are to the fit. It hashes data that were given, so it is called where
    that is printed.

    A text file is read with the schema of the run: codes that are strings stay as they stand, numbers and dates are
    read as they were in training.
    """
    if data is None:
        if not len(run.division.test):
            raise DataError("this run kept no test rows back: all rows trained or validated; give rows to evaluate")
        return run.division.rows(training_source(run), "test"), lambda: Origin.TEST
    source = source_of(run, data)
    for notice in (*source.notices, *rounded_in(run.schema, source)) if source.form == Form.TABLE else ():
        warnings.warn(notice, stacklevel=4)
    store = store_of(run, source)
    try:
        rows = store.read()
    except DataError as error:
        if source.streamed:
            raise DataError(f"{error}; or on the command line: -o FOLDER/ has verbs take a part at a time") from error
        raise
    return rows, lambda: Origin.TEST_PART if "test" in source.splits else _fitted_or_given(run, source)


def source_of(run: Run, data: Any) -> Source:
    """Data that a run is given, opened as its schema says: text with its types, pictures in its size.

    Raises
    ------
    DataError
        If they cannot be read.

    """
    pictured = run.schema.form == Form.IMAGES and isinstance(data, (str, Path))
    resize, background = (run.schema.resize, run.schema.background) if pictured else (None, None)
    return sources.open_source(data, resize=resize, background=background, reading=reading_of(run.schema))


def store_of(run: Run, source: Source) -> RowStore:
    """The rows of a source that a verb is about: its test rows where it is divided.

    Raises
    ------
    DataError
        If it has several parts and no test rows, or holds durations where the run has none.

    """
    for one in source.splits.values():
        _demand_numbers(run, one if isinstance(one, Rows) else one.read(np.arange(1)))
    if "test" in source.splits:
        return source.splits["test"]
    if len(source.splits) > 1:
        raise DataError(f"the data has {', '.join(source.splits)} rows and no test part; give one of them")
    return next(iter(source.splits.values()))


def _fitted_or_given(run: Run, source: Source) -> Origin:
    known = {run.record.data.digest, run.record.data.digest_x}
    seen = _digest(run, source) in known or digest(source) in known
    return Origin.FITTED if seen else Origin.GIVEN


def _demand_numbers(run: Run, rows: Rows) -> None:
    """Durations are given where the run has them, and else have no unit."""
    for name, values in {} if rows.given is None else rows.given.items():
        column = next((one for one in run.schema.columns if one.name == str(name)), None)
        if column is None or column.left_out or is_duration(column.came) or not is_duration(name_of(values.dtype)):
            continue
        raise DataError(
            f"column {column.name!r} holds durations ({values.dtype}), and the run has {column.dtype} there; make them "
            f"numbers of its unit, as by frame[{column.name!r}].dt.total_seconds() / 60"
        )


def training_source(run: Run) -> Source:
    """The data that a run was fitted on, read again from its path if need be, and checked to be unchanged."""
    if run.home.source is None:
        path = run.record.data.path
        if not path:
            raise DataError("this run was fitted on data in memory; give the rows")
        if not sources.place_of(path)[0].exists():
            raise DataError(f"the data of this run is gone from {path}; give the rows")
        source = sources.open_source(
            path, resize=run.schema.resize, background=run.schema.background, reading=reading_of(run.schema)
        )
        known = run.record.data
        changed = known.weighed and weighed(run.schema, source) != known.weights
        if changed or _digest(run, source) != known.digest:
            raise DataError(f"{path} has changed since the fit, so its test rows are unknown; give the rows")
        run.home.source = source
    return run.home.source


def fitted_on(run: Run, data: Any, given: Given | None = None) -> Source:
    """Data that are those that a run was fitted on, with what was given beside an array in memory.

    Raises
    ------
    DataError
        If they are not, or are gone.

    """
    pictured = run.schema.form == Form.IMAGES
    resize, background = (run.schema.resize, run.schema.background) if pictured else (None, None)
    told = run.record.data.memory
    source = sources.open_source(
        data,
        resize=resize,
        background=background,
        reading=reading_of(run.schema),
        memory=None if told is None else max(1, int(told)),
    )
    if given:
        source = beside(source, given)
    if run.record.data.weighed and not run.record.data.weights and WEIGHT in (given or {}):
        raise DataError(f"the run was fitted without weights; leave {WEIGHT!r} out of what is given")
    another = "start another fit from the run's weights: likely fit DATA --init RUN"
    demand_same(source, run.schema, run.record.data, data, (another, f"given={{{run.schema.weight!r}: weights}}"))
    return source


def demand_same(source: Source, schema: Schema, known: DataRecord, data: Any, hints: tuple[str, str]) -> None:
    """Check that rows are those of a fit, and that what weighs them is the same.

    Parameters
    ----------
    source, schema, known
        The rows, and what is known of those of the fit.
    data, hints
        For the message: where the rows came from; what else can be done, and how weights are given.

    Raises
    ------
    DataError
        If they are not.

    """
    if digest(source, labels=[column.name for column in schema.beside]) != known.digest:
        what = data if isinstance(data, (str, Path)) else "the data"
        raise DataError(
            f"{what}: these are not the rows that the run was fitted on, or they have changed since; give these rows, "
            f"or {hints[0]}"
        )
    if known.weighed and weighed(schema, source) != known.weights:
        raise DataError(
            f"the run was fitted with weights beside the array, and these are others or none; give the same: {hints[1]}"
        )


def weighed(schema: Schema, source: Source) -> str | None:
    """SHA-256 of the weights beside an array; `None` where there are none. Those of a table are among its columns."""
    weights_of_parts = (
        []
        if source.form == Form.TABLE or schema.weight is None
        else [weights_of(schema, source.splits[name].read()) for name in sorted(source.splits)]
    )
    sha = hashlib.sha256()
    for weights in weights_of_parts:
        sha.update(b"" if weights is None else weights.numpy().tobytes())
    return None if all(weights is None for weights in weights_of_parts) else sha.hexdigest()


def beside(source: Source, given: Given) -> Source:
    """The source with values in memory put beside an array in memory.

    Raises
    ------
    ConfigError
        If the data are no array in memory, or there is not one value a row.

    """
    if not given or list(source.splits) != ["all"] or source.form == Form.TABLE:
        raise ConfigError(f"values of a condition are for one array or tensor: {{{LABEL!r}: values}}")
    rows, columns = source.splits["all"].read(), {}
    for name, values in given.items():
        labels = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
        if labels.shape != (len(rows),):
            several = f"; give each its name, condition={{'a': {name}[:, 0], ...}}" if labels.ndim > 1 else ""
            raise ConfigError(
                f"{name}: expected one label for each of {len(rows)} rows, got shape {labels.shape}{several}"
            )
        columns[str(name)] = labels
    first, others = columns.pop(LABEL, None), pd.DataFrame(columns) if columns else None
    return replace(source, splits={"all": Rows(rows.values, first, beside=others)})


def reading_of(schema: Schema) -> Reading:
    """How text files are read for rows of a run: by its schema, where it is of a table."""
    return Reading(schema=schema) if schema.form == Form.TABLE else Reading()


def _digest(run: Run, source: Source) -> str:
    return digest(source, labels=[column.name for column in run.schema.beside])


def index_of(rows: Rows) -> pd.Index:
    """The rows' own index, or their numbers."""
    return (
        rows.values.index if isinstance(rows.values, pd.DataFrame) else pd.RangeIndex(len(np.atleast_1d(rows.values)))
    )
