"""Q(z|x; φ): modules whose call turns the encoder's output into a distribution over z."""

from likely.posteriors.base import Posterior
from likely.posteriors.flow import Flow
from likely.posteriors.full_normal import FullNormal
from likely.posteriors.mixture import Mixture
from likely.posteriors.normal import Normal

__all__ = ["Flow", "FullNormal", "Mixture", "Normal", "Posterior"]
