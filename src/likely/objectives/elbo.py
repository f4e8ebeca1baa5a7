"""The evidence lower bound."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from likely.data import Batch
from likely.models import VAE, Terms

__all__ = ["ELBO", "loss"]


@dataclass(frozen=True)
class ELBO:
    """E_Q[log P(x|z)] − D[Q(z|x)‖P(z)] ≤ log P(x), per row, in nats (Kingma and Welling 2014, equation 3).

    Parameters
    ----------
    samples
        Samples of z per row for the expectation; the KL is in closed form.

    """

    samples: int = 1
    is_bound = True
    couples_rows = False

    def __call__(self, model: VAE, batch: Batch, kl_weight: float = 1.0) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of; a bound on log P(x) at `kl_weight` 1."""
        terms = model.terms(batch, self.samples)
        return terms.reconstruction - kl_weight * terms.kl, terms


def loss(model: VAE, batch: Batch, objective: ELBO, kl_weight: float = 1.0) -> tuple[Tensor, Terms]:
    """What is minimised: minus the objective, averaged over the rows of a batch."""
    value, terms = objective(model, batch, kl_weight)
    return -value.mean(), terms
