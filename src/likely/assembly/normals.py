"""A mixture of normals for a table: its coordinates, and how many components its members have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from likely.assembly.condition import features
from likely.assembly.grammar import Named
from likely.assembly.own import Own
from likely.config import ModelConfig
from likely.data import Kind, Schema, Warp
from likely.errors import ConfigError, UnsuitedError
from likely.likelihoods import Atoms, Bernoulli, Categorical, Columns, Likelihood, Listed, Resolutions, Warped
from likely.models import Normals, Outputs
from likely.networks import Features

__all__ = ["components", "indicators", "normals", "refusal"]

MAX_COMPONENTS, MIN_COMPONENTS = 40, 3  # of a member
MAX_FEATURES = 128  # coordinates of z: a step of EM takes time by their square at least
MAX_OPERATIONS = 2e8  # rows x components x features², of a step
SHARES = {3: 4, 2: 4, 1: 2}  # a third of the components: four members; half of them: four; all: two
LOG_ODDS = 10.0  # of a category whose own coordinate is 1, and of the others 0


def refusal(schema: Schema) -> str:
    """Why a mixture of normals does not fit the data, in words; empty where it does."""
    if schema.cells_alike:
        return "is for columns of their own kinds, and here all cells are alike"
    if schema.conditions:
        return "is for tables without conditions"
    if (count := indicators(schema).outputs) > MAX_FEATURES:
        return f"is for at most {MAX_FEATURES} numbers and categories together, and here are {count:,}"
    return ""


def indicators(schema: Schema) -> Features:
    """The features of x, each category with an indicator of its own, however many there are."""
    return features(schema.modelled, embedded=False)


def components(schema: Schema) -> int:
    """The components of the largest members: one for each row a feature, by the share of cells that there are.

    At least three, at most forty, and as many as a step of EM has the time for.
    """
    count = indicators(schema).outputs
    there = 1 - sum(column.missing for column in schema.modelled) / max(1, schema.rows * schema.dims)
    by_rows, by_time = there * schema.rows / count, MAX_OPERATIONS / (schema.rows * count**2)
    return max(MIN_COMPONENTS, min(MAX_COMPONENTS, int(by_rows), int(by_time)))


def normals(
    parts: Mapping[str, Named],  # noqa: ARG001
    likelihood: Likelihood,
    schema: Schema,
    model: ModelConfig,  # noqa: ARG001
    own: Own,
    *arguments: Any,
) -> Normals:
    """Mixtures of normals: two members of K components, four of half of them, and four of a third."""
    if reason := refusal(schema):
        raise UnsuitedError(f"model normals {reason}; take model vae")
    if own.encoder is not None or own.decoder is not None:
        raise ConfigError("model normals has no networks; leave the encoder and the decoder out")
    most = int(arguments[0])
    first = coordinates(schema)
    sizes = tuple(max(1, round(most / share)) for share, count in SHARES.items() for _ in range(count))
    return Normals(likelihood, first, outputs(likelihood, first, indicators(schema).axis), sizes)


def coordinates(schema: Schema) -> Features:
    """The features of x: numbers half by their place on the warped axis, half by their distance from the mean."""
    columns = schema.modelled
    first = indicators(schema)
    numeric = [columns[int(i)] for i in first.places]
    if first.axis is None:
        return first
    knots = []
    for column, places, at in zip(numeric, first.axis.x, first.axis.y, strict=True):
        x, y = places[places.isfinite()], at[at.isfinite()]
        x = x.exp() if column.kind == Kind.POSITIVE else x
        bent = (y + (x - column.mean) / column.scale) / 2
        knots.append(list(zip(x.tolist(), bent.tolist(), strict=True)))
    return Features(
        first.places.tolist(),
        Warp(knots, [column.kind == Kind.POSITIVE for column in numeric]),
        first.categories,
        first.one_hot,
    )


def outputs(likelihood: Likelihood, first: Features, axis: Warp | None) -> Outputs:
    """Which coordinate each parameter of P(x|z) comes from."""
    coordinate = {int(place): i for i, place in enumerate(first.places)}
    start = len(coordinate)
    codes = {}
    for place, size in first.categories:
        codes[place] = range(start, start + size)
        start += size
    linear = torch.zeros(first.outputs, likelihood.parameter_shape.numel(), dtype=torch.float64)
    constants = torch.zeros(likelihood.parameter_shape.numel(), dtype=torch.float64)
    scales, truths = torch.full((len(coordinate),), -1), list[int]()
    ends = None if axis is None else axis(torch.tensor([[0.0], [1.0]]).expand(2, len(coordinate)))[0]
    for family, columns, offset in _families(likelihood, range(likelihood.event_shape.numel()), 0):
        for i, column in enumerate(columns):
            if isinstance(family, Bernoulli) and column in coordinate and ends is not None:
                low, high = ends[:, coordinate[column]].tolist()
                linear[coordinate[column], offset + i] = 2 * LOG_ODDS / (high - low)
                constants[offset + i] = -LOG_ODDS * (high + low) / (high - low)
                truths.append(column)
            elif isinstance(family, Bernoulli):
                linear[codes[column][1], offset + i], linear[codes[column][0], offset + i] = LOG_ODDS, -LOG_ODDS
            elif isinstance(family, Categorical):
                widest = family.parameter_shape[-1]
                for code, place in enumerate(codes[column]):
                    linear[place, offset + i * widest + code] = LOG_ODDS
            else:  # logits, locations and log-scales of one component a column
                linear[coordinate[column], offset + len(columns) + i] = 1.0
                scales[coordinate[column]] = offset + 2 * len(columns) + i
    return Outputs(linear, constants, scales, torch.tensor(truths, dtype=torch.int64), axis)


def _families(
    likelihood: Likelihood, places: Sequence[int], offset: int
) -> Iterator[tuple[Likelihood, list[int], int]]:
    """Each family with its columns and the place of its first parameter."""
    if isinstance(likelihood, Columns):
        for family, own in zip(likelihood.families, likelihood.places, strict=True):
            assert isinstance(family, Likelihood)
            yield from _families(family, [places[int(i)] for i in own], offset)
            offset += family.parameter_shape.numel()
        return
    base = likelihood.base if isinstance(likelihood, Atoms) else likelihood
    if not isinstance(base, Bernoulli | Categorical | Listed | Resolutions | Warped):
        raise ConfigError(f"model normals takes warped likelihoods of one component, not {type(base).__name__}")
    yield likelihood, list(places), offset
