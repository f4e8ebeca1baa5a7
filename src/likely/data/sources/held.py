"""Tables that are held by arrow, polars, or anything that gives an arrow table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from likely.data.sources.delimited import check_names
from likely.errors import DataError

__all__ = ["MARKS", "frame_of", "is_held", "type_of"]

MARKS = "marks"
PLAIN = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_string,
         pa.types.is_large_string, pa.types.is_string_view, pa.types.is_timestamp, pa.types.is_date,
         pa.types.is_duration, pa.types.is_null)  # fmt: skip


def is_held(data: Any) -> bool:
    """Whether it is no frame of pandas, and gives an arrow table."""
    gives = ("to_arrow", "__arrow_c_stream__", "__arrow_c_array__")
    return not isinstance(data, pd.DataFrame) and any(hasattr(data, one) for one in gives)


def type_of(data: Any) -> str:
    """The type of an object with the library that it is of: `polars.Series`."""
    library = type(data).__module__.partition(".")[0]
    return type(data).__name__ if library == "builtins" else f"{library}.{type(data).__name__}"


def frame_of(data: Any) -> pd.DataFrame:
    """What holds an arrow table as a frame whose columns keep their arrow types.

    `attrs["marks"]` has what stands beside the types of coded columns, such as the values of a polars Enum.

    Raises
    ------
    DataError
        If it is a single column, or a column holds lists, structs, times of day or bytes.

    """
    what = type_of(data)
    try:
        table = data.to_arrow() if hasattr(data, "to_arrow") else pa.table(data)
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise DataError(f"a {what} gives no table ({error}); expected columns with names, as by .to_frame()") from error
    if not isinstance(table, pa.Table):
        raise DataError(f"a {what} is one column and no table; give it as one, as by .to_frame()")
    check_names(table.column_names, f"the {what}")
    for one in table.schema:
        kind = one.type.value_type if pa.types.is_dictionary(one.type) else one.type
        if not any(known(kind) for known in PLAIN):
            raise DataError(
                f"column {one.name!r} is of type {one.type}; expected numbers, strings, truths, dates or durations: "
                "make it one of these, or drop the column"
            )
    frame = table.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    coded = [one for one in table.schema if one.metadata and pa.types.is_dictionary(one.type)]
    if coded:
        marks = {one.name: {key.decode(): value.decode() for key, value in one.metadata.items()} for one in coded}
        frame.attrs[MARKS] = marks
    return frame
