"""To which steps the numbers of a gridded column were recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from likely.data.cells import holes, numbers_of
from likely.data.recorded import FARTHEST, density
from likely.data.schema import Column, Schema
from likely.data.source import Rows
from likely.data.warp import spikes

__all__ = ["confirmed", "resolutions", "told_resolutions"]

MULTIPLES = (2, 4, 8, 12, 15, 30, 60, *(base * 10**power // 4 for power in range(1, 7) for base in (2, 4, 8, 10, 20)))
CELLS, FEWEST, TEN = 4, 40, 10

Found = tuple[tuple[int, float], ...]


def resolutions(numbers: np.ndarray, per_unit: int | None) -> Found:
    """The steps m_g/per_unit to which rows were recorded, and the share of the rows in each class.

    A row is of class g where m_g is the coarsest of the multiples that divides it. Where P(x) is smooth over m_g steps,
    it has share_g/density_g times the mass that its finest cell has, with density_g the part of all numbers that is of
    the class. A multiple is taken, the best one first, where it adds more than log n nats and half of Schwarz's penalty
    (1978) to the sum of the logarithms of that. Where any is taken, ten steps are too, if there is room: then the share
    of the numbers that end in zero is a parameter. Values that hold many rows (a zero for "none") are multiples of
    everything and say nothing: they are left out.

    Parameters
    ----------
    numbers
        `(rows,)`, observed values of training rows in data units.
    per_unit
        Of the finest grid; `None` for reals.

    Returns
    -------
    Pairs (1, r_1), (m_2, r_2), ..., the multiples rising; empty where the finest step alone fits.

    """
    if per_unit is None:
        return ()
    places = _places(numbers, per_unit)
    if len(places) < FEWEST:
        return ()
    span = int(places.max() - places.min())
    left = [m for m in sorted(set(MULTIPLES)) if m * CELLS <= span and (places % m == 0).any()]
    chosen, best = [1], 0.0
    least = 1.5 * math.log(len(places))
    while left:
        gain, m = max((_gain(places, [*chosen, one]), one) for one in left)
        if gain < best + least:
            break
        best, chosen = gain, sorted([*chosen, m])
        left.remove(m)
    if len(chosen) == 1:
        return ()
    if TEN in left:
        chosen = sorted([*chosen, TEN])
    return tuple(zip(chosen, _shares(places, chosen).tolist(), strict=True))


def _places(numbers: np.ndarray, per_unit: int) -> np.ndarray:
    """Numbers in steps of the grid, without those that hold many rows."""
    if not len(numbers):
        return np.empty(0, np.int64)
    places = np.round(numbers * per_unit).astype(np.int64)
    return places[~np.isin(places, np.round(spikes(numbers, per_unit) * per_unit).astype(np.int64))]


def _classes(places: np.ndarray, multiples: Sequence[int]) -> np.ndarray:
    """The class of each place, `(rows,)`: the position of the coarsest multiple that divides it."""
    divides = places[:, None] % np.array(multiples) == 0
    return np.asarray(len(multiples) - 1 - np.argmax(divides[:, ::-1], 1))


def _shares(places: np.ndarray, multiples: Sequence[int]) -> np.ndarray:
    """The share of each class, half a row added to each."""
    counts = np.bincount(_classes(places, multiples), minlength=len(multiples)) + 0.5
    return np.asarray(counts / counts.sum())


def _gain(places: np.ndarray, multiples: Sequence[int]) -> float:
    """Σ log share/density at the places' own shares."""
    multiples = sorted(multiples)
    return _added(places, multiples, _shares(places, multiples))


def _added(places: np.ndarray, multiples: Sequence[int], shares: np.ndarray) -> float:
    """Σ log share/density of the places' classes: what the classes add where P(x) is smooth."""
    return float(np.log(shares / np.array(density(multiples)))[_classes(places, multiples)].sum())


def told_resolutions(per_unit: int | None, found: Found) -> str:
    """The steps that more rows have than chance would give them, in words; empty where there is one step."""
    if per_unit is None or not found:
        return ""
    usual = density([m for m, _ in found])
    more = [pair for pair, part in zip(found, usual, strict=True) if pair[0] > 1 and pair[1] > part]
    coarse = ", ".join(f"{100 * share:.3g}% to {m / per_unit:g}" for m, share in more)
    return f", about {coarse}" if coarse else ""


def confirmed(schema: Schema, rows: Rows) -> Schema:
    """The schema with those resolutions alone that make the numbers of other rows more probable."""
    if not isinstance(rows.values, pd.DataFrame):
        return schema
    named = dict(zip(map(str, rows.values.columns), range(rows.values.shape[1]), strict=True))
    columns = [
        _without(column)
        if column.resolutions and _confirms(column, rows.values.iloc[:, named[column.name]]) <= 0
        else column
        for column in schema.columns
    ]
    return replace(schema, columns=tuple(columns))


def _without(column: Column) -> Column:
    told = told_resolutions(column.per_unit, column.resolutions)
    return replace(column, resolutions=(), reason=column.reason.replace(told, ""))


def _confirms(column: Column, values: pd.Series) -> float:
    """What the classes add to log P of these rows where P(x) is smooth."""
    numbers = numbers_of(values[~holes(values)[0]], column.written)
    kept = numbers[np.isfinite(numbers) & (np.abs(numbers) * (column.per_unit or 1) < FARTHEST)]
    multiples, shares = zip(*column.resolutions, strict=True)
    return _added(_places(kept, column.per_unit or 1), multiples, np.array(shares))
