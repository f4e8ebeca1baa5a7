"""How rows without parts are divided: by time, by groups, or as a file says."""

from __future__ import annotations

import difflib
import io
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data import dates
from likely.data.cells import missing_cells, numbers_of
from likely.data.columns import column_of
from likely.data.kinds import Kind
from likely.data.schema import Schema
from likely.data.source import Rows
from likely.errors import ConfigError, DataError, quoted
from likely.files import inflated

__all__ = ["by_group", "by_name", "by_time", "read_parts", "ungrouped"]

NAMES = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
FRAME_COST = 20  # bytes of a frame of words for each byte of its file
Wanted = Mapping[str, int]
Parts = dict[str, np.ndarray]


def by_time(rows: Rows, column: str, wanted: Wanted) -> Parts:
    """Row numbers of the parts by time: the last rows by a column test, those before them validate.

    Parameters
    ----------
    rows
        All of them.
    column
        Numbers or dates.
    wanted
        At least so many `test` and `validation` rows.

    Raises
    ------
    ConfigError
        If there is no such column, or it has no order.
    DataError
        If a row has no value, or the values are too few to tell three times apart.

    """
    values = _values(rows, column)
    ordering = column_of(column, values, None, named=False)
    if ordering.kind == Kind.DATE:
        times = dates.encode(ordering, values)
    elif ordering.numeric or pd.api.types.is_numeric_dtype(values.dtype):
        times = numbers_of(values)
    else:
        raise ConfigError(
            f"split time:{column}: rows have an order by numbers or dates; {column!r} is {ordering.reason}"
        )
    left = np.ones(len(times), dtype=bool)
    parts = {}
    for kind in ("test", "validation"):
        ranked = np.sort(times[left])
        chosen = left & (times >= ranked[-wanted[kind]]) if 0 < wanted[kind] <= len(ranked) else np.zeros_like(left)
        parts[kind], left = np.flatnonzero(chosen), left & ~chosen
    if left.sum() < 2:
        raise DataError(
            f"split time:{column}: {len(np.unique(times))} different value(s) are too few: nothing is left to train on"
        )
    return parts | {"train": np.flatnonzero(left)}


def by_group(rows: Rows, column: str, wanted: Wanted, seed: int) -> Parts:
    """Row numbers of the parts by group, none in two parts; groups are drawn by the seed while they fit what is wanted.

    Parameters
    ----------
    rows
        All of them.
    column
        Rows with equal values are a group.
    wanted
        At most so many `test` and `validation` rows, unless the smallest group is larger.
    seed
        Of the order of the groups.

    Raises
    ------
    ConfigError
        If there is no such column.
    DataError
        If a row has no value, or there are fewer groups than parts.

    """
    groups = pd.factorize(_values(rows, column))[0]
    sizes = np.bincount(groups)
    kinds = [kind for kind in ("test", "validation") if wanted[kind]]
    if len(sizes) <= len(kinds):
        raise DataError(f"split group:{column}: {len(sizes)} group(s) are too few for {len(kinds) + 1} parts")
    order = np.random.default_rng(seed).permutation(len(sizes)).tolist()
    parts = {"test": np.empty(0, np.int64), "validation": np.empty(0, np.int64)}
    for left, kind in zip(range(len(kinds), 0, -1), kinds, strict=True):
        chosen: list[int] = []
        filled = 0
        for group in order:
            if filled + sizes[group] <= wanted[kind] and len(order) - len(chosen) > left:
                chosen.append(group)
                filled += int(sizes[group])
        chosen = chosen or [min(order, key=sizes.__getitem__)]
        taken = set(chosen)
        order = [group for group in order if group not in taken]
        parts[kind] = np.flatnonzero(np.isin(groups, chosen))
    return parts | {"train": np.flatnonzero(np.isin(groups, order))}


def by_name(names: Sequence[str], rows: int) -> Parts:
    """Row numbers of the parts that are named, row by row: `train`, `val` (or `validation`), `test`.

    Raises
    ------
    DataError
        If there is not one name for each row, or one is no part.

    """
    if len(names) != rows:
        raise DataError(f"the split names a part for {len(names)} row(s), and the data has {rows}")
    words = [str(name).strip().lower() for name in names]
    odd = next((place for place, word in enumerate(words) if word not in NAMES), None)
    if odd is not None:
        raise DataError(f"the split has {quoted(names[odd])} for row {odd}; expected train, val or test")
    parts = np.array([NAMES[word] for word in words])
    return {kind: np.flatnonzero(parts == kind) for kind in ("train", "validation", "test")}


def read_parts(path: Path) -> list[str]:
    """The parts in a text file, one a row: of a csv the column that holds nothing else, below a header or not.

    Raises
    ------
    DataError
        If it cannot be read, or no column is of parts.

    """
    if not path.is_file():
        raise DataError(f"{path} is no file of parts but a folder, a pipe or a device; save the parts to a file first")
    try:
        frame = pd.read_csv(io.BytesIO(inflated(path, FRAME_COST)), header=None, dtype=str, keep_default_na=False)
    except DataError:  # it is too large
        raise
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as a list of parts ({error})") from error
    for name in frame.columns:
        cells = frame[name]
        known = cells.str.strip().str.lower().isin(NAMES)
        if len(known) > 1 and known[1:].all():
            return list(cells[0 if known[0] else 1 :])
    raise DataError(f"{path} has no column of parts; expected train, val or test in every row, below a header or not")


def ungrouped(schema: Schema, split: object, requested: Collection[str]) -> Schema:
    """The schema without the column whose groups divide the rows, unless its kind is requested, or it is a condition.

    Training rows have none of the groups of the test rows: all of these would be values that were never seen.

    Raises
    ------
    DataError
        If no other column is modelled.

    """
    how, _, name = split.partition(":") if isinstance(split, str) else ("", "", "")
    place = next((i for i, c in enumerate(schema.columns) if c.name == name and c in schema.modelled), None)
    if how != "group" or schema.cells_alike or place is None or name in requested:
        return schema
    if schema.dims == 1:
        raise DataError(f"no column is left to model but {name!r}, whose groups divide the rows")
    out = replace(schema.columns[place], kind=Kind.IGNORE, reason="its groups divide the rows")
    columns = (*schema.columns[:place], out, *schema.columns[place + 1 :])
    return replace(schema, event_shape=(schema.dims - 1,), columns=columns)


def _values(rows: Rows, column: str) -> pd.Series:
    """One value a row, none of them missing."""
    known = _columns(rows)
    if column not in known:
        near = difflib.get_close_matches(column, known, n=1)
        cure = f"did you mean {near[0]!r}?" if near else "give a file with the part of each row"
        raise ConfigError(f"the split is by column {quoted(column)}, which the data lacks; {cure}")
    if (labels := rows.values_named(column)) is not None:
        values = pd.Series(labels)
    elif isinstance(rows.values, pd.DataFrame):
        values = rows.values.iloc[:, known.index(column)]
    else:
        values = pd.Series(rows.values[:, known.index(column)])
    missing, _ = missing_cells(values)
    if missing.any():
        raise DataError(
            f"the split is by column {column!r}, and row {values.index[int(missing.argmax())]} has no value there; "
            "fill it, or leave such rows out"
        )
    return values


def _columns(rows: Rows) -> list[str]:
    if isinstance(rows.values, pd.DataFrame):
        return [str(name) for name in rows.values.columns]
    cells = [f"x{i}" for i in range(rows.values.shape[1])] if rows.values.ndim == 2 else []
    return cells + rows.label_names
