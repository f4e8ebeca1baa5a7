"""Distributions of two and of several unordered values, per cell."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.data.located import Located
from likely.distributions.levels import Levels
from likely.distributions.locating import Locating
from likely.distributions.shapes import broadcast_shapes

__all__ = ["Bernoulli", "Categorical"]


class Bernoulli(Distribution):
    """P(x = 1) = sigmoid(logits), P(x = 0) the rest, any other value 0; per cell, in nats (counting measure)."""

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
            log_p = -F.binary_cross_entropy_with_logits(self.logits, target, reduction="none")
        else:
            log_p = F.logsigmoid(self.logits * (2 * target - 1))
        if target.is_cpu and _zeros_and_ones(target):
            return log_p  # to look costs less than to choose cell by cell; on other devices it would wait for them
        return torch.where((target == 0) | (target == 1), log_p, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        below = torch.where(value < 1, torch.sigmoid(-self.logits), torch.ones_like(self.logits))
        return torch.where(value < 0, torch.zeros_like(below), below)


def _zeros_and_ones(value: Tensor) -> bool:
    """Whether there is no other value."""
    if not value.numel():
        return True
    low, high = value.detach().clamp(0, 1).ceil_().sub_(value.detach()).aminmax()  # half the time of `torch.equal`
    return not low and not high


class Categorical(Locating):
    """P(x = c) = (1 − reserve) softmax(logits)_c, per cell, in nats (counting measure).

    The code −1 stands for "a value never seen in training", which has mass `reserve`: the distribution is normalised
    over the known categories and that one event. Where the codes are numbers, what lies outside is distinguished by its
    distance.

    Parameters
    ----------
    logits
        `(*batch, categories)`; −inf where a cell has fewer categories than the widest one.
    reserve
        Mass of the unseen, in [0, 1); a number or `(*batch,)`.
    levels
        Of codes that are the numbers 0, 1, ...: their range, and how the reserve is shared by the integers outside it.

    """

    arg_constraints = {"logits": constraints.independent(constraints.real, 1)}  # noqa: RUF012

    def __init__(self, logits: Tensor, reserve: float | Tensor = 0.0, levels: Levels | None = None) -> None:
        self.logits, self.levels = F.log_softmax(logits, -1), levels
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
        return Categorical(self.logits.expand(*batch_shape, self.logits.shape[-1]), self.reserve, self.levels)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draw known categories: a draw of the reserved event could not be written down."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            flat = self.logits.exp().expand(*shape, -1).reshape(-1, self.logits.shape[-1])
            return torch.multinomial(flat, 1).view(shape).to(self.logits.dtype)

    def locate(self, value: Tensor) -> Located:
        """The place of each code among the categories; then which codes are known, and what the others are.

        Others: what `Levels` knows of numbers; else 1 where a code stands for the unseen, `None` where none is there.
        """
        code = torch.round(value) if value.is_floating_point() else value
        place = code.clamp(0, self.logits.shape[-1] - 1).nan_to_num().long()
        if self.levels is not None:
            return place, *self.levels.locate(value)
        known = (code == value) & (code >= 0) & (code < self.logits.shape[-1])
        if known.is_cpu and bool(known.all()):
            return place, None, None
        return place, known, value == -1

    def log_prob_at(self, located: Located) -> Tensor:
        found: Any = located
        place, known, other = found
        log_p = self._at(self.logits, place)
        if self.levels is not None:
            return self.levels.log_prob_at(log_p, known, other)
        log_p = log_p + torch.log1p(-self.reserve)
        if known is None:
            return log_p
        return torch.where(known, log_p, torch.where(other, self.reserve.log(), -math.inf))

    def cdf(self, value: Tensor) -> Tensor:
        """P(code <= value), codes in the schema's order, the unseen first."""
        code = torch.floor(value) if value.is_floating_point() else value
        known = self._at(self.logits.exp().cumsum(-1), code)
        if self.levels is not None:
            return self.levels.cdf(known, value)
        total = self.reserve + (1 - self.reserve) * torch.where(code < 0, 0.0, known)
        return torch.where(code < -1, 0.0, total)

    def _at(self, table: Tensor, code: Tensor) -> Tensor:
        """The entries of `(*batch, categories)` at codes, the outermost ones for codes beyond them."""
        shape = broadcast_shapes(code.shape, self.batch_shape)
        place = code.clamp(0, table.shape[-1] - 1).nan_to_num().long().expand(shape)
        return table.expand(*shape, -1).gather(-1, place.unsqueeze(-1)).squeeze(-1)
