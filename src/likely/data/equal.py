"""Rows that are equal: in several parts of one source, and among encoded rows."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import torch

from likely.data.encoded import EncodedRows
from likely.data.noise import row_keys
from likely.data.schema import Schema
from likely.data.source import Rows
from likely.data.split import DividedRows

__all__ = ["equal_sets", "shared"]

CHUNK_CELLS = 2**22  # cells that are hashed at once: 32 MiB in float64


def shared(schema: Schema, rows: DividedRows) -> tuple[str, ...]:
    """A notice on validation and test rows that are equal to training rows in all that is modelled or given.

    One sentence, or none where no row is.
    """
    known = _hashes(schema, rows.read("train"))
    counts = list[str]()
    for kind in ("test", "validation"):
        own = _hashes(schema, rows.read(kind))
        equal = int(np.isin(own, known).sum())
        if kind == "validation" and equal == len(own) > 0 and not counts:
            return ("all validation rows are equal to training rows: what chose the weights is memory in part",)
        if equal:
            counts.append(f"{equal:,} of {len(own):,} {kind} rows")
    if not counts:
        return ()
    return (
        f"{' and '.join(counts)} are equal to training rows; where these are copies, what is measured on them is "
        "memory in part: remove copies, or keep them in one part with --split group:COLUMN",
    )


def equal_sets(rows: EncodedRows) -> np.ndarray:
    """The number of the set of equal rows that each row is of, `(rows,)`: equal in x, in what is missing, and in y."""
    beside = [_keys(part) for part in (rows.observed, rows.covariates) if part is not None]
    keys = np.stack([rows.keys(0).cpu().numpy(), *beside], 1)
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1]).reshape(-1)


def _keys(values: torch.Tensor) -> np.ndarray:
    chunks = values.split(max(1, CHUNK_CELLS // max(1, values[:1].numel())))
    return torch.cat([row_keys(chunk, 0).cpu() for chunk in chunks]).numpy()


def _hashes(schema: Schema, rows: Rows) -> np.ndarray:
    """64 bits of each row's content as it came: `(rows,)`."""
    if isinstance(rows.values, pd.DataFrame):
        kept = [i for i, column in enumerate(schema.columns) if not column.left_out]
        return np.asarray(pd.util.hash_pandas_object(rows.values.iloc[:, kept], index=False).to_numpy(np.uint64))
    values = rows.values
    if not schema.cells_alike:
        own = [column for column in schema.columns if column not in schema.beside]
        values = values[:, [i for i, column in enumerate(own) if not column.left_out]]
    beside = [rows.values_named(column.name) for column in schema.beside]
    labels = zip(*(each.tolist() for each in beside if each is not None), strict=True)
    pairs = itertools.zip_longest(values, labels)
    return np.array([hash((row.tobytes(), label)) for row, label in pairs], dtype=np.int64).view(np.uint64)
