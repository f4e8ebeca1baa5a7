"""Which likelihood each column has: the one requested by name where it fits, else that of its form."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from likely.assembly.families import COUNTS, counts
from likely.assembly.grammar import Named, Trait, parse
from likely.assembly.parts import PARTS
from likely.data import Column, Kind, Schema
from likely.errors import ConfigError
from likely.likelihoods import Likelihood

__all__ = ["Pairs", "default", "fits", "grouped", "paired"]

Pairs = list[tuple[Column, Named]]

BY_KIND = {
    Kind.BINARY: "bernoulli",
    Kind.CATEGORICAL: "categorical",
    Kind.ORDERED: "categorical",
    Kind.CONSTANT: "categorical",
    Kind.LEVELS: "logistic",
    Kind.COUNT: "logistic",
    Kind.GRID: "logistic",
    Kind.DATE: "logistic",
    Kind.REAL: "gaussian",
    Kind.POSITIVE: "gaussian",
}


def paired(schema: Schema, requested: Named | None) -> Pairs:
    """Pairs of each modelled column (or of the one that describes all cells) and its likelihood.

    A likelihood requested by name replaces that of all cells, or of each numeric column of a table that it fits.

    Raises
    ------
    ConfigError
        If the one requested fits no column, or a column's does not keep its limits or take its exposure.

    """
    columns = _columns(schema)
    open_to = [c for c in columns if schema.cells_alike or c.numeric]
    refusals = [requested.part.refuses(column) for column in open_to] if requested else []
    if requested and all(refusals):
        raise ConfigError(f"likelihood {requested} {refusals[0] if refusals else 'needs numbers; the table has none'}")
    names = [default(schema, column) for column in columns]
    known = {name: parse("likelihood", name, PARTS["likelihood"]) for name in dict.fromkeys(names)}
    pairs = zip(columns, names, strict=True)
    pairs_chosen = [
        (c, requested if requested and c in open_to and not requested.part.refuses(c) else known[name])
        for c, name in pairs
    ]
    for column, named in pairs_chosen:
        if column.limits is not None and not schema.cells_alike and not named.has(Trait.ALL_FORMS):
            raise ConfigError(
                f"column {column.name!r} has declared limits, which likelihood {named} does not keep; "
                "leave the likelihood out, or the limits"
            )
    for i in schema.exposed:
        column, named = pairs_chosen[i]
        if not named.has(Trait.EXPOSED):
            raise ConfigError(
                f"likelihood {named} takes no exposure, and column {column.name!r} is in proportion to "
                f"{schema.exposure and schema.exposure.name!r}; choose {', '.join(COUNTS)} or zero-inflated"
            )
    return pairs_chosen


def grouped(schema: Schema, pairs: Pairs) -> list[tuple[Named, Likelihood, list[int]]]:
    """Each likelihood with the places of its columns; columns in proportion to the exposure have one of their own."""
    exposed = schema.exposed
    together: dict[tuple[str, bool], list[int]] = {}
    for i, (_, named) in enumerate(pairs):
        together.setdefault((str(named), i in exposed), []).append(i)
    groups = []
    for (_, counted), places in together.items():
        named, shape = pairs[places[0]][1], schema.event_shape if schema.cells_alike else (len(places),)
        likelihood = cast(Likelihood, named([pairs[i][0] for i in places], shape))
        likelihood.exposed = counted
        groups.append((named, likelihood, places))
    return groups


def fits(likelihood: str, schema: Schema) -> bool:
    """Whether a likelihood by name fits the cells of an array, or a numeric column of a table."""
    requested = parse("likelihood", likelihood, PARTS["likelihood"])
    return any(not requested.part.refuses(c) for c in _columns(schema) if schema.cells_alike or c.numeric)


def _columns(schema: Schema) -> list[Column]:
    return [replace(c, low=0.0, high=1.0, per_unit=1) if c.kind == Kind.BINARY else c for c in schema.modelled]


def default(schema: Schema, column: Column) -> str:
    """The likelihood of a column for which none is requested."""
    if schema.exposure is not None and not counts(column) and (schema.cells_alike or column.kind == Kind.COUNT):
        return "negative-binomial"
    return "warped" if column.numeric and not schema.cells_alike else BY_KIND[column.kind]
