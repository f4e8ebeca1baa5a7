"""Estimates of log P(x) and of the terms of the identity, per row: functions of the row and the seed alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.noise import Stream
from likely.distributions import LatentDistribution
from likely.evaluation.averages import LogMean, Mean, jackknife
from likely.evaluation.counting import Counting, counting
from likely.evaluation.sampling import (
    DEFAULT_CHUNK_ROWS,
    MAX_NUMBERS,
    Chunk,
    PerRow,
    Progress,
    block_size,
    chunk_rows,
    chunks,
    terms_of,
)
from likely.evaluation.tail import Tail
from likely.models import KLKind, Model, Terms
from likely.networks.precision import Precision, autocast

__all__ = ["Evidence", "Part", "evidence", "posterior_centres", "posterior_means"]


class Part(StrEnum):
    """What a part of z is: a dimension or a group, which have a KL of their own, or a unit of any kind.

    A coordinate is of a unit vector, whose axes mean nothing by themselves; a code is one-hot.
    """

    DIMENSION = "dimension"
    GROUP = "group"
    UNIT = "unit"
    COORDINATE = "coordinate"
    CODE = "code"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Per-row estimates `(rows,)`, float64, nats, and their standard errors from sampling z.

    Attributes
    ----------
    terms
        `reconstruction` (E_Q[log P(x|z)]), `kl` (D[Q(z|x)‖P(z)]), `elbo` (their difference), `iwae`
        (log (1/K) Σ P(x, z_k)/Q(z_k|x)), `gap` (iwae − elbo, at most D[Q(z|x)‖P(z|x)] in expectation), `unweighted`
        (log (1/K) Σ P(x|z_k), z_k ~ Q: not P(x)) and, where asked for, `prior_sampling` (the
        same with z_k ~ P).
    se_mc
        The same names. Of a logarithm it is a jackknife over blocks of samples, which grows with the spread of the
        weights; NaN at K = 1.
    samples
        K.
    keys
        Rows with equal keys share their noise.
    ess
        Effective sample size of the weights behind `iwae`, (Σ w)²/Σ w² (Kong 1992).
    pareto_k
        Pareto k̂ of these weights (Vehtari et al. 2024): above 0.7 the estimate and its error cannot be relied on. NaN
        for K < 25, −∞ where the greatest weights are equal within rounding.
    kl_parts
        Mean over the rows of each part of the KL: dimensions of z `(latent,)`, or groups of a hierarchy `(groups,)`;
        `None` where P or Q couples the dimensions.
    cells
        How many cells of each row are observed.
    part
        What such a part is: `dimension` or `group`.
    counting
        How the rows count in averages.
    kl_kind
        `closed form`; `sampled`: the mean over the z_k of log Q(z_k|x) − log P(z_k); or `sampled, closed form within a
        group`: the mean over the z_k of the groups' KL given those above them.

    """

    terms: dict[str, np.ndarray]
    se_mc: dict[str, np.ndarray]
    samples: int
    keys: np.ndarray
    ess: np.ndarray
    pareto_k: np.ndarray
    kl_parts: np.ndarray | None
    cells: np.ndarray
    counting: Counting
    kl_kind: KLKind = KLKind.CLOSED
    part: Part = Part.DIMENSION


@torch.no_grad()
def evidence(
    model: Model,
    rows: EncodedRows,
    *,
    samples: int,
    seed: int = 0,
    prior_sampling: bool = False,
    precision: Precision = "float32",
    cells: int = MAX_NUMBERS,
    progress: Progress | None = None,
) -> Evidence:
    """Estimate log P(x) and the terms of the identity for each row, in memory that does not depend on `samples`.

    Of a row with missing cells x is what is observed of it: log P(x) is that of the marginal distribution of these
    cells.

    The importance-weighted bound is L_K = E log (1/K) Σ_k P(x, z_k)/Q(z_k|x), z_k ~ Q(z|x) (Burda, Grosse,
    Salakhutdinov 2016, equation 8); the other terms use the same z_k. The noise behind z_k is keyed by (seed, row, k).

    Parameters
    ----------
    model, rows
        The rows encoded and, where that applies, binarised once.
    samples
        K.
    seed
        Of the noise.
    prior_sampling
        Also estimate log P(x) by simple Monte Carlo over P(z), with K samples of its own.
    precision
        In which P(x|z)'s network is multiplied, and a hierarchy's ladder. Q(z|x), P(z), their divergence, z, log P(x|z)
        of the network's output and every average are computed in float32 or float64 all the same.
    cells
        Roughly how many numbers to hold at once.
    progress
        Called with (rows done, rows).

    Raises
    ------
    ConfigError
        If the precision is not one of these.

    """
    model.eval()
    size = chunk_rows(model, rows, samples, cells)
    block = block_size(model, rows, samples, cells, size)
    per_row, kl_kind, part = PerRow(), KLKind.CLOSED, Part.DIMENSION
    p = model.prior()
    for chunk in chunks(rows, seed, size, progress=progress):
        estimates = _Estimates(samples, len(chunk.batch), chunk.keys.device)
        _sample(model, p, chunk, estimates, block, prior_sampling, precision)
        terms, errors = estimates.terms()
        per_row.add(chunk, key=chunk.keys, ess=estimates.tail.ess, pareto_k=estimates.tail.pareto_k)
        per_row.add(chunk, **terms, **{f"se_{name}": error for name, error in errors.items()})
        if estimates.parts is not None:
            per_row.add(chunk, parts=estimates.parts)
        kl_kind, part = estimates.kl_kind, estimates.part
    names = [name.removeprefix("se_") for name in per_row.parts if name.startswith("se_")]
    values = {name: per_row.array(name) for name in names}
    counted = counting(model, rows, values["iwae"])
    return Evidence(
        values,
        {name: per_row.array(f"se_{name}") for name in names},
        samples,
        per_row.array("key"),
        per_row.array("ess"),
        per_row.array("pareto_k"),
        np.average(per_row.array("parts"), axis=0, weights=counted.weights) if "parts" in per_row else None,
        rows.cells.cpu().numpy(),
        counted,
        kl_kind,
        part,
    )


class _Estimates:
    """Estimates for some rows, taken in block by block of samples."""

    def __init__(self, samples: int, rows: int, device: torch.device) -> None:
        self.bound, self.unweighted, self.simple = (LogMean(samples, rows, device) for _ in range(3))
        self.reconstruction, self.divergence, self.joint = (Mean(samples, rows, device) for _ in range(3))
        self.tail = Tail(samples, rows, device)
        self.samples, self.kl_kind, self.part, self.with_prior = samples, KLKind.CLOSED, Part.DIMENSION, False
        self.closed: Tensor | None = None
        self.parts: Tensor | None = None

    def add(self, first: int, terms: Terms) -> None:
        """Take in samples first, first + 1, ..."""
        self.reconstruction.add(first, terms.log_px_z)
        self.unweighted.add(first, terms.log_px_z)
        self.bound.add(first, terms.log_weight)
        self.tail.add(terms.log_weight)
        self.kl_kind, sampled = terms.kl_kind, terms.kl_sampled
        self.part = Part.DIMENSION if terms.groups is None else Part.GROUP
        if sampled is None:
            self.closed = terms.kl.to(torch.float64)
        else:
            self.divergence.add(first, sampled)
            self.joint.add(first, terms.log_px_z - sampled)
        if terms.kl_parts is not None:
            share = terms.kl_parts.to(torch.float64) * (len(terms.z) / self.samples)
            self.parts = share if self.parts is None else self.parts + share

    def terms(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Estimates and their errors; where the KL is sampled, the ELBO's error is that of both terms together."""
        sampled = self.joint if self.closed is None else self.reconstruction
        kl = self.divergence.value if self.closed is None else self.closed
        elbo = self.reconstruction.value - kl
        estimates = {
            "reconstruction": (self.reconstruction.value, self.reconstruction.error),
            "kl": (kl, self.divergence.error if self.closed is None else torch.zeros_like(kl)),
            "elbo": (elbo, sampled.error),
            "iwae": (self.bound.value, self.bound.error),
            "gap": (self.bound.value - elbo, jackknife(self.bound.without_each() - sampled.without_each())),
            "unweighted": (self.unweighted.value, self.unweighted.error),
        }
        if self.with_prior:
            estimates["prior_sampling"] = (self.simple.value, self.simple.error)
        return {name: value for name, (value, _) in estimates.items()}, {
            name: error for name, (_, error) in estimates.items()
        }


def _sample(
    model: Model,
    p: LatentDistribution,
    chunk: Chunk,
    estimates: _Estimates,
    block: int,
    prior_sampling: bool,
    precision: Precision,
) -> None:
    """Draw z, block by block, and take in the terms; P(z) is one for all of them."""
    samples = estimates.samples
    drawn = terms_of(model, chunk, p, stream=Stream.POSTERIOR, samples=samples, block=block, precision=precision)
    for first, terms in drawn:
        estimates.add(first, terms)
        if prior_sampling:
            z = p.from_noise(chunk.noise(Stream.PRIOR, p, first, len(terms.z)))
            with autocast(precision, chunk.keys.device):
                estimates.simple.add(first, model.log_px_z(chunk.batch, z))
            estimates.with_prior = True


def posterior_means(model: Model, rows: EncodedRows) -> np.ndarray:
    """Mean of Q(z|x) per row: `(rows, latent)`."""
    return _of_posterior(model, rows, attrgetter("mean"))


def posterior_centres(model: Model, rows: EncodedRows) -> np.ndarray:
    """A point of z's space per row, `(rows, latent)`: the mean of Q(z|x), its mode on a sphere or of codes."""
    return _of_posterior(model, rows, attrgetter("centre"))


@torch.no_grad()
def _of_posterior(model: Model, rows: EncodedRows, what: Callable[[LatentDistribution], Tensor]) -> np.ndarray:
    model.eval()
    per_row = PerRow()
    for chunk in chunks(rows, 0, 4 * DEFAULT_CHUNK_ROWS):
        per_row.add(chunk, point=what(model.posterior(chunk.batch)))
    return per_row.array("point")
