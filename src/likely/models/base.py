"""The contract of a model: the interface that training and evaluation use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from likely.data import Batch
from likely.data.located import Prepared
from likely.distributions import LatentDistribution
from likely.distributions.locating import locate, log_prob_at
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.models.exposure import Exposure
from likely.models.terms import Sums, Terms
from likely.networks.base import Starts, stated, takes_observed
from likely.networks.encoder import Encoder

__all__ = ["Model", "apply", "concat_condition", "encode", "frozen", "start"]


class Model(nn.Module, ABC):
    """P(x) = ∫ P(x|z) P(z) dz with Q(z|x) to propose z; with covariates y: P(x|y) = ∫ P(x|z, y) P(z) dz, Q(z|x, y).

    z is one flat tensor `(sample, batch, latent)`. P(z) never depends on y.

    Attributes
    ----------
    latent
        Dimension of z.
    p_x_z
        The likelihood: decoder's output -> P(x|z).
    condition
        Covariates `(batch, columns)` as they are encoded -> features of y `(batch, features)`; `None` for a model of
        P(x) alone.
    exposure
        Covariates -> the logarithm of the exposure, and counts -> rates (`Exposure`); `None` where there is none.
    summed
        Whether z is summed over, so that `sums` gives log P(x) itself; else z is drawn.
    closed
        Whether Q(z|x) is a closed form that no encoder learns, of any missing cells (`Normals`).

    """

    summed = False
    closed = False
    latent: int
    p_x_z: Likelihood
    condition: nn.Module | None
    exposure: Exposure | None

    @abstractmethod
    def prior(self, rows: Tensor | None = None) -> LatentDistribution:
        """P(z), of batch shape `()`; in training, `rows` are the numbers of the rows whose z will be asked about."""

    @abstractmethod
    def encoded(self, batch: Batch) -> Tensor:
        """The encoder's output, all that Q(z|x) knows of x (and y): `(batch, numbers)`."""

    @property
    @abstractmethod
    def encoded_size(self) -> int:
        """How many numbers of the encoder's output a row has."""

    @abstractmethod
    def posterior_from(self, encoded: Tensor) -> LatentDistribution:
        """Q(z|x) of an encoder's output, of batch shape `(batch,)`; any numbers give a member of Q's family."""

    def posterior(self, batch: Batch) -> LatentDistribution:
        """Q(z|x) = `posterior_from(encoded(batch))`, of batch shape `(batch,)`."""
        return self.posterior_from(self.encoded(batch))

    @abstractmethod
    def decoded(self, z: Tensor, covariates: Tensor | None = None) -> Tensor:
        """The decoder's output, all that P(x|z) knows of z (and y): `(*lead, batch, numbers)`.

        Parameters
        ----------
        z
            Latent codes, `(*lead, batch, latent)`.
        covariates
            `(batch, columns)`, where the model has a condition.

        """

    def likelihood(self, z: Tensor, covariates: Tensor | None = None) -> Distribution:
        """P(x|z) of `decoded(z, covariates)`, one per cell: `(*lead, batch, *event)`."""
        return self.likelihood_from(self.decoded(z, covariates), covariates)

    def likelihood_from(self, decoded: Tensor, covariates: Tensor | None) -> Distribution:
        """P(x|z) of the decoder's output, and of the exposure among the covariates where there is one."""
        exposure = () if self.exposure is None or covariates is None else (self.exposure(covariates),)
        distribution: Distribution = self.p_x_z(decoded, *exposure)
        return distribution

    @property
    def members(self) -> tuple[Model, ...]:
        """The models that are trained apart, each a model of P(x): this one, unless it is an ensemble.

        Where a single code is asked for, as a picture of x, it is the first one's.
        """
        return (self,)

    @abstractmethod
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
        """The terms of the identity at z ~ Q(z|x), drawn by reparameterisation, from one pass.

        Parameters
        ----------
        batch
            The rows.
        k
            Samples per row.
        generator
            Where the random numbers of the samples come from; torch's own unless given.
        noise
            Standard normal numbers `(sample, batch, q.noise_size)` to draw from, in place of k samples from a
            generator.
        q, p
            `posterior(batch)` and `prior(batch.rows)`, where they are known already.

        """

    def sums(self, batch: Batch, *, roughly: bool = False) -> Sums | None:  # noqa: ARG002
        """log P(x) and what it is made of as sums over every z, where z has few values; `None` where z is drawn.

        `roughly`, over some of them, the same for every row: enough to compare weights, in a fraction of the time.
        """
        return None

    @abstractmethod
    def initialise(self, batch: Batch) -> None:
        """Set first weights by training rows, the first ones in their order."""

    def log_px_z(self, batch: Batch, z: Tensor) -> Tensor:
        """log P(x|z), summed over the observed cells: z `(sample, batch, latent)` -> `(sample, batch)`, nats."""
        return batch.sum_observed(self.log_cells(batch, self.likelihood(z, batch.covariates)))

    @staticmethod
    def log_cells(batch: Batch, distribution: Distribution) -> Tensor:
        """log P(x|z) of each cell, from where the cells lie if that is known: `(*lead, batch, *event)`, nats."""
        if batch.prepared is None:
            log_p: Tensor = distribution.log_prob(batch.values)
            return log_p
        return log_prob_at(distribution, batch.prepared.located)

    @torch.no_grad()
    def prepared(self, batch: Batch) -> Prepared:
        """What the model needs of rows of a table whatever its weights are, which training computes once."""
        shape = (1, self.p_x_z.parameter_shape.numel())
        weight = next(self.parameters())
        distribution = self.likelihood_from(weight.new_zeros(shape), batch.covariates)
        encoder = getattr(self, "encoder", None)
        fixed = encoder.fixed(batch.values) if isinstance(encoder, Encoder) and self.exposure is None else None
        return Prepared(fixed, locate(distribution, batch.values))

    def log_joint(self, batch: Batch, z: Tensor) -> Tensor:
        """log P(x, z): z `(sample, batch, latent)` -> `(sample, batch)`, nats."""
        return self.log_px_z(batch, z) + self.prior(batch.rows).log_prob(z)

    @property
    def widest(self) -> int:
        """The most numbers that a layer makes per sample and row."""
        held = [stated(module).widest or 0 for child in self.children() for module in child.modules()]
        return max(self.latent, *held, *(weight.shape[0] for weight in self.parameters() if weight.dim() > 1))

    def features(self, covariates: Tensor | None) -> Tensor | None:
        """What the networks see of y but for the exposure: `(batch, features)`, or `None` where there is nothing.

        Raises
        ------
        ConfigError
            If covariates are missing, or given to a model that has none.

        """
        if self.condition is None and self.exposure is None:
            if covariates is not None:
                raise ConfigError("covariates were given, but this model is of P(x), not of P(x|y)")
            return None
        if covariates is None:
            raise ConfigError("this model is of P(x|y): give the covariates y")
        if self.condition is None:
            return None
        encoded: Tensor = self.condition(covariates)
        return encoded


def apply(network: nn.Module, wanted: int, *inputs: Tensor, **known: Any) -> Tensor:
    """Apply a network; under autocast its output comes back in float32, so that log-probabilities are exact.

    A network without any float64 of its own, which could centre them, is given float64 numbers in its own type.
    """
    if any(part.dtype == torch.float64 for part in inputs) and torch.float64 not in _kinds(network):
        kinds = set(_kinds(network))
        if len(kinds) == 1:
            kind = kinds.pop()
            inputs = tuple(part.to(kind) for part in inputs)
    output: Tensor = network(*inputs, **known)
    if output.shape[-1] != wanted:
        raise ConfigError(
            f"{type(network).__name__} gives {output.shape[-1]} numbers per row; {wanted} are needed here"
        )
    return output.float() if output.dtype in (torch.bfloat16, torch.float16) else output


def _kinds(network: nn.Module) -> Iterator[torch.dtype]:
    """The floating types of what a network holds, its buffers first: they are few, and it is they that are float64."""
    return (part.dtype for part in chain(network.buffers(), network.parameters()) if part.is_floating_point())


def encode(encoder: nn.Module, wanted: int, batch: Batch, y: Tensor | None, exposure: Exposure | None = None) -> Tensor:
    """The encoder's output for some rows, with the features of y; the mask is given to an encoder that takes it.

    Where there is an exposure the encoder sees rates in place of counts, and its logarithm before y.
    """
    values = batch.values
    if exposure is not None and batch.covariates is not None:
        log_exposure = exposure(batch.covariates)
        values, y = exposure.rates(values, log_exposure), concat_condition(log_exposure, y)
    inputs = (values,) if y is None else (values, y)
    known: dict[str, Any] = {}
    if batch.prepared is not None and batch.prepared.features is not None:
        known["fixed"] = batch.prepared.features
    if batch.observed is not None and takes_observed(encoder):
        known["observed"] = batch.observed
    return apply(encoder, wanted, *inputs, **known)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it the module's weights are constants: gradients run through what it is given alone."""
    learned = [weight for weight in module.parameters() if weight.requires_grad]
    for weight in learned:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in learned:
            weight.requires_grad_(True)


def concat_condition(z: Tensor, y: Tensor | None) -> Tensor:
    """Z and the features of y, one after the other: `(*lead, batch, latent + features)`."""
    return z if y is None else torch.cat([z, y.expand(*z.shape[:-1], -1).to(z.dtype)], -1)


def start(decoder: nn.Module, bias: Tensor) -> None:
    """Set the decoder's first weights so that it gives these parameters whatever z is, if it has a way to."""
    if isinstance(decoder, Starts):
        decoder.start(bias)
