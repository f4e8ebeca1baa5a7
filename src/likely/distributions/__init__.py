"""Distributions of our own: subclasses of torch's, with log-probabilities per cell and `cdf`."""

from likely.distributions.atoms import Atoms
from likely.distributions.cell_mixture import Mixture
from likely.distributions.cells_by_family import CellsByFamily
from likely.distributions.counts import NegativeBinomial, Poisson, ZeroInflated
from likely.distributions.coupled import CoupledLogisticMixture
from likely.distributions.discrete import Bernoulli, Categorical
from likely.distributions.flow import Flowed
from likely.distributions.full_normal import FullNormal
from likely.distributions.hierarchy import Hierarchy
from likely.distributions.latent import LatentDistribution
from likely.distributions.latent_mixture import LatentMixture
from likely.distributions.listed import Listed
from likely.distributions.logistic import DiscretisedLogistic
from likely.distributions.members import Members
from likely.distributions.normal import DiagonalNormal, StandardNormal
from likely.distributions.one_hot import OneHot, RelaxedOneHot
from likely.distributions.points import Points
from likely.distributions.positive import Beta, Gamma, LogNormal
from likely.distributions.real import Gaussian, Laplace, Logistic, StudentT
from likely.distributions.rescaled import Rescaled
from likely.distributions.resolutions import Resolutions
from likely.distributions.sphere import UniformSphere, VonMisesFisher
from likely.distributions.truncated import Truncated
from likely.distributions.univariate import LocationScale, Univariate
from likely.distributions.warped import Warped

__all__ = [
    "Atoms",
    "Bernoulli",
    "Beta",
    "Categorical",
    "CellsByFamily",
    "CoupledLogisticMixture",
    "DiagonalNormal",
    "DiscretisedLogistic",
    "Flowed",
    "FullNormal",
    "Gamma",
    "Gaussian",
    "Hierarchy",
    "Laplace",
    "LatentDistribution",
    "LatentMixture",
    "Listed",
    "LocationScale",
    "LogNormal",
    "Logistic",
    "Members",
    "Mixture",
    "NegativeBinomial",
    "OneHot",
    "Points",
    "Poisson",
    "RelaxedOneHot",
    "Rescaled",
    "Resolutions",
    "StandardNormal",
    "StudentT",
    "Truncated",
    "UniformSphere",
    "Univariate",
    "VonMisesFisher",
    "Warped",
    "ZeroInflated",
]
