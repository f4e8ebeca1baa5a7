"""Draws of z ~ P(z|x), as weighted draws from Q(z|x): what imputing, conditioning and explaining a row rest on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.data import Batch, EncodedRows
from likely.data.noise import Stream
from likely.evaluation.proposals import Mixture, ProposalRule, weighted_draws
from likely.evaluation.sampling import Chunk, PerRow, Progress, block_size, chunks, terms_of
from likely.models import Integrated, Model, Normals

__all__ = ["MAX_SAMPLES", "MIN_EFFECTIVE_DRAWS", "SAMPLES_FACTOR", "Draws", "Round", "draws_again", "posterior_draws"]

# A row whose weights are worth fewer draws of z than this (Kong 1992) gets SAMPLES_FACTOR times as many samples
# of z, up to MAX_SAMPLES.
MIN_EFFECTIVE_DRAWS, MAX_SAMPLES, SAMPLES_FACTOR = 10.0, 3200, 4
EVERY_ROWS, EVERY_WEIGHTS, EVERY_NUMBERS = 200, 2**25, 2**21  # held with every z; of both; of cells at once


@dataclass(frozen=True, eq=False)
class Draws:
    """K draws of z ~ Q(z|x) for each of some rows, with the weights that make them draws of P(z|x).

    With w_k = P(x, z_k)/Q(z_k|x), E_{P(z|x)} g(z) ≈ Σ_k (w_k / Σ w) g(z_k): self-normalised importance sampling. Of a
    row with missing cells x is what is observed of it.

    Attributes
    ----------
    chunk
        The rows.
    z
        `(K, rows, latent)`.
    log_weight
        log w_k, `(K, rows)`, float64.
    block
        How many of the draws to hold at once.
    every
        Whether these are all the z that there are, once each, drawn as P(z) would: then every mean over them is exact.

    """

    chunk: Chunk
    z: Tensor
    log_weight: Tensor
    block: int
    every: bool = False

    @property
    def batch(self) -> Batch:
        """The rows, in a fixed shape: some may be padding."""
        return self.chunk.batch

    @property
    def weights(self) -> Tensor:
        """w_k / Σ w: `(K, rows)`, float64."""
        return torch.softmax(self.log_weight, 0)

    @property
    def log_px_estimate(self) -> Tensor:
        """The importance-weighted bound on log P(x), log (1/K) Σ w_k: `(rows,)`, nats."""
        return torch.logsumexp(self.log_weight, 0) - math.log(len(self.z))

    @property
    def ess(self) -> Tensor:
        """Effective sample size (Σ w)²/Σ w² (Kong 1992), or K where these are every z: `(rows,)`."""
        if self.every:
            return torch.full_like(self.log_weight[0], float(len(self.z)))
        return self.weights.square().sum(0).reciprocal()

    def likelihoods(self, model: Model) -> Iterator[tuple[slice, Distribution]]:
        """P(x|z_k), block by block: which of the draws, and their distributions over `(block, rows, *event)`.

        Over `(block, 1, *event)` where z_k is the same for all rows, and there is no y.
        """
        same = self.every and self.batch.covariates is None
        for first in range(0, len(self.z), self.block):
            part = slice(first, first + self.block)
            z = self.z[part, :1] if same else self.z[part]
            yield part, model.likelihood(z, self.batch.covariates)


@dataclass(frozen=True, eq=False)
class Round:
    """Some rows, and how z is drawn for them: first all of them, then those whose draws were worth too little.

    Attributes
    ----------
    index
        Their numbers.
    samples
        Draws of z a row.
    mixture
        What they are drawn from; Q(z|x) where it is `None`.
    last
        Whether nothing more is tried after this.

    """

    index: Tensor
    samples: int
    mixture: Mixture | None
    last: bool


def draws_again(
    model: Model, rows: EncodedRows, rule: ProposalRule, ess: Callable[[], Tensor], *, samples: int, seed: int
) -> Iterator[Round]:
    """What is drawn again, one try after the other: other z by the rule, and then four times as many, up to 3,200.

    Parameters
    ----------
    model, rows
        The rows encoded.
    rule
        For which rows z is drawn from more than Q(z|x).
    ess
        Gives the effective sample sizes of all rows as they are now, `(rows,)`.
    samples, seed
        Of the draws that there are.

    """
    mixtures: list[Mixture] = []
    which, place = (torch.full((len(rows),), -1, device=rows.device) for _ in range(2))
    more = samples * SAMPLES_FACTOR <= MAX_SAMPLES
    for index, mixture in rule.improved(model, rows, samples=samples, seed=seed):
        which[index], place[index] = len(mixtures), torch.arange(len(index), device=rows.device)
        mixtures.append(mixture)
        yield Round(index, samples, mixture, last=not more)
    while more:
        samples *= SAMPLES_FACTOR
        more = samples * SAMPLES_FACTOR <= MAX_SAMPLES
        poor = (ess() < MIN_EFFECTIVE_DRAWS).nonzero().squeeze(1).to(rows.device)
        for number in range(-1, len(mixtures)):
            index = poor[which[poor] == number]
            if len(index):
                known = None if number < 0 else mixtures[number].take(place[index])
                yield Round(index, samples, known, last=not more)


@torch.no_grad()
def posterior_draws(
    model: Model,
    rows: EncodedRows,
    per_row: PerRow | None = None,
    *,
    samples: int,
    seed: int = 0,
    mixture: Mixture | None = None,
    alike: bool = False,
    progress: Progress | None = None,
) -> Iterator[Draws]:
    """Weighted draws for all rows, chunk by chunk; the same z_k as `evidence` has.

    Parameters
    ----------
    model, rows
        The rows encoded and, where that applies, binarised once.
    per_row
        Where what is computed of the draws is added: of several processes each gets the draws of some rows. All draws
        where it is not given.
    samples
        K.
    seed
        Of the noise, which is keyed by (seed, row, k).
    mixture
        What z is drawn from for each row, in the place of Q(z|x).
    alike
        Let all draws count alike where Q(z|x) is a closed form that stands for P(z|x) (`Normals`); their weights say
        nothing of P(x) then.
    progress
        Called with (rows done, rows).

    """
    model.eval()
    in_chunks = chunks if per_row is None else per_row.chunks
    if isinstance(model, Integrated):
        yield from _every(model, rows, in_chunks, seed, progress)
        return
    p, block = model.prior(), block_size(model, rows, samples)
    for chunk in in_chunks(rows, seed, progress=progress):
        if alike and isinstance(model, Normals):
            q = model.posterior(chunk.batch)
            z = q.from_noise(chunk.noise(Stream.POSTERIOR, q, 0, samples))
            yield Draws(chunk, z, torch.zeros(z.shape[:2], dtype=torch.float64, device=z.device), block)
            continue
        if mixture is None:
            drawn = terms_of(model, chunk, p, stream=Stream.POSTERIOR, samples=samples, block=block)
            pairs = [(terms.z, terms.log_weight.to(torch.float64)) for _, terms in drawn]
        else:
            mine = mixture.take(chunk.index)
            weighted = weighted_draws(model, chunk, p, mine, samples=samples, block=block)
            pairs = [(z, log_weight) for _, z, log_weight in weighted]
        z, log_weight = (torch.cat(part) for part in zip(*pairs, strict=True))
        yield Draws(chunk, z, log_weight, block)


def _every(
    model: Integrated,
    rows: EncodedRows,
    in_chunks: Callable[..., Iterator[Chunk]],
    seed: int,
    progress: Progress | None,
) -> Iterator[Draws]:
    """Every z that there is, with weights that make the mean over them P(x): w_n = P(x|z_n)."""
    z = model.prior().points
    size = max(1, min(EVERY_ROWS, EVERY_WEIGHTS // len(z), len(rows)))
    for chunk in in_chunks(rows, seed, size, progress=progress):
        log_weight = model.log_px_points(chunk.batch, z).T.to(torch.float64)
        if chunk.batch.covariates is not None:
            block = block_size(model, rows, len(z), size=len(chunk.batch))
        else:
            numbers = max(model.widest, model.p_x_z.parameter_shape.numel(), rows.row_size * len(chunk.batch))
            block = max(1, EVERY_NUMBERS // numbers)
        yield Draws(chunk, z.unsqueeze(1).expand(-1, len(chunk.batch), -1), log_weight, block, every=True)
