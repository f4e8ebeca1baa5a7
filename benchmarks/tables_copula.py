"""A Gaussian copula over a table's own marginals: what a model of a mixed table has to beat."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri, ndtri_exp

from likely.data import EncodedRows, Schema
from likely.evaluation import Baselines

SWEEPS, SAMPLES, PART, FLOOR, TINY = 60, 200, 200, 1e-5, 1e-12


@dataclass(frozen=True, eq=False)
class GaussianCopula:
    """P(x) = P(low_j(x_j) < ζ_j < high_j(x_j) for all j), ζ ~ N(0, R) with unit variances.

    Every cell's own law is that of the package's `marginals` baseline: with its distribution function F_j, ζ_j lies
    between Φ⁻¹(F_j(x_j−)) and Φ⁻¹(F_j(x_j)), the infinite line where x_j is missing. So the base measure is the
    model's, P(x_j) is exactly the marginal, and P(x) is exactly that of the marginals where R = I. A value never seen
    has the marginal's reserved mass, independently of the other cells. R is by maximum likelihood: stochastic EM from
    the correlations of mid-distribution scores, each sweep drawing every ζ_j given the others and its cell (the sampler
    of Hoff 2007, Extending the rank likelihood), R averaged over the second half of the sweeps.
    A copula needs an order. Categories without one are put in that of their mean score in the column on whose score
    they tell most (highest correlation ratio), so that two codings of one fact become one.
    P(x) is a normal law's probability of a box, by the simulator of Geweke, Hajivassiliou and Keane: Π_j P(cell j | ζ
    before j), averaged over draws of these ζ. It is unbiased, so its logarithm is a lower bound in expectation.

    Attributes
    ----------
    ranks
        For each counted cell, the place of each of its values.
    factor
        L of R = L Lᵀ, `(cells, cells)`.

    """

    schema: Schema
    baselines: Baselines
    ranks: tuple[np.ndarray, ...]
    factor: np.ndarray

    @classmethod
    def fit(cls, schema: Schema, baselines: Baselines, rows: EncodedRows, seed: int = 0) -> GaussianCopula:
        """From training rows and the marginals that were fitted to them."""
        if any(column.measure == "density" for column in schema.modelled):
            sys.exit("the copula is for cells that have a mass; this table has a column on no grid")
        sizes = np.isfinite(baselines.frequencies.log_p.numpy()).sum(1)
        made = cls(schema, baselines, tuple(np.arange(size) for size in sizes), np.eye(schema.dims))
        for first in (True, False):
            made = replace(made, ranks=made._ordered(rows, first=first))
        low, high, _ = made.edges(rows)
        draw, zeta = np.random.default_rng(seed), scores(low, high)
        found = [correlation(zeta)]
        for _ in range(SWEEPS):
            for j, row in enumerate(np.linalg.inv(found[-1])):
                mean, deviation = zeta[:, j] - zeta @ row / row[j], row[j] ** -0.5
                noise, _ = truncated((low[:, j] - mean) / deviation, (high[:, j] - mean) / deviation, draw)
                zeta[:, j] = mean + deviation * noise
            found.append(correlation(zeta))
        return replace(made, factor=np.linalg.cholesky(np.mean(found[SWEEPS // 2 :], 0)))

    def _ordered(self, rows: EncodedRows, *, first: bool) -> tuple[np.ndarray, ...]:
        """Ranks by the most telling column; at first only among columns that have an order of their own."""
        columns, made = self.schema.modelled, list(self.ranks)
        values, zeta = rows.stored().values.numpy(), scores(*self.edges(rows)[:2])
        loose = [column.kind == "categorical" and len(column.categories) > 2 for column in columns]
        for number, place in ((i, j) for i, j in enumerate(self.baselines.frequencies.places.tolist()) if loose[j]):
            seen = slice(None) if rows.observed is None else rows.observed[:, place].numpy()
            codes = values[seen, place].astype(int)
            others = zeta[seen][:, [k for k in range(len(columns)) if k != place and not (first and loose[k])]]
            counts = np.bincount(codes, minlength=len(made[number])).clip(1)
            means = np.stack([np.bincount(codes, other, len(counts)) / counts for other in others.T])
            told = means[:, codes].var(1) / (others.var(0) + TINY)
            made[number] = means[told.argmax()].argsort(kind="stable").argsort()
        return tuple(made)

    def edges(self, rows: EncodedRows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Low and high edge of each cell, `(rows, cells)`, and the log-mass of what the copula has no part in."""
        frequencies, mixtures = self.baselines.frequencies, self.baselines.mixtures
        x, shape = rows.stored().values.to(torch.float64).numpy(), rows.stored().values.shape
        low, high, apart = np.full(shape, -np.inf), np.full(shape, np.inf), np.zeros(shape)
        for number, (place, rank) in enumerate(zip(frequencies.places.tolist(), self.ranks, strict=True)):
            one = frequencies.take(torch.tensor([number]))
            index = ((x[:, place] - one.low.numpy()) / one.step.numpy()).round()
            known = (index >= 0) & (index < len(rank))
            sums = np.cumsum(one.log_p[0, : len(rank)].exp().numpy()[rank.argsort()])
            cuts = np.concatenate([[-np.inf], ndtri(sums[:-1]), [np.inf]])
            chosen = rank[np.where(known, index, 0).astype(int)]
            low[:, place] = np.where(known, cuts[chosen], -np.inf)
            high[:, place] = np.where(known, cuts[chosen + 1], np.inf)
            apart[:, place] = np.where(
                known, np.log1p(-one.reserve.numpy()), one.log_prob(rows.stored().values).numpy()
            )
        places, seen = mixtures.cells.places.numpy(), mixtures.cells.read(rows.stored().values)
        half = (0.5 * mixtures.cells.step / mixtures.cells.scale).numpy()
        law = (mixtures.log_weights.numpy(), mixtures.means.numpy(), mixtures.deviations.numpy())
        low[:, places], high[:, places] = (normal_scores(seen.y.numpy() + side * half, *law) for side in (-1, 1))
        if rows.observed is not None:
            missing = ~rows.observed.numpy()
            low[missing], high[missing], apart[missing] = -np.inf, np.inf, 0
        return low, high, apart.sum(1)

    def log_prob(self, rows: EncodedRows, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """log P(x) of each row, and its error from 200 draws of ζ: `(rows,)` each, nats."""
        low, high, apart = self.edges(rows)
        draw, found, errors = np.random.default_rng(seed), [], []
        for part in (slice(first, first + PART) for first in range(0, len(low), PART)):
            noise = np.zeros((SAMPLES, *low[part].shape))
            weight = np.zeros(noise.shape[:2])
            for j, row in enumerate(self.factor):
                mean = noise[..., :j] @ row[:j]
                noise[..., j], mass = truncated((low[part, j] - mean) / row[j], (high[part, j] - mean) / row[j], draw)
                weight += mass
            top = logsumexp(weight, 0) - np.log(SAMPLES)
            found.append(top + apart[part])
            errors.append(np.exp(weight - top).std(0, ddof=1) / np.sqrt(SAMPLES))
        return np.concatenate(found), np.concatenate(errors)


def correlation(zeta: np.ndarray) -> np.ndarray:
    """Correlations of the cells, kept off singularity."""
    covariance = np.cov(zeta.T)
    covariance += np.diag(FLOOR * covariance.diagonal() + TINY)
    deviation = np.sqrt(covariance.diagonal())
    return np.asarray(covariance / np.outer(deviation, deviation))


def scores(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Φ⁻¹ of the middle of each cell's probabilities."""
    return np.asarray(np.clip(ndtri((ndtr(low) + ndtr(high)) / 2), low, high))


def normal_scores(y: np.ndarray, log_weights: np.ndarray, means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Φ⁻¹(F(y)) of mixtures of normals, from the nearer tail: y `(rows, cells)`, the law `(cells, components)`."""
    u = (y[..., None] - means) / deviations
    below, above = (logsumexp(log_weights + log_ndtr(side * u), axis=-1) for side in (1, -1))
    return np.where(below < above, ndtri_exp(np.minimum(below, 0)), -ndtri_exp(np.minimum(above, 0)))


def truncated(low: np.ndarray, high: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws of N(0, 1) between two edges, and the log-mass there, taken in the lower tail."""
    over = -low < high
    a, b = np.where(over, -high, low), np.where(over, -low, high)
    below, upto = log_ndtr(a), log_ndtr(b)
    mass = upto + np.log1p(-np.exp(np.minimum(below - upto, -1e-300)))
    z = np.clip(ndtri_exp(np.logaddexp(below, np.log1p(-draw.random(a.shape)) + mass)), a, b)
    return np.where(over, -z, z), mass
