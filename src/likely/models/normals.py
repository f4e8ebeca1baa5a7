"""A model whose Q(z|x) is a closed form: z is a mixture of normals, and each cell is nearly its own coordinate of z."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from likely.data import Batch, Warp
from likely.data.batch import completed
from likely.distributions import FullNormal, LatentDistribution, LatentMixture
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.likelihoods.warped import scale_bound
from likely.models.base import Model
from likely.models.given import Given, Masks
from likely.models.terms import Terms
from likely.networks import Features

__all__ = ["Normals", "Outputs"]

LEAST_NOISE = 1e-3  # variance of a cell given its coordinate, in variances of the coordinate
MOST_NOISE = 0.1
LEAST_WEIGHT = 1e-300
NODES = 9  # of the Gauss-Hermite rule for means in data units


@dataclass(frozen=True, eq=False)
class Outputs:
    """How the parameters of P(x|z) come from z.

    Attributes
    ----------
    linear
        What is added for each coordinate of z, `(latent, numbers)`: a location is one, a logit ten of them.
    constants
        What is added for all z where something is added for a coordinate, `(numbers,)`.
    scales
        Places of the raw log-scales of numeric columns, in the order of their coordinates; −1 where there is none.
    truths
        Columns of 0 and 1 that are numbers.
    axis
        The axes of their likelihoods, in that order.

    """

    linear: Tensor
    constants: Tensor
    scales: Tensor
    truths: Tensor
    axis: Warp | None


class Normals(Model):
    r"""P(x) = ∫ Π_j P(x_j|z_j) P(z) dz, z a mixture of normals with full covariances, one coordinate a feature of x.

    A feature is a number's place T_j(x_j) on its warped axis, or the indicator of a category. P(z) = Σ_k π_k N(z; m_k,
    S_k), and T_j(x_j) is z_j plus noise of variance ν_j: that within the cells of a grid, at least a thousandth of the
    column's variance. With normal noise P(z|x_o) is the mixture of

        N(m_k + S_ko C_k⁻¹ (y_o − m_ko),  S_k − S_ko C_k⁻¹ S_ok),   C_k = (S_k + diag ν)_oo,

    y_o the observed features, with weights π_k N(y_o; m_ko, C_k): this is Q(z|x), whichever cells are missing, and no
    encoder is trained. So conditional means of missing cells are sums (`expected`). P(x|z) is the likelihood's own,
    whose noise is logistic on the axis, so that log P(x) is estimated as that of any other model.

    The components are those of several members, fitted apart from different starts (`training.em`). P(x) is the mean
    of the members' densities. In Q(z|x) every member counts alike whatever the row is: the members stand for draws of
    the parameters given all rows, this one among them, so that to weigh them by the row would count it twice.

    Sources: Ghahramani and Jordan 1994, Supervised learning from incomplete data via an EM approach; Hoeting, Madigan,
    Raftery and Volinsky 1999, Bayesian model averaging.

    Parameters
    ----------
    likelihood
        Of the columns, its numeric ones on warped axes with one component.
    features
        The first layer of an encoder: numbers on these axes, categories as indicators.
    outputs
        Which of the likelihood's parameters are what.
    sizes
        Components of each member.

    Raises
    ------
    ConfigError
        If a member has no component, or a category is embedded.

    """

    closed = True
    condition = None
    exposure = None
    noise: Tensor
    base: Tensor
    member: Tensor
    linear: Tensor
    scales: Tensor
    constant: Tensor
    constants: Tensor
    truths: Tensor

    def __init__(self, likelihood: Likelihood, features: Features, outputs: Outputs, sizes: Sequence[int]) -> None:
        super().__init__()
        if not sizes or min(sizes) < 1:
            raise ConfigError(f"normals: each member needs a component at least, got {list(sizes)}")
        if len(features.embeddings):
            raise ConfigError("normals: a column has more categories than can have a coordinate each; take model vae")
        dim, count, exact = features.outputs, sum(sizes), torch.float64
        self.p_x_z, self.features_of, self.sizes = likelihood, features, tuple(sizes)
        self.latent, known = dim, outputs.linear.any(0)
        self.register_buffer("linear", outputs.linear.to(torch.float64), persistent=False)
        self.axis = outputs.axis
        self.register_buffer("constants", outputs.constants, persistent=False)
        self.register_buffer("truths", outputs.truths, persistent=False)
        self.register_buffer("scales", outputs.scales, persistent=False)
        self.register_buffer("constant", ~known, persistent=False)
        self.logits = nn.Parameter(torch.full((count,), -math.log(count), dtype=exact))
        self.means = nn.Parameter(torch.zeros(count, dim, dtype=exact))
        self.factors = nn.Parameter(torch.eye(dim, dtype=exact).repeat(count, 1, 1))
        member = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        self.register_buffer("member", member, persistent=False)
        self.register_buffer("noise", torch.full((dim,), LEAST_NOISE, dtype=exact))
        self.register_buffer("base", torch.zeros(likelihood.parameter_shape.numel(), dtype=exact))

    @property
    def covariances(self) -> Tensor:
        """S, `(components, latent, latent)`."""
        lower = self.factors.tril()
        return lower @ lower.mT

    @torch.no_grad()
    def located(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The features of rows, and which of them are known: `(batch, latent)` twice, float64 and boolean."""
        values = completed(batch.values, batch.observed)
        places = self.features_of(values).to(torch.float64)
        if batch.observed is None:
            return places, torch.ones_like(places, dtype=torch.bool)
        return places, batch.observed.flatten(1)[:, self.features_of.cells]

    def prior(self, rows: Tensor | None = None) -> LatentDistribution:  # noqa: ARG002
        """P(z), the mean over the members."""
        share = self.logits.new_tensor([1 / len(self.sizes)] * len(self.sizes)).log()
        return LatentMixture(self._within_members(self.logits) + share[self.member], _normal(self.means, self.factors))

    def _within_members(self, logits: Tensor) -> Tensor:
        """Logits `(..., components)` less the logarithm of each member's total: log-weights within it."""
        parts = [part.log_softmax(-1) for part in logits.split(self.sizes, -1)]
        return torch.cat(parts, -1)

    def _given(self, batch: Batch) -> Iterator[tuple[Given, Tensor]]:
        """What rows say of each component, with the weights of Q(z|x)'s components: `(rows, components)`."""
        noisy = self.covariances.detach() + torch.diag(self.noise)
        for given in Masks(*self.located(batch)).given(self.means.detach(), noisy):
            yield given, self._within_members(self.logits.detach() + given.log_density).exp() / len(self.sizes)

    @torch.no_grad()
    def encoded(self, batch: Batch) -> Tensor:
        """log-weights, means and Cholesky factors of Q's components: `(batch, encoded_size)`, float64."""
        covariances, noise = self.covariances.detach(), torch.diag(self.noise)
        precisions = torch.linalg.inv(covariances + noise)
        still = covariances - covariances @ precisions @ covariances  # S − S Λ S, of z where all of y is known
        pulled = covariances @ precisions
        encoded = self.means.new_zeros(len(batch), self.encoded_size)
        for given, weights in self._given(batch):
            beside = pulled[:, :, given.missing].permute(2, 0, 1, 3)
            spread = still + beside @ given.spread @ beside.mT
            spread = (spread + spread.mT) / 2 + 1e-6 * noise
            factors = torch.linalg.cholesky(spread)[given.mask].flatten(1)
            means = self.means + (given.away.transpose(0, 1) @ pulled.mT).transpose(0, 1)
            parts = [weights.clamp_min(LEAST_WEIGHT).log(), means.flatten(1), factors]
            encoded[given.rows] = torch.cat(parts, 1)
        return encoded

    @property
    def encoded_size(self) -> int:
        """How many numbers are the parameters of Q of one row."""
        return len(self.means) * (1 + self.latent + self.latent**2)

    def posterior_from(self, encoded: Tensor) -> LatentDistribution:
        """Q(z|x), a mixture of normals."""
        count, dim = self.means.shape
        logits, means, factors = encoded.split([count, count * dim, count * dim**2], -1)
        return LatentMixture(
            logits, _normal(means.unflatten(-1, (count, dim)), factors.unflatten(-1, (count, dim, dim)))
        )

    def decoded(self, z: Tensor, covariates: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """The parameters of P(x|z): locations and logits are coordinates of z, the others are constants."""
        z, own = z.to(self.base.dtype), self.features_of.axis
        if own is not None and self.axis is not None:
            numbers, others = z.split([len(self.scales), z.shape[-1] - len(self.scales)], -1)
            z = torch.cat([self.axis(own.inverse(numbers))[0].to(z.dtype), others], -1)
        decoded: Tensor = self.base + z @ self.linear.to(z.dtype)
        return decoded

    @property
    def widest(self) -> int:
        """The most numbers that are held per sample and row."""
        return max(self.latent * len(self.means), self.p_x_z.parameter_shape.numel())

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
        """The terms of the identity at z ~ Q(z|x) (see `Model.terms`)."""
        q = self.posterior(batch) if q is None else q
        draws = q.sample_with_log_prob(k, generator=generator, noise=noise)
        return Terms(draws, partial(self.log_px_z, batch, draws.z), q, self.prior() if p is None else p)

    @torch.no_grad()
    def initialise(self, batch: Batch) -> None:
        """Set the noise, and the constants of P(x|z), by training rows."""
        places, known = self.located(batch)
        noise = torch.stack([_within_cells(places[seen, j]) for j, seen in enumerate(known.T)])
        self.noise.copy_(noise)
        base = (
            self.p_x_z.initial(completed(batch.values, batch.observed)).to(self.base) * self.constant + self.constants
        )
        scale, held = self.noise[: len(self.scales)].sqrt() * math.sqrt(3) / math.pi, self.scales >= 0
        base[self.scales[held]] = scale_bound().to(base.device).inverse(scale[held].log()).to(base)
        self.base.copy_(base)

    @torch.no_grad()
    def expected(self, batch: Batch) -> Tensor:
        """E[x_j|x_o] of every cell, in data units, and of a category the most probable code: `(batch, *event)`.

        Numbers by a Gauss-Hermite rule of nine nodes for each component, within the range of the axis' knots.
        """
        axis, places = self.features_of.axis, self.features_of.places
        values = batch.values.new_zeros(batch.values.shape, dtype=torch.float64)
        for given, weights in self._given(batch):
            mean = self.means + given.away
            if axis is not None:
                numbers = mean[..., : len(places)]
                deviations = torch.zeros_like(mean)
                variances = given.spread.diagonal(dim1=-2, dim2=-1) - self.noise[given.missing].unsqueeze(1)
                each = given.missing[given.mask].unsqueeze(1).expand(-1, len(self.means), -1)
                deviations.scatter_(2, each, variances.clamp_min(0).sqrt()[given.mask])
                found = _through(axis, numbers, deviations[..., : len(places)])
                values[given.rows[:, None], places] = (weights.unsqueeze(-1) * found).sum(1)
            odds = (weights.unsqueeze(-1) * mean).sum(1)
            first = 0 if axis is None else len(places)
            for place, size in self.features_of.categories:
                values[given.rows, place] = odds[:, first : first + size].argmax(1).to(torch.float64)
                first += size
        values[:, self.truths] = values[:, self.truths].round()
        return values


def _through(axis: Warp, means: Tensor, deviations: Tensor) -> Tensor:
    """E[T⁻¹(y)] of normal y, `(*batch, columns)`, within the range of the axis' knots."""
    low, high = axis.y[:, 0], axis.y.where(axis.y.isfinite(), -math.inf).amax(1)
    total = torch.zeros_like(means)
    for node, share in zip(*_gauss_hermite(means), strict=True):
        total += share * axis.inverse(torch.minimum(torch.maximum(means + deviations * node, low), high))
    return total


def _normal(means: Tensor, factors: Tensor) -> FullNormal:
    """N(m, L Lᵀ) of Cholesky factors L, `(..., dim, dim)`."""
    deviations = factors.diagonal(dim1=-2, dim2=-1).abs().clamp_min(1e-12)
    return FullNormal(means, deviations.log(), factors / deviations.unsqueeze(-1))


def _within_cells(places: Tensor) -> Tensor:
    """The variance within a cell, between a thousandth and a tenth of all: cells reach halfway to the next value."""
    if len(places) < 2:
        return places.new_tensor(LEAST_NOISE)
    values, counts = places.unique(return_counts=True)
    variance = places.var(correction=0)
    if len(values) < 3:
        return LEAST_NOISE * variance.clamp_min(LEAST_NOISE)
    middle = (values[1:] + values[:-1]) / 2
    edges = torch.cat([2 * values[:1] - middle[:1], middle, 2 * values[-1:] - middle[-1:]])
    within = (counts * edges.diff().square()).sum() / len(places) / 12
    noise: Tensor = LEAST_NOISE * variance + within.clamp_max(MOST_NOISE * float(variance))
    return noise


def _gauss_hermite(like: Tensor) -> tuple[list[float], list[float]]:
    """Nodes and weights of the mean of N(0, 1), by the eigenvalues of the recurrence (Golub and Welsch 1969)."""
    off = torch.arange(1, NODES, dtype=like.dtype).sqrt()
    nodes, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return nodes.tolist(), vectors[0].square().tolist()
