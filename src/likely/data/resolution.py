"""To which steps the numbers of a gridded column were recorded."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from likely.data.cells import missing_cells, numbers_of
from likely.data.knots import spikes
from likely.data.schema import Column, Schema
from likely.data.source import Rows

__all__ = ["confirmed", "resolutions", "resolutions_in_words"]

MULTIPLES = (2, 4, 8, 12, 15, 30, 60, *(base * 10**power // 4 for power in range(1, 7) for base in (2, 4, 8, 10, 20)))
MIN_CELLS, MIN_NUMBERS, MAX_STEPS = 4, 40, 100  # multiples within the range, numbers, steps of EM
MAX_STEPS_FROM_ZERO = 2.0**62  # of a grid: steps are counted in int64

Found = tuple[tuple[int, float], ...]


def resolutions(numbers: np.ndarray, per_unit: int | None) -> Found:
    """Multiples m_g of the step 1/per_unit, and the share r_g of the rows that were recorded to each.

    Where P(x) is smooth over m_g steps, a row has Σ_g r_g m_g [m_g divides x] times the mass that its finest cell has.
    The shares maximise the sum of the logarithms of that (EM; Dempster, Laird, Rubin 1977). A multiple is taken, the
    best one first, where it adds more than log n nats and half of Schwarz's penalty (1978). Values that hold many rows
    (a zero for "none") are multiples of everything and say nothing: they are left out.

    Parameters
    ----------
    numbers
        `(rows,)`, observed values of training rows in data units.
    per_unit
        Of the finest grid; `None` for reals.

    Returns
    -------
    Pairs (1, r_1), (m_2, r_2), ..., the multiples ascending; empty where the finest step alone fits.

    """
    if per_unit is None:
        return ()
    places = _places(numbers, per_unit)
    if len(places) < MIN_NUMBERS:
        return ()
    span = int(places.max() - places.min())
    left = [m for m in sorted(set(MULTIPLES)) if m * MIN_CELLS <= span and (places % m == 0).any()]
    divided, counts = np.unique(places[:, None] % np.array([1, *left]) == 0, axis=0, return_counts=True)
    boosts = dict(zip([1, *left], (divided * np.array([1.0, *left])).T, strict=True))
    chosen: list[int] = [1]
    best, shares = 0.0, np.ones(1)
    least = 1.5 * math.log(len(places))
    while left:
        boost = np.stack([np.stack([boosts[one] for one in (*chosen, m)], 1) for m in left])
        gains, tried = _fitted(boost, counts)
        first = int(gains.argmax())
        if gains[first] < best + least:
            break
        best, shares = float(gains[first]), tried[first]
        chosen.append(left.pop(first))
    if len(chosen) == 1:
        return ()
    return tuple(sorted((m, float(share)) for m, share in zip(chosen, shares.tolist(), strict=True)))


def _places(numbers: np.ndarray, per_unit: int) -> np.ndarray:
    """Numbers in steps of the grid, without those that hold many rows."""
    if not len(numbers):
        return np.empty(0, np.int64)
    places = np.round(numbers * per_unit).astype(np.int64)
    return places[~np.isin(places, np.round(spikes(numbers, per_unit) * per_unit).astype(np.int64))]


def _fitted(boost: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ log Σ_g r_g m_g [m_g divides x] at the best shares r, half a row added to each, and the shares.

    Parameters
    ----------
    boost
        m_g [m_g divides x] for each choice of multiples: `(choices, kinds of x, multiples)`.
    counts
        How many x there are of each kind, `(kinds of x,)`.

    """
    shares = np.full((len(boost), boost.shape[-1]), 1 / boost.shape[-1])
    for _ in range(MAX_STEPS):
        mixed = np.einsum("ckg,cg->ck", boost, shares)
        total = shares * np.einsum("ckg,ck->cg", boost, counts / mixed) + 0.5
        shares = total / total.sum(1, keepdims=True)
    return np.log(np.einsum("ckg,cg->ck", boost, shares)) @ counts, shares


def resolutions_in_words(per_unit: int | None, resolutions: Found) -> str:
    """The resolutions in words; empty where there is one."""
    if per_unit is None or not resolutions:
        return ""
    coarse = ", ".join(f"{100 * share:.3g}% to {m / per_unit:g}" for m, share in resolutions if m > 1)
    return f", about {coarse}"


def confirmed(schema: Schema, rows: Rows) -> Schema:
    """The schema with those resolutions alone that make the numbers of other rows more probable."""
    if not isinstance(rows.values, pd.DataFrame):
        return schema
    named = dict(zip(map(str, rows.values.columns), range(rows.values.shape[1]), strict=True))
    columns = [
        _without(column)
        if column.resolutions and _gain(column, rows.values.iloc[:, named[column.name]]) <= 0
        else column
        for column in schema.columns
    ]
    return replace(schema, columns=tuple(columns))


def _without(column: Column) -> Column:
    words = resolutions_in_words(column.per_unit, column.resolutions)
    return replace(column, resolutions=(), reason=column.reason.replace(words, ""))


def _gain(column: Column, values: pd.Series) -> float:
    """Σ log Σ_g r_g m_g [m_g divides x] over the rows: what the resolutions add where P(x) is smooth."""
    numbers = numbers_of(values[~missing_cells(values)[0]], column.written)
    kept = numbers[np.isfinite(numbers) & (np.abs(numbers) * (column.per_unit or 1) < MAX_STEPS_FROM_ZERO)]
    places = _places(kept, column.per_unit or 1)
    multiples, shares = (np.array(part) for part in zip(*column.resolutions, strict=True))
    boost = np.where(places[:, None] % multiples == 0, multiples * shares, 0.0).sum(1)
    return float(np.log(boost).sum())
