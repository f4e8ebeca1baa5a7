"""What the derivation computes: each function is one experiment, and `numbers` has every number that its text quotes.

Both languages import this file, so both show the same numbers. All log-probabilities are per row, in nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.distributions import MultivariateNormal

import likely
from likely import likelihoods, networks, posteriors, priors
from likely.distributions import DiagonalNormal, StandardNormal
from likely.distributions.normal import kl_per_dimension, kl_to_standard_normal
from likely.models import Model, quantiles, uniform_points
from likely.run.run import Run

torch.set_num_threads(1)

STEP, REACH = 0.05, 4.5  # of the grid over z, in two dimensions
BETAS = (0.25, 1.0, 2.0, 4.0, 16.0, 64.0)
DIMENSIONS = (1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 25, 30)
POINTS = (256, 16384)
REPARAMETERISED, SCORE = "∂ log P(x|μ + σε) / ∂μ", "log P(x|z) ∂ log Q(z|x) / ∂μ"
KINDS = ("prior", "quasi", "posterior")


# The data


@lru_cache
def digits() -> np.ndarray:
    """The 1,797 digits of scikit-learn (Alpaydin and Kaynak 1998), 8x8 pixels cut at half: `(1797, 64)`, 0 or 1."""
    return (load_digits().data >= 8).astype(np.float32)


def ring(rows: int, seed: int) -> np.ndarray:
    """Draws of z ~ N(0, I) bent into a ring, x = z/10 + z/|z| (Doersch 2016, figure 2): `(rows, 2)`."""
    z = np.random.default_rng(seed).normal(size=(rows, 2))
    return z / 10 + z / np.linalg.norm(z, axis=1, keepdims=True)


def ring_log_p(x: np.ndarray) -> np.ndarray:
    """The true log P(x) of the ring, by the change of variables |z| = 10 (|x| - 1): `(rows,)`, nats."""
    length = np.linalg.norm(x, axis=-1)
    z = np.maximum(10 * (length - 1), 0)
    with np.errstate(divide="ignore"):
        return -math.log(2 * math.pi) - z**2 / 2 + np.log(10 * z / length)


# The two models


@lru_cache
@torch.enable_grad()
def digits_run(objective: str = "elbo", steps: int = 1500) -> Run:
    """A variational autoencoder of the digits, with z of two dimensions."""
    return likely.fit(digits(), latent=2, objective=objective, steps=steps, seed=0, progress=False)


@lru_cache
@torch.enable_grad()
def ring_run() -> Run:
    """A variational autoencoder of the ring, put together from its parts."""
    torch.manual_seed(0)
    vae = likely.VAE(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Gaussian((2,), sigma="shared"),
        posterior=posteriors.Normal(2),
        encoder=networks.ResidualMLP(2, 4, width=64),
        decoder=networks.ResidualMLP(2, 2, width=64),
    )
    config = likely.config.TrainingConfig(steps=2000, batch_size=256, learning_rate=4e-3)
    return likely.train(vae, torch.from_numpy(ring(4000, 0)).float(), config=config, seed=0)


def unseen_rows(run: Run, most: int | None = None) -> likely.Batch:
    """The rows that training has not seen, or the first of them."""
    encoded = run.encoded(run.rows_of()[0])
    return encoded.evaluation_batch(torch.arange(len(encoded))[:most])


# Exact integrals over z, on a grid


@lru_cache
def grid() -> Tensor:
    """Points of the plane of z, `(points, 2)`, each of which stands for a square of side `STEP`."""
    ticks = torch.arange(-REACH, REACH + STEP / 2, STEP)
    return torch.cartesian_prod(ticks, ticks)


@torch.no_grad()
def log_joint(model: Model, batch: likely.Batch) -> Tensor:
    """log P(x, z) at each point of the grid: `(points, rows)`."""
    return torch.cat([model.log_joint(batch, z.unsqueeze(1)) for z in grid().split(512)]).double()


def integral(density: Tensor) -> Tensor:
    """The integral over z of what has these values on the grid, `(points, rows)` -> `(rows,)`."""
    return density.sum(0) * STEP**2


@dataclass(frozen=True, eq=False)
class Identity:
    """Each term of the identity for some rows, as an integral over the grid: `(rows,)` each, nats."""

    joint: Tensor
    q: DiagonalNormal
    log_px: Tensor
    gap: Tensor
    reconstruction: Tensor
    kl: Tensor
    kl_closed: Tensor

    @property
    def elbo(self) -> Tensor:
        """The right-hand side."""
        return self.reconstruction - self.kl

    @property
    def posterior(self) -> Tensor:
        """P(z|x) on the grid, `(points, rows)`."""
        return (self.joint - self.log_px).exp()


@torch.no_grad()
def identity(run: Run, most: int | None = None) -> Identity:
    """Each term of the identity for the test rows; no two of them are computed from each other."""
    model, batch = run.model.eval(), unseen_rows(run, most)
    joint, q, p = log_joint(model, batch), model.posterior(batch), model.prior()
    log_p = p.log_prob(grid()).double().unsqueeze(1)
    log_q = torch.cat([q.log_prob(z.unsqueeze(1)) for z in grid().split(4096)]).double()
    log_px = integral(joint.exp()).log()
    weight = log_q.exp()
    return Identity(
        joint=joint,
        q=q,
        log_px=log_px,
        gap=integral(weight * (log_q - (joint - log_px))),
        reconstruction=integral(weight * (joint - log_p)),
        kl=integral(weight * (log_q - log_p)),
        kl_closed=kl_to_standard_normal(q, p).double(),
    )


@lru_cache
def digits_identity() -> Identity:
    """The terms for the digits' test rows."""
    return identity(digits_run())


def typical_row() -> int:
    """The test row whose gap is the median."""
    gap = digits_identity().gap
    return int(gap.argsort()[len(gap) // 2])


def bad_row() -> int:
    """The test row whose gap is larger than that of 90% of the others."""
    gap = digits_identity().gap
    return int(gap.argsort()[int(0.9 * len(gap))])


# 1, 2: maximum likelihood, and the integral


@dataclass(frozen=True, eq=False)
class Densities:
    """log P(x) of 4,000 new rows of the ring, `(rows,)` each: of the truth, of one normal, of the model."""

    truth: np.ndarray
    normal: np.ndarray
    model: np.ndarray


@torch.no_grad()
def sum_over(model: Model, x: Tensor, points: int) -> Tensor:
    """log (1/N) Σ_n P(x|z_n) over N quasi-random points of P(z): `(rows,)`."""
    z = quantiles(model.prior(), uniform_points(points, model.latent, 0))
    parts = [model.log_px_z(likely.Batch(x), part.unsqueeze(1)).logsumexp(0) for part in z.split(256)]
    return torch.stack(parts).logsumexp(0) - math.log(points)


@lru_cache
def ring_densities() -> Densities:
    """The three laws on new rows."""
    x, fitted = ring(4000, 1), ring(4000, 0)
    normal = MultivariateNormal(torch.from_numpy(fitted.mean(0)), torch.from_numpy(np.cov(fitted.T)))
    model = sum_over(ring_run().model.eval(), torch.from_numpy(x).float(), 8192)
    return Densities(ring_log_p(x), normal.log_prob(torch.from_numpy(x)).numpy(), model.double().numpy())


def pixels_alone() -> float:
    """Mean log P(x) of the digits' test rows where each pixel is drawn on its own, as often as in training rows."""
    run = digits_run()
    seen, x = digits()[run.division.train], unseen_rows(run).values
    p = torch.from_numpy((seen.sum(0) + 0.5) / (len(seen) + 1))
    return float(torch.distributions.Bernoulli(p).log_prob(x).sum(-1).mean())


# 3: the likelihood is differentiable


def slope() -> tuple[float, float]:
    """∂ log P(x|z)/∂z_1 at the origin, of the typical row: by automatic differentiation, and by a difference."""
    model, row = digits_run().model.eval(), typical_row()
    batch = likely.Batch(unseen_rows(digits_run()).values[row : row + 1])
    z = torch.zeros(1, 1, 2, requires_grad=True)
    (found,) = torch.autograd.grad(model.log_px_z(batch, z).sum(), z)
    with torch.no_grad():
        step = torch.tensor([[[0.01, 0.0]]])
        difference = (model.log_px_z(batch, step) - model.log_px_z(batch, -step)) / 0.02
    return float(found[0, 0, 0]), float(difference)


# 4: what the decoder does to z, layer by layer


@torch.no_grad()
def layers(draws: int = 500) -> list[np.ndarray]:
    """Draws of z, then the output of each layer of the ring's decoder for them: `(draws, 2)` each.

    A layer of 64 numbers is shown by the two directions in which it varies most.
    """
    z = torch.randn(draws, 2, generator=torch.Generator().manual_seed(0))
    outputs = ring_run().model.decoder.layers(z)
    shown = []
    for output in outputs[:-1]:
        centred = output - output.mean(0)
        shown.append((centred @ torch.linalg.svd(centred, full_matrices=False)[2][:2].T).numpy())
    return [z.numpy(), *shown, outputs[-1].numpy()]


# 5: the integral without Q


@lru_cache
def integrated_log_p() -> float:
    """Mean log P(x) of the digits' test rows under a model that has no Q: its integral is a sum over 2,048 points."""
    run = likely.fit(digits(), model="integrated:2:256", steps=500, seed=0, progress=False)
    return float(run.evaluate(anneal=0)["iwae"].nats)


# 5: simple Monte Carlo against the dimension of z


@torch.no_grad()
def shortfall(latent: int, points: int, rows: int = 20, repeats: int = 2) -> dict[str, float]:
    """Mean of |log P̂(x) - log P(x)| over rows of a linear Gaussian model, x = W z + ε/2, whose P(x) is known.

    W has 2 `latent` rows and normal entries of variance 1/`latent`. P̂(x) is the mean over N points: of P(x|z) where
    they are drawn from P(z) (`prior`) or quasi-random (`quasi`), of P(x|z) P(z)/Q(z|x) where they are drawn from
    Q(z|x), the best normal law with a diagonal covariance (`posterior`).
    """
    generator = torch.Generator().manual_seed(0)
    eye = torch.eye(latent, dtype=torch.float64)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    w = normal(2 * latent, latent) / math.sqrt(latent)
    x = normal(rows, latent) @ w.T + 0.5 * normal(rows, 2 * latent)
    covariance = w @ w.T + 0.25 * torch.eye(2 * latent, dtype=torch.float64)
    exact = MultivariateNormal(torch.zeros(2 * latent, dtype=torch.float64), covariance).log_prob(x)
    precision = eye + 4 * w.T @ w
    q = DiagonalNormal(
        torch.linalg.solve(precision, 4 * w.T @ x.T).T, -0.5 * precision.diagonal().log().expand(rows, -1)
    )
    p = StandardNormal(torch.zeros(latent, dtype=torch.float64))

    def log_px_z(z: Tensor) -> Tensor:
        return -2 * (x - z @ w.T).square().sum(-1) - 2 * latent * math.log(0.5 * math.sqrt(2 * math.pi))

    errors = dict.fromkeys(KINDS, 0.0)
    for repeat in range(repeats):
        drawn = {
            "prior": normal(points, latent),
            "quasi": quantiles(p, uniform_points(points, latent, repeat)).double(),
        }
        for kind, z in drawn.items():
            weights = torch.cat([log_px_z(part.unsqueeze(1)) for part in z.split(1024)])
            errors[kind] += float((weights.logsumexp(0) - math.log(points) - exact).abs().mean()) / repeats
        z = q.rsample(torch.Size((points,)), generator)
        weights = torch.cat([log_px_z(part) for part in z.split(1024)]) + p.log_prob(z) - q.log_prob(z)
        errors["posterior"] += float((weights.logsumexp(0) - math.log(points) - exact).abs().mean()) / repeats
    return errors


@lru_cache
def monte_carlo() -> dict[int, dict[int, dict[str, float]]]:
    """The error for each number of points, dimension of z and kind of points."""
    return {points: {latent: shortfall(latent, points) for latent in DIMENSIONS} for points in POINTS}


# 6: where Q puts its draws


def share_that_counts(row: int, mass: float = 0.99) -> float:
    """How much of P(z) lies in the smallest region of z that holds 99% of P(z|x)."""
    found = digits_identity()
    order = found.posterior[:, row].argsort(descending=True)
    inside = found.posterior[order, row].cumsum(0) * STEP**2 <= mass
    prior = StandardNormal(torch.zeros(2)).log_prob(grid()).double().exp()
    return float(prior[order][inside].sum() * STEP**2)


# 7, 8: weights of one row


@torch.no_grad()
def log_weights(row: int, draws: int = 2**18) -> Tensor:
    """log P(x, z)/Q(z|x) at draws of Q(z|x), `(draws,)`: their mean is the ELBO."""
    model = digits_run().model.eval()
    batch = likely.Batch(unseen_rows(digits_run()).values[row : row + 1])
    return model.terms(batch, draws, generator=torch.Generator().manual_seed(0)).log_weight[:, 0].double()


# 9: the loss


def loss_by_hand(values: Tensor, noise: Tensor) -> Tensor:
    """Minus the mean ELBO of a batch of rows of 0 and 1."""
    model = digits_run().model
    mean, log_std = model.encoder(values).chunk(2, -1)
    z = mean + log_std.exp() * noise
    logits = model.decoder(z)
    reconstruction = (values * logits - torch.nn.functional.softplus(logits)).sum(-1)
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return -(reconstruction - kl).mean()


def loss_of_package(values: Tensor, seed: int = 0) -> Tensor:
    """The same by the classes that train."""
    loss = likely.objectives.base.Loss(digits_run().model, likely.objectives.ELBO())
    return loss(likely.Batch(values), generator=torch.Generator().manual_seed(seed))[0]


# 10: the KL of one number of z


@dataclass(frozen=True)
class Bells:
    """Q and P of one number of z, and D[Q‖P] of the two: in closed form, and as the integral of Q log (Q/P)."""

    mean: float
    std: float
    z: np.ndarray
    q: np.ndarray
    p: np.ndarray
    closed: float
    by_integral: float


def bells(row: int, dimension: int = 0) -> Bells:
    """The bells of a row."""
    q = digits_identity().q
    parts = kl_per_dimension(q, StandardNormal(torch.zeros(2)))
    mean, log_std = float(q.loc[row, dimension]), float(q.log_std[row, dimension])
    z = np.linspace(-5, 5, 20001)
    log_q = -0.5 * ((z - mean) / math.exp(log_std)) ** 2 - log_std - 0.5 * math.log(2 * math.pi)
    log_p = -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    found = float((np.exp(log_q) * (log_q - log_p)).sum() * (z[1] - z[0]))
    return Bells(mean, math.exp(log_std), z, np.exp(log_q), np.exp(log_p), float(parts[row, dimension]), found)


# 11: the reconstruction term by samples


@torch.no_grad()
def reconstruction_errors(row: int) -> dict[int, float]:
    """N -> standard deviation of the mean of log P(x|z) over N draws of Q(z|x)."""
    model = digits_run().model.eval()
    batch = likely.Batch(unseen_rows(digits_run()).values[row : row + 1])
    values = model.terms(batch, 2**16, generator=torch.Generator().manual_seed(1)).log_px_z[:, 0].double()
    return {n: float(values.reshape(-1, n).mean(1).std()) for n in (1, 4, 16, 64, 256)}


def gradient_noise(row: int, draws: int = 10_000) -> dict[str, tuple[float, float]]:
    """The gradient of E_Q[log P(x|z)] in μ_1, estimated two ways: mean and standard deviation of one draw's estimate.

    By reparameterisation, ∂ log P(x|z)/∂z at z = μ + σ ε; by the score function, log P(x|z) ∂ log Q(z|x)/∂μ.
    """
    model, q = digits_run().model.eval(), digits_identity().q.at((torch.tensor([row]),))
    batch = likely.Batch(unseen_rows(digits_run()).values[row : row + 1])
    with torch.no_grad():
        z = q.rsample(torch.Size((draws,)), torch.Generator().manual_seed(2))
    z.requires_grad_(True)
    value = model.log_px_z(batch, z)
    (through,) = torch.autograd.grad(value.sum(), z)
    score = value.detach() * ((z - q.loc) / q.variance)[..., 0]
    both = {REPARAMETERISED: through[:, 0, 0], SCORE: score[:, 0].detach()}
    return {name: (float(found.mean()), float(found.std())) for name, found in both.items()}


def sigma() -> float:
    """σ of the ring's P(x|z), as it was learned."""
    likelihood = ring_run().model.p_x_z
    return float(likelihood.log_scale(likelihood.raw).detach().exp())


def total_mass(sigma: float, *, misprint: bool) -> float:
    """What the normal density adds up to over all x, with 2σ² in the exponent or, as it is misprinted, with 2σ."""
    x = np.linspace(-20, 20, 400_001) * math.sqrt(sigma)
    exponent = -(x**2) / (2 * sigma if misprint else 2 * sigma**2)
    return float(np.exp(exponent - math.log(sigma * math.sqrt(2 * math.pi))).sum() * (x[1] - x[0]))


# 13: the importance-weighted bound


@lru_cache
def bounds(row: int) -> dict[int, float]:
    """K -> L_K, the mean over all draws of the logarithm of the mean of K weights."""
    weights = log_weights(row)
    ks = [4**i for i in range(6)]
    return {k: float((weights.reshape(-1, k).logsumexp(1) - math.log(k)).mean()) for k in ks}


# 14: β


@lru_cache
def betas() -> dict[float, Identity]:
    """β -> the terms of the identity on the digits' test rows, of a model trained with that β."""
    return {beta: identity(digits_run(f"beta:{beta:g}", steps=500)) for beta in BETAS}


def numbers() -> dict[str, float]:
    """Every number that the text quotes, by name."""
    law, found, typical, bad = ring_densities(), digits_identity(), typical_row(), bad_row()
    chosen, few, many = bells(typical), *POINTS
    error, noise = monte_carlo(), gradient_noise(typical)
    values = {
        "ring truth": law.truth.mean(),
        "ring normal": law.normal.mean(),
        "ring model": law.model.mean(),
        "ring D normal": (law.truth - law.normal).mean(),
        "ring D model": (law.truth - law.model).mean(),
        "ring sigma": sigma(),
        "digits pixels": pixels_alone(),
        "digits log P": found.log_px.mean(),
        "digits elbo": found.elbo.mean(),
        "digits gap": found.gap.mean(),
        "digits kl": found.kl.mean(),
        "digits reconstruction": found.reconstruction.mean(),
        "digits integrated": integrated_log_p(),
        "worst gap": found.gap.max(),
        "identity error": (found.log_px - found.gap - found.elbo).abs().max(),
        "slope": slope()[0],
        "share percent": 100 * share_that_counts(typical),
        "kl closed": chosen.closed,
        "kl integral": chosen.by_integral,
        "mass right": total_mass(sigma(), misprint=False),
        "mass misprint": total_mass(sigma(), misprint=True),
        "noise ratio": noise[SCORE][1] / noise[REPARAMETERISED][1],
        "variance ratio": (noise[SCORE][1] / noise[REPARAMETERISED][1]) ** 2,
        "above percent": 100 * (found.reconstruction - found.kl / 2 > found.log_px).double().mean(),
    }
    values["typical cost"] = -found.reconstruction[typical]
    for name, row in (("typical", typical), ("bad", bad)):
        values |= {
            f"{name} {term}": getattr(found, term)[row] for term in ("log_px", "gap", "elbo", "reconstruction", "kl")
        }
        values |= {f"{name} L_{k}": bound for k, bound in bounds(row).items()}
    values |= {f"{kind} {d} {n}": error[n][d][kind] for n in (few, many) for d in DIMENSIONS for kind in KINDS}
    for beta, terms in betas().items():
        values |= {
            f"beta {beta:g} {term}": getattr(terms, term).mean() for term in ("reconstruction", "kl", "elbo", "log_px")
        }
    values |= {f"reconstruction {n}": error for n, error in reconstruction_errors(typical).items()}
    return {name: float(value) for name, value in values.items()}
