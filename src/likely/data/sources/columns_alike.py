"""Columns of several files of one data set: the same in all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from likely.errors import DataError

__all__ = ["demand_same_names", "one_schema"]


def demand_same_names(names: Sequence[str], path: Path, wanted: Sequence[str], first: Path) -> None:
    """Refuse a file that has not the columns of the first, in whatever order.

    Raises
    ------
    DataError
        If it lacks one, or has one more; the file and the column are named.

    """
    lacking = next((name for name in wanted if name not in set(names)), None)
    if lacking is not None:
        raise DataError(f"{path} has no column {lacking!r}, as {first} has; give files of the same columns")
    more = next((name for name in names if name not in set(wanted)), None)
    if more is not None:
        raise DataError(f"{path} has a column {more!r}, which {first} has not; give files of the same columns")


def one_schema(schemas: Sequence[pa.Schema], paths: Sequence[Path], all_of: pa.Schema) -> pa.Schema:
    """The schema of all files: their columns, in the wider type where types differ, and those that folders name.

    Parameters
    ----------
    schemas, paths
        Of each file.
    all_of
        Of the data set.

    Raises
    ------
    DataError
        If columns differ, or no type holds both; the file and the column are named.

    """
    held, first = schemas[0], paths[0]
    for schema, path in zip(schemas[1:], paths[1:], strict=True):
        demand_same_names(schema.names, path, schemas[0].names, first)
        for name in schema.names:
            wanted, found = held.field(name).type, schema.field(name).type
            if wanted == found:
                continue
            try:
                alike = [pa.schema([held.field(name)]), pa.schema([schema.field(name).remove_metadata()])]
                wider = pa.unify_schemas(alike, promote_options="permissive").field(name)
            except pa.ArrowException as error:
                raise DataError(
                    f"{path}: column {name!r} is of type {found}, in {first} of {wanted}; write files of the same types"
                ) from error
            held = held.set(held.get_field_index(name), wider)
    for one in all_of:
        if one.name not in held.names:
            held = held.append(one)
    return held
