"""What is maximised: (model, batch) -> a value per row, and whether that value is a bound on log P(x)."""

from likely.objectives.aggregate import MMD, BetaTC
from likely.objectives.base import Loss, Objective
from likely.objectives.elbo import ELBO, Beta, Capacity, FreeBits
from likely.objectives.importance import IWAE, MIWAE
from likely.objectives.trimmed import Trimmed

__all__ = ["ELBO", "IWAE", "MIWAE", "MMD", "Beta", "BetaTC", "Capacity", "FreeBits", "Loss", "Objective", "Trimmed"]
