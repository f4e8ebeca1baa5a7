"""Several models of the same rows as one: their mixture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from likely.data import Batch
from likely.distributions import LatentDistribution
from likely.distributions.members import Members, member_of
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.models.base import Model
from likely.models.exposure import Exposure
from likely.models.terms import Terms
from likely.models.vae import VAE

__all__ = ["Ensemble"]


class Ensemble(Model):
    """P(x) = (1/M) Σ_m P_m(x), the equal mixture of M VAEs, as a model whose code is (u, z).

    u ~ N(0, 1) says which member z is of (`distributions.Members`), under P as under Q; so log P(x), its bounds,
    samples and everything else that is made of the terms is the mixture's. The ELBO is the mean of the members' own.

    Averages of the likelihoods of networks that were trained apart: Lakshminarayanan, Pritzel, Blundell 2017, Simple
    and scalable predictive uncertainty estimation using deep ensembles, equation 2.

    Parameters
    ----------
    members
        VAEs of one form, with real vectors for z, whose likelihoods take all their parameters from the decoder.

    Raises
    ------
    ConfigError
        If z is no real vector, or a likelihood has parameters of its own.

    """

    def __init__(self, members: Sequence[Model]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(members)
        first = members[0]
        if not isinstance(first, VAE) or first.q_z_x.space != "real":
            raise ConfigError(
                "z of an ensemble's members is one group of real numbers: take another posterior, or one member"
            )
        if any(True for _ in first.p_x_z.parameters()):
            raise ConfigError(
                f"likelihood {type(first.p_x_z).__name__} has a parameter of its own, which members of an ensemble "
                "cannot share: take one whose parameters are all predicted, or one member"
            )
        self.latent = 1 + first.latent

    @property
    def members(self) -> tuple[Model, ...]:
        """The VAEs, which are trained apart."""
        return tuple(self._vaes)

    @property
    def _vaes(self) -> list[VAE]:
        return [part for part in self.parts if isinstance(part, VAE)]

    @property
    def p_x_z(self) -> Likelihood:  # type: ignore[override]
        """The likelihood, which is one for all."""
        return self._vaes[0].p_x_z

    @property
    def condition(self) -> nn.Module | None:  # type: ignore[override]
        """What the first member makes of y."""
        return self._vaes[0].condition

    @property
    def exposure(self) -> Exposure | None:  # type: ignore[override]
        """What counts are in proportion to, which is one for all."""
        return self._vaes[0].exposure

    def prior(self, rows: Tensor | None = None) -> LatentDistribution:
        """P(u, z)."""
        return Members([member.prior(rows) for member in self._vaes])

    def encoded(self, batch: Batch) -> Tensor:
        """The encoders' outputs, one after the other."""
        return torch.cat([member.encoded(batch) for member in self._vaes], -1)

    @property
    def encoded_size(self) -> int:
        """How many numbers the encoders give together for a row."""
        return sum(member.encoded_size for member in self._vaes)

    def posterior_from(self, encoded: Tensor) -> LatentDistribution:
        """Q(u, z|x)."""
        parts = encoded.chunk(len(self.parts), -1)
        return Members([member.posterior_from(part) for member, part in zip(self._vaes, parts, strict=True)])

    def decoded(self, z: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Each code by the decoder of its member alone."""
        lead, chosen = z.shape[:-1], member_of(z, len(self.parts)).flatten()
        codes = z[..., 1:].reshape(-1, self.latent - 1)
        known = None if covariates is None else covariates.expand(*lead, -1).reshape(len(codes), -1)
        parts, places = [], []
        for number, member in enumerate(self._vaes):
            place = (chosen == number).nonzero().squeeze(1)
            parts.append(member.decoded(codes[place], None if known is None else known[place]))
            places.append(place)
        return torch.cat(parts)[torch.cat(places).argsort()].view(*lead, -1)

    def terms(
        self,
        batch: Batch,
        k: int = 1,
        *,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
        q: LatentDistribution | None = None,
        p: LatentDistribution | None = None,
    ) -> Terms:
        """One pass: (u, z) ~ Q(u, z|x), and the terms at them (see `Model.terms`)."""
        q = self.posterior(batch) if q is None else q
        draws = q.sample_with_log_prob(k, generator=generator, noise=noise)
        return Terms(draws, self.log_px_z(batch, draws.z), q, self.prior(batch.rows) if p is None else p)

    def initialise(self, batch: Batch) -> None:
        """Start every member from training rows."""
        for member in self._vaes:
            member.initialise(batch)
