"""Results in the form that rows came in: tensors, arrow tables, polars frames; names and types of columns."""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from likely.data import Rows, Schema, Source
from likely.data.dtypes import restored
from likely.data.sources.held import MARKS, is_held
from likely.errors import DataError
from likely.run.tempering import TEMPERATURE

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["container_of", "form_of", "labelled", "named", "packed"]

DATE, STAMP = "date", "stamp"


def container_of(data: Any) -> str:
    """`tensor`, `arrow`, `polars`, or the name of any other type."""
    if isinstance(data, torch.Tensor):
        return "tensor"
    if is_held(data):
        return "polars" if type(data).__module__.partition(".")[0] == "polars" else "arrow"
    return type(data).__name__


def form_of(data: Any, source: Source) -> dict[str, Any]:
    """The form of the data as the record of a fit stores it: container, names and types.

    Returns
    -------
    dict
        `container`; `names`, the names of columns that are not all strings, with those of their levels; `marks`, what
        stands beside the types of arrow's coded columns.

    Raises
    ------
    DataError
        If a column has a name that cannot be kept.

    """
    facts: dict[str, Any] = {"container": container_of(data)}
    first = next(iter(source.splits.values()))
    frame = (first if isinstance(first, Rows) else first.read(np.arange(1))).given
    if frame is None:
        return facts
    labels = [_own(label) for label in frame.columns.tolist()]
    for label in labels:
        if not _kept(label):
            raise DataError(
                f"a column is called {label!r}, of type {type(label).__name__}, which a run does not keep; expected "
                "strings, numbers, dates or tuples of them: frame.columns = frame.columns.map(str)"
            )
    levels = [None if name is None else str(name) for name in frame.columns.names]
    if not all(isinstance(label, str) for label in labels) or levels != [None]:
        facts["names"] = {"labels": [_written(label) for label in labels], "levels": levels}
    if MARKS in frame.attrs:
        facts[MARKS] = frame.attrs[MARKS]
    return facts


def _own(label: Any) -> Any:
    if isinstance(label, tuple):
        return tuple(_own(part) for part in label)
    return label.item() if isinstance(label, np.generic) and not isinstance(label, np.datetime64) else label


def _kept(label: Any) -> bool:
    if isinstance(label, tuple):
        return all(_kept(part) for part in label)
    if isinstance(label, float):
        return math.isfinite(label)
    return label is None or (isinstance(label, (str, int, datetime.date)) and label is not pd.NaT)


def _written(label: Any) -> Any:
    """Ready for JSON: tuples are lists, dates are marked."""
    if isinstance(label, tuple):
        return [_written(part) for part in label]
    if isinstance(label, datetime.date):
        return {DATE if type(label) is datetime.date else STAMP: label.isoformat()}
    return label


def _read(label: Any) -> Any:
    if isinstance(label, list):
        return tuple(_read(part) for part in label)
    if isinstance(label, dict):
        return datetime.date.fromisoformat(label[DATE]) if DATE in label else pd.Timestamp(label[STAMP])
    return label


def named(run: Run, result: Any) -> Any:
    """A decoded frame with the names and types that its columns had in the fit; an array as it is."""
    if not isinstance(result, pd.DataFrame):
        return result
    frame, marks = labelled(run, _typed(run.schema, result)), run.record.data.marks
    frame.attrs |= {MARKS: marks} if marks is not None else {}
    return frame


def labelled(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose columns have the names that they had in the fit; others keep theirs."""
    names_then = run.record.data.names
    if names_then is None:
        return frame
    labels = [_read(label) for label in names_then["labels"]]
    known = {str(label): label for label in labels}
    mine = [known.get(name, name) for name in frame.columns]
    several = len(names_then["levels"]) > 1 and all(isinstance(label, tuple) for label in mine)
    if several:
        return frame.set_axis(pd.MultiIndex.from_tuples(mine, names=names_then["levels"]), axis=1)
    name = names_then["levels"][0] if len(names_then["levels"]) == 1 else None
    return frame.set_axis(pd.Index(mine, name=name, tupleize_cols=False), axis=1)


def packed(container: str | None, result: Any) -> Any:
    """A frame or an array as a container holds it; a table of arrow has no index."""
    if isinstance(result, np.ndarray):
        return torch.from_numpy(result) if container == "tensor" else result
    if container not in ("arrow", "polars"):
        return result
    marks = result.attrs.get(MARKS, {})
    arrays = {str(name): _array(result.iloc[:, place]) for place, name in enumerate(result.columns)}
    fields = [
        pa.field(name, array.type, metadata=marks.get(name) if pa.types.is_dictionary(array.type) else None)
        for name, array in arrays.items()
    ]
    said = {name: str(value) for name, value in result.attrs.get(TEMPERATURE, {}).items()}
    table = pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields, metadata=said or None))
    if container == "arrow" or importlib.util.find_spec("polars") is None:
        return table
    return importlib.import_module("polars").from_arrow(table)


def _array(values: pd.Series) -> pa.ChunkedArray:
    """A column of an arrow table, which has none of several types: texts then."""
    try:
        array = pa.array(values, from_pandas=True)
    except pa.ArrowException:
        array = pa.array(values.map(str, na_action="ignore"), pa.string(), from_pandas=True)
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _typed(schema: Schema, frame: pd.DataFrame) -> pd.DataFrame:
    """Columns in the types that they came in, but those whose missing cells made them another."""
    typed = {
        column.name: restored(frame[column.name], column.came) for column in schema.columns if column.name in frame
    }
    return frame.assign(**{name: values for name, values in typed.items() if values.dtype != frame[name].dtype})
