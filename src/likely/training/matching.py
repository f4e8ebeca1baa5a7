"""Constants of P(x|z) that are set so that draws are round as often as the training rows."""

from __future__ import annotations

import torch

from likely.data import EncodedRows
from likely.models import Model

__all__ = ["match_shares"]

DRAWS, MAX_ROWS = 4096, 65_536  # of x, of training rows: standard errors of a share of 0.8% and 0.2% at most


def match_shares(model: Model, rows: EncodedRows, seed: int) -> None:
    """Set constants of P(x|z) so that draws are round as often as the training rows (`Likelihood.match_shares`).

    The draws are of z from the prior, with y of the training rows where there is a condition. All rows take part, or
    65,536 of them at equal distances, by their weights. Columns with missing cells stay as they are: draws have all
    cells, and those that rows lack may be of another kind. Members of an ensemble have one likelihood, so its draws
    give all of them the same constants. The validation bounds of the history are of the weights before.
    """
    device = rows.device
    sample = (
        rows.take(torch.arange(0, len(rows), -(-len(rows) // MAX_ROWS), device=device)).binarised_once(seed).stored()
    )
    weights = torch.ones(len(sample), dtype=torch.float64, device=device) if sample.weights is None else sample.weights
    row_weights = weights.view(-1, *[1] * (sample.values.dim() - 1)).expand(sample.values.shape)
    whole = torch.ones_like(row_weights[0], dtype=torch.bool)
    if sample.observed is not None:
        row_weights, whole = row_weights * sample.observed, sample.observed.all(0)
    cuda = [device] if device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        index = torch.randint(len(sample), (DRAWS,)).to(device)
        covariates = None if sample.covariates is None else sample.covariates[index]
        training = {part: part.training for part in model.modules()}
        model.eval()
        parameters = model.decoded(model.prior().sample(torch.Size((DRAWS,))), covariates)
        for part, flag in training.items():
            part.training = flag
        kept = parameters.isfinite().all(1)
        draw_weights = weights[index][kept].view(-1, *[1] * whole.dim()) * whole
        if len(draw_weights):
            model.p_x_z.match_shares(parameters[kept], sample.values, row_weights, draw_weights)
            for member in model.members[1:]:
                member.p_x_z.load_state_dict(model.p_x_z.state_dict())
