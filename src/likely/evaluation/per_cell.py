"""log P(x_j) cell by cell, with z and without: which columns z explains, and which cells make a row improbable."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from likely.data import EncodedRows
from likely.data.noise import Stream
from likely.evaluation.baselines.fitted import Baselines
from likely.evaluation.sampling import PerRow, block_size, terms_of
from likely.models import Model

__all__ = ["cell_marginals", "cell_reconstructions"]


@torch.no_grad()
def cell_reconstructions(model: Model, rows: EncodedRows, *, samples: int = 50, seed: int = 0) -> np.ndarray:
    """E_Q[log P(x_j|z)] of every cell, in nats: their sum over a row's cells is its reconstruction term.

    Parameters
    ----------
    model, rows
        The rows encoded and, where that applies, binarised once.
    samples
        Draws of z ~ Q(z|x) per row; the same ones as in `evidence`.
    seed
        Of the noise, which is keyed by (seed, row).

    Returns
    -------
    numpy.ndarray
        `(rows, cells)` float64; NaN for a cell that is not observed.

    """
    model.eval()
    p, per_row = model.prior(), PerRow()
    block = block_size(model, rows, samples)
    for chunk in per_row.chunks(rows, seed):
        batch = chunk.batch
        total = torch.zeros(batch.values.shape, dtype=torch.float64, device=batch.values.device)
        for _, terms in terms_of(model, chunk, p, stream=Stream.POSTERIOR, samples=samples, block=block):
            x = model.likelihood(terms.z, batch.covariates)
            total += x.log_prob(batch.values).to(torch.float64).sum(0)
        per_row.add(chunk, cells=_masked(total / samples, batch.observed).flatten(1))
    return per_row.array("cells")


def cell_marginals(baselines: Baselines, rows: EncodedRows) -> np.ndarray:
    """log P(x_j) of every cell by itself, as the training rows' values of that cell gave it: no z, no other cells.

    Parameters
    ----------
    baselines
        Fitted to training rows; their base measure is that of the schema.
    rows
        Encoded by the same schema, and binarised once where that applies.

    Returns
    -------
    numpy.ndarray
        `(rows, cells)` float64, nats; NaN for a cell that is not observed.

    """
    values = rows.stored().values.cpu()
    log_p = torch.zeros((len(values), baselines.schema.dims), dtype=torch.float64)
    cells = baselines.mixtures.cells
    log_p[:, cells.places] = baselines.mixtures.per_cell(cells.read(values))
    places = baselines.frequencies.places
    for place in places.tolist():
        log_p[:, place] = baselines.frequencies.take(places == place).log_prob(values)
    observed = None if rows.observed is None else rows.observed.cpu()
    return _masked(log_p.view(values.shape), observed).flatten(1).numpy()


def _masked(cells: Tensor, observed: Tensor | None) -> Tensor:
    return cells if observed is None else cells.masked_fill(~observed, torch.nan)
