"""P(z): modules whose call returns a distribution over z."""

from likely.priors.base import Prior
from likely.priors.normal import StandardNormal

__all__ = ["Prior", "StandardNormal"]
