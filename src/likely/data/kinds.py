"""What columns, data and channels can be: their names are what is stored, and what people type."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

__all__ = ["CATEGORY_KINDS", "LEFT_OUT", "NUMERIC", "Binarize", "Channels", "Form", "Kind", "Measure"]

Measure = Literal["mass", "density", "mixed"]  # what log P is of; plain texts: own likelihoods say `measure = "mass"`


class Word(StrEnum):
    """A word that is shown as the plain text that it is stored as."""

    def __repr__(self) -> str:
        return str.__repr__(self)


class Kind(Word):
    """What a column was inferred as, or requested to be."""

    BINARY = "binary"
    CATEGORICAL = "categorical"
    ORDERED = "ordered"
    CONSTANT = "constant"
    LISTED = "listed"
    LEVELS = "levels"
    COUNT = "count"
    GRID = "grid"
    REAL = "real"
    POSITIVE = "positive"
    DATE = "date"
    IDENTIFIER = "identifier"
    TEXT = "text"
    IGNORE = "ignore"


CATEGORY_KINDS = (Kind.CATEGORICAL, Kind.ORDERED, Kind.CONSTANT)
NUMERIC = (Kind.LISTED, Kind.LEVELS, Kind.COUNT, Kind.GRID, Kind.REAL, Kind.POSITIVE, Kind.DATE)
LEFT_OUT = (Kind.IDENTIFIER, Kind.TEXT, Kind.IGNORE)


class Form(Word):
    """What data came as, and so what results are given back as."""

    TABLE = "table"
    ARRAY = "array"
    IMAGES = "images"


class Binarize(Word):
    """How levels are made 0/1: drawn anew each time, drawn once, or cut at half."""

    DYNAMIC = "dynamic"
    STATIC = "static"
    THRESHOLD = "threshold"


class Channels(Word):
    """Which axis of a picture holds its channels."""

    FIRST = "first"
    LAST = "last"
