"""How close sampled rows are to real ones, column by column and pair by pair: 1 where they are distributed alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from likely.data.histogram import numbers
from likely.errors import DataError

__all__ = ["chance_column_fidelity", "chance_fidelity", "column_fidelity", "pair_fidelity"]

TENTHS = np.arange(1, 10) / 10  # quantiles of the real rows, between which shares are compared
SHUFFLES = 5  # divisions of all rows into two, whose mean is what chance alone gives


def column_fidelity(real: pd.DataFrame, sampled: pd.DataFrame) -> pd.Series:
    """1 less the distance between a column's real and its sampled distribution, for each column of `real`.

    Numbers and dates: Kolmogorov and Smirnov's, the largest difference in P(x ≤ t) over t. Where cells are missing, the
    events x ≤ t, x > t and `missing` all count, and the largest difference is taken. Everything else: total variation,
    ½ Σ_v |P(v) − P'(v)|, a missing cell being one more value. Called KSComplement and TVComplement by Patki, Wedge,
    Veeramachaneni 2016 (The synthetic data vault) and the metrics that came of it.

    Parameters
    ----------
    real, sampled
        Rows, not necessarily as many; what a column is, its dtype says.

    Returns
    -------
    pandas.Series
        From 0 to 1, by name of column.

    Raises
    ------
    DataError
        If there are no rows, or a column is not in both, or is numbers in one only.

    """
    pooled = _Pooled.of(real, sampled)
    return pooled.columns(pooled.real)


def pair_fidelity(real: pd.DataFrame, sampled: pd.DataFrame) -> pd.DataFrame:
    """1 less the total variation between a pair's real and its sampled joint distribution, for each pair of columns.

    Numbers and dates are put into the tenths of the real rows, whose edges are their deciles (a bin has its upper edge,
    and deciles that fall together make one); other values are taken as they are, and a missing cell is one more bin or
    value. Chance makes it less than 1: see `chance_fidelity`.

    Parameters
    ----------
    real, sampled
        As for `column_fidelity`.

    Returns
    -------
    pandas.DataFrame
        Symmetric, from 0 to 1, NaN on the diagonal.

    Raises
    ------
    DataError
        As for `column_fidelity`.

    """
    pooled = _Pooled.of(real, sampled)
    return pooled.pairs(pooled.real)


def chance_fidelity(real: pd.DataFrame, sampled: pd.DataFrame, *, seed: int = 0) -> tuple[pd.Series, pd.DataFrame]:
    """What both fidelities would be of two samples of one distribution, of these sizes: what is not to be surpassed.

    The mean over 5 shuffles of which rows are the real ones, as in a permutation test (Fisher 1935).

    Parameters
    ----------
    real, sampled
        As for `column_fidelity`.
    seed
        Of the shuffles.

    Returns
    -------
    tuple
        In the form of `column_fidelity` and of `pair_fidelity`.

    Raises
    ------
    DataError
        As for `column_fidelity`.

    """
    pooled, rng = _Pooled.of(real, sampled), np.random.default_rng(seed)
    shuffles = [rng.permutation(pooled.real) for _ in range(SHUFFLES)]
    columns = [pooled.columns(shuffled) for shuffled in shuffles]
    pairs = [pooled.pairs(shuffled) for shuffled in shuffles]
    return sum(columns[1:], columns[0]) / SHUFFLES, sum(pairs[1:], pairs[0]) / SHUFFLES


def chance_column_fidelity(real: pd.DataFrame, sampled: pd.DataFrame, *, seed: int = 0) -> pd.Series:
    """The first part of `chance_fidelity`, which grows with the number of columns and not with its square.

    Parameters
    ----------
    real, sampled, seed
        As for `chance_fidelity`.

    Raises
    ------
    DataError
        As for `column_fidelity`.

    """
    pooled, rng = _Pooled.of(real, sampled), np.random.default_rng(seed)
    columns = [pooled.columns(rng.permutation(pooled.real)) for _ in range(SHUFFLES)]
    return sum(columns[1:], columns[0]) / SHUFFLES


@dataclass(frozen=True, eq=False)
class _Pooled:
    """Real and sampled rows in one: numbers (NaN where missing) or codes (−1 where missing), and which they are."""

    names: pd.Index
    values: list[np.ndarray]
    ordered: list[bool]
    real: np.ndarray

    @classmethod
    def of(cls, real: pd.DataFrame, sampled: pd.DataFrame) -> _Pooled:
        if not len(real) or not len(sampled):
            raise DataError(f"fidelity needs rows of both kinds; got {len(real)} real and {len(sampled)} sampled ones")
        absent = [name for name in real.columns if name not in sampled.columns]
        if absent:
            raise DataError(f"the sampled rows have no column {absent[0]!r}; give them every column of the real rows")
        pairs = [(name, numbers(real[name]), numbers(sampled[name])) for name in real.columns]
        for name, first, second in pairs:
            if (first is None) != (second is None):
                raise DataError(
                    f"column {name!r} is {real[name].dtype} in the real rows and {sampled[name].dtype} in the sampled "
                    "ones; give both the same type"
                )
        values = [
            _codes(real[name], sampled[name]) if first is None or second is None else np.concatenate([first, second])
            for name, first, second in pairs
        ]
        first_rows = np.arange(len(real) + len(sampled)) < len(real)
        return cls(real.columns, values, [first is not None for _, first, _ in pairs], first_rows)

    def columns(self, real: np.ndarray) -> pd.Series:
        weights = _weights(real)
        likeness = [
            1 - (_half_lines(values, weights) if ordered else _variation(values, weights))
            for values, ordered in zip(self.values, self.ordered, strict=True)
        ]
        return pd.Series(likeness, self.names, dtype=np.float64)

    def pairs(self, real: np.ndarray) -> pd.DataFrame:
        weights = _weights(real)
        coded = [
            1 + (_tenths(values, real) if ordered else values)
            for values, ordered in zip(self.values, self.ordered, strict=True)
        ]
        likeness = np.full((len(coded), len(coded)), np.nan)
        for i, first in enumerate(coded):
            for j, second in enumerate(coded[:i]):
                likeness[i, j] = likeness[j, i] = 1 - _variation(first * (second.max() + 1) + second, weights)
        return pd.DataFrame(likeness, self.names, self.names)


def _weights(real: np.ndarray) -> np.ndarray:
    """Of each row, so that a sum over rows of an event is the difference of its two shares."""
    return np.where(real, 1 / np.count_nonzero(real), -1 / np.count_nonzero(~real))


def _codes(real: pd.Series, sampled: pd.Series) -> np.ndarray:
    together = np.concatenate([part.astype(object).to_numpy() for part in (real, sampled)])
    return np.asarray(pd.factorize(together)[0])


def _tenths(values: np.ndarray, real: np.ndarray) -> np.ndarray:
    missing = np.isnan(values)
    own = values[real & ~missing]
    edges = np.unique(np.quantile(own, TENTHS)) if own.size else np.empty(0)
    return np.where(missing, -1, np.searchsorted(edges, values, side="left"))


def _half_lines(values: np.ndarray, weights: np.ndarray) -> float:
    """The largest difference in the probability of x ≤ t, x > t and `missing`."""
    seen = ~np.isnan(values)
    order = np.argsort(values[seen], kind="stable")
    ranked, below = values[seen][order], weights[seen][order].cumsum()
    if not ranked.size:
        return 0.0
    below = below[np.r_[ranked[1:] != ranked[:-1], True]]
    missing = weights[~seen].sum()
    return float(max(abs(missing), np.abs(below).max(), np.abs(below + missing).max()))


def _variation(codes: np.ndarray, weights: np.ndarray) -> float:
    """½ Σ_v |P(v) − P'(v)|."""
    return float(0.5 * np.abs(np.bincount(pd.factorize(codes)[0], weights=weights)).sum())
