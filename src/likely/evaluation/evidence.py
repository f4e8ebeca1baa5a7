"""Estimates of log P(x) and of the terms of the identity, per row: functions of the row and the seed alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np
import torch
from torch import Tensor

from likely.data import Batch, EncodedRows
from likely.data.noise import normal, row_keys
from likely.distributions import LatentDistribution
from likely.evaluation.averages import LogMean, Mean, jackknife
from likely.evaluation.counting import Counting, counting
from likely.evaluation.tail import Tail
from likely.models import Model, Terms
from likely.networks.precision import Precision, autocast

__all__ = ["Evidence", "evidence", "posterior_centres", "posterior_means"]

Progress = Callable[[int, int], None]

FROM_POSTERIOR, FROM_PRIOR = 3, 4
CELLS = 2**20
ROWS, MOST_ROWS = 50, 4096


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
    kl_kind: str = "closed form"
    part: str = "dimension"


@dataclass
class Columns:
    values: dict[str, list[Tensor]] = field(default_factory=dict)

    def add(self, count: int, **columns: Tensor) -> None:
        for name, column in columns.items():
            self.values.setdefault(name, []).append(column[:count].cpu())

    def array(self, name: str) -> np.ndarray:
        return torch.cat(self.values[name]).numpy()


def chunks(rows: EncodedRows, size: int) -> Iterator[tuple[Batch, int]]:
    """Rows in chunks of one fixed shape, the last one padded with its last row; and how many of each count."""
    for first in range(0, len(rows), size):
        index = torch.arange(first, first + size, device=rows.values.device)
        yield rows.evaluation_batch(index.clamp_max(len(rows) - 1)), min(size, len(rows) - first)


def block_of(model: Model, rows: EncodedRows, samples: int, cells: int = CELLS, size: int = ROWS) -> int:
    """How many samples of a chunk of `size` rows to hold at once."""
    return max(1, min(samples, cells // (max(rows.values[0].numel(), model.widest) * size)))


def _chunk_of(model: Model, rows: EncodedRows, samples: int, cells: int) -> int:
    """How many rows to hold at once: more than 50 where all their samples fit beside each other."""
    return max(ROWS, min(MOST_ROWS, cells // (max(rows.values[0].numel(), model.widest) * samples)))


@torch.no_grad()
def evidence(
    model: Model,
    rows: EncodedRows,
    *,
    samples: int,
    seed: int = 0,
    prior_sampling: bool = False,
    precision: Precision = "float32",
    cells: int = CELLS,
    progress: Progress | None = None,
) -> Evidence:
    """Estimate log P(x) and the terms of the identity for each row, in memory that does not depend on `samples`.

    Of a row with missing cells x is what is observed of it: log P(x) is that of the marginal law of these cells.

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
    size = _chunk_of(model, rows, samples, cells)
    block = block_of(model, rows, samples, cells, size)
    made, done, kl_kind, part = Columns(), 0, "", "dimension"
    p = model.prior()
    for batch, count in chunks(rows, size):
        keys = row_keys(batch.values, seed)
        found = _Estimates(samples, len(batch), batch.values.device)
        _sample(model, p, batch, keys, found, block, prior_sampling, precision)
        terms, errors = found.terms()
        made.add(count, key=keys, ess=found.tail.ess, pareto_k=found.tail.pareto_k)
        made.add(count, **terms, **{f"se_{name}": error for name, error in errors.items()})
        if found.parts is not None:
            made.add(count, parts=found.parts)
        kl_kind, part = found.kl_kind, found.part
        done += count
        if progress:
            progress(done, len(rows))
    names = [name.removeprefix("se_") for name in made.values if name.startswith("se_")]
    estimates = {name: made.array(name) for name in names}
    counted = counting(model, rows, estimates["iwae"])
    return Evidence(
        estimates,
        {name: made.array(f"se_{name}") for name in names},
        samples,
        made.array("key"),
        made.array("ess"),
        made.array("pareto_k"),
        np.average(made.array("parts"), axis=0, weights=counted.weights) if "parts" in made.values else None,
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
        self.samples, self.kl_kind, self.part, self.with_prior = samples, "", "dimension", False
        self.closed: Tensor | None = None
        self.parts: Tensor | None = None

    def add(self, first: int, terms: Terms) -> None:
        """Take in samples first, first + 1, ..."""
        self.reconstruction.add(first, terms.log_px_z)
        self.unweighted.add(first, terms.log_px_z)
        self.bound.add(first, terms.log_weight)
        self.tail.add(terms.log_weight)
        self.kl_kind, sampled = terms.kl_kind, terms.kl_sampled
        self.part = "dimension" if terms.groups is None else "group"
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
        found = {
            "reconstruction": (self.reconstruction.value, self.reconstruction.error),
            "kl": (kl, self.divergence.error if self.closed is None else torch.zeros_like(kl)),
            "elbo": (elbo, sampled.error),
            "iwae": (self.bound.value, self.bound.error),
            "gap": (self.bound.value - elbo, jackknife(self.bound.without_each() - sampled.without_each())),
            "unweighted": (self.unweighted.value, self.unweighted.error),
        }
        if self.with_prior:
            found["prior_sampling"] = (self.simple.value, self.simple.error)
        return {name: value for name, (value, _) in found.items()}, {name: error for name, (_, error) in found.items()}


def _sample(
    model: Model,
    p: LatentDistribution,
    batch: Batch,
    keys: Tensor,
    found: _Estimates,
    block: int,
    prior_sampling: bool,
    precision: Precision,
) -> None:
    """Draw z by noise keyed by the row, block by block, and take in the terms; P(z) is one for all of them."""
    q, device = model.posterior(batch), batch.values.device
    for first in range(0, found.samples, block):
        size = min(block, found.samples - first)
        noise = normal(keys, FROM_POSTERIOR, first, size, q.noise_size).to(q.like.dtype)
        with autocast(precision, device):
            terms = model.terms(batch, noise=noise, q=q, p=p)
        found.add(first, terms)
        if prior_sampling:
            z = p.from_noise(normal(keys, FROM_PRIOR, first, size, p.noise_size).to(q.like.dtype))
            with autocast(precision, device):
                found.simple.add(first, model.log_px_z(batch, z))
            found.with_prior = True


def posterior_means(model: Model, rows: EncodedRows) -> np.ndarray:
    """Mean of Q(z|x) per row: `(rows, latent)`."""
    return _of_posterior(model, rows, attrgetter("mean"))


def posterior_centres(model: Model, rows: EncodedRows) -> np.ndarray:
    """A point of z's space per row, `(rows, latent)`: the mean of Q(z|x), its mode on a sphere or of codes."""
    return _of_posterior(model, rows, attrgetter("centre"))


@torch.no_grad()
def _of_posterior(model: Model, rows: EncodedRows, what: Callable[[LatentDistribution], Tensor]) -> np.ndarray:
    model.eval()
    made = [what(model.posterior(batch))[:count].cpu() for batch, count in chunks(rows, 4 * ROWS)]
    return torch.cat(made).numpy()
