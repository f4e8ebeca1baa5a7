"""Columns to the numbers that networks see of them; those of the conditions are what P(x|y) sees of y."""

from __future__ import annotations

from collections.abc import Sequence

from likely.assembly.families import each
from likely.data import Column, Schema
from likely.networks import Features

__all__ = ["condition", "features"]


def condition(schema: Schema) -> Features | None:
    """Covariates `(batch, columns)`, as they are encoded, to features of y `(batch, outputs)`; `None` for P(x) alone.

    They come after the features of x in the encoder, and after z in the decoder: each takes `outputs` more numbers.
    """
    return features(schema.conditions) if schema.conditions else None


def features(columns: Sequence[Column]) -> Features:
    """Numbers standardised by the training rows, categories one-hot."""
    numeric = [i for i, column in enumerate(columns) if not column.coded]
    shift, scale = (each([columns[i] for i in numeric], name) for name in ("mean", "scale"))
    categories = [(i, len(column.categories)) for i, column in enumerate(columns) if column.coded]
    return Features(numeric, shift, scale, categories)
