"""A small model, and an objective's value and gradients on it at a seed."""

from __future__ import annotations

import torch
from torch import Tensor

from likely.data import Batch
from likely.likelihoods import Bernoulli
from likely.models import VAE, Terms
from likely.networks import ResidualMLP
from likely.objectives import Objective
from likely.posteriors import Normal
from likely.priors import StandardNormal


def small() -> VAE:
    torch.manual_seed(1)
    model = VAE(StandardNormal(2), Bernoulli((9,)), Normal(2), ResidualMLP(9, 4, 16), ResidualMLP(2, 9, 16)).double()
    with torch.no_grad():  # residual blocks start at zero, where half of their weights have no gradient yet
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def binary(rows: int = 32) -> Tensor:
    return torch.bernoulli(torch.full((rows, 9), 0.4), generator=torch.Generator().manual_seed(0)).double()


def at(seed: int, objective: Objective, model: VAE, batch: Batch, kl_weight: float = 1.0) -> tuple[Tensor, Terms]:
    torch.manual_seed(seed)
    return objective(model, batch, kl_weight)


def gradients(seed: int, objective: Objective, model: VAE, batch: Batch, kl_weight: float = 1.0) -> dict[str, Tensor]:
    model.zero_grad()
    at(seed, objective, model, batch, kl_weight)[0].mean().backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
