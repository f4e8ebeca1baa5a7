"""What a user would write: networks, an objective and a model of their own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import likely
from likely import likelihoods, networks, objectives, posteriors, priors


def encoder() -> nn.Module:
    """Pictures (1, 6, 5) to four numbers."""
    return nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(120, 4))


def decoder() -> nn.Module:
    """Two numbers to one parameter a pixel, as a picture."""
    return nn.Sequential(nn.Linear(2, 120), nn.ReLU(), nn.Unflatten(1, (4, 6, 5)), nn.Conv2d(4, 1, 3, 1, 1))


def colours() -> nn.Module:
    """Two numbers to two parameters for each of three colours."""
    return nn.Sequential(nn.Linear(2, 6 * 20), nn.Unflatten(1, (6, 4, 5)))


class Halved(objectives.Objective):
    """The KL counts half."""

    is_bound = False
    samples = 1

    def __call__(
        self,
        model: likely.models.Model,
        batch: likely.Batch,
        kl_weight: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, likely.models.Terms]:
        terms = model.terms(batch, generator=generator)
        return terms.reconstruction - 0.5 * kl_weight * terms.kl, terms


def vae() -> likely.VAE:
    """A whole model of binary pictures (6, 5)."""
    return likely.VAE(
        priors.StandardNormal(2),
        likelihoods.Bernoulli((6, 5)),
        posteriors.Normal(2),
        nn.Sequential(nn.Flatten(), networks.ResidualMLP(30, 4, 8)),
        networks.ResidualMLP(2, 30, 8),
    )


def normal() -> likely.VAE:
    """A whole model of rows of 30 numbers."""
    likelihood, parts = likelihoods.Gaussian((30,)), (networks.ResidualMLP(30, 4, 8), networks.ResidualMLP(2, 60, 8))
    return likely.VAE(priors.StandardNormal(2), likelihood, posteriors.Normal(2), *parts)
