"""Rows with what the model needs of them in each step but no step changes."""

from __future__ import annotations

from dataclasses import replace

from likely.data import EncodedRows, ResidentRows
from likely.models import Model

__all__ = ["with_step_constants"]

MAX_CELLS = 2**21  # of a table that is prepared: about 40 bytes for each, of a rounded number three times as many


def with_step_constants(model: Model, rows: EncodedRows) -> EncodedRows:
    """The rows of a table with what the model can know of them before training (`Model.prepared`), unless it is large.

    Arrays and pictures stay as they are: little is computed of them, and they are held in bytes.
    """
    if not isinstance(rows, ResidentRows) or rows.binarize is not None or len(rows) * rows.row_size > MAX_CELLS:
        return rows
    stored = rows.stored()
    table = stored.values.dim() == 2 and stored.values.is_floating_point()
    return replace(rows, prepared=model.prepared(stored)) if table else rows
