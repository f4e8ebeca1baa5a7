"""One dict of constructors per room: a new class enters its dict and meets every test of the room."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from likely import distributions, likelihoods, posteriors, priors
from likely.distributions import DiagonalNormal, LatentDistribution
from likely.likelihoods import Likelihood
from likely.objectives import ELBO, IWAE, MIWAE, MMD, Beta, BetaTC, Capacity, FreeBits, Objective
from likely.posteriors import Posterior
from likely.priors import Prior

DIM, CELLS, ROWS = 3, 5, 40

PRIORS: dict[str, Callable[[], Prior]] = {
    "standard normal": lambda: priors.StandardNormal(DIM),
    "diagonal normal": lambda: priors.DiagonalNormal(DIM),
    "mixture": lambda: priors.Mixture(DIM, 4),
    "vamp": lambda: priors.Vamp(DIM, (CELLS,), 6),
    "exemplar": lambda: priors.Exemplar(DIM, ROWS, 4),
    "flow, coupling": lambda: priors.Flow(DIM, 2, hidden=(16,)),
    "flow, spline": lambda: priors.Flow(DIM, 1, "spline", hidden=(8,)),
    "flow, autoregressive": lambda: priors.Flow(DIM, 2, "autoregressive", hidden=(16,)),
    "flow of one dimension": lambda: priors.Flow(1, 2, "autoregressive"),
}
POSTERIORS: dict[str, Callable[[], Posterior]] = {
    "normal": lambda: posteriors.Normal(DIM),
    "full normal": lambda: posteriors.FullNormal(DIM),
    "mixture": lambda: posteriors.Mixture(DIM, 3),
    "flow, iaf": lambda: posteriors.Flow(DIM, 2, context=4, hidden=(16,)),
    "flow, coupling": lambda: posteriors.Flow(DIM, 2, "coupling", context=4, hidden=(16,)),
}


def stir(module: nn.Module) -> nn.Module:
    """Away from the start, where every law is nearly the standard normal; in float64."""
    module.double()
    size = 0.1 if isinstance(module, priors.Flow | posteriors.Flow) else 0.3
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(size * torch.randn_like(weight))
    return module


def encode(values: Tensor) -> DiagonalNormal:
    return DiagonalNormal(0.5 * values[..., :DIM].double(), torch.full_like(values[..., :DIM].double(), -0.7))


def prior_law(name: str) -> LatentDistribution:
    prior = PRIORS[name]()
    prior.initialise(torch.randn(ROWS, CELLS))
    stir(prior)
    law: LatentDistribution = prior.eval()(encode)
    return law


def posterior_law(name: str, rows: int = 2) -> LatentDistribution:
    posterior = POSTERIORS[name]()
    stir(posterior)
    law: LatentDistribution = posterior(0.7 * torch.randn(rows, *posterior.parameter_shape, dtype=torch.float64))
    return law


LAWS: dict[str, Callable[[], LatentDistribution]] = {
    **{f"P: {name}": (lambda name=name: prior_law(name)) for name in PRIORS},  # type: ignore[misc]
    **{f"Q: {name}": (lambda name=name: posterior_law(name)) for name in POSTERIORS},  # type: ignore[misc]
}


EVENT, PIXELS = (2, 3), (2, 2, 3)
UNITS = {"shift": 5.0, "scale": 3.0}
LEVELS = {"low": 0.0, "high": 31.0, "shift": 15.0, "scale": 3.0}

LIKELIHOODS: dict[str, Callable[[], Likelihood]] = {
    "bernoulli": lambda: likelihoods.Bernoulli(EVENT),
    "categorical": lambda: likelihoods.Categorical(EVENT, 4),
    "gaussian": lambda: likelihoods.Gaussian(EVENT, **UNITS),
    "gaussian:2": lambda: likelihoods.Gaussian(EVENT, 2.0, **UNITS),
    "gaussian:shared": lambda: likelihoods.Gaussian(EVENT, "shared", **UNITS),
    "gaussian:column": lambda: likelihoods.Gaussian(EVENT, "column", **UNITS),
    "discretised logistic": lambda: likelihoods.DiscretisedLogistic(EVENT, **LEVELS),
    "discretised logistic mixture": lambda: likelihoods.DiscretisedLogisticMixture(EVENT, 3, **LEVELS),
    "coupled": lambda: likelihoods.DiscretisedLogisticMixture(PIXELS, 3, coupled=True, **LEVELS),
    "laplace": lambda: likelihoods.Laplace(EVENT, **UNITS),
    "logistic": lambda: likelihoods.Logistic(EVENT, **UNITS),
    "student": lambda: likelihoods.StudentT(EVENT, **UNITS),
    "lognormal": lambda: likelihoods.LogNormal(EVENT, 4.0),
    "gamma": lambda: likelihoods.Gamma(EVENT, 4.0),
    "beta": lambda: likelihoods.Beta(EVENT),
    "beta on an interval": lambda: likelihoods.Beta(EVENT, -2.0, 7.0),
    "poisson": lambda: likelihoods.Poisson(EVENT),
    "negative binomial": lambda: likelihoods.NegativeBinomial(EVENT),
    "zero-inflated poisson": lambda: likelihoods.ZeroInflated(likelihoods.Poisson(EVENT)),
    "zero-inflated nb": lambda: likelihoods.ZeroInflated(likelihoods.NegativeBinomial(EVENT)),
    "mixture": lambda: likelihoods.Mixture(EVENT, 3, **UNITS),
    "mixture of laplace": lambda: likelihoods.Mixture(EVENT, 3, distributions.Laplace, **UNITS),
    "truncated": lambda: likelihoods.Truncated(EVENT, 0.0, 8.0, **UNITS),
    "truncated below": lambda: likelihoods.Truncated(EVENT, 2.0, family=distributions.Logistic, **UNITS),
    "columns of masses": lambda: likelihoods.Columns(
        [(likelihoods.Bernoulli((2,)), [3, 0]), (likelihoods.ZeroInflated(likelihoods.Poisson((2,))), [1, 2])]
    ),
    "columns of densities": lambda: likelihoods.Columns(
        [(likelihoods.Gaussian((1,), "shared"), [3]), (likelihoods.Beta((2,)), [0, 1]), (likelihoods.Gamma((1,)), [2])]
    ),
}

# name -> (objective, is it a bound, does it couple rows)
OBJECTIVES: dict[str, tuple[Objective, bool, bool]] = {
    "elbo": (ELBO(), True, False),
    "elbo-sampled": (ELBO(samples=3, kl="sampled"), True, False),
    "beta": (Beta(4.0), True, False),
    "beta-below-1": (Beta(0.5, samples=2), False, False),
    "capacity": (Capacity(5.0, gamma=10.0), False, False),
    "free-bits": (FreeBits(0.1), True, True),
    "free-bits-total": (FreeBits(2.0, per="total"), True, True),
    "iwae": (IWAE(5), True, False),
    "iwae-stl": (IWAE(5, "stl"), True, False),
    "iwae-dreg": (IWAE(5, "dreg"), True, False),
    "miwae": (MIWAE((2, 3)), True, False),
    "miwae-dreg": (MIWAE((2, 3), "dreg"), True, False),
    "beta-tc": (BetaTC(6.0, dataset_size=200), False, True),
    "beta-tc-1": (BetaTC(1.0, dataset_size=200), True, True),
    "mmd": (MMD(100.0), False, True),
    "info-vae": (MMD(100.0, kl=0.5, samples=2), False, True),
}


def rows_of(likelihood: Likelihood, count: int, seed: int = 3) -> Tensor:
    """Rows drawn with parameters that say nothing special."""
    torch.manual_seed(seed)
    return likelihood(torch.randn(likelihood.parameter_shape.numel())).sample(torch.Size((count,)))
