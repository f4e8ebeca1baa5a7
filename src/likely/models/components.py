"""The first weights of a model whose networks have a linear part: principal components of training rows."""

from __future__ import annotations

import torch
from torch import nn

from likely.data import Batch
from likely.data.batch import completed
from likely.likelihoods import Likelihood
from likely.networks import Encoder
from likely.networks.linear import LinearMLP

__all__ = ["start_at_components"]

LEAST_NOISE = 0.01  # variance, of cells of variance 1
LEAST_LOADING = 1e-3
RIDGE = 1e-3  # for each row


@torch.no_grad()
def start_at_components(encoder: nn.Module, decoder: nn.Module, likelihood: Likelihood, batch: Batch) -> None:
    """Start decoder and encoder at probabilistic principal components of the rows, if both have linear parts.

    Of cells whose P(x|z) has a location y, y ~ N(W z + b, s² I): W has the leading eigenvectors of the covariance of y,
    each times √(λ − s²), s² the mean of the other eigenvalues; the mean of P(z|y) is (WᵀW + s² I)⁻¹ Wᵀ(y − b), which
    the encoder's linear part is fitted to by least squares (Tipping and Bishop 1999, Probabilistic principal component
    analysis, equations 6 to 8).

    Parameters
    ----------
    encoder, decoder, likelihood
        Parts of a model whose Q(z|x) is normal, its means the first half of what the encoder gives.
    batch
        Rows.

    """
    if not isinstance(encoder, Encoder) or not isinstance(decoder, LinearMLP):
        return
    body, values, latent = encoder.body, completed(batch.values, batch.observed), decoder.linear.in_features
    y = likelihood.located(values)
    if not isinstance(body, LinearMLP) or y is None or len(y) < 2:
        return
    y = y.to(torch.float64)
    centred = y - y.mean(0)
    eigenvalues, vectors = torch.linalg.eigh(centred.T @ centred / len(y))
    count = min(latent, int((eigenvalues > 0).sum()))
    if not count:
        return
    rest, moving = eigenvalues[: len(eigenvalues) - latent], int((centred.square().sum(0) > 0).sum())
    noise = float(rest.sum()) / max(1, moving - latent) if len(rest) else 0.0
    noise = max(LEAST_NOISE, noise)
    loadings = torch.zeros((y.shape[1], latent), dtype=torch.float64, device=y.device)
    leading = eigenvalues[-count:].flip(0)
    loadings[:, :count] = vectors[:, -count:].flip(1) * (leading - noise).clamp_min(LEAST_LOADING).sqrt()
    precision = loadings.T @ loadings + noise * torch.eye(latent, dtype=y.dtype, device=y.device)
    z = torch.linalg.solve(precision, loadings.T @ centred.T).T
    features = encoder.features(batch.values, None, batch.observed).to(torch.float64)
    mean = features.mean(0)
    moved = features - mean
    gram = moved.T @ moved + RIDGE * len(y) * torch.eye(moved.shape[1], dtype=y.dtype, device=y.device)
    slope = torch.linalg.solve(gram, moved.T @ z)
    weight, bias = torch.zeros_like(body.linear.weight), torch.zeros_like(body.linear.bias)
    weight[:latent] = slope.T.to(weight.dtype)
    bias[:latent] = -(mean @ slope).to(bias.dtype)
    bias[latent:] = 0.5 * torch.log(noise * torch.linalg.inv(precision).diagonal()).to(bias.dtype)
    body.start_at(weight, bias)
    out = torch.zeros_like(decoder.linear.weight)
    out[:, :latent] = loadings.to(out.dtype)
    decoder.start_at(out, likelihood.initial(values).to(out))
