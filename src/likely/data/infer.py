"""From training rows to a schema: what kind each column is, with the reason."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from likely.data.atoms import with_atoms
from likely.data.cells import missing_cells
from likely.data.cells_alike import NAME, cells_of, has_cells_alike
from likely.data.channels import channels_of
from likely.data.column_readings import ColumnReading, column_readings
from likely.data.columns import MAX_CATEGORIES, column_of
from likely.data.kinds import Binarize, Channels, Form, Kind
from likely.data.schema import LABEL, Column, Schema
from likely.data.source import Rows, Source
from likely.errors import ConfigError, DataError, quoted

__all__ = ["SchemaOptions", "infer_schema"]


@dataclass(frozen=True)
class SchemaOptions:
    """What the user, or the reader, says of the form of x.

    Attributes
    ----------
    kinds
        Column name -> kind, where the user knows better; `x` for all cells of an array (`cells_alike.cells_of`).
    conditions
        Columns y of P(x|y), given and not modelled; `label` for what came beside arrays and images. Integer labels are
        classes, others are inferred like a column.
    binarize
        Make levels 0/1: drawn anew each time (`dynamic`), once (`static`), or cut at half (`threshold`).
    resize, background
        Kept in the schema, so that later pictures are scaled and laid on it alike.
    readings
        How each column is read, where all rows were looked at (`column_readings`); else the training rows are.
    channels
        Which axis of pictures in an array holds channels, `first` or `last`, where the sizes do not say it.

    """

    kinds: Mapping[str, str] | None = None
    conditions: Sequence[str] = ()
    binarize: Binarize | None = None
    resize: tuple[int, int] | None = None
    background: tuple[int, int, int] | None = None
    readings: Mapping[str, ColumnReading] | None = None
    channels: Channels | None = None


def infer_schema(rows: Rows, form: Form, options: SchemaOptions = SchemaOptions()) -> Schema:
    """The form of x, inferred from the training rows.

    Parameters
    ----------
    rows, form
        The training rows as they came, and the form of their source.
    options
        What is said of x: what is requested is not inferred.

    Raises
    ------
    DataError
        If there are fewer than two rows, or a column cannot be modelled as it is.
    ConfigError
        If `kinds` or `conditions` name no column, an override does not fit the values, or a condition says nothing.

    """
    if len(rows) < 2:
        raise DataError(f"a distribution cannot be learned from {len(rows)} row(s); give at least two training rows")
    kinds, conditions = dict(options.kinds or {}), list(options.conditions)
    binarize, channels = options.binarize, options.channels
    if isinstance(rows.values, pd.DataFrame):
        if binarize:
            raise ConfigError("binarize is for arrays and images; the data is a table")
        if channels:
            raise ConfigError("channels is for arrays of pictures; the data is a table")
        readings = (
            column_readings(Source(Form.TABLE, {"all": rows}), kinds) if options.readings is None else options.readings
        )
        return _table(rows, rows.values, kinds, conditions, readings)
    array = np.asarray(rows.values)
    beside = [name for name in conditions if name == LABEL or name in rows.label_names]
    labels = [_labels(rows, name, kinds.pop(name, None)) for name in beside]
    conditions = [name for name in conditions if name not in beside]
    if array.ndim == 2 and NAME not in kinds and not has_cells_alike(array):
        frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
        if both := next((name for name in beside if name in frame), None):
            raise ConfigError(f"{both!r} is the name of labels and of a column of the array; give the labels another")
        schema = _table(
            rows, frame, kinds, conditions, column_readings(Source(Form.TABLE, {"all": Rows(frame)}), kinds)
        )
        if binarize:
            raise ConfigError("binarize needs cells of one kind; these columns differ in kind or range")
        return replace(schema, form=form, columns=(*schema.columns, *labels))
    if conditions:
        known = ", ".join(map(repr, rows.label_names or [LABEL]))
        raise ConfigError(
            f"no column {quoted(conditions[0])}: the data is an array of shape {array.shape}; its condition can be "
            f"{known}"
        )
    axis = channels_of(array.shape[1:], form, channels)
    column = _cells(array, form, kinds, binarize)
    first, *others = array.shape[1:]
    return Schema(
        form,
        (*others, first) if axis == Channels.FIRST else array.shape[1:],
        (column, *labels),
        len(array),
        cells_alike=True,
        binarize=binarize,
        resize=options.resize,
        background=options.background,
        channels=axis,
    )


def _cells(array: np.ndarray, form: Form, kinds: Mapping[str, str], binarize: Binarize | None) -> Column:
    other = next((name for name in kinds if name != NAME), None)
    if other == LABEL:
        raise ConfigError(f"{LABEL}={kinds[LABEL]} is for P(x|{LABEL}): make it a condition, or leave it out")
    if other is not None:
        raise ConfigError(
            f"no column {quoted(other)}: the cells of an array of shape {array.shape} are of one kind, given by "
            f"{NAME}={kinds[other]}"
        )
    column = cells_of(array, form, kinds.get(NAME))
    if not binarize:
        return column
    if column.kind == Kind.BINARY and (column.low, column.high) == (0, 1):
        raise ConfigError(f"binarize={binarize}: the data is 0/1 already")
    return _binarized(cells_of(array, form, Kind.LEVELS) if column.kind == Kind.BINARY else column, binarize)


def _binarized(column: Column, how: Binarize) -> Column:
    if column.low is None or column.high is None or column.low < 0:
        raise ConfigError("binarize needs non-negative levels with an upper limit, such as 0..255")
    high = max(column.high, 1.0)
    return replace(
        column,
        kind=Kind.BINARY,
        reason=f"levels 0 to {high:g}, made 0/1 ({how})",
        mean=column.mean / high,
        scale=0.5,
        low=0.0,
        high=high,
        hard=True,
    )


def _table(
    rows: Rows,
    frame: pd.DataFrame,
    kinds: dict[str, str],
    conditions: Sequence[str],
    readings: Mapping[str, ColumnReading],
) -> Schema:
    if frame.shape[1] == 0:
        raise DataError("the table has no columns")
    names = [str(name) for name in frame.columns]
    for name in (*kinds, *conditions):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise ConfigError(
                f"no column {quoted(name)}" + (f"; did you mean {near[0]!r}?" if near else f"; columns: {names}")
            )
    inferred, given = [], set(conditions)
    for name, (_, values) in zip(names, frame.items(), strict=True):
        make = _condition if name in given else column_of
        column = make(name, values, kinds.get(name), named=frame is rows.values, reading=readings.get(name))
        token = rows.tokens.get(name, column.token)
        inferred.append(replace(column, token=token, written=rows.written.get(name, column.written)))
    columns = with_atoms(inferred, frame)
    count = sum(not column.left_out and not column.condition for column in columns)
    if count == 0:
        raise DataError("no column is left to model")
    return Schema(Form.TABLE, (count,), columns, len(frame), cells_alike=False)


def _condition(
    name: str, values: pd.Series, wanted: str | None, *, named: bool = True, reading: ColumnReading | None = None
) -> Column:
    if wanted == Kind.IGNORE:
        raise ConfigError(f"column {name!r} cannot be ignored and be a condition; choose one")
    missing = int(missing_cells(values)[0].sum())
    if missing:
        raise DataError(
            f"condition {name!r} misses {missing} of {len(values)} values; P(x|y) needs every one: "
            "fill them or drop those rows"
        )
    column = column_of(name, values, wanted, named=named, reading=reading)
    if column.left_out:
        raise ConfigError(f"{name!r} cannot be a condition: {column.reason}; --column {name}=categorical overrides")
    if values.nunique() < 2:
        raise ConfigError(f"{name!r} cannot be a condition: it is always {values.iloc[0]} in the training rows")
    return replace(column, condition=True)


def _labels(rows: Rows, name: str, wanted: str | None) -> Column:
    """What the labels of one name that came beside the rows are."""
    labels = rows.values_named(name)
    if labels is None:
        others = f"; there are {', '.join(rows.label_names)}" if rows.label_names else ""
        raise DataError(
            "the data came without labels to condition on; expected class folders, a table beside the pictures, a file "
            f"of IDX labels, or an npz with y, label, labels or target{others}"
        )
    values = pd.Series(labels)
    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = values.mask(values == "")  # a picture that lies in no class folder
    many = values.nunique() > min(MAX_CATEGORIES, max(50, len(values) // 2))
    classes = wanted is None and pd.api.types.is_integer_dtype(values.dtype) and not many
    column = _condition(name, values, Kind.CATEGORICAL if classes else wanted, named=False)
    return replace(column, reason=f"{len(column.categories)} classes") if classes else column
