"""The terms of the identity, for some rows and samples of z."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import torch
from torch import Tensor

from likely.distributions import DiagonalNormal, LatentDistribution, RelaxedOneHot
from likely.distributions.latent import Draws, closed_kl
from likely.distributions.normal import kl_per_dimension
from likely.errors import ConfigError

__all__ = ["KLKind", "Sums", "Terms"]


class KLKind(StrEnum):
    """How D[Q(z|x)‖P(z)] is computed, as it is printed."""

    CLOSED = "closed form"
    SAMPLED = "sampled"
    BY_GROUP = "sampled, closed form within a group"


@dataclass(frozen=True, eq=False)
class Sums:
    """log P(x) and E_{P(z|x)}[log P(x|z)] as sums over every z that there is: `(batch,)` each, nats."""

    log_px: Tensor
    reconstruction: Tensor

    @property
    def kl(self) -> Tensor:
        """D[P(z|x)‖P(z)], their difference: `(batch,)`, nats; 0 where no z could have made the row."""
        return torch.where(self.log_px == -torch.inf, 0.0, self.reconstruction - self.log_px)


class Terms:
    """The terms of the identity for some rows and samples z ~ Q(z|x), in nats; each is computed when it is read.

    Attributes
    ----------
    draws
        z `(sample, batch, latent)`, and log Q(z|x) of each.
    log_px_z
        log P(x|z), summed over the observed cells: `(sample, batch)`; or what gives it when it is first read.
    q, p
        Q(z|x) and P(z).
    held
        z -> log Q(z|x) with Q's parameters held constant; `None` where the model has no such thing.
    groups
        D[Q(z_l|z_<l, x)‖P(z_l|z_<l)] of each group of a hierarchy, at the sampled z_<l: `(sample, batch, groups)`;
        `None` where z is one group.
    draws_of_p
        The same z with log P(z), where that is known from how they were drawn; `None` where P(z) is asked.
    sums
        Where Q(z|x) is P(z|x), over few values of z: the expectations, which then are no means over the samples.

    """

    def __init__(
        self,
        draws: Draws,
        log_px_z: Tensor | Callable[[], Tensor],
        q: LatentDistribution,
        p: LatentDistribution,
        held: Callable[[Tensor], Tensor] | None = None,
        groups: Tensor | None = None,
        draws_of_p: Draws | None = None,
        sums: Sums | None = None,
    ) -> None:
        self.draws, self._log_px_z, self.q, self.p, self.held, self.groups = draws, log_px_z, q, p, held, groups
        self.draws_of_p, self.sums = draws_of_p, sums

    @property
    def z(self) -> Tensor:
        """Samples of Q(z|x): `(sample, batch, latent)`."""
        return self.draws.z

    @cached_property
    def log_px_z(self) -> Tensor:
        """log P(x|z): `(sample, batch)`."""
        return self._log_px_z if isinstance(self._log_px_z, Tensor) else self._log_px_z()

    @cached_property
    def reconstruction(self) -> Tensor:
        """E_Q[log P(x|z)], estimated by the mean over the samples, or summed (`sums`): `(batch,)`."""
        if self.sums is not None:
            return self.sums.reconstruction
        return self.log_px_z.squeeze(0) if len(self.log_px_z) == 1 else self.log_px_z.mean(0)

    @cached_property
    def log_pz(self) -> Tensor:
        """log P(z): `(sample, batch)`."""
        return self.p.log_prob(self.z) if self.draws_of_p is None else self.draws_of_p.log_prob

    @cached_property
    def log_qz_x(self) -> Tensor:
        """log Q(z|x): `(sample, batch)`."""
        return self.draws.log_prob

    @cached_property
    def log_qz_x_held(self) -> Tensor:
        """log Q(z|x) whose gradient runs through z alone, Q's parameters being constants: `(sample, batch)`."""
        if self.held is None:
            raise ConfigError("this model cannot hold Q's parameters constant; use the plain gradient")
        return self.held(self.z)

    @cached_property
    def _closed_kl(self) -> Tensor | None:
        if self.sums is not None:
            return self.sums.kl
        return None if self.groups is not None else closed_kl(self.q, self.p)

    @property
    def kl_kind(self) -> KLKind:
        """How the KL is computed: in closed form where there is one for Q and P, or at the samples."""
        if self.groups is not None:
            return KLKind.BY_GROUP
        return KLKind.SAMPLED if self._closed_kl is None else KLKind.CLOSED

    @cached_property
    def kl_sampled(self) -> Tensor | None:
        """The KL at each sample, whose mean over the samples is `kl`; `None` where it has a closed form."""
        if self.groups is not None:
            return self.groups.sum(-1)
        return self.log_qz_x - self.log_pz if self._closed_kl is None else None

    @cached_property
    def kl(self) -> Tensor:
        """D[Q(z|x)‖P(z)], in closed form or as a mean over the samples (`kl_kind`): `(batch,)`."""
        sampled = self.kl_sampled
        closed = self._closed_kl
        if sampled is not None:
            return sampled.mean(0)
        return torch.zeros_like(self.reconstruction) if closed is None else closed

    @property
    def relaxed(self) -> bool:
        """Whether z is relaxed codes, as in training: then no difference of these terms is the ELBO."""
        return isinstance(self.q, RelaxedOneHot)

    @property
    def kl_parts(self) -> Tensor | None:
        """Parts that add up to the KL, `(batch, parts)`: dimensions of a diagonal normal, or groups of a hierarchy.

        `None` where P or Q couples the dimensions of z.
        """
        if self.groups is not None:
            return self.groups.mean(0)
        if isinstance(self.q, DiagonalNormal) and isinstance(self.p, DiagonalNormal):
            return kl_per_dimension(self.q, self.p)
        return None

    @cached_property
    def log_weight(self) -> Tensor:
        """log P(x, z)/Q(z|x): `(sample, batch)`; log P(x) of each z where Q(z|x) is P(z|x)."""
        if self.sums is not None:
            return self.sums.log_px.expand(len(self.z), -1)
        return self.log_px_z + self.log_pz - self.log_qz_x
