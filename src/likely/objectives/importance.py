"""Importance-weighted bounds, and three estimators of their gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from likely.data import Batch
from likely.models import Model, Terms
from likely.objectives.base import Objective, require

__all__ = ["IWAE", "MIWAE", "Gradient"]

Gradient = Literal["plain", "stl", "dreg"]
GRADIENTS = ("plain", "stl", "dreg")


@dataclass(frozen=True)
class IWAE(Objective):
    """L_K = E log (1/K) Σ_k w_k ≤ log P(x), w_k = P(x, z_k)/Q(z_k|x) (Burda et al. 2016, section 3); rises with K.

    With v_k = w_k/Σ_j w_j, the gradient for decoder and prior is always Σ_k v_k ∂ log w_k. For the encoder:

    - `plain`: the same, the derivative of the value; its signal drowns in noise as K grows (Rainforth et al. 2018).
    - `stl`, sticking the landing: Q's parameters are constants inside log Q, so that only the path through z counts:
      Σ_k v_k (∂ log w_k/∂z_k)(∂z_k/∂φ). Zero when Q is exact (Roeder et al. 2017), but biased for K > 1.
    - `dreg`, doubly reparameterised: Σ_k v_k² (∂ log w_k/∂z_k)(∂z_k/∂φ). Zero when Q is exact, and unbiased
      (Tucker et al. 2019).

    The value is the same for all three. Warm-up is the exponent b on P(z)/Q(z|x) in w_k: no bound before it reaches 1.
    There `dreg` stays unbiased with (1 − b) v_k + b v_k² in place of v_k².

    Parameters
    ----------
    samples
        K, per row.
    gradient
        Which estimator. `stl` and `dreg` need every path from Q's parameters to the value to lead through z or log Q,
        and the proof that `dreg` is unbiased needs independent samples.

    """

    samples: int = 5
    gradient: Gradient = "plain"
    is_bound = True

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"IWAE needs at least one sample, got {self.samples}")
        require(self.gradient in GRADIENTS, f"the gradient is plain, stl or dreg, got {self.gradient!r}")

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of; a bound on log P(x) at `kl_weight` 1."""
        terms = model.terms(batch, self.samples, generator=generator)
        return _bound(terms, (1, self.samples), self.gradient, kl_weight), terms


@dataclass(frozen=True)
class MIWAE(Objective):
    """The mean of M independent L_K, (1/M) Σ_m log (1/K) Σ_k w_mk ≤ log P(x) (MIWAE: Rainforth et al. 2018).

    As tight as L_K, with a gradient for the encoder that is less noisy by averaging. Warm-up as for `IWAE`.

    Parameters
    ----------
    samples
        (M, K), per row: M K samples of z in all.
    gradient
        As for `IWAE`.

    """

    samples: tuple[int, int] = (8, 8)
    gradient: Gradient = "plain"
    is_bound = True

    def __post_init__(self) -> None:
        two = isinstance(self.samples, tuple) and len(self.samples) == 2
        require(two and min(self.samples) >= 1, f"MIWAE needs two counts (M, K), got {self.samples}")
        require(self.gradient in GRADIENTS, f"the gradient is plain, stl or dreg, got {self.gradient!r}")

    def __call__(
        self, model: Model, batch: Batch, kl_weight: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Terms]:
        """Value per row `(batch,)`, and the terms it was made of; a bound on log P(x) at `kl_weight` 1."""
        terms = model.terms(batch, math.prod(self.samples), generator=generator)
        return _bound(terms, self.samples, self.gradient, kl_weight), terms


def _bound(terms: Terms, shape: tuple[int, int], gradient: Gradient, kl_weight: float) -> Tensor:
    """Mean over M of log-mean-exp over K of log w `(M K, batch)` -> `(batch,)`, its gradient as asked for.

    Where z is summed over every weight is P(x), and warm-up is that of the ELBO.
    """
    if terms.sums is not None and gradient == "plain":
        return terms.reconstruction - kl_weight * terms.kl
    log_q = terms.log_qz_x if gradient == "plain" else terms.log_qz_x_held
    log_w = (terms.log_px_z + kl_weight * (terms.log_pz - log_q)).unflatten(0, shape)
    if gradient == "dreg" and terms.z.requires_grad:
        share = log_w.detach().softmax(1).flatten(0, 1).unsqueeze(-1)
        factor = (1 - kl_weight + kl_weight * share).to(terms.z.dtype)
        # All that flows back into z already carries v_k, from the log-mean-exp; decoder and prior branch off before.
        terms.z.register_hook(lambda flowing: flowing * factor)
    bound: Tensor = log_w.logsumexp(1) - math.log(shape[1])
    return bound.mean(0)
