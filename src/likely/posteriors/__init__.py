"""Q(z|x; φ): modules whose call turns the encoder's output into a distribution over z."""

from likely.posteriors.base import Posterior
from likely.posteriors.normal import Normal

__all__ = ["Normal", "Posterior"]
