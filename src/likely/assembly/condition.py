"""Columns to the numbers that networks see of them; those of the conditions are what P(x|y) sees of y."""

from __future__ import annotations

from collections.abc import Sequence

from likely.assembly.families import axis
from likely.data import Column, Schema
from likely.networks import Features

__all__ = ["condition", "features"]


def condition(schema: Schema) -> Features | None:
    """Covariates `(batch, columns)`, as they are encoded, to features of y `(batch, outputs)`; `None` for P(x) alone.

    They come after the features of x in the encoder, and after z in the decoder: each takes `outputs` more numbers.
    """
    return features(schema.conditions) if schema.conditions else None


def features(columns: Sequence[Column]) -> Features:
    """Numbers on the axis that the training rows bent, categories as vectors."""
    numeric = [i for i, column in enumerate(columns) if not column.coded]
    categories = [(i, len(column.categories)) for i, column in enumerate(columns) if column.coded]
    return Features(numeric, axis([columns[i] for i in numeric]) if numeric else None, categories)
