"""P(x|z; θ): modules whose call turns the decoder's output into a distribution over x."""

from likely.likelihoods.base import Likelihood
from likely.likelihoods.columns import Columns
from likely.likelihoods.discrete import Bernoulli, Categorical
from likely.likelihoods.gaussian import Gaussian
from likely.likelihoods.logistic import DiscretisedLogistic

__all__ = ["Bernoulli", "Categorical", "Columns", "DiscretisedLogistic", "Gaussian", "Likelihood"]
