"""Numbers of real columns that have mass of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from likely.data.cells import missing_cells, numbers_of
from likely.data.kinds import Kind
from likely.data.knots import with_knots
from likely.data.numeric import skewed
from likely.data.schema import Column

__all__ = ["on_atoms", "with_atoms"]

MIN_ATOM_ROWS, MIN_ATOM_SHARE = 10, 0.01  # rows, and share of the rows, that hold an atom
SAME = 2.5e-7  # two float32 apart
MAX_SHOWN = 3  # atoms in a reason


def with_atoms(columns: Sequence[Column], frame: pd.DataFrame) -> tuple[Column, ...]:
    """The columns, the real ones with their atoms: numbers that repeat exactly; their range is that of all others.

    An atom is a number that max(10, 1%) of the rows hold beyond what copies of whole rows explain: a row counts as one
    over the usual number (the median) of copies of a row, and a number that a single row with its copies holds is none,
    unless there is one column alone.

    Parameters
    ----------
    columns
        In the order of the frame's.
    frame
        The training rows.

    """
    least = max(MIN_ATOM_ROWS, MIN_ATOM_SHARE * len(frame))
    candidates: dict[int, np.ndarray] = {}
    for place, column in enumerate(columns):
        if column.kind in (Kind.REAL, Kind.POSITIVE) and column.per_unit is None:
            values, counts = np.unique(_numbers(column, frame.iloc[:, place]), return_counts=True)
            if (counts >= least).any():
                candidates[place] = values[counts >= least]
    if not candidates:
        return tuple(columns)
    kept = [place for place, column in enumerate(columns) if not column.left_out]
    rows = pd.util.hash_pandas_object(frame.iloc[:, kept], index=False).to_numpy()
    usual = float(np.median(np.unique(rows, return_counts=True)[1]))
    completed = list(columns)
    for place, values in candidates.items():
        numbers = _numbers(columns[place], frame.iloc[:, place], keep=True)
        atoms = []
        for value in values.tolist():
            at = rows[numbers == value]
            if len(at) / usual >= least and (len(kept) == 1 or len(np.unique(at)) > 1):
                atoms.append(value)
        if atoms:
            completed[place] = _with(columns[place], numbers[~np.isnan(numbers)], atoms)
    return tuple(completed)


def _numbers(column: Column, values: pd.Series, *, keep: bool = False) -> np.ndarray:
    """The observed numbers; with `keep` those of all rows, NaN where there is none."""
    missing = missing_cells(values)[0]
    if not keep:
        return numbers_of(values[~missing], column.written)
    numbers = np.full(len(values), np.nan)
    numbers[~missing] = numbers_of(values[~missing], column.written)
    return numbers


def _with(column: Column, numbers: np.ndarray, atoms: list[float]) -> Column:
    rest = numbers[~np.isin(numbers, atoms)]
    reason = column.reason
    if not column.requested and len(rest):
        positive = skewed(rest)
        above = ", the others above 0" if positive else ""
        reason = f"real numbers on no grid from {numbers.min():g} to {numbers.max():g}{above}"
        column = replace(
            column, kind=Kind.POSITIVE if positive else Kind.REAL, reserve=1 / (len(numbers) + 1) * positive
        )
    shown = ", ".join(f"{one:g} ({(numbers == one).mean():.1%})" for one in atoms[:MAX_SHOWN])
    more = f" and {len(atoms) - MAX_SHOWN} more" if len(atoms) > MAX_SHOWN else ""
    reason += f"; mass of its own at {shown}{more}"
    return with_knots(replace(column, atoms=tuple(atoms), reason=reason), numbers)


def on_atoms(column: Column, numbers: np.ndarray) -> np.ndarray:
    """The numbers with those that are an atom but for rounding in single precision put on it."""
    snapped = numbers.copy()
    for atom in column.atoms:
        snapped[np.abs(numbers - atom) <= SAME * abs(atom)] = atom
    return snapped
