"""Training rows and validation rows of one form, as one data set."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from likely.data.sources.held import is_held
from likely.errors import ConfigError, DataError
from likely.run.forms import container_of

__all__ = ["joined"]


def joined(rows: Any, held: Any) -> Any:
    """Rows, and validation rows after them: frames, tables of arrow or polars, tensors or arrays, as the first are.

    Raises
    ------
    ConfigError
        If they are paths.
    DataError
        If there are no validation rows; they are of another form, or have other columns or another shape; or they hold
        numbers that the type of the first cannot.

    """
    if any(isinstance(part, str | os.PathLike) for part in (rows, held)):
        raise ConfigError(
            "validation rows go with data in memory; read both files, or give one and say which of its rows validate: "
            "split=FILE, of train or val for each row"
        )
    kinds = [container_of(part) for part in (rows, held)]
    tables = [isinstance(part, pd.DataFrame) or is_held(part) for part in (rows, held)]
    if tables[0] != tables[1] or (all(tables) and kinds[0] != kinds[1]):
        raise DataError(f"validation rows must be of the form of the data, {kinds[0]}, got {kinds[1]}: make them one")
    if not len(held):
        raise DataError("there are no validation rows; leave validation out, and a tenth of the data validates")
    if isinstance(rows, pd.DataFrame):
        return pd.concat([rows, held[_columns(rows.columns, held.columns)]], ignore_index=True)
    if tables[0]:
        return _tables(rows, held)
    try:
        if isinstance(rows, torch.Tensor):
            return torch.cat([rows, _tensor(held, rows)])
        return np.concatenate([rows, _array(held, rows)])
    except (RuntimeError, TypeError, ValueError) as error:
        sizes = f"{kinds[0]}, got {kinds[1]}: {str(error).splitlines()[0]}"
        raise DataError(f"validation rows must be of the form of the data, {sizes}") from error


def _columns(mine: Sequence[Any], theirs: Sequence[Any]) -> list[Any]:
    """The columns of the data, all of which validation rows have, and no others."""
    known, there = list(mine), list(theirs)
    lacking = next((name for name in known if name not in there), None)
    if lacking is not None:
        raise DataError(f"validation rows have no column {lacking!r}, and the data have; give both the same columns")
    more = next((name for name in there if name not in known), None)
    if more is not None:
        raise DataError(f"validation rows have a column {more!r}, and the data have none; give both the same columns")
    return known


def _tables(rows: Any, held: Any) -> Any:
    mine, theirs = (part.to_arrow() if hasattr(part, "to_arrow") else pa.table(part) for part in (rows, held))
    names = _columns(mine.column_names, theirs.column_names)
    try:
        table = pa.concat_tables([mine, theirs.select(names)], promote_options="permissive").unify_dictionaries()
    except pa.ArrowException as error:
        raise DataError(f"validation rows have a column of another type than the data: {error}") from error
    return importlib.import_module("polars").from_arrow(table) if container_of(rows) == "polars" else table


def _tensor(held: Any, rows: torch.Tensor) -> torch.Tensor:
    """Validation rows in the type of the data."""
    given = torch.as_tensor(held, device=rows.device)
    cast = given.to(rows.dtype)
    if not rows.dtype.is_floating_point and not torch.equal(cast.to(given.dtype), given):
        raise ValueError(f"{given.dtype} holds numbers that {rows.dtype} does not")
    return cast


def _array(held: Any, rows: Any) -> Any:
    given, kind = np.asarray(held), getattr(rows, "dtype", None)
    if kind is None or kind == given.dtype or not all(np.issubdtype(one, np.number) for one in (kind, given.dtype)):
        return given
    with np.errstate(invalid="ignore"):
        cast = given.astype(kind)
    if not np.issubdtype(kind, np.inexact) and not np.array_equal(cast, given):
        raise ValueError(f"{given.dtype} holds numbers that {kind} does not")
    return cast
