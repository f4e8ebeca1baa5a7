"""Estimates of log P(x) and of the terms of the identity, per row: functions of the row and the seed alone.

The identity is log P(x) − D[Q(z|x)‖P(z|x)] = E_Q[log P(x|z)] − D[Q(z|x)‖P(z)]; the ELBO is its right-hand side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.noise import Stream
from likely.distributions import LatentDistribution
from likely.errors import ConfigError
from likely.evaluation.averages import LogMean, Mean, jackknife
from likely.evaluation.counting import Counting, counting
from likely.evaluation.proposals import Mixture, ProposalRule, weighted_draws
from likely.evaluation.sampling import (
    DEFAULT_CHUNK_ROWS,
    MAX_NUMBERS,
    SUMMED_ROWS,
    Chunk,
    PerRow,
    Progress,
    block_size,
    chunk_rows,
    rows_with_points,
    terms_of,
)
from likely.evaluation.tail import Tail
from likely.models import KLKind, Model, Terms
from likely.networks.precision import Precision, autocast

__all__ = ["Evidence", "LatentPart", "evidence", "posterior_centres", "posterior_means"]


class LatentPart(StrEnum):
    """What z is divided into for a report.

    A dimension of a real vector and a group of a hierarchy have a KL each. A coordinate of a vector on a sphere and a
    one-hot code have none. `UNIT` is the word where all of these are spoken of, or where it is not known which.
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
        (log (1/K) Σ P(x, z_k)/Q(z_k|x); where a rule draws z from a mixture, that mixture's), `gap` (iwae − elbo, at
        most D[Q(z|x)‖P(z|x)] in expectation), `unweighted` (log (1/K) Σ P(x|z_k), z_k ~ Q: not P(x)) and, if requested,
        `prior_sampling` (the same with z_k ~ P).
    se_mc
        The standard error of each term. That of a logarithm is a jackknife over 20 groups of the K samples, whatever
        blocks they are drawn in, which grows with the spread of the weights; NaN at K = 1.
    samples
        K, the number of samples of z for each row.
    keys
        What the noise of each row is drawn from; rows with equal values have equal keys, and so the same noise.
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
    counting
        The weight of each row in averages, and which rows are copies of each other, so that standard errors over rows
        count them as one observation.
    kl_kind
        `closed form`; `sampled`: the mean over the z_k of log Q(z_k|x) − log P(z_k); or `sampled, closed form within a
        group`: the mean over the z_k of the groups' KL given those above them.
    part
        What `kl_parts` are of: `dimension` or `group`.
    exact
        Whether z was summed over: `iwae` and `elbo` are log P(x) itself, and no term has an error from sampling z.

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
    part: LatentPart = LatentPart.DIMENSION
    exact: bool = False


@torch.no_grad()
def evidence(
    model: Model,
    rows: EncodedRows,
    *,
    samples: int,
    seed: int = 0,
    prior_sampling: bool = False,
    precision: Precision = "float32",
    max_numbers: int = MAX_NUMBERS,
    rule: ProposalRule | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Estimates of log P(x) and of the terms of the identity for each row, in memory that does not depend on `samples`.

    Of an integrated model they are sums, exact; the samples are not drawn then.

    Of a row with missing cells x is the observed cells: log P(x) is that of the marginal distribution of these
    cells.

    The importance-weighted bound is L_K = E log (1/K) Σ_k P(x, z_k)/Q(z_k|x), z_k ~ Q(z|x) (Burda, Grosse,
    Salakhutdinov 2016, equation 8); the other terms use the same z_k. The noise behind z_k is keyed by (seed, row, k).

    Parameters
    ----------
    model, rows
        Encoded rows; of a model of 0/1 cells that binarises at random they are binarised once.
    samples
        K, the number of samples of z for each row.
    seed
        Seed of the noise.
    prior_sampling
        Also estimate log P(x) by simple Monte Carlo over P(z), with K samples of its own.
    precision
        Of the matrix products in the decoder and in a hierarchy's networks. Q(z|x), P(z), their divergence, z, log
        P(x|z) of the network's output and every average are computed in float32 or float64 whatever it is.
    max_numbers
        About how many numbers are held in memory at once.
    rule
        For which rows `iwae` is estimated by z drawn from more than Q(z|x), with noise of their own (`weighted_draws`);
        all other terms are Q's, from its own samples alone. None unless given.
    progress
        Called with (rows done, rows).

    Raises
    ------
    ConfigError
        If the precision is not known.

    """
    model.eval()
    if model.summed:
        return _summed(model, rows, samples, seed, progress)
    size = chunk_rows(model, rows, samples, max_numbers)
    block = block_size(model, rows, samples, max_numbers, size)
    per_row, kl_kind, part = PerRow(), KLKind.CLOSED, LatentPart.DIMENSION
    p = model.prior()
    for chunk in per_row.chunks(rows, seed, size, progress=progress):
        estimates = _Estimates(samples, len(chunk.batch), chunk.keys.device)
        _sample(model, p, chunk, estimates, block, prior_sampling, precision)
        terms, errors = estimates.terms()
        per_row.add(chunk, key=chunk.keys, ess=estimates.tail.ess, pareto_k=estimates.tail.pareto_k)
        per_row.add(chunk, **terms, **{f"se_{name}": error for name, error in errors.items()})
        if estimates.parts is not None:
            per_row.add(chunk, parts=estimates.parts)
        kl_kind, part = estimates.kl_kind, estimates.part
    names = [name.removeprefix("se_") for name in per_row.names if name.startswith("se_")]
    values = {name: per_row.array(name) for name in names}
    # Equal rows beyond those that independent draws from P(x) would give are copies, and count as one observation.
    counted = counting(model, rows, values["iwae"])
    measured = Evidence(
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
    if rule is None:
        return measured
    _improve(measured, model, rows, rule, seed, precision, max_numbers, progress)
    return replace(measured, counting=counting(model, rows, measured.terms["iwae"]))


def _summed(model: Model, rows: EncodedRows, samples: int, seed: int, progress: Progress | None) -> Evidence:
    """The evidence of a model whose z is summed over."""
    per_row = PerRow()
    for chunk in per_row.chunks(rows, seed, min(SUMMED_ROWS, max(1, len(rows))), progress=progress):
        if (sums := model.sums(chunk.batch)) is None:
            raise ConfigError(f"{type(model).__name__} says that z is summed over (`summed`), but gives no sums")
        per_row.add(chunk, key=chunk.keys, log_px=sums.log_px, reconstruction=sums.reconstruction, kl=sums.kl)
    log_px, none = per_row.array("log_px"), np.zeros(len(rows))
    terms = {
        "reconstruction": per_row.array("reconstruction"),
        "kl": np.nan_to_num(per_row.array("kl"), nan=0.0),
        "elbo": log_px,
        "iwae": log_px.copy(),
        "gap": none,
    }
    return Evidence(
        terms,
        {name: np.zeros(len(rows)) for name in terms},
        samples,
        per_row.array("key"),
        np.full(len(rows), float(samples)),
        np.full(len(rows), -np.inf),
        None,
        rows.cells.cpu().numpy(),
        counting(model, rows, log_px),
        exact=True,
    )


def _improve(
    measured: Evidence,
    model: Model,
    rows: EncodedRows,
    rule: ProposalRule,
    seed: int,
    precision: Precision,
    max_numbers: int,
    progress: Progress | None,
) -> None:
    """Estimate the bound anew for rows that the rule draws other z for; all other terms stay."""
    terms, errors, samples = measured.terms, measured.se_mc, measured.samples
    for index, mixture in rule.improved(model, rows, samples=samples, seed=seed, progress=progress):
        some = index.cpu().numpy()
        bound = _by_mixture(model, rows.take(index), mixture, samples, seed, precision, max_numbers)
        terms["iwae"][some], errors["iwae"][some] = bound.array("iwae"), bound.array("error")
        measured.ess[some], measured.pareto_k[some] = bound.array("ess"), bound.array("pareto_k")
        terms["gap"][some] = terms["iwae"][some] - terms["elbo"][some]
        errors["gap"][some] = np.hypot(errors["iwae"][some], errors["elbo"][some])


def _by_mixture(
    model: Model, rows: EncodedRows, mixture: Mixture, samples: int, seed: int, precision: Precision, max_numbers: int
) -> PerRow:
    """The bound on log P(x), and how far it can be trusted, by draws from a mixture for each row."""
    per_row, p, block = PerRow(), model.prior(), block_size(model, rows, samples, max_numbers)
    for chunk in per_row.chunks(rows, seed):
        bound = LogMean(samples, len(chunk.batch), chunk.keys.device)
        tail = Tail(samples, len(chunk.batch), chunk.keys.device)
        mine = mixture.take(chunk.index)
        drawn = weighted_draws(model, chunk, p, mine, samples=samples, block=block, precision=precision)
        for first, _, log_weight in drawn:
            bound.add(first, log_weight)
            tail.add(log_weight)
        per_row.add(chunk, iwae=bound.value, error=bound.error, ess=tail.ess, pareto_k=tail.pareto_k)
    return per_row


class _Estimates:
    """Running estimates for some rows, to which blocks of samples are added."""

    def __init__(self, samples: int, rows: int, device: torch.device) -> None:
        self.bound, self.unweighted, self.prior_sampling = (LogMean(samples, rows, device) for _ in range(3))
        self.reconstruction, self.sampled_kl, self.sampled_elbo = (Mean(samples, rows, device) for _ in range(3))
        self.tail = Tail(samples, rows, device)
        self.samples, self.kl_kind, self.part = samples, KLKind.CLOSED, LatentPart.DIMENSION
        self.has_prior_sampling = False
        self.closed_kl: Tensor | None = None
        self.parts: Tensor | None = None

    def add(self, first: int, terms: Terms) -> None:
        """Add a block of samples, of numbers first, first + 1, ..."""
        self.reconstruction.add(first, terms.log_px_z)
        self.unweighted.add(first, terms.log_px_z)
        self.bound.add(first, terms.log_weight)
        self.tail.add(terms.log_weight)
        self.kl_kind, sampled = terms.kl_kind, terms.kl_sampled
        self.part = LatentPart.DIMENSION if terms.groups is None else LatentPart.GROUP
        if sampled is None:
            self.closed_kl = terms.kl.to(torch.float64)
        else:
            self.sampled_kl.add(first, sampled)
            self.sampled_elbo.add(first, terms.log_px_z - sampled)
        if terms.kl_parts is not None:
            weighted = terms.kl_parts.to(torch.float64) * (len(terms.z) / self.samples)
            self.parts = weighted if self.parts is None else self.parts + weighted

    def terms(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Estimates and their errors; where the KL is sampled, the ELBO's error is that of both terms together."""
        sampled = self.sampled_elbo if self.closed_kl is None else self.reconstruction
        kl = self.sampled_kl.value if self.closed_kl is None else self.closed_kl
        elbo = self.reconstruction.value - kl
        estimates = {
            "reconstruction": (self.reconstruction.value, self.reconstruction.error),
            "kl": (kl, self.sampled_kl.error if self.closed_kl is None else torch.zeros_like(kl)),
            "elbo": (elbo, sampled.error),
            "iwae": (self.bound.value, self.bound.error),
            "gap": (self.bound.value - elbo, jackknife(self.bound.without_each() - sampled.without_each())),
            "unweighted": (self.unweighted.value, self.unweighted.error),
        }
        if self.has_prior_sampling:
            estimates["prior_sampling"] = (self.prior_sampling.value, self.prior_sampling.error)
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
    """Draw z, block by block, and add the terms to the estimates."""
    samples = estimates.samples
    blocks = terms_of(model, chunk, p, stream=Stream.POSTERIOR, samples=samples, block=block, precision=precision)
    for first, terms in blocks:
        estimates.add(first, terms)
        if prior_sampling:
            z = p.from_noise(chunk.noise(Stream.PRIOR, p, first, len(terms.z)))
            with autocast(precision, chunk.keys.device):
                estimates.prior_sampling.add(first, model.log_px_z(chunk.batch, z))
            estimates.has_prior_sampling = True


def posterior_means(model: Model, rows: EncodedRows) -> np.ndarray:
    """Mean of Q(z|x) per row: `(rows, latent)`."""
    return _posterior_points(model, rows, attrgetter("mean"))


def posterior_centres(model: Model, rows: EncodedRows) -> np.ndarray:
    """The centre of Q(z|x) per row, `(rows, latent)`: its mean, or its mode where z is on a sphere or discrete."""
    return _posterior_points(model, rows, attrgetter("centre"))


@torch.no_grad()
def _posterior_points(model: Model, rows: EncodedRows, point: Callable[[LatentDistribution], Tensor]) -> np.ndarray:
    model.eval()
    per_row = PerRow()
    size = rows_with_points(model, 4 * DEFAULT_CHUNK_ROWS)  # only one point of z a row is held
    for chunk in per_row.chunks(rows, 0, size):
        per_row.add(chunk, point=point(model.posterior(chunk.batch)))
    return per_row.array("point")
