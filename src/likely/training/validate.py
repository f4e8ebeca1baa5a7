"""The ELBO of validation rows, the same function for every objective."""

from __future__ import annotations

import torch

from likely.data import EncodedRows
from likely.data.noise import normal, row_keys
from likely.distributions.latent import closed_kl
from likely.models import VAE

__all__ = ["validate"]

CHUNK = 1000
STREAM = 2


@torch.no_grad()
def validate(model: VAE, rows: EncodedRows, seed: int) -> tuple[float, float, float]:
    """Mean ELBO, reconstruction term and KL over the rows, in nats, by one sample per row keyed by (seed, row).

    The KL is in closed form where there is one for Q and P.
    """
    model.eval()
    p = model.prior()
    total = torch.zeros(2, dtype=torch.float64, device=rows.values.device)
    for values in rows.values.split(CHUNK):
        batch = EncodedRows(values).batch(torch.arange(len(values), device=values.device))
        q = model.posterior(batch)
        noise = normal(row_keys(values, seed), STREAM, 0, 1, q.noise_size)
        z = q.from_noise(noise.to(q.like.dtype))
        log_px_z = model.log_px_z(batch, z)
        kl = closed_kl(q, p)
        kl = q.log_prob(z) - p.log_prob(z) if kl is None else kl
        total += torch.stack([log_px_z.sum(dtype=torch.float64), kl.sum(dtype=torch.float64)])
    model.train()
    reconstruction, kl = (total / len(rows)).tolist()
    return reconstruction - kl, reconstruction, kl
