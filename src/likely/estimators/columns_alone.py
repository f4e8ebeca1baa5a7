"""The distribution of each column by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self, final

import numpy as np
import torch

from likely.data import Batch, Column, EncodedRows, Kind, Schema
from likely.evaluation.baselines.cells import columns_of
from likely.evaluation.baselines.marginals import Frequencies

__all__ = ["ColumnsAlone"]

WIDTH = 0.2  # of the kernels, in deviations of the column
WIDE = 0.05  # mass of the Cauchy density
LEAST = 1e-300  # of a density on the grid
PLACES, BEYOND = 1000, 5  # of a grid on which a density is kept, and how many widths it reaches beyond the values


@dataclass(frozen=True)
class _Density:
    """One column's density, of values in deviations from the median."""

    median: float
    deviation: float
    places: np.ndarray
    density: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray) -> Self:
        """Of some values, each counted by its weight."""
        if not len(values):
            values, weights = np.zeros(1), np.ones(1)
        median = float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))
        mean = np.average(values, weights=weights)
        deviation = float(np.sqrt(np.average(np.square(values - mean), weights=weights)))
        deviation = deviation if 0 < deviation < np.inf else 1.0
        y = (values - median) / deviation
        places = np.linspace(y.min() - BEYOND * WIDTH, y.max() + BEYOND * WIDTH, PLACES)
        step = places[1] - places[0]
        near = np.rint((y - places[0]) / step).astype(int)
        share = np.bincount(near, weights=weights, minlength=PLACES) / weights.sum()
        reach = int(np.ceil(BEYOND * WIDTH / step))
        kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) * step / WIDTH))
        smooth = np.convolve(share, kernel / (kernel.sum() * step))[reach : reach + PLACES]
        return cls(median, deviation, places, smooth)

    def log_prob(self, values: np.ndarray) -> np.ndarray:
        y = values / self.deviation - self.median / self.deviation
        near = np.interp(y, self.places, self.density, left=0.0, right=0.0).clip(LEAST)
        wide = math.log(WIDE / math.pi) - 2 * np.log(np.hypot(1, y))
        return np.asarray(np.logaddexp(math.log(1 - WIDE) + np.log(near), wide) - math.log(self.deviation))


@final
@dataclass(frozen=True, eq=False)
class ColumnsAlone:
    """P(x_j) of each column, whatever the others hold.

    Of numbers P(x_j) = 0.95 · (1/n) Σ_i N(x_j; x_ij, (s/5)²) + 0.05 · Cauchy(x_j; median, s), s the column's deviation
    over the n rows of the fit: a kernel density (Silverman 1986, Density estimation for statistics and data analysis,
    equation 2.2a) with a tail that no value is beyond. The sum is kept on a grid of 1,000 places, which widens the
    kernels where the values reach further than some 200 deviations. Of categories, and of columns of two values, P(x_j)
    is their frequency.

    Attributes
    ----------
    frequencies
        Of the cells that are counted.
    densities
        By the number of the cell.

    """

    frequencies: Frequencies
    densities: dict[int, _Density]

    @classmethod
    def fit(cls, schema: Schema, rows: EncodedRows, seed: int) -> Self:
        """Of the rows of a fit, each counted by its weight; of categories, fractions of a row are drawn by the seed."""
        batch, counted = rows.to("cpu").stored(), rows.to("cpu").counted(seed).stored()
        values, seen = batch.values.flatten(1), _seen(batch)
        weights = np.ones(len(values)) if rows.weights is None else rows.weights.cpu().double().numpy()
        columns = columns_of(schema)
        densities = {
            place: _Density.of(values[seen[:, place], place].double().numpy(), weights[seen[:, place].numpy()])
            for place, column in enumerate(columns)
            if not _has_frequencies(column)
        }
        frequencies = Frequencies.fit(schema, counted.values, counted.observed)
        others = torch.tensor([place not in densities for place in frequencies.places.tolist()], dtype=torch.bool)
        return cls(frequencies.take(others), densities)

    def log_prob(self, rows: EncodedRows) -> np.ndarray:
        """log P(x_j) of every cell, `(rows, cells)`, nats; NaN where it is missing."""
        batch = rows.to("cpu").stored()
        values = batch.values.flatten(1)
        found = np.zeros(values.shape)
        for place, density in self.densities.items():
            found[:, place] = density.log_prob(values[:, place].double().numpy())
        places = self.frequencies.places
        for place in places.tolist():
            found[:, place] = self.frequencies.take(places == place).log_prob(batch.values).numpy()
        return np.where(_seen(batch).numpy(), found, np.nan)


def _seen(batch: Batch) -> torch.Tensor:
    values = batch.values.flatten(1)
    return torch.ones_like(values, dtype=torch.bool) if batch.observed is None else batch.observed.flatten(1)


def _has_frequencies(column: Column) -> bool:
    return column.coded or column.kind == Kind.BINARY
