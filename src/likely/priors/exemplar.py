"""The exemplar prior: a kernel density over encoded training rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from likely.distributions import DiagonalNormal, LatentMixture
from likely.distributions.latent import Index, LatentDistribution
from likely.errors import ConfigError
from likely.priors.base import Encode, FromPosterior

__all__ = ["Exemplar"]

CHUNK_ROWS = 1000  # encoded at once


class Exemplar(FromPosterior):
    """P(z) = (1/N) Σ_n N(z; μ(x_n), s² I), μ(x_n) the mean of Q(z|x_n), s learned (Norouzi, Fleet, Norouzi 2020).

    In training an exemplar is left out of its own prior, which is then over N − 1, and of the others only the
    `neighbours` nearest to a row's z are encoded and counted: a lower bound on that log P(z). They are found among
    stored means, which are replaced as rows are encoded. In evaluation the mixture is over all N, encoded anew with the
    weights as they are, once after every change from training to evaluation. The means are saved, the rows are not.

    Parameters
    ----------
    dim
        Dimension of z.
    exemplars
        N: at most the number of rows given to `initialise`.
    neighbours
        How many exemplars are counted in training.

    """

    knows_rows = True
    centres: Tensor
    zeros: Tensor
    chosen: Tensor | None
    values: Tensor | None
    covariates: Tensor | None
    observed: Tensor | None

    def __init__(self, dim: int, exemplars: int, neighbours: int = 10) -> None:
        super().__init__()
        self.event_shape, self.neighbours = torch.Size((dim,)), neighbours
        self.log_std = nn.Parameter(torch.zeros(()))
        self.register_buffer("centres", torch.zeros(exemplars, dim))
        self.register_buffer("zeros", torch.zeros(exemplars), persistent=False)
        self.register_buffer("chosen", None, persistent=False)
        self.register_buffer("values", None, persistent=False)
        self.register_buffer("covariates", None, persistent=False)
        self.register_buffer("observed", None, persistent=False)
        self._stale = False

    def initialise(self, values: Tensor, covariates: Tensor | None = None, observed: Tensor | None = None) -> None:
        """Take the exemplars, evenly spaced, from these rows `(rows, *event)`, with their covariates and mask."""
        count = len(self.centres)
        if len(values) < max(2, count):
            raise ConfigError(f"{count} exemplars need as many training rows (and two at least), got {len(values)}")
        self.chosen = torch.arange(count, device=values.device) * len(values) // count
        self.covariates = None if covariates is None else covariates[self.chosen]
        self.observed = None if observed is None else observed[self.chosen]
        self.values, self._stale = values[self.chosen], True

    def train(self, mode: bool = True) -> Exemplar:
        """Change to training or evaluation; the next evaluation after training encodes the exemplars anew."""
        self._stale |= self.training and not mode and self.values is not None
        super().train(mode)
        return self

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._stale = False  # the means that were stored belong to the weights that were

    def forward(self, posterior: Encode, rows: Tensor | None = None) -> LatentDistribution:
        """The distribution, over vectors `(dim,)`; in training its `log_prob` is of z `(sample, batch, dim)`."""
        if self._stale:
            self._renew(posterior)
        whole = LatentMixture(self.zeros, self._kernels(self.centres))
        if not self.training:
            return whole
        if self.values is None:
            raise ConfigError("an exemplar prior learns with training rows: call initialise(values) before")
        return _Nearest(self, whole, posterior, rows)

    def _kernels(self, means: Tensor) -> DiagonalNormal:
        return DiagonalNormal(means, self.log_std.to(means.dtype).expand(means.shape[-1]))

    @torch.no_grad()
    def _renew(self, posterior: Encode) -> None:
        places = torch.arange(len(self.centres), device=self.centres.device)
        self.centres = torch.cat([self._q(posterior, part).mean for part in places.split(CHUNK_ROWS)]).to(self.centres)
        self._stale = False

    def _q(self, posterior: Encode, places: Tensor) -> LatentDistribution:
        """Q(z|x) of these exemplars."""
        if self.values is None:
            raise ConfigError("an exemplar prior learns with training rows: call initialise(values) before")
        beside = {"covariates": self.covariates, "observed": self.observed}
        return posterior(
            self.values[places], **{name: part[places] for name, part in beside.items() if part is not None}
        )

    def _nearest(self, z: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """Of each row, the exemplars nearest to its samples' mean `(batch, k)`, and how many there are but itself."""
        with torch.no_grad():
            distance = torch.cdist(z.mean(0).to(torch.float64), self.centres.to(torch.float64))
            own = torch.zeros_like(distance, dtype=torch.bool)
            if rows is not None and self.chosen is not None:
                own = rows[:, None] == self.chosen
            nearest = distance.masked_fill(own, torch.inf).topk(
                min(self.neighbours, len(self.centres) - 1), largest=False
            )
            return nearest.indices, (~own).sum(-1)

    def log_nearest(self, z: Tensor, posterior: Encode, rows: Tensor | None) -> Tensor:
        """log of the sum over the nearest exemplars by the number of all but the row: `(sample, batch)`, nats."""
        nearest, others = self._nearest(z, rows)
        used, place = nearest.unique(return_inverse=True)
        means = self._q(posterior, used).mean
        with torch.no_grad():
            self.centres[used] = means.to(self.centres.dtype)
        log_kernels = self._kernels(means[place]).log_prob(z.unsqueeze(-2))
        return torch.logsumexp(log_kernels, -1) - others.to(log_kernels.dtype).log()


class _Nearest(LatentDistribution):
    """The distribution in training: densities by the nearest exemplars, draws from all of them as stored."""

    def __init__(self, prior: Exemplar, whole: LatentMixture, posterior: Encode, rows: Tensor | None) -> None:
        self.prior, self.whole, self.posterior, self.rows = prior, whole, posterior, rows
        super().__init__(whole.batch_shape, whole.event_shape, validate_args=False)

    @property
    def like(self) -> Tensor:
        return self.whole.like

    @property
    def noise_size(self) -> int:
        return self.whole.noise_size

    @property
    def mean(self) -> Tensor:
        return self.whole.mean

    @property
    def variance(self) -> Tensor:
        return self.whole.variance

    def expand(self, batch_shape: Any, _instance: Any = None) -> LatentDistribution:
        return self.whole.expand(batch_shape)

    def at(self, index: Index) -> LatentDistribution:
        return self.whole.at(index)

    def from_noise(self, noise: Tensor) -> Tensor:
        return self.whole.from_noise(noise)

    def rsample(self, sample_shape: Any = torch.Size(), generator: torch.Generator | None = None) -> Tensor:
        return self.whole.rsample(sample_shape, generator)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        return self.whole.sample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        lead = value.shape[:-1]
        log_p = self.prior.log_nearest(value.reshape(-1, *value.shape[-2:]), self.posterior, self.rows)
        return log_p.view(lead)
