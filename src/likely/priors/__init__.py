"""P(z): modules whose call returns a distribution over z."""

from likely.priors.base import FromPosterior, Prior
from likely.priors.categorical import Categorical
from likely.priors.diagonal import DiagonalNormal, Mixture
from likely.priors.exemplar import Exemplar
from likely.priors.flow import Flow
from likely.priors.hypersphere import Hypersphere
from likely.priors.normal import StandardNormal
from likely.priors.vamp import Vamp

__all__ = [
    "Categorical",
    "DiagonalNormal",
    "Exemplar",
    "Flow",
    "FromPosterior",
    "Hypersphere",
    "Mixture",
    "Prior",
    "StandardNormal",
    "Vamp",
]
