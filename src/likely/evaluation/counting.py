"""How rows count in an average over them: copies of a row as one observation, a row of weight w as w rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from likely.data import EncodedRows, equal_sets
from likely.likelihoods import Columns
from likely.likelihoods.measures import atoms_of, measured
from likely.models import Model

__all__ = ["Counting", "counting"]

MIN_EXCESS = 10.0  # copies, in multiples of those that chance explains


@dataclass(frozen=True, eq=False)
class Counting:
    """Which rows are copies of each other, and what each row weighs: by both a mean over rows has its standard error.

    Attributes
    ----------
    sets
        `(rows,)`: the number of the set of copies that a row is in; most rows are in one of their own.
    weights
        `(rows,)` float64; a row of weight w counts as w copies of it. `None`: every row counts once.

    """

    sets: np.ndarray
    weights: np.ndarray | None = None

    def take(self, place: np.ndarray) -> Counting:
        """How the rows with these numbers count."""
        return Counting(self.sets[place], None if self.weights is None else self.weights[place])

    def mean(self, values: np.ndarray) -> float:
        """The weighted mean Σ w_i v_i/Σ w_i of one value a row."""
        return float(np.average(values, weights=self.weights))

    def se(self, values: np.ndarray) -> float:
        """Standard error of the mean over rows, by sets of copies as clusters; NaN where there is one alone.

        √(G/(G − 1) Σ_g (Σ_{i in g} w_i (v_i − m))²)/Σ w_i over G sets: with no copies and no weights it is the
        deviation over √rows (Liang and Zeger 1986, Longitudinal data analysis using generalized linear models).
        """
        w = np.ones(len(values)) if self.weights is None else self.weights
        with np.errstate(invalid="ignore"):
            each = np.bincount(self.sets, w * (values - self.mean(values)))[np.unique(self.sets)]
            of_total = (
                math.sqrt(float(np.square(each).sum()) * len(each) / (len(each) - 1)) if len(each) > 1 else math.nan
            )
        return of_total / float(w.sum())


def counting(model: Model, rows: EncodedRows, log_px: np.ndarray) -> Counting:
    """The sets of copies among these rows, and their weights.

    Equal rows are copies, unless chance explains them: among n rows (of one y) one of mass P(x) has (n − 1) P(x) equals
    by chance, and the others are copies where they are over ten times as many. A row with a density has none by chance.

    Parameters
    ----------
    model, rows
        The rows encoded and binarised once where that applies.
    log_px
        An estimate of log P(x) for each of them, which says how many equal rows chance explains.

    """
    sets = equal_sets(rows)
    first, size = np.unique(sets, return_index=True, return_counts=True)[1:]
    if (size > 1).any():
        fellows = len(rows) if rows.covariates is None else _fellows(rows.covariates.cpu().numpy())[first]
        with np.errstate(over="ignore"):
            expected = (fellows - 1) * np.exp(log_px[first])
        by_chance = (_countable(model, rows)[first] & (MIN_EXCESS * expected >= size - 1))[sets]
        sets = np.where(by_chance, len(size) + np.arange(len(rows)), sets)
    weights = None if rows.weights is None else rows.weights.cpu().numpy()
    return Counting(np.unique(sets, return_inverse=True)[1], weights)


def _fellows(covariates: np.ndarray) -> np.ndarray:
    """How many rows have the y of each row."""
    _, which, count = np.unique(covariates, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(count[which.reshape(-1)])


def _countable(model: Model, rows: EncodedRows) -> np.ndarray:
    """Which rows have a mass: every observed cell lies on a grid, is a category or at an atom."""
    likelihood = model.p_x_z
    if not isinstance(likelihood, Columns):
        return np.full(len(rows), likelihood.measure == "mass")
    values, atoms = rows.stored().values.cpu(), atoms_of(likelihood)
    countable = measured(likelihood, "mass").expand(values.shape)
    if atoms is not None:
        countable = countable | (values.unsqueeze(-1) == atoms.cpu()).any(-1)
    if rows.observed is not None:
        countable = countable | ~rows.observed.cpu()
    return np.asarray(torch.all(countable, 1).numpy())
