"""Calibration of P(x|z): where each cell lies in the distribution that is given for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows, Schema
from likely.data.kinds import Measure
from likely.data.noise import Stream
from likely.distributions import LatentDistribution
from likely.evaluation.sampling import Chunk, PerRow, block_size, chunks, rows_with_points, terms_of
from likely.likelihoods.measures import measured
from likely.models import Model

__all__ = ["Calibration", "Uniforms", "calibrations", "dependence", "uniforms"]

DRAWS = 50  # of z for each row
BINS = 20  # of a histogram of u
ERRORS, MAX_P_VALUE = 4.0, 6e-5  # standard errors from which a number is off; the p-value of as many
MIN_EFFECT, MIN_DISTANCE = 0.05, 0.03  # in deviations, in probability: less than this is no matter
MIN_U = 1e-6  # u is kept so far from 0 and 1, that its normal score is finite
MEASURES: tuple[Measure, Measure] = ("mass", "mixed")
MAX_COMPARED_CELLS = 128  # of a picture, between which u is correlated: pairs grow with the square
ALL_CELLS = "all cells"


@dataclass(frozen=True, eq=False)
class Uniforms:
    """The place u of each cell in its distribution P(x_i|z), on (0, 1).

    Attributes
    ----------
    u
        `(rows, cells)`, float32, within 0 and 1; uniform where the model is true. Of a cell that is not observed it is
        a draw that the model has no part in.
    observed
        `(rows, cells)` boolean, `None` when every cell is observed.
    effective
        Mean over the rows of the effective number of draws of z, 1/Σ w², of `draws`.
    draws
        Draws of z ~ Q(z|x) per row from which one is taken.

    """

    u: np.ndarray
    effective: float
    draws: int
    observed: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Calibration:
    """How the u of one column, or of all cells of an array, lie on (0, 1).

    Attributes
    ----------
    name
        The column, or `all cells`.
    numbers
        How many u.
    histogram
        Share of u in each of 20 bins of equal width.
    distance, p_value
        Kolmogorov and Smirnov's largest difference from the uniform distribution function, and its p-value were the u
        independent, as under the true model they are (asymptotic).
    shift, shift_se
        Mean of the normal scores w, u = Φ(w) (Dunn and Smyth 1996, Randomized quantile residuals), and its standard
        error over rows: how many deviations of P(x|z) the values lie above it; 0 where the model is true.
    spread, spread_se
        Deviation of w about its mean, and its error: the deviation that the rows show over that of P(x|z); 1 where the
        model is true.
    verdict
        `too wide` (a spread below 1), `too narrow`, `shifted: the values are higher` or `lower`, `another shape`,
        `probabilities are off` (unordered categories), or empty. Given where a number is off by more than 4 standard
        errors (a p-value below 6e-5) and is large: 0 ± 0.05, 1 ± 0.05, a distance of 0.03.

    """

    name: str
    numbers: int
    histogram: np.ndarray
    distance: float
    p_value: float
    shift: float
    shift_se: float
    spread: float
    spread_se: float
    verdict: str

    @property
    def is_shifted(self) -> bool:
        """Whether the mean of the normal scores is off."""
        return abs(self.shift) > max(ERRORS * self.shift_se, MIN_EFFECT)

    @property
    def is_width_off(self) -> bool:
        """Whether the deviation of the normal scores is off."""
        return abs(self.spread - 1) > max(ERRORS * self.spread_se, MIN_EFFECT)


@torch.no_grad()
def uniforms(model: Model, rows: EncodedRows, seed: int = 0) -> Uniforms:
    """The randomised probability integral transform of every cell: u = F(x−) + v (F(x) − F(x−)), v uniform.

    F is the distribution function of P(x_i|z), and F(x) − F(x−) the mass of x_i itself, 0 for a density but at an atom
    (Brockwell 2007, Universal residuals; Czado, Gneiting, Held 2009 give a version without v). If the rows
    come from the model and z from P(z|x), every u is uniform, and those of a row are independent. z is one of 50 draws
    of Q(z|x), taken with probability in proportion to P(x, z)/Q(z|x) (Rubin 1988, sampling importance resampling):
    from P(z|x) exactly where Q is, else nearly. Noise is keyed by (seed, row, copy of the row).

    Parameters
    ----------
    model, rows
        The rows encoded and binarised once where that applies.
    seed
        Of the noise.

    """
    model.eval()
    p = model.prior()
    mass, mixed = (measured(model.p_x_z, what).to(rows.device) for what in MEASURES)
    per_row, effective, block = PerRow(), 0.0, block_size(model, rows, DRAWS)
    for chunk in chunks(rows, seed, rows_with_points(model), distinct_noise_for_copies=True):
        batch = chunk.batch
        z, share = _proposed(model, chunk, p, block)
        effective += float(share.square().sum(0).reciprocal()[: chunk.count].sum())
        passed = share.cumsum(0) < chunk.uniform(Stream.CALIBRATE_CHOICE, 1)[:, 0]
        taken = z[passed.sum(0).clamp_max(DRAWS - 1), torch.arange(len(batch), device=z.device)]
        x = model.likelihood(taken, batch.covariates)
        v = chunk.uniform(Stream.CALIBRATE_WITHIN, batch.values[0].numel()).view(batch.values.shape).to(torch.float64)
        upto = x.cdf(batch.values).to(torch.float64)
        own = torch.where(mass, x.log_prob(batch.values).to(torch.float64).exp(), 0.0)
        if mixed.any():
            before = batch.values.to(torch.float64).nextafter(torch.full_like(v, -torch.inf))
            own = torch.where(mixed, upto - x.cdf(before).to(torch.float64), own)
        u = (upto - (1 - v) * own).clamp(0, 1)
        if batch.observed is not None:
            u = torch.where(batch.observed, u, v)
        per_row.add(chunk, u=u.flatten(1).to(torch.float32))
    seen = None if rows.observed is None else rows.observed.flatten(1).cpu().numpy()
    return Uniforms(per_row.array("u"), effective / len(rows), DRAWS, seen)


def _proposed(model: Model, chunk: Chunk, p: LatentDistribution, block: int) -> tuple[Tensor, Tensor]:
    """Draws of Q(z|x), `(draws, rows, latent)`, and their shares of the importance weights, `(draws, rows)`."""
    drawn = terms_of(model, chunk, p, stream=Stream.CALIBRATE_POSTERIOR, samples=DRAWS, block=block)
    pairs = [(terms.z, terms.log_weight.to(torch.float64)) for _, terms in drawn]
    z, log_weight = (torch.cat(part) for part in zip(*pairs, strict=True))
    return z, torch.softmax(log_weight.nan_to_num(nan=-1e30, neginf=-1e30), 0)


def calibrations(schema: Schema, uniforms: Uniforms) -> tuple[Calibration, ...]:
    """The calibration of each column of a table that has a value; one for all cells of an array or picture together."""
    u = uniforms.u
    seen = np.ones(u.shape, bool) if uniforms.observed is None else uniforms.observed
    if schema.cells_alike:
        parts = [(ALL_CELLS, schema.columns[0], u, seen)]
    else:
        parts = [(c.name, c, u[:, [i]], seen[:, [i]]) for i, c in enumerate(schema.modelled)]
    return tuple(_calibration(name, u, seen, ordered=not c.coded) for name, c, u, seen in parts if seen.any())


def _calibration(name: str, cells: np.ndarray, seen: np.ndarray, *, ordered: bool) -> Calibration:
    """Of `(rows, cells)`, those that are observed."""
    row, u = np.nonzero(seen)[0], cells[seen]
    w = torch.special.ndtri(torch.from_numpy(u).to(torch.float64).clamp(MIN_U, 1 - MIN_U)).numpy()
    shift, shift_se = _clustered(w, row, 1.0)
    variance, variance_se = _clustered((w - shift) ** 2, row, math.sqrt(2))
    spread, spread_se = math.sqrt(variance), variance_se / (2 * math.sqrt(max(variance, MIN_U)))
    distance = _distance(np.sort(u).astype(np.float64))
    p_value = _kolmogorov(distance, u.size)
    histogram = np.histogram(u, BINS, (0, 1))[0] / u.size
    numbers = (distance, p_value, shift, shift_se, spread, spread_se)
    plain = Calibration(name, u.size, histogram, *numbers, "")
    words = []
    if plain.is_shifted:
        words.append("shifted: the values are " + ("higher" if shift > 0 else "lower"))
    if plain.is_width_off:
        words.append("too wide" if spread < 1 else "too narrow")
    if not words and p_value < MAX_P_VALUE and distance > MIN_DISTANCE:
        words.append("another shape")
    if words and not ordered:
        words = ["probabilities are off"]
    return replace(plain, verdict=", ".join(words))


def _clustered(values: np.ndarray, row: np.ndarray, deviation: float) -> tuple[float, float]:
    """Mean of `(values,)`, and its error over the rows they are of: at least that of independent values."""
    mean = float(values.mean())
    away = np.bincount(row, values - mean)[np.unique(row)]
    rows = len(away)
    seen = math.sqrt(rows / (rows - 1) * float(np.square(away).sum())) / len(values) if rows > 1 else math.inf
    return mean, max(seen, deviation / math.sqrt(len(values)))


def _distance(ranked: np.ndarray) -> float:
    places = np.arange(len(ranked) + 1) / len(ranked)
    return float(max((places[1:] - ranked).max(), (ranked - places[:-1]).max()))


def _kolmogorov(distance: float, count: int) -> float:
    """P(D > distance) for many independent uniform numbers: 2 Σ_k (−1)^(k−1) exp(−2 k² n D²) (Kolmogorov 1933)."""
    x = count * distance**2
    if x < 0.1:
        return 1.0
    return float(np.clip(2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x) for k in range(1, 40)), 0, 1))


def dependence(u: np.ndarray) -> tuple[float, float]:
    """Largest eigenvalue of the correlations of the u of at most 128 cells, and what independent cells do not exceed.

    The limit is 4 scale units above the centre of that eigenvalue's distribution (Johnstone 2001, On the distribution
    of the largest eigenvalue in principal components analysis, theorem 1.1), and at least 1.2. Above it the cells
    depend on each other given z: there is something that z could carry and does not.
    """
    cells = np.unique(np.linspace(0, u.shape[1] - 1, MAX_COMPARED_CELLS).astype(int))
    kept = u[:, cells].astype(np.float64)
    kept = kept[:, kept.std(0) > 1e-3]
    n, c = kept.shape
    if n < 10 or c < 2:
        return 1.0, math.inf
    largest = float(np.linalg.eigvalsh(np.corrcoef(kept.T))[-1])
    root = math.sqrt(n - 1) + math.sqrt(c)
    return largest, max(1.2, (root**2 + 4 * root * (1 / math.sqrt(n - 1) + 1 / math.sqrt(c)) ** (1 / 3)) / n)
