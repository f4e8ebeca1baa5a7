"""The variational autoencoder with a hierarchy of latent groups."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from likely.data import Batch
from likely.data.batch import completed
from likely.distributions import DiagonalNormal, Hierarchy, LatentDistribution
from likely.distributions.normal import kl_per_dimension
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.models.base import Model, apply, beside, encode, start
from likely.models.exposure import Exposure
from likely.models.fit import demand_fitting
from likely.models.terms import Terms
from likely.networks import Ladder
from likely.networks.ladder import Descent

__all__ = ["HierarchicalVAE"]


class HierarchicalVAE(Model):
    """P(x, z) = P(x|z) Π_l P(z_l|z_<l), Q(z|x) = Π_l Q(z_l|z_<l, x): groups of z, top-down, in one `Ladder`.

    (Sønderby et al. 2016, Ladder variational autoencoders, equations 1 to 4 and section 2.) The ELBO's KL is
    Σ_l E_Q[D[Q(z_l|z_<l, x)‖P(z_l|z_<l)]]: in closed form within a group, sampled over the groups above it.

    Parameters
    ----------
    likelihood
        Module that turns the decoder's output into P(x|z).
    encoder
        `(batch, *event) -> (batch, width)`: features of x; with a condition it is also given y's features, and the
        mask as in `VAE`.
    decoder
        `(*batch, width) -> (*batch, likelihood.parameter_shape.numel())`, from the ladder's last state; with a
        condition y's features come after it.
    groups
        Dimension of each group of z, the top one first; 1 to 20 of them.
    width
        Of the ladder.
    condition
        Covariates `(batch, columns)` -> features of y `(batch, features)`.
    exposure
        What counts are in proportion to, among the covariates: the encoder sees rates in place of counts, and its
        logarithm before y's features.

    Raises
    ------
    ConfigError
        If a network states a size that does not fit the parts beside it, or the groups make no ladder.

    """

    def __init__(
        self,
        likelihood: Likelihood,
        encoder: nn.Module,
        decoder: nn.Module,
        groups: Sequence[int],
        width: int,
        condition: nn.Module | None = None,
        exposure: Exposure | None = None,
    ) -> None:
        super().__init__()
        self.p_x_z, self.encoder, self.decoder, self.condition = likelihood, encoder, decoder, condition
        self.exposure, self.ladder = exposure, Ladder(groups, width)
        self.latent = sum(groups)
        asked = width, "the ladder"
        code, exposed = (width, "the ladder's state"), exposure is not None
        demand_fitting(likelihood, encoder, decoder, condition, encoded=asked, code=code, exposed=exposed)

    def prior(self, rows: Tensor | None = None) -> Hierarchy:  # noqa: ARG002
        """P(z) = Π_l P(z_l|z_<l)."""
        return Hierarchy(self.ladder, self.ladder.top, self.latent)

    def encoded(self, batch: Batch) -> Tensor:
        """The features of x that climb the ladder: `(batch, width)`."""
        return encode(self.encoder, self.ladder.width, batch, self.features(batch.covariates), self.exposure)

    def law(self, encoded: Tensor) -> Hierarchy:
        """Q(z|x) = Π_l Q(z_l|z_<l, x), `(batch,)`.

        The family that features range over is what this ladder can make of them: its weights, which P(z) and Q(z|x)
        share, are the same for every row.
        """
        return Hierarchy(self.ladder, self.ladder.top, self.latent, self.ladder.climb(encoded))

    def decoded(self, z: Tensor, covariates: Tensor | None = None) -> Tensor:
        """The parameters of P(x|z), from the last state of a way down."""
        return self._read(self.ladder(z=z).state, covariates)

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
        """One way down the ladder: z ~ Q(z|x), and the terms at them (see `Model.terms`).

        Raises
        ------
        ConfigError
            If `q` or `p` is not a law that this model gave.

        """
        q, p = self.posterior(batch) if q is None else q, self.prior() if p is None else p
        if not isinstance(q, Hierarchy) or not isinstance(p, Hierarchy):
            laws = f"{type(q).__name__} and {type(p).__name__}"
            raise ConfigError(f"Q and P of a hierarchical model are what its posterior and prior give, got {laws}")
        if noise is None:
            shape = (k, len(batch), self.latent)
            noise = torch.randn(shape, generator=generator, dtype=q.like.dtype, device=q.like.device)
        down = self.ladder(noise=noise, features=q.features)
        q.know(down)
        p.know(down)
        law = self.law_of_x(self._read(down.state, batch.covariates), batch.covariates)
        log_px_z = batch.sum_observed(law.log_prob(batch.values))
        return Terms(down.z, log_px_z, q, p, groups=self._kl_groups(down))

    def initialise(self, batch: Batch) -> None:
        """Start from training rows: the decoder's last bias, if it has one, at their independent marginals."""
        start(self.decoder, self.p_x_z.initial(completed(batch.values, batch.observed)))

    def _read(self, state: Tensor, covariates: Tensor | None) -> Tensor:
        return apply(self.decoder, self.p_x_z.parameter_shape.numel(), beside(state, self.features(covariates)))

    def _kl_groups(self, down: Descent) -> Tensor:
        """D[Q(z_l|z_<l, x)‖P(z_l|z_<l)] at the sampled z_<l: `(sample, batch, groups)`."""
        if down.q_mean is None or down.q_log_std is None:
            raise ConfigError("a way down without x has no KL")
        q, p = DiagonalNormal(down.q_mean, down.q_log_std), DiagonalNormal(down.p_mean, down.p_log_std)
        each = kl_per_dimension(q, p).split(self.ladder.groups, -1)
        return torch.stack([part.sum(-1) for part in each], -1)
