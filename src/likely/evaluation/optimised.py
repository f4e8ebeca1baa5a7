"""The best Q of its own family, row by row, and what it tells of the gap: its family's share, and the encoder's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.noise import Stream
from likely.distributions import LatentDistribution
from likely.errors import ConfigError
from likely.evaluation.ascent import climb
from likely.evaluation.averages import Mean
from likely.evaluation.sampling import Chunk, PerRow, Progress, block_size, sample_blocks
from likely.models import Model, frozen

__all__ = ["GAP_KINDS", "GapSplit", "Optimised", "gap_split", "optimised"]

ANTITHETIC_PAIRS = 4  # samples of z with their mirror images, behind each step
GAP_KINDS = {
    "total": "D[Q(z|x)||P(z|x)] is at least this: log P(x), estimated from below, - elbo",
    "approximation": "an estimate: raised by what the optimiser misses, lowered by what the bound on log P(x) misses",
    "amortisation": "at least this: elbo of Q optimised per row - elbo; the optimiser may stop short of the best Q",
}


@dataclass(frozen=True, eq=False)
class Optimised:
    """The bound under the best Q that was found for each row, and under the encoder's: `(rows,)`, float64, nats.

    Attributes
    ----------
    elbo, elbo_se_mc
        L[Q*] = E_Q*[log P(x|z)] − D[Q*(z|x)‖P(z)], and its standard error from sampling z.
    encoded_elbo, encoded_elbo_se_mc
        L[Q] of the encoder's own Q, from the same noise.
    amortisation, amortisation_se_mc
        L[Q*] − L[Q], with common random numbers. NaN for rows that the model gives no probability.
    moved
        Whether Q* is other than the encoder's Q, which is kept where the optimiser found nothing better.
    samples, steps
        Behind each of these numbers, and of the optimiser.
    keys
        Rows with equal keys share their noise.

    """

    elbo: np.ndarray
    elbo_se_mc: np.ndarray
    encoded_elbo: np.ndarray
    encoded_elbo_se_mc: np.ndarray
    amortisation: np.ndarray
    amortisation_se_mc: np.ndarray
    moved: np.ndarray
    samples: int
    steps: int
    keys: np.ndarray


def optimised(
    model: Model,
    rows: EncodedRows,
    *,
    samples: int = 500,
    steps: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> Optimised:
    """Optimise Q's parameters for each row by itself, from the encoder's output, and measure what that gains.

    Q* is the best member that was found of Q's own family for the row (Cremer, Li, Duvenaud 2018, Inference
    suboptimality in variational autoencoders, section 3): the maximum over e of the ELBO under
    `model.posterior_from(e)` (`climb`). The model's weights are held: where Q has a flow, a mixture or a ladder, only
    what the encoder gives to it is optimised.

    Three independent sets of noise, keyed by (seed, row): one moves Q, fresh at each step; one chooses between start
    and end, whichever has the higher ELBO; the last measures. So L[Q*] is measured without selection, and its
    expectation is no more than the best of the family: the amortisation gap is at least L[Q*] − L[Q] in expectation.
    The measuring noise is that of `evidence`, whose ELBO is `encoded_elbo` where seed and samples are equal.

    Parameters
    ----------
    model, rows
        The rows encoded and, where that applies, binarised once.
    samples
        To choose by, and to measure by.
    steps
        Of the optimiser.
    seed
        Of the noise.
    progress
        Called with (rows done, rows).

    Raises
    ------
    ConfigError
        If z is codes: their draws have no derivative in Q's parameters.

    """
    model.eval()
    per_row, block = PerRow(), block_size(model, rows, samples)
    for chunk in per_row.chunks(rows, seed, progress=progress):
        with frozen(model):
            with torch.no_grad():
                start, p = model.encoded(chunk.batch), model.prior()
            _demand_reparameterised(model.posterior_from(start))
            end, both = climb(model, chunk, p, start, steps=steps, pairs=ANTITHETIC_PAIRS), _Both(model, chunk, p)
            with torch.no_grad():
                gain = both.compare(start, end, Stream.OPTIMISE_SELECT, samples, block)["amortisation"].value
                moved = gain > 0
                best = torch.where(moved[:, None], end, start)
                means = both.compare(start, best, Stream.POSTERIOR, samples, block)
        per_row.add(chunk, keys=chunk.keys, moved=moved)
        per_row.add(chunk, **{name: mean.value for name, mean in means.items()})
        per_row.add(chunk, **{f"{name}_se_mc": mean.error for name, mean in means.items()})
    return Optimised(**{name: per_row.array(name) for name in per_row.names}, samples=samples, steps=steps)


def _demand_reparameterised(q: LatentDistribution) -> None:
    if not q.has_rsample:
        raise ConfigError(
            "the gap is not split for a latent of codes: in evaluation they are exact, and their draws have no "
            "derivative by which Q could be optimised; leave the split out, or take a latent that is real or a sphere"
        )


class _Both:
    """The ELBO of some rows under two encoder's outputs, from the same noise."""

    def __init__(self, model: Model, chunk: Chunk, p: LatentDistribution) -> None:
        self.model, self.chunk, self.p = model, chunk, p

    def compare(self, start: Tensor, end: Tensor, stream: Stream, samples: int, block: int) -> dict[str, Mean]:
        """ELBO of both, and the difference, from the same noise."""
        names = ("elbo", "encoded_elbo", "amortisation")
        means = {name: Mean(samples, len(start), start.device) for name in names}
        for first, size in sample_blocks(samples, block):
            before, after = (self._elbo(one, stream, first, size) for one in (start, end))
            for name, values in zip(names, (after, before, after - before), strict=True):
                means[name].add(first, values)
        return means

    def _elbo(self, encoded: Tensor, stream: Stream, first: int, size: int) -> Tensor:
        """ELBO under `posterior_from(encoded)` at each sample of z: `(sample, batch)`, float64."""
        q = self.model.posterior_from(encoded)
        terms = self.model.terms(self.chunk.batch, noise=self.chunk.noise(stream, q, first, size), q=q, p=self.p)
        sampled = terms.kl_sampled
        return terms.log_px_z.to(torch.float64) - (terms.kl if sampled is None else sampled)


@dataclass(frozen=True, eq=False)
class GapSplit:
    """D[Q(z|x)‖P(z|x)] = log P(x) − L[Q], in two: `(rows,)`, nats, each with its standard error from sampling z.

    Attributes
    ----------
    total, approximation, amortisation
        log P(x) − L[Q]; log P(x) − L[Q*], which no encoder could mend; L[Q*] − L[Q], which a better encoder would.
        What each can be relied on for is in `GAP_KINDS`.

    """

    total: np.ndarray
    total_se_mc: np.ndarray
    approximation: np.ndarray
    approximation_se_mc: np.ndarray
    amortisation: np.ndarray
    amortisation_se_mc: np.ndarray


def gap_split(log_px: np.ndarray, log_px_se: np.ndarray, best: Optimised) -> GapSplit:
    """Split the gap into what Q's family cannot do and what the encoder does not (Cremer et al. 2018, section 3).

    The parts add up to the total row by row, and none is clipped: within its error a part may be negative.

    Parameters
    ----------
    log_px, log_px_se
        log P(x) per row, nats: exact, or an estimate that is a lower bound in expectation; and its standard error from
        noise that is independent of the ELBO's (of L_K, which shares it, the errors here are too large if anything).
    best
        Of the same rows.

    """
    return GapSplit(
        total=log_px - best.encoded_elbo,
        total_se_mc=np.hypot(log_px_se, best.encoded_elbo_se_mc),
        approximation=log_px - best.elbo,
        approximation_se_mc=np.hypot(log_px_se, best.elbo_se_mc),
        amortisation=best.amortisation,
        amortisation_se_mc=best.amortisation_se_mc,
    )
