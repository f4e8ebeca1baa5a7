"""P(x|z; θ): modules whose call turns the decoder's output into a distribution over x."""

from likely.likelihoods.atoms import Atoms
from likely.likelihoods.base import Likelihood
from likely.likelihoods.columns import Columns
from likely.likelihoods.counts import NegativeBinomial, Poisson, ZeroInflated
from likely.likelihoods.discrete import Bernoulli, Categorical
from likely.likelihoods.gaussian import Gaussian
from likely.likelihoods.listed import Listed
from likely.likelihoods.logistic import DiscretisedLogistic
from likely.likelihoods.logistic_mixture import DiscretisedLogisticMixture
from likely.likelihoods.mixture import Mixture, Truncated
from likely.likelihoods.positive import Beta, Gamma, LogNormal
from likely.likelihoods.real import Laplace, Logistic, StudentT
from likely.likelihoods.resolutions import Resolutions
from likely.likelihoods.warped import Warped

__all__ = [
    "Atoms",
    "Bernoulli",
    "Beta",
    "Categorical",
    "Columns",
    "DiscretisedLogistic",
    "DiscretisedLogisticMixture",
    "Gamma",
    "Gaussian",
    "Laplace",
    "Likelihood",
    "Listed",
    "LogNormal",
    "Logistic",
    "Mixture",
    "NegativeBinomial",
    "Poisson",
    "Resolutions",
    "StudentT",
    "Truncated",
    "Warped",
    "ZeroInflated",
]
