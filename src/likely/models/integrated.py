"""A model whose z is integrated out: a finite mixture, whose evidence and posterior are sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.quasirandom import SobolEngine

from likely.data import Batch
from likely.data.batch import completed
from likely.data.drawing import rand
from likely.distributions import LatentDistribution, Points
from likely.distributions.latent import Draws
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.models.base import Model, apply, concat_condition, start
from likely.models.exposure import Exposure
from likely.models.fit import demand_fitting
from likely.models.tables import MAX_DENSE, NO_MASS, AtPoints, Cells, points_closest, summed
from likely.models.terms import Sums, Terms
from likely.priors import FromPosterior, Prior

__all__ = ["STORED", "Integrated", "quantiles", "uniform_points"]

STORED = 8  # times as many points as a training step takes are the model's own
HALF_STEP = 2.0**-31  # of the points' grid, so that none lies on the edge of the unit cube
MAX_NUMBERS = 2**23  # held at once: 32 MiB of float32
MIN_ROWS_EACH = 4  # with one y on average: with fewer, P(x|z, y) is evaluated row by row
NUMBERS_AT_ONCE, MIN_POINTS = 2**19, 64  # of rows times points whose sums are taken at once: they stay in the cache
DRAWN = 8  # points a row at which a step takes the gradient, where it does not take it at all of them
MAX_SEED = 2**31 - 1


def uniform_points(count: int, size: int, seed: int) -> Tensor:
    """Points of a scrambled Sobol sequence in the open unit cube, `(count, size)`, float64.

    Each of them is uniform over the scrambles, and together they fill the cube evenly (Owen 1998, Scrambling Sobol and
    Niederreiter-Xing points).
    """
    return SobolEngine(size, scramble=True, seed=seed).draw(count, dtype=torch.float64) + HALF_STEP


def quantiles(p: LatentDistribution, uniforms: Tensor) -> Tensor:
    """Points of P(z), `(points, latent)`, of numbers between 0 and 1, `(points, numbers)`: its quantile map.

    The first numbers, which fill their axis most evenly, choose a component where there are several: noise that moves
    no draw about (`noise_moves`) comes first.
    """
    order = sorted(range(p.noise_size), key=lambda place: p.noise_moves[place])
    noise = torch.empty_like(uniforms)
    noise[:, order] = torch.special.ndtri(uniforms)
    return p.from_noise(noise.to(p.like))


class Integrated(Model):
    r"""P(x) = (1/N) Σ_n P(x|z_n), N stored points z_n of P(z): a finite mixture, normalised, its log P(x) exact.

    The points stand for the integral P(x) = ∫ P(x|z) P(z) dz, which randomised quasi-Monte Carlo has where z is small:
    they are u_n, a scrambled Sobol sequence, through the quantile map of P(z). Training maximises
    log (1/M) Σ_m P(x|z_m) over M points of a fresh scramble each step: by Jensen's inequality a lower bound on the log
    of the integral in expectation. There is no encoder: P(z|x) is exact, w_n = P(x|z_n) / Σ_m P(x|z_m), and is what is
    given as Q(z|x). So the gap is 0, and log P(x) = Σ_n w_n log P(x|z_n) − Σ_n w_n log(N w_n).

    Source: Correia, Gala, Quaeghebeur, de Campos, Peharz 2023, Continuous mixtures of tractable probabilistic models.

    Parameters
    ----------
    prior
        Module whose call returns P(z); one that maps uniform numbers to real vectors.
    likelihood
        Module that turns the decoder's output into P(x|z).
    decoder
        `(*batch, latent) -> (*batch, likelihood.parameter_shape.numel())`; with a condition y's features come after z.
    points
        M, in a step of training.
    stored
        N, of the model: 8 M unless given.
    seed
        Of the stored points; drawn from torch's generator unless given.
    condition, exposure
        As of a `VAE`.

    Raises
    ------
    ConfigError
        If there are no points, P(z) has no quantile map, or a network states a size that does not fit.

    """

    summed = True
    uniforms: Tensor

    def __init__(
        self,
        prior: Prior | FromPosterior,
        likelihood: Likelihood,
        decoder: nn.Module,
        points: int = 1024,
        *,
        stored: int | None = None,
        seed: int | None = None,
        condition: nn.Module | None = None,
        exposure: Exposure | None = None,
    ) -> None:
        super().__init__()
        stored = STORED * points if stored is None else stored
        if min(points, stored) < 1:
            raise ConfigError(f"an integrated model needs a point of z at least, got {min(points, stored)}")
        if not isinstance(prior, Prior) or prior.space != "real":
            raise ConfigError(
                f"prior {type(prior).__name__} maps no uniform numbers to z, which an integrated model needs; take "
                "normal, diagonal, mixture or flow"
            )
        self.p_z, self.p_x_z, self.decoder = prior, likelihood, decoder
        self.condition, self.exposure, self.points = condition, exposure, points
        self.latent = int(prior.event_shape[0])
        demand_fitting(likelihood, None, decoder, condition, code=(self.latent, "z"), exposed=exposure is not None)
        seed = int(torch.randint(MAX_SEED, (1,))) if seed is None else seed
        self.register_buffer("uniforms", uniform_points(stored, prior().noise_size, seed))

    @property
    def stored(self) -> int:
        """N, how many points the model's z may be."""
        return len(self.uniforms)

    def codes(self, uniforms: Tensor) -> Tensor:
        """Points of P(z), `(points, latent)`, of numbers between 0 and 1, `(points, numbers)`: its quantile map."""
        return quantiles(self.p_z(), uniforms)

    def fresh_codes(self, count: int, seed: int) -> Tensor:
        """So many other points of P(z), by another scramble: `(count, latent)`."""
        return self.codes(uniform_points(count, self.uniforms.shape[1], seed).to(self.uniforms.device))

    def prior(self, rows: Tensor | None = None) -> Points:  # noqa: ARG002
        """P(z): each of the stored points is as probable as any."""
        z = self.codes(self.uniforms)
        return Points(z, z.new_zeros(len(z), dtype=torch.float64))

    def encoded(self, batch: Batch) -> Tensor:
        """log P(x|z_n) at the stored points, all that P(z|x) knows of x: `(batch, points)`, float64, nats."""
        return self.log_px_points(batch, self.codes(self.uniforms)).to(torch.float64)

    @property
    def encoded_size(self) -> int:
        """How many points there are."""
        return self.stored

    def posterior_from(self, encoded: Tensor) -> Points:
        """P(z|x), w_n = softmax(encoded)_n at the stored points: exact."""
        return Points(self.codes(self.uniforms), encoded)

    def decoded(self, z: Tensor, covariates: Tensor | None = None) -> Tensor:
        """The parameters of P(x|z): `(*lead, batch, likelihood.parameter_shape.numel())`."""
        return apply(self.decoder, self.p_x_z.parameter_shape.numel(), concat_condition(z, self.features(covariates)))

    def log_px_points(self, batch: Batch, z: Tensor) -> Tensor:
        """log P(x|z_n) of all rows at points that are the same for all, z `(points, latent)`: `(batch, points)`, nats.

        The decoder runs once for all rows, or once for each y that occurs.
        """
        return self._at_points(batch)(z)

    def _at_points(self, batch: Batch) -> AtPoints:
        """Points of z `(points, latent)` -> log P(x|z_n) of the rows, `(batch, points)`."""
        y = batch.covariates  # cells are independent given z where the likelihood is `separate`
        if self.p_x_z.separate and y is None:
            return self._by_tables(batch)
        if self.p_x_z.separate and y is not None:
            each, which = torch.unique(y, dim=0, return_inverse=True)
            if len(each) * MIN_ROWS_EACH <= len(batch):
                return self._by_y(batch, each, which)
        numbers = max(self.widest, self.p_x_z.parameter_shape.numel()) * len(batch)
        return AtPoints(partial(self._by_row, batch), max(1, MAX_NUMBERS // numbers), by_product=False)

    @property
    def _random(self) -> bool:
        return any(isinstance(module, _DropoutNd) for module in self.decoder.modules())

    def _by_row(self, batch: Batch, z: Tensor) -> Tensor:
        codes = z.unsqueeze(1).expand(-1, len(batch), -1)
        return self.log_px_z(batch, codes).T

    def _by_y(self, batch: Batch, each: Tensor, which: Tensor) -> AtPoints:
        """By tables for each of the y that occur."""
        order, parts = which.argsort(stable=True), []
        for number, one in enumerate(each):
            place = order[which[order] == number]
            seen = None if batch.observed is None else batch.observed[place]
            parts.append(self._by_tables(Batch(batch.values[place], seen, one.unsqueeze(0))))
        back, by_product = order.argsort(), all(part.by_product for part in parts)
        return AtPoints(lambda z: torch.cat([part(z) for part in parts])[back], by_product=by_product)

    def _by_tables(self, batch: Batch) -> AtPoints:
        """By tables of log P(x_j|z_n) over the distinct values of each cell, where all rows have one y, or none.

        `batch.covariates` is `(1, columns)` then.
        """
        cells, y = Cells.of(batch, self.p_x_z), batch.covariates
        numbers = max(self.widest, cells.most * self.p_x_z.parameter_shape.numel(), len(batch))

        def compute(part: Tensor) -> Tensor:
            return cells.log_px_z(self.likelihood_from(points_closest(self.decoded(part.unsqueeze(1), y)), y))

        return AtPoints(compute, max(1, MAX_NUMBERS // numbers), by_product=cells.most <= MAX_DENSE)

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
        """The terms at z ~ P(z|x), over the stored points; in training, unless Q is given, over a new scramble's.

        Weights P(x, z)/P(z|x) are all P(x), the reconstruction term and the KL are sums over the points, and their
        difference is log P(x). See `Model.terms`.

        Raises
        ------
        ConfigError
            If `q` or `p` is not one that this model gave.

        """
        if q is None and self.training:
            return self._terms_of_training(batch, k, generator, noise)
        q, p = self.posterior(batch) if q is None else q, self.prior(batch.rows) if p is None else p
        if not isinstance(q, Points) or not isinstance(p, Points):
            kinds = f"{type(q).__name__} and {type(p).__name__}"
            raise ConfigError(f"Q and P of an integrated model are what its posterior and prior give, got {kinds}")
        return _terms(q, p, Sums(*summed(q.logits)), cache(partial(_chosen, q, k, generator, noise)))

    def _terms_of_training(
        self, batch: Batch, k: int, generator: torch.Generator | None, noise: Tensor | None
    ) -> Terms:
        """The terms over the points of a new scramble, whose sums have the gradient of all points, or of drawn ones.

        Where log P(x|z_n) is no matrix product, most of a step would be the gradient at points that could not have made
        the row. As ∇ log Σ_n P(x|z_n) = E_w[∇ log P(x|z_n)], it is estimated, without bias, at points drawn by w;
        not for a decoder with dropout, which is another at each call.
        """
        device = batch.values.device if generator is None else generator.device
        z = self.fresh_codes(self.points, int(torch.randint(MAX_SEED, (), generator=generator, device=device)))
        at_points = self._at_points(batch)
        p = Points(z, z.new_zeros(len(z)))
        if at_points.by_product or self._random:
            q = Points(z, at_points(z))
            return _terms(q, p, Sums(*summed(q.logits)), cache(partial(_chosen, q, k, generator, noise)))
        with torch.no_grad():
            q = Points(z, at_points(z))
            sums = Sums(*summed(q.logits))
        place = rand((len(batch),), 0, generator, dtype=torch.float64, device=device).to(z.device)
        even = torch.arange(DRAWN, device=z.device).unsqueeze(1) + place
        numbers = q.chosen(torch.special.ndtri(even / DRAWN).unsqueeze(-1))
        sums = _with_gradient(sums, self.log_px_z(batch, z[numbers]))
        chosen = cache(partial(_chosen, q, k, generator, noise))
        return _terms(q, p, sums, chosen, partial(self.log_px_z, batch))

    def sums(self, batch: Batch, *, roughly: bool = False) -> Sums:
        """log P(x) and E_{P(z|x)}[log P(x|z)], by sums over the stored points; `roughly`, the first M of them."""
        return self.sums_over(batch, self.codes(self.uniforms[: self.points] if roughly else self.uniforms))

    def sums_over(self, batch: Batch, z: Tensor) -> Sums:
        """The same over any points `(points, latent)`, in memory that does not depend on how many they are."""
        at_points = self._at_points(batch)
        parts = z.split(min(len(z), max(MIN_POINTS, NUMBERS_AT_ONCE // len(batch))))
        each = [(summed(at_points(part)), len(part)) for part in parts]
        totals = torch.stack([log_px.double() + math.log(count) for (log_px, _), count in each])
        reconstructions = torch.stack([found.double() for (_, found), _ in each])
        log_total = totals.logsumexp(0)
        share = (totals - log_total).exp()
        reconstruction = torch.where(share > 0, share * reconstructions, 0.0).sum(0)
        log_px = log_total - math.log(len(z))
        return Sums(log_px, reconstruction.masked_fill(log_px == -math.inf, -math.inf))

    def expected_cells(self, batch: Batch, weights: Tensor) -> Tensor | None:
        """Σ_n w_n log P(x_j|z_n) over the stored points, `(batch, cells)`, nats, of weights `(batch, points)`, float64.

        `None` where that is no product of matrices: where there is a y, cells depend on each other given z, or they
        have many values.
        """
        if batch.covariates is not None or not self.p_x_z.separate:
            return None
        cells = Cells.of(batch, self.p_x_z)
        if cells.most > MAX_DENSE:
            return None
        numbers = max(self.widest, cells.most * self.p_x_z.parameter_shape.numel(), len(batch))
        total = torch.zeros((len(batch), batch.values[0].numel()), dtype=torch.float64, device=weights.device)
        size = max(1, MAX_NUMBERS // numbers)
        for z, w in zip(self.codes(self.uniforms).split(size), weights.split(size, 1), strict=True):
            total += cells.expected(self.likelihood_from(points_closest(self.decoded(z.unsqueeze(1))), None), w)
        return total.masked_fill(total < NO_MASS, -math.inf)

    def initialise(self, batch: Batch) -> None:
        """Start from training rows: the decoder's last bias, if it has one, at their independent marginals."""
        start(self.decoder, self.p_x_z.initial(completed(batch.values, batch.observed)))


def _terms(
    q: Points, p: Points, sums: Sums, numbers: Callable[[], Tensor], log_px_z: Callable[[Tensor], Tensor] | None = None
) -> Terms:
    """Terms at points with these numbers, whose log P(x|z) are looked up unless there is a way to compute them."""
    draws = Draws(lambda: q.points[numbers()], lambda: q.log_prob_of(numbers()))
    log_pz = Draws(lambda: draws.z, lambda: p.log_prob_of(numbers()))
    at_draws = (lambda: _looked_up(q.logits, numbers())) if log_px_z is None else (lambda: log_px_z(draws.z))
    return Terms(draws, at_draws, q, p, sums=sums, draws_of_p=log_pz)


def _with_gradient(sums: Sums, log_px_z: Tensor) -> Sums:
    """The sums with the gradient that they have on average, from log P(x|z_n) `(sample, batch)` at draws n ~ w.

    ∇ Σ_n w_n l_n is E_w[(1 + l_n − Σ_m w_m l_m) ∇l_n], l_n = log P(x|z_n).
    """
    zero = torch.where(log_px_z.isfinite(), log_px_z - log_px_z.detach(), 0.0)
    slope = 1 + torch.nan_to_num(log_px_z.detach() - sums.reconstruction)
    return Sums(sums.log_px + zero.mean(0), sums.reconstruction + (slope * zero).mean(0))


def _chosen(q: Points, k: int, generator: torch.Generator | None, noise: Tensor | None) -> Tensor:
    """Numbers of the points that are drawn, `(sample, batch)`."""
    return q.chosen(q.noise(torch.Size((k,)), generator) if noise is None else noise)


def _looked_up(table: Tensor, numbers: Tensor) -> Tensor:
    """Entries of a table `(batch, points)` by numbers `(sample, batch)`."""
    return table.expand(*numbers.shape, -1).gather(-1, numbers.unsqueeze(-1)).squeeze(-1)
