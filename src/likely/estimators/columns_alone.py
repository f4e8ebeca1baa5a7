"""The distribution of each column by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np
import torch

from likely.data import EncodedRows, Schema
from likely.evaluation.baselines.cells import columns_of
from likely.evaluation.baselines.marginals import Frequencies, counted

__all__ = ["ColumnsAlone"]

WIDTH = 0.2  # of the kernels, in deviations of the column
WIDE = 0.05  # mass of the Cauchy density
PLACES, BEYOND = 1000, 5  # of a grid on which a density is kept, and how many widths it reaches beyond the values


@dataclass(frozen=True)
class _Density:
    """One column's density, of values in deviations from the median."""

    median: float
    deviation: float
    places: np.ndarray
    density: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        median, deviation = (float(np.median(values)), float(values.std())) if len(values) else (0.0, 0.0)
        deviation = deviation if np.isfinite(deviation) and deviation > 0 else 1.0
        y = (values - median) / deviation if len(values) else np.zeros(1)
        places = np.linspace(y.min() - BEYOND * WIDTH, y.max() + BEYOND * WIDTH, PLACES)
        step = places[1] - places[0]
        share = np.bincount(np.rint((y - places[0]) / step).astype(int), minlength=PLACES) / len(y)
        reach = int(np.ceil(BEYOND * WIDTH / step))
        kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) * step / WIDTH))
        smooth = np.convolve(share, kernel / (kernel.sum() * step))[reach : reach + PLACES]
        return cls(median, deviation, places, smooth)

    def log_prob(self, values: np.ndarray) -> np.ndarray:
        y = (values - self.median) / self.deviation
        near = np.interp(y, self.places, self.density, left=0.0, right=0.0)
        wide = 1 / (np.pi * (1 + np.square(y)))
        return np.asarray(np.log((1 - WIDE) * near + WIDE * wide) - np.log(self.deviation))


@final
@dataclass(frozen=True, eq=False)
class ColumnsAlone:
    """P(x_j) of each column, whatever the others hold.

    Of numbers P(x_j) = 0.95 · (1/n) Σ_i N(x_j; x_ij, (s/5)²) + 0.05 · Cauchy(x_j; median, s), s the column's deviation
    over the n rows of the fit: a kernel density (Silverman 1986, Density estimation for statistics and data analysis,
    equation 2.2a) with a tail that no value is beyond. The sum is kept on a grid. Of categories, and of whole numbers
    of which there are few, P(x_j) is their frequency.

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
        """Of the rows of a fit, each counted by its weight."""
        batch = rows.to("cpu").counted(seed).stored()
        values = batch.values.flatten(1)
        seen = torch.ones_like(values, dtype=torch.bool) if batch.observed is None else batch.observed.flatten(1)
        densities = {
            place: _Density.of(values[seen[:, place], place].double().numpy())
            for place, column in enumerate(columns_of(schema))
            if not counted(column)
        }
        return cls(Frequencies.fit(schema, batch.values, batch.observed), densities)

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
        return found if batch.observed is None else np.where(batch.observed.flatten(1).numpy(), found, np.nan)
