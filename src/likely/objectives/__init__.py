"""What is maximised."""

from likely.objectives.elbo import ELBO, loss

__all__ = ["ELBO", "loss"]
