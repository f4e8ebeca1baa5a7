"""The evidence lower bound, and the objectives that only treat its KL differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from likely import world
from likely.data import Batch
from likely.distributions import DiagonalNormal
from likely.errors import ConfigError
from likely.models import KLKind, Model, Terms
from likely.objectives.base import Objective, require

__all__ = ["ELBO", "Beta", "Capacity", "FreeBits"]


@dataclass(frozen=True)
class ELBO(Objective):
    """E_Q[log P(x|z)] − D[Q(z|x)‖P(z)] ≤ log P(x), per row, in nats (Kingma and Welling 2014, equation 3).

    Warm-up scales the KL. Where the KL has no closed form and Q is a diagonal normal its gradient goes through z alone.
    What that leaves out, the gradient through Q's parameters at a fixed z, is zero on average and noise in each sample
    (Roeder, Wu, Duvenaud 2017, Sticking the landing, section 2). The value is the same.

    Parameters
    ----------
    samples
        Samples of z per row for the expectation.
    kl
        `closed`: the KL as the model's terms give it, in closed form where there is one; `sampled`: the mean of
        log Q(z|x) − log P(z) over the same samples (equation 2), noisier but for Q near P(z|x); where z is summed over,
        the sum, since draws of fixed points carry no gradient.

    """

    samples: int = 1
    kl: Literal["closed", "sampled"] = "closed"
    is_bound = True

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"ELBO needs at least one sample, got {self.samples}")
        require(self.kl in ("closed", "sampled"), f"kl is closed or sampled, got {self.kl!r}")

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of; a bound on log P(x) at `kl_weight` 1."""
        terms = model.terms(batch, self.samples, generator=generator)
        closed = self.kl == "closed" or terms.sums is not None
        kl = _kl(terms) if closed else (terms.log_qz_x - terms.log_pz).mean(0)
        return terms.reconstruction - kl_weight * kl, terms


def _kl(terms: Terms) -> Tensor:
    """The KL as the terms give it; at samples of a diagonal normal, with a gradient through z alone."""
    if terms.kl_kind is KLKind.SAMPLED and terms.held is not None and isinstance(terms.q, DiagonalNormal):
        return (terms.log_qz_x_held - terms.log_pz).mean(0)
    return terms.kl


def _mean_of_all(parts: Tensor) -> Tensor:
    """The mean over the rows of all processes' parts of a batch, `(batch, ...)`, without a gradient."""
    rows = parts.new_full((1, *parts.shape[1:]), len(parts))
    both = world.total(torch.cat([parts.detach().sum(0, keepdim=True), rows]))
    return both[0] / both[1]


@dataclass(frozen=True)
class Beta(Objective):
    """E_Q[log P(x|z)] − β D[Q(z|x)‖P(z)], per row, in nats (Higgins et al. 2017, equation 4).

    A bound when β ≥ 1, as the KL is not negative. Warm-up scales the KL: its weight rises to β. Its gradient is as in
    `ELBO`.

    Parameters
    ----------
    beta
        β, not negative; 1 is the ELBO.
    samples
        Samples of z per row.

    """

    beta: float
    samples: int = 1

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"Beta needs at least one sample, got {self.samples}")
        require(self.beta >= 0, f"β must not be negative, got {self.beta}")

    @property
    def is_bound(self) -> bool:
        return self.beta >= 1

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of."""
        terms = model.terms(batch, self.samples, generator=generator)
        return terms.reconstruction - kl_weight * self.beta * _kl(terms), terms


@dataclass(frozen=True)
class Capacity(Objective):
    """E_Q[log P(x|z)] − γ |D[Q(z|x)‖P(z)] − C|, per row, in nats (Burgess et al. 2018, equation 8).

    A KL of C nats is asked for, no more and no less. No bound: with D = C nothing is paid for the code. Warm-up raises
    C from 0, as in the paper; γ stays.

    Parameters
    ----------
    capacity
        C in nats per row, at the end of warm-up.
    gamma
        γ: nats paid for each nat that the KL is off.
    samples
        Samples of z per row.

    """

    capacity: float
    gamma: float = 1000.0
    samples: int = 1
    is_bound = False

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"Capacity needs at least one sample, got {self.samples}")
        require(self.capacity >= 0 and self.gamma >= 0, "the capacity and γ must not be negative")

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of."""
        terms = model.terms(batch, self.samples, generator=generator)
        return terms.reconstruction - self.gamma * (terms.kl - kl_weight * self.capacity).abs(), terms


@dataclass(frozen=True)
class FreeBits(Objective):
    """E_Q[log P(x|z)] − Σ_j max(λ, mean over the batch of D_j) (Kingma et al. 2016, appendix C.8, equation 15).

    D_j is the KL of z_j, or of a hierarchy's group. Below λ it costs nothing more and gets no gradient. The mean over
    the batch is a bound on the mean of log P(x); a single row's value is not, as the floor stands in every row for the
    mean it replaces. Warm-up scales the KL, floor included.

    Parameters
    ----------
    nats
        λ, for each part of the KL or for all of it.
    per
        `dimension` (needs a KL that is a sum over dimensions: a diagonal normal Q and prior), `group` (of a
        hierarchical model), or `total`.
    samples
        Samples of z per row.

    """

    nats: float
    per: Literal["dimension", "group", "total"] = "dimension"
    samples: int = 1
    is_bound = True
    couples_rows = True
    couples_processes = True

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"FreeBits needs at least one sample, got {self.samples}")
        require(self.nats >= 0, f"free nats must not be negative, got {self.nats}")
        require(self.per in ("dimension", "group", "total"), f"free bits: dimension, group or total, got {self.per!r}")

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of."""
        terms = model.terms(batch, self.samples, generator=generator)
        parts = self._parts(terms)
        mean = parts.mean(0) if world.size() == 1 else _mean_of_all(parts)
        kl = torch.where(mean > self.nats, parts, torch.full_like(mean, self.nats)).sum(-1)
        return terms.reconstruction - kl_weight * kl, terms

    def _parts(self, terms: Terms) -> Tensor:
        """The parts of the KL that get a floor each: `(batch, parts)`."""
        if self.per == "total":
            return terms.kl.unsqueeze(-1)
        parts, grouped = terms.kl_parts, terms.groups is not None
        if parts is not None and grouped == (self.per == "group"):
            return parts
        pair = f"{type(terms.q).__name__} and {type(terms.p).__name__}"
        what = "groups of a hierarchy" if self.per == "group" else "dimensions"
        instead = "group" if grouped else "total"
        raise ConfigError(f"the KL of {pair} is no sum over {what}; use free bits per {instead}")
