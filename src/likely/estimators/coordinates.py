"""Coordinates in which a number counts by its distance and by its rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias, final

import numpy as np
import pandas as pd
import torch

from likely.errors import DataError

__all__ = ["Coordinates"]

MAX_QUANTILES = 1000  # of a column, on which its axis goes
MAX_COPIES, MAX_ROWS, JITTER = 5, 50_000, 0.1  # of each row, rows in all; deviations of the noise on a copy

Rows: TypeAlias = pd.DataFrame | np.ndarray


@dataclass(frozen=True)
class _Scale:
    """One column's t(x)."""

    mean: float
    deviation: float
    quantiles: np.ndarray

    @classmethod
    def of(cls, column: np.ndarray) -> Self:
        known = np.sort(column[np.isfinite(column)])
        if not len(known):
            return cls(0.0, 1.0, np.zeros(1))
        mean, deviation = float(known.mean()), float(known.std()) or 1.0
        if len(known) > MAX_QUANTILES:
            known = np.quantile(known, np.linspace(0, 1, MAX_QUANTILES), method="inverted_cdf")
        return cls(mean, deviation, known)

    def inverse(self, placed: np.ndarray) -> np.ndarray:
        """x at these t: where t jumps, at a quantile, the quantile."""
        known = np.unique(self.quantiles)
        sides = np.column_stack([np.nextafter(known, -np.inf), known, np.nextafter(known, np.inf)]).ravel()
        at = self(sides)
        beyond = np.maximum(placed - at[-1], 0) - np.maximum(at[0] - placed, 0)
        return np.asarray(np.interp(placed, at, sides) + beyond * self.deviation / 2)

    def __call__(self, column: np.ndarray) -> np.ndarray:
        known = self.quantiles
        below, up_to = (np.searchsorted(known, column, side) for side in ("left", "right"))
        rank = (below + up_to + 1) / 2 / (len(known) + 1)
        least = 0.5 / (len(known) + 1)
        normal = torch.special.ndtri(torch.from_numpy(np.clip(rank, least, 1 - least))).numpy()
        beyond = np.maximum(column - known[-1], 0) - np.maximum(known[0] - column, 0)
        return np.asarray((column - self.mean + beyond) / self.deviation + normal)


@final
@dataclass(frozen=True)
class Coordinates:
    """Each number x of a column as t(x) = (x − mean) / deviation + Φ⁻¹(F(x)).

    F is the column's mid-distribution function, P(X < x) + ½ P(X = x) (Parzen 2004, Quantile probability and
    statistical data modeling), over the rows of the fit, at most 1,000 quantiles of them; beyond their range t goes on
    linearly, at 2 / deviation. The first term keeps how far a value is from the others, the second gives the crowded
    part of a skewed column its room. Columns that are no numbers stay as they are, and missing cells missing.

    Attributes
    ----------
    scales
        By the column's place.

    """

    scales: Mapping[int, _Scale]

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """Of the rows of a fit."""
        places = [i for i, kind in enumerate(pd.DataFrame(rows).dtypes) if _is_number(kind)]
        return cls({i: _Scale.of(_numbers(rows, i)) for i in places})

    def __call__(self, rows: Rows) -> Rows:
        """The rows in these coordinates, in float64.

        Raises
        ------
        DataError
            If a column of numbers holds something else.

        """
        return self._changed(rows, {i: scale(_numbers(rows, i)) for i, scale in self.scales.items()})

    def inverse(self, rows: Rows) -> Rows:
        """Rows in the data's units, of rows in these coordinates."""
        return self._changed(rows, {i: scale.inverse(_numbers(rows, i)) for i, scale in self.scales.items()})

    def smoothed(self, rows: Rows, seed: int) -> Rows:
        """Rows in these coordinates with jittered copies: a smoothed bootstrap (Silverman and Young 1987).

        Five times the rows, or fewer where these were more than 50,000; a copy's numbers are off by a tenth of their
        column's deviation.
        """
        rng = np.random.default_rng(seed)
        columns = {i: _numbers(rows, i) for i in self.scales}
        deviation = {i: np.nanstd(column) if np.isfinite(column).any() else 0.0 for i, column in columns.items()}
        copies = [rows]
        for _ in range(min(MAX_COPIES, max(1, MAX_ROWS // len(rows))) - 1):
            noise = {i: JITTER * deviation[i] * rng.standard_normal(len(rows)) for i in self.scales}
            copies.append(self._changed(rows, {i: column + noise[i] for i, column in columns.items()}))
        return np.concatenate(copies) if isinstance(rows, np.ndarray) else pd.concat(copies, ignore_index=True)

    def _changed(self, rows: Rows, columns: Mapping[int, np.ndarray]) -> Rows:
        """The rows with other columns at these places."""
        if not columns:
            return rows
        if isinstance(rows, np.ndarray):
            return np.column_stack(list(columns.values()))
        changed = rows.copy()
        for i, column in columns.items():
            changed.isetitem(i, column)
        return changed


def _is_number(kind: object) -> bool:
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _numbers(rows: Rows, place: int) -> np.ndarray:
    column = pd.DataFrame(rows).iloc[:, place]
    try:
        return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise DataError(f"column {column.name!r} held numbers in the fit, and now holds {column.dtype}") from error
