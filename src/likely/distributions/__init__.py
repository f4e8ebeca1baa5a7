"""Distributions of our own: subclasses of torch's, with log-probabilities per cell and `cdf`."""

from likely.distributions.columns import Columns
from likely.distributions.discrete import Bernoulli, Categorical
from likely.distributions.latent import LatentDistribution
from likely.distributions.logistic import DiscretisedLogistic
from likely.distributions.normal import DiagonalNormal, StandardNormal
from likely.distributions.rescaled import Rescaled

__all__ = [
    "Bernoulli",
    "Categorical",
    "Columns",
    "DiagonalNormal",
    "DiscretisedLogistic",
    "LatentDistribution",
    "Rescaled",
    "StandardNormal",
]
