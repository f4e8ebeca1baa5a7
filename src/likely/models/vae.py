"""The variational autoencoder, as the four terms that everything else is made of."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from likely.data import Batch
from likely.data.batch import completed
from likely.distributions import LatentDistribution
from likely.likelihoods import Likelihood
from likely.models.base import Model, apply, concat_condition, encode, frozen, start
from likely.models.components import start_at_components
from likely.models.exposure import Exposure
from likely.models.fit import demand_fitting
from likely.models.spaces import demand_same_space
from likely.models.terms import Terms
from likely.posteriors import Normal, Posterior
from likely.priors import FromPosterior, Prior

__all__ = ["VAE"]


class VAE(Model):
    """P(x) = ∫ P(x|z) P(z) dz with Q(z|x) to propose z (Kingma and Welling 2014; Rezende, Mohamed, Wierstra 2014).

    With a condition, P(x|y) = ∫ P(x|z, y) P(z) dz and Q(z|x, y) (Sohn, Lee, Yan 2015, section 4.1, with P(z) that does
    not depend on y).

    Parameters
    ----------
    prior
        Module whose call returns P(z).
    likelihood
        Module that turns the decoder's output into P(x|z).
    posterior
        Module that turns the encoder's output into Q(z|x).
    encoder
        `(batch, *event) -> (batch, posterior.parameter_shape.numel())`; with a condition it is also given y's features
        `(batch, features)`. An encoder whose `forward` takes `observed` is given the mask of rows with missing cells,
        `(batch, *event)`; any other sees the numbers that fill them.
    decoder
        `(*batch, latent) -> (*batch, likelihood.parameter_shape.numel())`; with a condition y's features come after z.
    condition
        Covariates `(batch, columns)` -> features of y `(batch, features)`.
    exposure
        What counts are in proportion to, among the covariates: the encoder sees rates in place of counts, and its
        logarithm before y's features.

    Raises
    ------
    ConfigError
        If a network states a size that does not fit the parts beside it.

    """

    def __init__(
        self,
        prior: Prior | FromPosterior,
        likelihood: Likelihood,
        posterior: Posterior,
        encoder: nn.Module,
        decoder: nn.Module,
        condition: nn.Module | None = None,
        exposure: Exposure | None = None,
    ) -> None:
        super().__init__()
        demand_same_space(prior, posterior)
        self.p_z, self.p_x_z, self.q_z_x = prior, likelihood, posterior
        self.encoder, self.decoder, self.condition, self.exposure = encoder, decoder, condition, exposure
        self.latent = int(prior.event_shape[0])
        asked = posterior.parameter_shape.numel(), type(posterior).__name__
        code, exposed = (self.latent, "z"), exposure is not None
        demand_fitting(likelihood, encoder, decoder, condition, encoded=asked, code=code, exposed=exposed)

    def prior(self, rows: Tensor | None = None) -> LatentDistribution:
        """P(z); in training, `rows` are the numbers of the training rows whose z will be asked about."""
        given = (self._q, rows) if isinstance(self.p_z, FromPosterior) else ()
        distribution: LatentDistribution = self.p_z(*given)
        return distribution

    def encoded(self, batch: Batch) -> Tensor:
        """The encoder's output, the parameters of Q: `(batch, posterior.parameter_shape.numel())`."""
        return encode(self.encoder, self.encoded_size, batch, self.features(batch.covariates), self.exposure)

    @property
    def encoded_size(self) -> int:
        """How many numbers are the parameters of Q of one row."""
        return self.q_z_x.parameter_shape.numel()

    def posterior_from(self, encoded: Tensor) -> LatentDistribution:
        """Q(z|x), `(batch,)`; whatever the posterior itself learns is not in the encoder's output."""
        distribution: LatentDistribution = self.q_z_x(encoded)
        return distribution

    def decoded(self, z: Tensor, covariates: Tensor | None = None) -> Tensor:
        """The parameters of P(x|z): `(*lead, batch, likelihood.parameter_shape.numel())`."""
        return apply(self.decoder, self.p_x_z.parameter_shape.numel(), concat_condition(z, self.features(covariates)))

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
        """The terms of the identity at z ~ Q(z|x), drawn by reparameterisation, from one pass (see `Model.terms`)."""
        held = None
        if q is None:
            parameters = self.encoded(batch)
            q = self.posterior_from(parameters)
            held = partial(self._held, parameters)
        draws = q.sample_with_log_prob(k, generator=generator, noise=noise)
        return Terms(draws, self.log_px_z(batch, draws.z), q, self.prior(batch.rows) if p is None else p, held)

    def initialise(self, batch: Batch) -> None:
        """Set first weights by training rows, the first ones in their order.

        The decoder's last bias, if it has one, starts at their independent marginals; a prior made of rows takes them.
        """
        if isinstance(self.p_z, FromPosterior):
            self.p_z.initialise(batch.values, batch.covariates, batch.observed)
        start(self.decoder, self.p_x_z.initial(completed(batch.values, batch.observed)))
        if isinstance(self.q_z_x, Normal) and self.condition is None and self.exposure is None:
            start_at_components(self.encoder, self.decoder, self.p_x_z, batch)

    def _q(
        self, values: Tensor, covariates: Tensor | None = None, observed: Tensor | None = None
    ) -> LatentDistribution:
        return self.posterior(Batch(values, observed, covariates))

    def _held(self, parameters: Tensor, z: Tensor) -> Tensor:
        """log Q(z|x) with the encoder's output, and whatever the posterior itself learns, held constant."""
        with frozen(self.q_z_x):
            return self.posterior_from(parameters.detach()).log_prob(z)
