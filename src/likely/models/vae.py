"""The variational autoencoder, as the four terms that everything else is made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from likely.data import Batch
from likely.distributions import LatentDistribution
from likely.distributions.latent import closed_kl
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.models.spaces import demand_same_space
from likely.posteriors import Posterior
from likely.priors import Prior

__all__ = ["VAE", "Terms"]


class Terms:
    """The terms of the identity for some rows and samples z ~ Q(z|x), in nats; each is computed when it is read.

    Attributes
    ----------
    z
        `(sample, batch, latent)`.
    log_px_z
        log P(x|z), summed over the observed cells: `(sample, batch)`.
    q, p
        Q(z|x) and P(z).
    held
        z -> log Q(z|x) with Q's parameters held constant; `None` where the model has no such thing.

    """

    def __init__(
        self,
        z: Tensor,
        log_px_z: Tensor,
        q: LatentDistribution,
        p: LatentDistribution,
        held: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.z, self.log_px_z, self.q, self.p, self.held = z, log_px_z, q, p, held

    @cached_property
    def reconstruction(self) -> Tensor:
        """E_Q[log P(x|z)], estimated by the mean over the samples: `(batch,)`."""
        return self.log_px_z.squeeze(0) if len(self.log_px_z) == 1 else self.log_px_z.mean(0)

    @cached_property
    def log_pz(self) -> Tensor:
        """log P(z): `(sample, batch)`."""
        return self.p.log_prob(self.z)

    @cached_property
    def log_qz_x(self) -> Tensor:
        """log Q(z|x): `(sample, batch)`."""
        return self.q.log_prob(self.z)

    @cached_property
    def log_qz_x_held(self) -> Tensor:
        """log Q(z|x) whose gradient runs through z alone, Q's parameters being constants: `(sample, batch)`."""
        if self.held is None:
            raise ConfigError("this model cannot hold Q's parameters constant; use the plain gradient")
        return self.held(self.z)

    @cached_property
    def _closed_kl(self) -> Tensor | None:
        return closed_kl(self.q, self.p)

    @property
    def kl_kind(self) -> str:
        """`closed form` where there is one for Q and P, else `sampled`."""
        return "sampled" if self._closed_kl is None else "closed form"

    @property
    def kl(self) -> Tensor:
        """D[Q(z|x)‖P(z)], in closed form or as the mean over the samples of log Q(z|x) − log P(z): `(batch,)`."""
        closed = self._closed_kl
        return (self.log_qz_x - self.log_pz).mean(0) if closed is None else closed

    @property
    def log_weight(self) -> Tensor:
        """log P(x, z)/Q(z|x): `(sample, batch)`."""
        return self.log_px_z + self.log_pz - self.log_qz_x


class VAE(nn.Module):
    """P(x) = ∫ P(x|z) P(z) dz with Q(z|x) to propose z (Kingma and Welling 2014; Rezende, Mohamed, Wierstra 2014).

    Parameters
    ----------
    prior
        Module whose call returns P(z).
    likelihood
        Module that turns the decoder's output into P(x|z).
    posterior
        Module that turns the encoder's output into Q(z|x).
    encoder
        `(batch, *event) -> (batch, posterior.parameter_shape.numel())`.
    decoder
        `(*batch, latent) -> (*batch, likelihood.parameter_shape.numel())`.

    """

    def __init__(
        self, prior: Prior, likelihood: Likelihood, posterior: Posterior, encoder: nn.Module, decoder: nn.Module
    ) -> None:
        super().__init__()
        demand_same_space(prior, posterior)
        self.p_z, self.p_x_z, self.q_z_x = prior, likelihood, posterior
        self.encoder, self.decoder = encoder, decoder
        self.latent = int(prior.event_shape[0])

    def prior(self, rows: Tensor | None = None) -> LatentDistribution:
        """P(z); in training, `rows` are the numbers of the training rows whose z will be asked about."""
        law: LatentDistribution = self.p_z(self._q, rows) if self.p_z.needs_posterior else self.p_z()
        return law

    def posterior(self, batch: Batch) -> LatentDistribution:
        """Q(z|x), `(batch,)`."""
        law: LatentDistribution = self.q_z_x(self._encoded(batch))
        return law

    def likelihood(self, z: Tensor) -> Distribution:
        """P(x|z), one law per cell: z `(*batch, latent)` -> `(*batch, *event)`."""
        law: Distribution = self.p_x_z(self._run(self.decoder, z, self.p_x_z.parameter_shape.numel()))
        return law

    def log_px_z(self, batch: Batch, z: Tensor) -> Tensor:
        """log P(x|z), summed over the observed cells: z `(sample, batch, latent)` -> `(sample, batch)`, nats."""
        return batch.sum_observed(self.likelihood(z).log_prob(batch.values))

    def log_joint(self, batch: Batch, z: Tensor) -> Tensor:
        """log P(x, z): z `(sample, batch, latent)` -> `(sample, batch)`, nats."""
        return self.log_px_z(batch, z) + self.prior(batch.rows).log_prob(z)

    def terms(self, batch: Batch, k: int = 1) -> Terms:
        """One pass: k samples z ~ Q(z|x) by reparameterisation, and the terms at them."""
        parameters = self._encoded(batch)
        q: LatentDistribution = self.q_z_x(parameters)
        z = q.rsample(torch.Size((k,)))
        return Terms(z, self.log_px_z(batch, z), q, self.prior(batch.rows), partial(self._held, parameters))

    def initialise(self, values: Tensor) -> None:
        """Start from training rows `(rows, *event)`, the first ones in their order.

        The decoder's last bias, if it has one, starts at their independent marginals; a prior made of rows takes them.
        """
        self.p_z.initialise(values)
        last = getattr(self.decoder, "last", None)
        if isinstance(last, nn.Linear) and last.bias is not None:
            with torch.no_grad():
                last.weight.mul_(0.1)
                last.bias.copy_(self.p_x_z.initial(values))

    def _q(self, values: Tensor) -> LatentDistribution:
        return self.posterior(Batch(values))

    def _encoded(self, batch: Batch) -> Tensor:
        """The encoder's output: the parameters of Q."""
        return self._run(self.encoder, batch.values, self.q_z_x.parameter_shape.numel())

    def _held(self, parameters: Tensor, z: Tensor) -> Tensor:
        """log Q(z|x) with the encoder's output, and whatever the posterior itself learns, held constant."""
        learned = [weight for weight in self.q_z_x.parameters() if weight.requires_grad]
        for weight in learned:
            weight.requires_grad_(False)
        try:
            law: LatentDistribution = self.q_z_x(parameters.detach())
            return law.log_prob(z)
        finally:
            for weight in learned:
                weight.requires_grad_(True)

    @staticmethod
    def _run(network: nn.Module, x: Tensor, wanted: int) -> Tensor:
        """Apply a network; under autocast its output comes back in float32, so that log-probabilities are exact."""
        made: Tensor = network(x)
        if made.shape[-1] != wanted:
            raise ConfigError(
                f"{type(network).__name__} gives {made.shape[-1]} numbers per row; {wanted} are needed here"
            )
        return made.float() if made.dtype in (torch.bfloat16, torch.float16) else made
