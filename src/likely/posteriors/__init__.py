"""Q(z|x; φ): modules whose call turns the encoder's output into a distribution over z."""

from likely.posteriors.base import Posterior
from likely.posteriors.categorical import Categorical
from likely.posteriors.flow import Flow
from likely.posteriors.full_normal import FullNormal
from likely.posteriors.mixture import Mixture
from likely.posteriors.normal import Normal
from likely.posteriors.von_mises_fisher import VonMisesFisher

__all__ = ["Categorical", "Flow", "FullNormal", "Mixture", "Normal", "Posterior", "VonMisesFisher"]
