"""P(z): modules whose call returns a distribution over z."""

from likely.priors.base import Prior
from likely.priors.diagonal import DiagonalNormal, Mixture
from likely.priors.exemplar import Exemplar
from likely.priors.flow import Flow
from likely.priors.normal import StandardNormal
from likely.priors.vamp import Vamp

__all__ = ["DiagonalNormal", "Exemplar", "Flow", "Mixture", "Prior", "StandardNormal", "Vamp"]
