"""Laws of two and of several unordered values, per cell."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

__all__ = ["Bernoulli", "Categorical"]


class Bernoulli(Distribution):
    """P(x = 1) = sigmoid(logits): log P(x) = x log p + (1 − x) log(1 − p), per cell, in nats (counting measure)."""

    arg_constraints = {"logits": constraints.real}  # noqa: RUF012
    support = constraints.boolean

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return torch.sigmoid(self.logits)

    @property
    def mode(self) -> Tensor:
        return (self.logits > 0).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        return torch.sigmoid(self.logits) * torch.sigmoid(-self.logits)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Bernoulli:
        return Bernoulli(self.logits.expand(batch_shape))

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            return torch.bernoulli(self.mean.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        target = value.to(self.logits.dtype)
        if target.shape == self.logits.shape:
            return -F.binary_cross_entropy_with_logits(self.logits, target, reduction="none")
        return F.logsigmoid(self.logits * (2 * target - 1))

    def cdf(self, value: Tensor) -> Tensor:
        below = torch.where(value < 1, torch.sigmoid(-self.logits), torch.ones_like(self.logits))
        return torch.where(value < 0, torch.zeros_like(below), below)


class Categorical(Distribution):
    """P(x = c) = (1 − reserve) softmax(logits)_c, per cell, in nats (counting measure).

    The code −1 (and any code beyond the last) stands for "a value never seen in training", which has mass `reserve`:
    the law is normalised over the known categories and that one event.

    Parameters
    ----------
    logits
        `(*batch, categories)`; −inf where a cell has fewer categories than the widest one.
    reserve
        Mass of the unseen, in [0, 1); a number or `(*batch,)`.

    """

    arg_constraints = {"logits": constraints.independent(constraints.real, 1)}  # noqa: RUF012

    def __init__(self, logits: Tensor, reserve: float | Tensor = 0.0) -> None:
        self.logits = F.log_softmax(logits, -1)
        self.reserve = torch.as_tensor(reserve, dtype=logits.dtype, device=logits.device)
        super().__init__(logits.shape[:-1], validate_args=False)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The codes −1 (unseen) to categories − 1."""
        return constraints.integer_interval(-1, self.logits.shape[-1] - 1)

    @property
    def probs(self) -> Tensor:
        """The categories' probabilities, without the reserved mass."""
        return self.logits.exp() * (1 - self.reserve).unsqueeze(-1)

    @property
    def mean(self) -> Tensor:
        """The most probable code: a mean of codes would mean nothing."""
        return self.mode

    @property
    def mode(self) -> Tensor:
        return self.logits.argmax(-1).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        return torch.full_like(self.logits[..., 0], math.nan)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Categorical:
        return Categorical(self.logits.expand(*batch_shape, self.logits.shape[-1]), self.reserve)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw known categories: a draw of the reserved event could not be written down."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            flat = self.logits.exp().expand(*shape, -1).reshape(-1, self.logits.shape[-1])
            return torch.multinomial(flat, 1).view(shape).to(self.logits.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(value.shape, self.batch_shape)
        codes = value.long().expand(shape)
        last = self.logits.shape[-1] - 1
        known = self.logits.expand(*shape, -1).gather(-1, codes.clamp(0, last).unsqueeze(-1)).squeeze(-1)
        unseen = (codes < 0) | (codes > last) | torch.isneginf(known)
        return torch.where(unseen, self.reserve.log(), known + torch.log1p(-self.reserve))

    def cdf(self, value: Tensor) -> Tensor:
        """P(code <= value), codes in the schema's order, the unseen first."""
        shape = torch.broadcast_shapes(value.shape, self.batch_shape)
        codes = value.long().expand(shape)
        totals = self.probs.cumsum(-1).expand(*shape, -1)
        known = totals.gather(-1, codes.clamp(0, totals.shape[-1] - 1).unsqueeze(-1)).squeeze(-1)
        total = self.reserve + torch.where(codes < 0, torch.zeros_like(known), known)
        return torch.where(codes < -1, torch.zeros_like(total), total)
