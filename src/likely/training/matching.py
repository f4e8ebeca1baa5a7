"""Shares of what is drawn, made those of the training rows."""

from __future__ import annotations

import torch

from likely.data import EncodedRows
from likely.models import Model

__all__ = ["match_shares"]

DRAWS, ROWS = 4096, 65_536


def match_shares(model: Model, rows: EncodedRows, seed: int) -> None:
    """Set the constants of P(x|z) with which draws are round as often as the training rows (`Likelihood.match`).

    The draws are of z from the prior, with y of the training rows where there is a condition. All rows take part, or
    65,536 of them at equal distances, by their weights.
    """
    if not model.p_x_z.matches:
        return
    device = rows.values.device
    some = rows.take(torch.arange(0, len(rows), -(-len(rows) // ROWS), device=device)).fixed(seed)
    counted = torch.ones(some.values.shape, dtype=torch.float64, device=device)
    if some.observed is not None:
        counted = some.observed.to(torch.float64)
    if some.weights is not None:
        counted = counted * some.weights.view(-1, *[1] * (counted.dim() - 1))
    cuda = [device] if device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        place = torch.randint(len(some), (DRAWS,)).to(device)
        covariates = None if some.covariates is None else some.covariates[place]
        training = model.training
        model.eval()
        parameters = model.decoded(model.prior().sample(torch.Size((DRAWS,))), covariates)
        model.train(training)
        model.p_x_z.match(parameters, some.values, counted)
