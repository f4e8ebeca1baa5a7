"""The univariate families with parameters that say nothing special, and their oracles: what the tests share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import scipy.integrate
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.distributions import (
    Beta,
    DiscretisedLogistic,
    Gamma,
    Gaussian,
    Laplace,
    Logistic,
    LogNormal,
    Mixture,
    NegativeBinomial,
    Poisson,
    Rescaled,
    StudentT,
    Truncated,
    ZeroInflated,
)
from likely.distributions.rescaled import Frame

DRAWS = 200_000
# Family-wise false alarm 1e-3 over fewer than 50 checks.
P_VALUE = 2e-5


def t(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def levels(loc: Tensor, log_scale: Tensor) -> DiscretisedLogistic:
    return DiscretisedLogistic(loc, log_scale, Frame(t(3.0), t(2.5)), t(1.0), t(0.0), t(16.0))


LOGITS = t(0.2, 1.0, -0.5, 2.0, 0.3, 0.0).view(2, 3)
LOCS, LOG_SCALES = t(-1.5, 0.0, 1.2, 0.3, 2.0, -2.0).view(2, 3), t(-1.0, -0.5, 0.0, -1.5, -0.7, 0.2).view(2, 3)
SCALE = (t(0.3, -1.0), t(0.2, -0.7))

# name -> (two cells of the law, where its support begins and ends)
DENSITIES: dict[str, tuple[Callable[[], Distribution], float, float]] = {
    "gaussian": (lambda: Gaussian(*SCALE), -math.inf, math.inf),
    "laplace": (lambda: Laplace(*SCALE), -math.inf, math.inf),
    "logistic": (lambda: Logistic(*SCALE), -math.inf, math.inf),
    "student": (lambda: StudentT(*SCALE, t(2.5, 8.0).log()), -math.inf, math.inf),
    "lognormal": (lambda: LogNormal(*SCALE), 0, math.inf),
    "gamma": (lambda: Gamma(t(0.3, -1.0), t(0.7, 2.0)), 0, math.inf),
    "beta": (lambda: Beta(t(0.3, -1.0), t(1.7, 3.0)), 0, 1),
    "mixture": (lambda: Mixture(LOGITS, Gaussian(LOCS, LOG_SCALES)), -math.inf, math.inf),
    "truncated": (lambda: Truncated(Gaussian(*SCALE), t(-0.5)[0], t(1.0)[0]), -0.5, 1.0),
    "truncated below": (lambda: Truncated(Logistic(*SCALE), t(0.0)[0], t(math.inf)[0]), 0, math.inf),
    "truncated far": (lambda: Truncated(Laplace(*SCALE), t(3.0)[0], t(9.0)[0]), 3, 9),
    "rescaled mixture": (
        lambda: Rescaled(Mixture(LOGITS, Logistic(LOCS, LOG_SCALES)), Frame(t(3.0)[0], t(2.5)[0])),
        -math.inf,
        math.inf,
    ),
}
# name -> (two cells of the law, the greatest value that matters)
MASSES: dict[str, tuple[Callable[[], Distribution], int]] = {
    "poisson": (lambda: Poisson(t(3.0, 20.0).log()), 150),
    "negative binomial": (lambda: NegativeBinomial(t(3.0, 20.0).log(), t(0.8, 0.1).log()), 1000),
    "zero-inflated poisson": (lambda: ZeroInflated(t(0.5, -2.0), Poisson(t(3.0, 20.0).log())), 150),
    "zero-inflated nb": (
        lambda: ZeroInflated(t(0.5, -2.0), NegativeBinomial(t(3.0, 20.0).log(), t(0.8, 0.1).log())),
        1000,
    ),
    "logistic mixture": (lambda: Mixture(LOGITS, levels(LOCS, LOG_SCALES)), 16),
}
SCIPY: dict[str, list[Any]] = {
    "gaussian": [scipy.stats.norm(0.3, math.exp(0.2)), scipy.stats.norm(-1, math.exp(-0.7))],
    "laplace": [scipy.stats.laplace(0.3, math.exp(0.2)), scipy.stats.laplace(-1, math.exp(-0.7))],
    "logistic": [scipy.stats.logistic(0.3, math.exp(0.2)), scipy.stats.logistic(-1, math.exp(-0.7))],
    "student": [scipy.stats.t(2.5, 0.3, math.exp(0.2)), scipy.stats.t(8, -1, math.exp(-0.7))],
    "lognormal": [
        scipy.stats.lognorm(math.exp(s), scale=math.exp(m)) for m, s in zip(*(x.tolist() for x in SCALE), strict=True)
    ],
    "gamma": [
        scipy.stats.gamma(math.exp(0.7), scale=math.exp(0.3 - 0.7)),
        scipy.stats.gamma(math.exp(2), scale=math.exp(-1 - 2)),
    ],
    "beta": [
        scipy.stats.beta(math.exp(v) / (1 + math.exp(-m)), math.exp(v) / (1 + math.exp(m)))
        for m, v in ((0.3, 1.7), (-1.0, 3.0))
    ],
    "truncated": [
        scipy.stats.truncnorm((-0.5 - m) / math.exp(s), (1 - m) / math.exp(s), m, math.exp(s))
        for m, s in zip(*(x.tolist() for x in SCALE), strict=True)
    ],
    "poisson": [scipy.stats.poisson(3), scipy.stats.poisson(20)],
    "negative binomial": [scipy.stats.nbinom(1 / 0.8, 1 / (1 + 0.8 * 3)), scipy.stats.nbinom(10, 1 / (1 + 0.1 * 20))],
}


def make(name: str) -> Distribution:
    return DENSITIES[name][0]() if name in DENSITIES else MASSES[name][0]()


def both(x: Tensor) -> Tensor:
    return x[..., None].expand(*x.shape, 2)
