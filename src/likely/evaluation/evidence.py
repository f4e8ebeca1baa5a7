"""Estimates of log P(x) and of the terms of the identity, per row: functions of the row and the seed alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from likely.data import Batch, EncodedRows
from likely.data.noise import normal, row_keys
from likely.distributions import DiagonalNormal, LatentDistribution
from likely.distributions.latent import closed_kl
from likely.distributions.normal import kl_per_dimension
from likely.evaluation.averages import LogMean, Mean, jackknife
from likely.models import VAE

__all__ = ["Evidence", "evidence", "posterior_means"]

Progress = Callable[[int, int], None]

FROM_POSTERIOR, FROM_PRIOR = 3, 4
CELLS = 2**20
ROWS = 50


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
    kl_per_dimension
        Mean over the rows of each latent dimension's KL: `(latent,)`; NaN where P or Q couples the dimensions.
    kl_kind
        `closed form` or `sampled`: the mean over the z_k of log Q(z_k|x) − log P(z_k).

    """

    terms: dict[str, np.ndarray]
    se_mc: dict[str, np.ndarray]
    samples: int
    keys: np.ndarray
    kl_per_dimension: np.ndarray
    kl_kind: str = "closed form"


@dataclass
class _Columns:
    values: dict[str, list[Tensor]] = field(default_factory=dict)

    def add(self, count: int, **columns: Tensor) -> None:
        for name, column in columns.items():
            self.values.setdefault(name, []).append(column[:count].cpu())

    def array(self, name: str) -> np.ndarray:
        return torch.cat(self.values[name]).numpy()


def chunks(rows: EncodedRows, size: int) -> Iterator[tuple[Tensor, int]]:
    """Rows in chunks of one fixed shape, the last one padded with its last row; and how many of each count."""
    for values in rows.values.split(size):
        count = len(values)
        padding = values[-1:].expand(size - count, *values.shape[1:])
        yield torch.cat([values, padding]) if count < size else values, count


@torch.no_grad()
def evidence(
    model: VAE,
    rows: EncodedRows,
    *,
    samples: int,
    seed: int = 0,
    prior_sampling: bool = False,
    cells: int = CELLS,
    progress: Progress | None = None,
) -> Evidence:
    """Estimate log P(x) and the terms of the identity for each row, in memory that does not depend on `samples`.

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
    cells
        Roughly how many numbers to hold at once.
    progress
        Called with (rows done, rows).

    """
    model.eval()
    widest = max(rows.values[0].numel(), *(p.shape[0] for p in model.decoder.parameters() if p.dim() > 1))
    size = ROWS
    block = max(1, min(samples, cells // (widest * size)))
    made, done, kl_kind = _Columns(), 0, "closed form"
    p = model.prior()
    kl_sums = torch.zeros(model.latent, dtype=torch.float64)
    for values, count in chunks(rows, size):
        batch, keys = Batch(values), row_keys(values, seed)
        q = model.posterior(batch)
        closed = closed_kl(q, p)
        kl_kind = "sampled" if closed is None else "closed form"
        terms, errors = _row_terms(model, batch, q, p, closed, keys, samples, block, prior_sampling)
        made.add(count, key=keys, **terms, **{f"se_{name}": error for name, error in errors.items()})
        kl_sums += _kl_per_dimension(q, p)[:count].sum(0).to(torch.float64).cpu()
        done += count
        if progress:
            progress(done, len(rows))
    names = [name for name in made.values if name != "key" and not name.startswith("se_")]
    return Evidence(
        {name: made.array(name) for name in names},
        {name: made.array(f"se_{name}") for name in names},
        samples,
        made.array("key"),
        (kl_sums / len(rows)).numpy(),
        kl_kind,
    )


def _row_terms(
    model: VAE,
    batch: Batch,
    q: LatentDistribution,
    p: LatentDistribution,
    closed: Tensor | None,
    keys: Tensor,
    samples: int,
    block: int,
    prior_sampling: bool,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Estimates and their errors; where the KL is sampled, the ELBO's error is that of log P(x, z) − log Q(z|x)."""
    rows, device = len(batch), batch.values.device
    zeros = torch.zeros(rows, dtype=torch.float64, device=device)
    bound, unweighted, simple = (LogMean(samples, rows, device) for _ in range(3))
    reconstruction, divergence, joint = (Mean(samples, rows, device) for _ in range(3))
    for first in range(0, samples, block):
        size = min(block, samples - first)
        z = q.from_noise(normal(keys, FROM_POSTERIOR, first, size, q.noise_size).to(q.like.dtype))
        log_px_z = model.log_px_z(batch, z)
        reconstruction.add(first, log_px_z)
        unweighted.add(first, log_px_z)
        log_ratio = p.log_prob(z) - q.log_prob(z)
        bound.add(first, log_px_z + log_ratio)
        if closed is None:
            divergence.add(first, -log_ratio)
            joint.add(first, log_px_z + log_ratio)
        if prior_sampling:
            z = p.from_noise(normal(keys, FROM_PRIOR, first, size, p.noise_size).to(q.like.dtype))
            simple.add(first, model.log_px_z(batch, z))
    kl = (divergence.value, divergence.error) if closed is None else (closed.to(torch.float64), zeros)
    elbo = (reconstruction.value - kl[0], joint.error if closed is None else reconstruction.error)
    sampled = joint if closed is None else reconstruction
    terms = {
        "reconstruction": (reconstruction.value, reconstruction.error),
        "kl": kl,
        "elbo": elbo,
        "iwae": (bound.value, bound.error),
        "gap": (bound.value - elbo[0], jackknife(bound.without_each() - sampled.without_each())),
        "unweighted": (unweighted.value, unweighted.error),
    }
    if prior_sampling:
        terms["prior_sampling"] = (simple.value, simple.error)
    values = {name: value for name, (value, _) in terms.items()}
    return values, {name: error for name, (_, error) in terms.items()}


def _kl_per_dimension(q: LatentDistribution, p: LatentDistribution) -> Tensor:
    if isinstance(q, DiagonalNormal) and isinstance(p, DiagonalNormal):
        return kl_per_dimension(q, p)
    return q.like.new_full((*q.batch_shape, *q.event_shape), math.nan)


@torch.no_grad()
def posterior_means(model: VAE, rows: EncodedRows) -> np.ndarray:
    """Mean of Q(z|x) per row: `(rows, latent)`."""
    model.eval()
    made = [model.posterior(Batch(values)).mean[:count].cpu() for values, count in chunks(rows, 4 * ROWS)]
    return torch.cat(made).numpy()
