"""Draws of z ~ P(z|x), as weighted draws from Q(z|x): what imputing, conditioning and explaining a row rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.data import Batch, EncodedRows
from likely.data.noise import normal, row_keys
from likely.evaluation.evidence import CELLS, FROM_POSTERIOR, ROWS, block_of, chunks
from likely.models import Model

__all__ = ["Draws", "posterior_draws"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Draws:
    """K draws of z ~ Q(z|x) for each of some rows, with the weights that make them draws of P(z|x).

    With w_k = P(x, z_k)/Q(z_k|x), E_{P(z|x)} g(z) ≈ Σ_k (w_k / Σ w) g(z_k): self-normalised importance sampling. Of a
    row with missing cells x is what is observed of it.

    Attributes
    ----------
    batch, count
        The rows, in a chunk of fixed shape, and how many of them count; the others are padding.
    keys
        Of the rows' noise: `(rows,)`.
    z
        `(K, rows, latent)`.
    log_weight
        log w_k, `(K, rows)`, float64.
    block
        How many of the draws to hold at once.

    """

    batch: Batch
    count: int
    keys: Tensor
    z: Tensor
    log_weight: Tensor
    block: int

    @property
    def weights(self) -> Tensor:
        """w_k / Σ w: `(K, rows)`, float64."""
        return torch.softmax(self.log_weight, 0)

    @property
    def log_px(self) -> Tensor:
        """The importance-weighted bound on log P(x), log (1/K) Σ w_k: `(rows,)`, nats."""
        return torch.logsumexp(self.log_weight, 0) - torch.log(torch.tensor(float(len(self.z))))

    @property
    def ess(self) -> Tensor:
        """Effective sample size (Σ w)²/Σ w² (Kong 1992): `(rows,)`."""
        return self.weights.square().sum(0).reciprocal()

    def laws(self, model: Model) -> Iterator[tuple[slice, Distribution]]:
        """P(x|z_k), one law per cell, block by block: which draws, and their laws `(block, rows, *event)`."""
        for first in range(0, len(self.z), self.block):
            part = slice(first, first + self.block)
            yield part, model.likelihood(self.z[part], self.batch.covariates)


@torch.no_grad()
def posterior_draws(
    model: Model, rows: EncodedRows, *, samples: int, seed: int = 0, progress: Progress | None = None
) -> Iterator[Draws]:
    """Weighted draws for all rows, chunk by chunk; the same z_k as `evidence` has.

    Parameters
    ----------
    model, rows
        The rows encoded and, where that applies, binarised once.
    samples
        K.
    seed
        Of the noise, which is keyed by (seed, row, k).
    progress
        Called with (rows done, rows).

    """
    model.eval()
    p, done = model.prior(), 0
    block = block_of(model, rows, samples, CELLS)
    for batch, count in chunks(rows, ROWS):
        q, keys = model.posterior(batch), row_keys(batch.values, seed)
        z, log_weight = [], []
        for first in range(0, samples, block):
            noise = normal(keys, FROM_POSTERIOR, first, min(block, samples - first), q.noise_size).to(q.like.dtype)
            terms = model.terms(batch, noise=noise, q=q, p=p)
            z.append(terms.z)
            log_weight.append(terms.log_weight.to(torch.float64))
        yield Draws(batch, count, keys, torch.cat(z), torch.cat(log_weight), block)
        done += count
        if progress:
            progress(done, len(rows))
