"""The variational autoencoder with a hierarchy of latent groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from likely.data import Batch
from likely.data.batch import completed
from likely.distributions import DiagonalNormal, Hierarchy, LatentDistribution
from likely.distributions.normal import kl_per_dimension
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.models.base import Model, apply, concat_condition, encode, start
from likely.models.exposure import Exposure
from likely.models.fit import demand_fitting
from likely.models.terms import Terms
from likely.networks.topdown import TopDown, TopDownPass

__all__ = ["HierarchicalVAE"]

# The first part of the names of weights: in the model, and as they are stored.
STORED = {"topdown.encoder.": "encoder.", "topdown.decoder.": "decoder.", "topdown.path.": "ladder."}


class HierarchicalVAE(Model):
    """P(x, z) = P(x|z) Π_l P(z_l|z_<l), Q(z|x) = Π_l Q(z_l|z_<l, x): groups of z, by one `TopDown` network.

    (Sønderby et al. 2016, Ladder variational autoencoders, equations 1 to 4 and section 2.) The ELBO's KL is
    Σ_l E_Q[D[Q(z_l|z_<l, x)‖P(z_l|z_<l)]]: in closed form within a group, sampled over the groups above it.

    Parameters
    ----------
    likelihood
        Module that turns the decoder's output into P(x|z).
    topdown
        The groups of z and their networks, encoder and decoder among them: a `likely.networks.Ladder`.
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
        likelihood: Likelihood,
        topdown: TopDown[Any],
        condition: nn.Module | None = None,
        exposure: Exposure | None = None,
    ) -> None:
        super().__init__()
        self.p_x_z, self.topdown, self.condition, self.exposure = likelihood, topdown, condition, exposure
        self.latent = sum(topdown.sizes)
        asked, code = (topdown.encoded, "the ladder"), (topdown.decoded, "the ladder's state")
        encoder, decoder, exposed = topdown.encoder, topdown.decoder, exposure is not None
        demand_fitting(likelihood, encoder, decoder, condition, encoded=asked, code=code, exposed=exposed)
        nn.Module.register_state_dict_post_hook(self, _as_stored)
        nn.Module.register_load_state_dict_pre_hook(self, _as_named)

    def prior(self, rows: Tensor | None = None) -> Hierarchy:  # noqa: ARG002
        """P(z) = Π_l P(z_l|z_<l)."""
        return Hierarchy(self.topdown, self.topdown.like, self.latent)

    def encoded(self, batch: Batch) -> Tensor:
        """The features of x that climb to the groups: `(batch, topdown.encoded)`."""
        y, topdown = self.features(batch.covariates), self.topdown
        return encode(topdown.encoder, topdown.encoded, batch, y, self.exposure)

    @property
    def encoded_size(self) -> int:
        """How many features of x climb to the groups."""
        return self.topdown.encoded

    def posterior_from(self, encoded: Tensor) -> Hierarchy:
        """Q(z|x) = Π_l Q(z_l|z_<l, x), `(batch,)`.

        The family that features range over is what the network can make of them: its weights, which P(z) and Q(z|x)
        share, are the same for every row.
        """
        features = self.topdown.bottom_up(encoded)
        return Hierarchy(self.topdown, self.topdown.like, self.latent, features, encoded.shape[:-1])

    def decoded(self, z: Tensor, covariates: Tensor | None = None) -> Tensor:
        """The parameters of P(x|z), from the last state of a top-down pass."""
        return self._decode(self.topdown(z=z).output, covariates)

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
        """The terms at z ~ Q(z|x), by one top-down pass (see `Model.terms`).

        Raises
        ------
        ConfigError
            If `q` or `p` is not one that this model gave.

        """
        q, p = self.posterior(batch) if q is None else q, self.prior() if p is None else p
        if not isinstance(q, Hierarchy) or not isinstance(p, Hierarchy):
            kinds = f"{type(q).__name__} and {type(p).__name__}"
            raise ConfigError(f"Q and P of a hierarchical model are what its posterior and prior give, got {kinds}")
        noise = q.noise(torch.Size((k,)), generator) if noise is None else noise
        down = self.topdown(noise=noise, features=q.features)
        distribution = self.likelihood_from(self._decode(down.output, batch.covariates), batch.covariates)
        log_px_z = batch.sum_observed(self.log_cells(batch, distribution))
        return Terms(q.draws_of(down), log_px_z, q, p, groups=self._kl_groups(down), draws_of_p=p.draws_of(down))

    def initialise(self, batch: Batch) -> None:
        """Start from training rows: the decoder's last bias, if it has one, at their independent marginals."""
        start(self.topdown.decoder, self.p_x_z.initial(completed(batch.values, batch.observed)))

    def _decode(self, output: Tensor, covariates: Tensor | None) -> Tensor:
        wanted, y = self.p_x_z.parameter_shape.numel(), self.features(covariates)
        return apply(self.topdown.decoder, wanted, concat_condition(output, y))

    def _kl_groups(self, down: TopDownPass) -> Tensor:
        """D[Q(z_l|z_<l, x)‖P(z_l|z_<l)] at the sampled z_<l: `(sample, batch, groups)`."""
        if down.q_mean is None or down.q_log_std is None:
            raise ConfigError("a top-down pass without x has no KL")
        q, p = DiagonalNormal(down.q_mean, down.q_log_std), DiagonalNormal(down.p_mean, down.p_log_std)
        each = kl_per_dimension(q, p).split(self.topdown.sizes, -1)
        return torch.stack([part.sum(-1) for part in each], -1)


def _as_stored(_: nn.Module, state: dict[str, Any], prefix: str, __: Any) -> None:
    """Give the weights the names by which runs are stored."""
    _rename(state, prefix, STORED)


def _as_named(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
    """Give stored weights the names that they have in the model."""
    _rename(state, prefix, {stored: named for named, stored in STORED.items()})


def _rename(state: dict[str, Any], prefix: str, starts: Mapping[str, str]) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        inner = name.removeprefix(prefix)
        start = next((start for start in starts if inner.startswith(start)), None)
        if start is not None:
            state[prefix + starts[start] + inner.removeprefix(start)] = state.pop(name)
