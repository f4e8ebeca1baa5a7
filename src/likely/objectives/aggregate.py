"""Objectives that look at Q(z), the mean of Q(z|x) over the rows, and so couple the rows of a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from likely.data import Batch
from likely.distributions import DiagonalNormal, LatentDistribution
from likely.errors import ConfigError
from likely.models import Model, Terms
from likely.objectives.base import Objective, require

__all__ = ["MMD", "BetaTC", "squared_mmd"]


@dataclass(frozen=True)
class BetaTC(Objective):
    """E_Q[log P(x|z)] − I(x; z) − β TC(z) − Σ_j D[Q(z_j)‖P(z_j)], in nats (Chen et al. 2018, equation 4).

    The three parts sum to the KL (section 3.1): the information of z about x, the total correlation
    D[Q(z)‖Π_j Q(z_j)], and the KL per dimension. Each is estimated at the samples z, with log Q(z) and log Q(z_j) by
    minibatch-weighted sampling, log (1/(N M)) Σ_i Q(z|x_i) over the M rows of the batch (section 3.1). That is biased,
    in part by multiples of log N that no gradient sees. At β = 1 the estimates cancel and the value is the ELBO with
    sampled KL; at any other β it is no bound. Warm-up scales all three parts.

    Parameters
    ----------
    beta
        β, the weight of the total correlation.
    dataset_size
        N, the number of training rows.
    samples
        Samples of z per row.

    """

    beta: float
    dataset_size: int
    samples: int = 1
    couples_rows = True

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"BetaTC needs at least one sample, got {self.samples}")
        require(self.beta >= 0, f"β must not be negative, got {self.beta}")
        require(self.dataset_size >= 1, f"the data set has at least one row, got {self.dataset_size}")

    @property
    def is_bound(self) -> bool:
        return self.beta == 1

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of."""
        terms = model.terms(batch, self.samples, generator=generator)
        information, correlation, dimensions = self.decompose(terms)
        kl = information + self.beta * correlation + dimensions
        return (terms.log_px_z - kl_weight * kl).mean(0), terms

    def decompose(self, terms: Terms) -> tuple[Tensor, Tensor, Tensor]:
        """Information, total correlation and KL per dimension, each `(sample, batch)`, nats; they sum to the KL at z.

        Raises
        ------
        ConfigError
            If Q(z|x) is not a diagonal normal: its marginals would not be known.

        """
        if not isinstance(terms.q, DiagonalNormal):
            raise ConfigError(f"β-TC needs a diagonal normal posterior, got {type(terms.q).__name__}")
        every = DiagonalNormal(terms.q.loc.unsqueeze(-1), terms.q.log_std.unsqueeze(-1))
        cells = every.log_prob(terms.z[:, :, None, :, None])  # log Q(z_j|x_i): (sample, batch, batch i, latent j)
        constant = math.log(self.dataset_size * cells.shape[2])
        log_qz = cells.sum(-1).logsumexp(2) - constant
        log_product = (cells.logsumexp(2) - constant).sum(-1)
        return terms.log_qz_x - log_qz, log_qz - log_product, log_product - terms.log_pz


@dataclass(frozen=True)
class MMD(Objective):
    """E_Q[log P(x|z)] − a D[Q(z|x)‖P(z)] − λ MMD²(Q(z), P(z)), in nats: InfoVAE (Zhao et al. 2019).

    In the paper's letters a = 1 − α and our λ is α + λ − 1. MMD² is the squared maximum mean discrepancy between the
    batch's samples of z and as many of the prior: no unit, the same for every row. A bound only where the KL is paid in
    full (a ≥ 1). Warm-up scales the KL and the discrepancy. Refused where z is summed over.

    Parameters
    ----------
    weight
        λ, nats per row for a discrepancy of 1.
    kl
        a, the weight of the KL; 0 is the MMD-VAE.
    samples
        Samples of z per row.
    scales
        Kernels: the mean of C/(C + ‖a − b‖²) over these, C = 2 · scale · latent (inverse multiquadratic, C = 2 · latent
        being the expected squared distance of two standard normal draws; Tolstikhin et al. 2018).

    """

    weight: float
    kl: float = 0.0
    samples: int = 1
    scales: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    couples_rows = True

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"MMD needs at least one sample, got {self.samples}")
        require(self.weight >= 0 and self.kl >= 0, "the weights of MMD and KL must not be negative")
        require(len(self.scales) > 0 and min(self.scales) > 0, f"MMD needs positive scales, got {self.scales}")

    @property
    def is_bound(self) -> bool:
        return self.kl >= 1

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of."""
        terms = model.terms(batch, self.samples, generator=generator)
        require(terms.sums is None, "MMD moves samples of z, and an integrated model has fixed points; take elbo")
        discrepancy = squared_mmd(terms.z.flatten(0, 1), _draws(terms.p, terms.z, generator), self.scales)
        penalty = self.weight * discrepancy
        if self.kl:
            penalty = penalty + self.kl * terms.kl
        return terms.reconstruction - kl_weight * penalty, terms


def squared_mmd(a: Tensor, b: Tensor, scales: tuple[float, ...]) -> Tensor:
    """MMD² of two samples `(n, latent)`, `(m, latent)` -> scalar: never negative, 0 when they are the same.

    mean k(a, a') + mean k(b, b') − 2 mean k(a, b), equal pairs included (Gretton et al. 2012, section 2.2).
    """
    return _kernel(a, a, scales) + _kernel(b, b, scales) - 2 * _kernel(a, b, scales)


def _kernel(a: Tensor, b: Tensor, scales: tuple[float, ...]) -> Tensor:
    """Mean of the kernel over all pairs; no matrix product, which autocast would round."""
    distance = (a.unsqueeze(1) - b).square().sum(-1)
    widths = [2 * scale * a.shape[-1] for scale in scales]
    return torch.stack([(width / (width + distance)).mean() for width in widths]).mean()


def _draws(p: LatentDistribution, z: Tensor, generator: torch.Generator | None) -> Tensor:
    """As many draws of the prior as there are of z `(sample, batch, latent)`, flat; differentiable where P(z) is."""
    shape = z.shape[:1] if p.batch_shape else z.shape[:2]
    return p.rsample(shape, generator).flatten(0, 1)
