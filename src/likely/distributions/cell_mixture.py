"""Mixtures of a family, one per cell."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from likely.distributions.univariate import uniform

__all__ = ["Mixture", "choose"]


def choose(log_weights: Tensor, shape: torch.Size) -> Tensor:
    """One component per cell, drawn with these weights: `(*shape, 1)` (the Gumbel-max trick)."""
    u = uniform(torch.Size((*shape, log_weights.shape[-1])), log_weights)
    return (log_weights.detach() - torch.log(-torch.log(u))).argmax(-1, keepdim=True)


class Mixture(Distribution):
    """P(x) = Σ_k w_k P_k(x), w = softmax(logits), per cell, in nats and in the components' measure.

    Source: McLachlan and Peel 2000, Finite Mixture Models, chapter 1.

    Parameters
    ----------
    logits
        `(*batch, *event, components)`.
    components
        One distribution per cell and component, `(*batch, *event, components)`.

    """

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, logits: Tensor, components: Distribution) -> None:
        self.log_weights, self.components = F.log_softmax(logits, -1), components
        super().__init__(logits.shape[:-1], validate_args=False)

    @property
    def support(self) -> Any:
        """The components' support."""
        return self.components.support

    @property
    def dtype(self) -> torch.dtype:
        """The type in which values are read."""
        return self.log_weights.dtype

    @property
    def mean(self) -> Tensor:
        return (self.log_weights.exp() * self.components.mean).sum(-1)

    @property
    def mode(self) -> Tensor:
        """The components' mode that is most probable under the mixture."""
        modes = self.components.mode
        log_probs = self.log_prob(modes.movedim(-1, 0)).movedim(0, -1)
        return modes.gather(-1, log_probs.argmax(-1, keepdim=True)).squeeze(-1)

    @property
    def variance(self) -> Tensor:
        means = self.components.mean
        spread = self.components.variance + (means - self.mean.unsqueeze(-1)).square()
        return (self.log_weights.exp() * spread).sum(-1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Mixture:
        shape = torch.Size((*batch_shape, self.log_weights.shape[-1]))
        return Mixture(self.log_weights.expand(shape), self.components.expand(shape))

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        drawn = self.components.sample(torch.Size(sample_shape))
        return drawn.gather(-1, choose(self.log_weights, drawn.shape[:-1])).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        parts = self.log_weights + self.components.log_prob(value.unsqueeze(-1))
        least = torch.finfo(parts.dtype).min  # where no component has any mass the gradient is 0, not NaN
        log_p = torch.logsumexp(parts.clamp_min(least), -1)
        return torch.where(log_p <= least, -math.inf, log_p)

    def cdf(self, value: Tensor) -> Tensor:
        return (self.log_weights.exp() * self.components.cdf(value.unsqueeze(-1))).sum(-1)
