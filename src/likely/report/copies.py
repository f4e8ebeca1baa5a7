"""How many drawn rows are copies of training rows, beside how many held-out rows are."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from likely.data import Form, encode
from likely.errors import InputError

if TYPE_CHECKING:
    from likely.data import Schema
    from likely.run.run import Run

__all__ = ["Shares", "copies"]

Shares = tuple[int, int, int, int]


def copies(run: Run, drawn: pd.DataFrame, held_out: pd.DataFrame) -> Shares | None:
    """Count the drawn rows that equal a training row, how many there are, and the same of held-out rows.

    Rows are equal where all modelled cells are, as the schema reads them, missing ones too. ``None`` where the training
    rows are gone, or rows have a cell that is no number on a grid or category: those are never equal.
    """
    schema = run.schema
    if schema.form != Form.TABLE or any(c.measure == "density" for c in schema.modelled):
        return None
    try:
        rows = run.division.rows(run.training_source(), "train")
        known = _rows(schema, pd.DataFrame(rows.values))
        each = [_rows(schema, frame) for frame in (drawn, held_out)]
    except InputError:  # the data are gone, or have changed
        return None
    found = [int(np.isin(part, known).sum()) for part in each]
    return found[0], len(drawn), found[1], len(held_out)


def _rows(schema: Schema, frame: pd.DataFrame) -> np.ndarray:
    """A hash of each row's modelled cells: `(rows,)`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that training rows lack are no news here
        plain = encode(schema, frame).stored()
    values = plain.values.numpy().astype(np.float64)
    if plain.observed is not None:
        values = np.where(plain.observed.numpy(), values, np.nan)
    return np.asarray(pd.util.hash_pandas_object(pd.DataFrame(values), index=False))
