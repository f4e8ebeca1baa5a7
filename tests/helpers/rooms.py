"""One dict of constructors per room: a new class enters its dict and meets every test of the room."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likely import distributions, likelihoods, posteriors, priors
from likely.data import Warp
from likely.distributions import (
    DiagonalNormal,
    Hierarchy,
    LatentDistribution,
    LatentMixture,
    Members,
    OneHot,
    Points,
    VonMisesFisher,
)
from likely.distributions.latent import Space
from likely.likelihoods import Likelihood
from likely.networks import ConvLadder, Ladder, Level, PatchDecoder, PatchEncoder
from likely.objectives import ELBO, IWAE, MIWAE, MMD, Beta, BetaTC, Capacity, FreeBits, Objective, Trimmed
from likely.posteriors import Posterior
from likely.priors import FromPosterior, Prior
from likely.priors.base import Encode

DIM, CELLS, ROWS = 3, 5, 40
GROUPS, CLASSES = 2, 4

PRIORS: dict[str, Callable[[], Prior | FromPosterior]] = {
    "standard normal": lambda: priors.StandardNormal(DIM),
    "diagonal normal": lambda: priors.DiagonalNormal(DIM),
    "mixture": lambda: priors.Mixture(DIM, 4),
    "vamp": lambda: priors.Vamp(DIM, (CELLS,), 6),
    "exemplar": lambda: priors.Exemplar(DIM, ROWS, 4),
    "flow, coupling": lambda: priors.Flow(DIM, 2, hidden=(16,)),
    "flow, spline": lambda: priors.Flow(DIM, 1, "spline", hidden=(8,)),
    "flow, autoregressive": lambda: priors.Flow(DIM, 2, "autoregressive", hidden=(16,)),
    "flow of one dimension": lambda: priors.Flow(1, 2, "autoregressive"),
    "hypersphere": lambda: priors.Hypersphere(DIM),
    "circle": lambda: priors.Hypersphere(2),
    "categorical": lambda: priors.Categorical(GROUPS, CLASSES),
    "vamp of codes": lambda: priors.Vamp(GROUPS * CLASSES, (CELLS,), 6),
}
POSTERIORS: dict[str, Callable[[], Posterior]] = {
    "normal": lambda: posteriors.Normal(DIM),
    "full normal": lambda: posteriors.FullNormal(DIM),
    "mixture": lambda: posteriors.Mixture(DIM, 3),
    "flow, iaf": lambda: posteriors.Flow(DIM, 2, context=4, hidden=(16,)),
    "flow, coupling": lambda: posteriors.Flow(DIM, 2, "coupling", context=4, hidden=(16,)),
    "von Mises-Fisher": lambda: posteriors.VonMisesFisher(DIM),
    "von Mises": lambda: posteriors.VonMisesFisher(2),
    "categorical": lambda: posteriors.Categorical(GROUPS, CLASSES),
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


def started(prior: Prior | FromPosterior, values: Tensor) -> Prior | FromPosterior:
    """The prior, which takes its rows from these if it is made of rows."""
    if isinstance(prior, FromPosterior):
        prior.initialise(values)
    return prior


def law_of(prior: Prior | FromPosterior, posterior: Encode = encode, rows: Tensor | None = None) -> LatentDistribution:
    """P(z), of this Q where it is made of one."""
    law: LatentDistribution = prior(posterior, rows) if isinstance(prior, FromPosterior) else prior()
    return law


def prior_law(name: str) -> LatentDistribution:
    prior = started(PRIORS[name](), torch.randn(ROWS, CELLS))
    stir(prior)
    return law_of(prior.eval(), encode_codes if name == "vamp of codes" else encode)


def posterior_law(name: str, rows: int = 2, training: bool = False) -> LatentDistribution:
    posterior = POSTERIORS[name]().train(training)
    stir(posterior)
    law: LatentDistribution = posterior(0.7 * torch.randn(rows, *posterior.parameter_shape, dtype=torch.float64))
    return law


def ladder(features: bool) -> Hierarchy:
    """P or Q of a hierarchy of two groups."""
    network = Ladder(nn.Identity(), nn.Identity(), (2, 1), 8).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    seen = network.bottom_up(torch.randn(2, 8).double()) if features else None
    return Hierarchy(network, network.like, DIM, seen, torch.Size((2,) if features else ()))


def maps(features: bool) -> Hierarchy:
    """P or Q of a hierarchy of three groups of one number, between maps."""
    ends = PatchEncoder((2, 2), 4, 2), PatchDecoder((2, 2, 1), 4, 2)
    network = ConvLadder(*ends, [Level(1, 3, 1)], (2, 2), 4)
    stir(network)
    seen = network.bottom_up(torch.randn(2, network.encoded).double()) if features else None
    return Hierarchy(network, network.like, DIM, seen, torch.Size((2,) if features else ()))


def encode_codes(values: Tensor) -> OneHot:
    wide = values.double().repeat(1, 2)[:, : GROUPS * CLASSES]
    return OneHot(wide.unflatten(-1, (GROUPS, CLASSES)))


def unit_points() -> Tensor:
    """Different points of length 1; three of them share their first number."""
    points = torch.randn(9, DIM).double()
    points[[2, 5, 7], 0] = 0.25
    first = points[:, :1].tanh()
    return torch.cat([first, (1 - first.square()).sqrt() * F.normalize(points[:, 1:], dim=-1)], 1)


LAWS: dict[str, Callable[[], LatentDistribution]] = {
    **{f"P: {name}": (lambda name=name: prior_law(name)) for name in PRIORS},  # type: ignore[misc]
    **{f"Q: {name}": (lambda name=name: posterior_law(name)) for name in POSTERIORS},  # type: ignore[misc]
    "Q: categorical, relaxed": lambda: posterior_law("categorical", training=True),
    "P: maps": lambda: maps(features=False),
    "Q: maps": lambda: maps(features=True),
    "P: ladder": lambda: ladder(features=False),
    "Q: ladder": lambda: ladder(features=True),
    "P: members": lambda: Members([prior_law("mixture"), prior_law("diagonal normal"), prior_law("mixture")]),
    "Q: members": lambda: Members(
        [DiagonalNormal(0.3 * torch.randn(2, DIM).double() + m, torch.tensor(0.1 * m)) for m in (0, 1)]
    ),
    "mixture on a sphere": lambda: LatentMixture(
        torch.randn(4).double(),
        VonMisesFisher(F.normalize(torch.randn(4, DIM).double(), dim=-1), torch.tensor([0.5, 2.0, 4.0, 8.0]).double()),
    ),
    "P: points, as codes": lambda: Points(unit_points(), torch.randn(9).double()),
    "Q: points, as codes": lambda: Points(unit_points(), torch.randn(2, 9).double()),
    "mixture of codes": lambda: LatentMixture(
        torch.randn(3).double(), OneHot(torch.randn(3, GROUPS, CLASSES).double())
    ),
}


def space_of(name: str) -> Space:
    """The space of z of a law in `LAWS`, or of a prior or posterior."""
    if any(word in name for word in ("sphere", "circle", "Mises")):
        return "sphere"
    return "codes" if any(word in name for word in ("categorical", "codes")) else "real"


def places(space: Space, *shape: int) -> Tensor:
    """Somewhere in a space of z: `(*shape)`, the last axis being z's."""
    z = torch.randn(*shape)
    if space == "sphere":
        return F.normalize(z, dim=-1)
    return z if space == "real" else F.one_hot(z.unflatten(-1, (-1, CLASSES)).argmax(-1), CLASSES).flatten(-2).to(z)


EVENT, PIXELS = (2, 3), (2, 2, 3)
UNITS = {"shift": 5.0, "scale": 3.0}
LEVELS = {"low": 0.0, "high": 31.0, "shift": 15.0, "scale": 3.0}
SPIKE = ((-0.5, -2.0), (4.5, -0.5), (5.5, 1.0), (31.5, 2.0))  # a third of the mass is at 5


def bent(logarithmic: bool = False) -> Warp:
    return Warp([[(x + 1, 3 * y) if logarithmic else (x, y) for x, y in SPIKE]], [logarithmic])


LIKELIHOODS: dict[str, Callable[[], Likelihood]] = {
    "bernoulli": lambda: likelihoods.Bernoulli(EVENT),
    "categorical": lambda: likelihoods.Categorical(EVENT, 4),
    "gaussian": lambda: likelihoods.Gaussian(EVENT, **UNITS),
    "gaussian:2": lambda: likelihoods.Gaussian(EVENT, 2.0, **UNITS),
    "kernel": lambda: likelihoods.Gaussian(EVENT, 0.8, **UNITS, relative=True),
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
    "warped": lambda: likelihoods.Warped(EVENT, bent(), 3, 1.0, 0.0, 31.0, reserve=0.01),
    "warped counts": lambda: likelihoods.Warped(EVENT, bent(), 3, 1.0, low=0.0),
    "warped grid": lambda: likelihoods.Warped(EVENT, bent(), 3, 1.0),
    "warped reals": lambda: likelihoods.Warped(EVENT, bent(), 3),
    "warped, positive": lambda: likelihoods.Warped(EVENT, bent(logarithmic=True), 3),
    "warped, cut": lambda: likelihoods.Warped(EVENT, bent(), 3, cut=(2.0, 20.0)),
    "warped levels, cut": lambda: likelihoods.Warped(EVENT, bent(), 3, 1.0, 2.0, 20.0, cut=(2.0, 20.0)),
    "resolutions": lambda: likelihoods.Resolutions(EVENT, bent(), 3, 1.0, [((1, 0.5), (5, 0.3), (10, 0.2))], 0.0, 31.0),
    "listed": lambda: likelihoods.Listed(EVENT, bent(), [(0, 2, 5, 6, 9, 20)], 3, 0.01),
    "atoms": lambda: likelihoods.Atoms(likelihoods.Warped(EVENT, bent(), 3), [(0.0, 7.5)]),
    "spikes of a grid": lambda: likelihoods.Atoms(
        likelihoods.Warped(EVENT, bent(), 3, 1.0, 0.0, 31.0), [(0.0, 7.0)], reserve=0.01
    ),
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
    "trimmed": (Trimmed(0.3), False, True),
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
