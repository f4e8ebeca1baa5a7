"""Modules that make columns numbers for networks, and of the conditions what P(x|y) sees of y."""

from __future__ import annotations

from collections.abc import Sequence

from likely.assembly.families import axis
from likely.data import Column, Schema
from likely.models import Exposure
from likely.networks import Features
from likely.networks.inputs import MAX_ONE_HOT

__all__ = ["condition", "exposure", "features"]


def condition(schema: Schema) -> Features | None:
    """The module from conditions `(batch, columns)` to features of y, `(batch, outputs)`; `None` without them.

    They come after the features of x in the encoder, and after z in the decoder: each takes `outputs` more numbers.
    """
    given = any(not column.exposure for column in schema.conditions)
    return features(schema.conditions) if given else None


def exposure(schema: Schema) -> Exposure | None:
    """The module that reads the exposure, which counts are in proportion to, from covariates; `None` without one."""
    if schema.exposure is None:
        return None
    cells = None if schema.cells_alike else schema.exposed
    return Exposure(schema.conditions.index(schema.exposure), schema.exposure.mean, cells)


def features(columns: Sequence[Column], *, embedded: bool = True) -> Features:
    """The module that puts numbers on the axis that training rows warp, and makes categories vectors.

    Of many categories they are learned, if they may be `embedded`; else each is one-hot.
    """
    numeric = [i for i, column in enumerate(columns) if not column.coded and not column.exposure]
    categories = [(i, len(column.categories)) for i, column in enumerate(columns) if column.coded]
    one_hot = MAX_ONE_HOT if embedded else max((size for _, size in categories), default=0)
    return Features(numeric, axis([columns[i] for i in numeric]) if numeric else None, categories, one_hot)
