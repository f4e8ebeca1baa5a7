"""The ELBO of validation rows, the same function for every objective."""

from __future__ import annotations

from typing import NamedTuple

import torch

from likely import world
from likely.data import EncodedRows
from likely.data.noise import Stream, normal, row_keys
from likely.models import Model, Sums, Terms

__all__ = ["Validation", "validate"]

MAX_ROWS, MAX_CELLS = 1000, 2**21  # of one chunk
MAX_ROWS_SUMMED = 4096  # where the decoder takes as long for one row as for all


class Validation(NamedTuple):
    """Means over rows, in nats."""

    elbo: float
    reconstruction: float
    kl: float


@torch.no_grad()
def validate(model: Model, rows: EncodedRows, seed: int, *, roughly: bool = False) -> Validation:
    """Mean ELBO, reconstruction term and KL over the rows, in nats, by one sample per row keyed by (seed, row).

    The KL is in closed form where there is one for Q and P. Where z is summed over all three are exact, and the ELBO is
    log P(x); `roughly`, they are sums over as many of the points as a training step takes, which is enough to choose
    weights: sums over all of them would take longer than the training. Of several processes each takes some of the
    rows, and all get the means. The model is left in training mode.
    """
    model.eval()
    total = torch.zeros(2, dtype=torch.float64, device=rows.device)
    p, counted = model.prior(), 0.0
    most = MAX_ROWS_SUMMED if model.summed else MAX_ROWS
    size = max(1, min(most, MAX_CELLS // max(1, rows.row_size)))
    mine = world.share(len(rows))
    for first in range(mine.start, mine.stop, size):
        index = torch.arange(first, min(first + size, mine.stop), device=rows.device)
        batch = rows.evaluation_batch(index)
        terms: Sums | Terms | None = model.sums(batch, roughly=roughly)
        if terms is None:
            q = model.posterior(batch)
            noise = normal(row_keys(batch.values, seed), Stream.VALIDATE, 0, 1, q.noise_size)
            terms = model.terms(batch, noise=noise.to(q.like.dtype), q=q, p=p)
        w = torch.ones(len(batch), device=total.device) if batch.weights is None else batch.weights
        counted += float(w.sum())
        total += torch.stack([(w * part).sum(dtype=torch.float64) for part in (terms.reconstruction, terms.kl)])
    model.train()
    *sums, counted = world.total(torch.cat([total, total.new_tensor([counted])])).tolist()
    reconstruction, kl = (one / counted for one in sums)
    return Validation(reconstruction - kl, reconstruction, kl)
