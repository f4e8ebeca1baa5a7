"""The seam of hierarchies: one way down through groups of z, which P(z) and Q(z|x) share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, final

import torch
from torch import Tensor, nn

from likely.errors import ConfigError

__all__ = ["MAX_LOG_STD", "MIN_LOG_STD", "Descent", "Group", "Moments", "TopDown"]

# Limits of log σ of z, under P and Q: beyond them a density or its gradient leaves float32.
MIN_LOG_STD, MAX_LOG_STD = -12.0, 4.0

State = TypeVar("State")


@dataclass(frozen=True)
class Group:
    """One group of z.

    Attributes
    ----------
    shape
        Of its numbers: `(size,)`, or `(channels, height, width)`.

    """

    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def shaped(self, flat: Tensor) -> Tensor:
        """`(*lead, size) -> (*lead, *shape)`."""
        return flat if len(self.shape) == 1 else flat.unflatten(-1, self.shape)

    def flat(self, shaped: Tensor) -> Tensor:
        """`(*lead, *shape) -> (*lead, size)`."""
        return shaped if len(self.shape) == 1 else shaped.flatten(-len(self.shape))


class Moments(NamedTuple):
    """Mean and log-deviation of a group's diagonal normal, each `(*lead, *shape)`."""

    mean: Tensor
    log_std: Tensor


@dataclass(frozen=True, eq=False)
class Descent:
    """The codes of one way down through the groups, with their moments: all groups side by side, the top one first.

    Attributes
    ----------
    z
        `(*lead, latent)`.
    output
        What the decoder is given: `(*lead, decoded)`.
    p_mean, p_log_std
        Of P(z_l|z_<l) for each group: `(*lead, latent)`.
    q_mean, q_log_std
        Of Q(z_l|z_<l, x), where x was there.

    """

    z: Tensor
    output: Tensor
    p_mean: Tensor
    p_log_std: Tensor
    q_mean: Tensor | None
    q_log_std: Tensor | None


class TopDown(nn.Module, ABC, Generic[State]):
    """Networks of a hierarchy: P(z) = Π P(z_l|z_<l) and Q(z|x) = Π Q(z_l|z_<l, x), each a diagonal normal.

    x climbs once (`encoder`, then `bottom_up`). On the way down a state passes the groups, the top one first: group l's
    prior is read from the state, its posterior from the state and x's features, then z_l moves the state on. The state
    is whatever `start` and `advance` give; the last one is what the decoder reads.

    Attributes
    ----------
    groups
        The groups of z, the top one first; z is their numbers end to end.
    encoder
        Rows, and y where the model has a condition, to `(batch, encoded)`.
    decoder
        `output(state)`, and y after it, to the parameters of P(x|z).
    encoded, decoded
        Numbers per row that the encoder gives, and that `output` gives.
    widest
        The most numbers per row that a layer holds, but for encoder and decoder.

    """

    groups: tuple[Group, ...]
    encoder: nn.Module
    decoder: nn.Module
    encoded: int
    decoded: int
    widest: int

    @property
    @abstractmethod
    def like(self) -> Tensor:
        """One of the weights: z has its type and device."""

    @abstractmethod
    def bottom_up(self, encoded: Tensor) -> Sequence[Tensor]:
        """The encoder's output `(batch, encoded)` -> what each group's posterior reads of x, the top group's first."""

    @abstractmethod
    def start(self, lead: torch.Size) -> State:
        """The state above the top group, for draws `(*lead,)`."""

    @abstractmethod
    def prior(self, level: int, state: State) -> Moments:
        """P(z_l|z_<l)."""

    @abstractmethod
    def posterior(self, level: int, state: State, features: Tensor, prior: Moments) -> Moments:
        """Q(z_l|z_<l, x), from what the group reads of x and from P(z_l|z_<l), which it may be relative to."""

    @abstractmethod
    def advance(self, level: int, state: State, z: Tensor) -> State:
        """The state below a group, from the one above it and the group's z `(*lead, *shape)`."""

    @abstractmethod
    def output(self, state: State) -> Tensor:
        """What the decoder is given of the last state: `(*lead, decoded)`."""

    @final
    @property
    def sizes(self) -> list[int]:
        """How many numbers each group has."""
        return [group.size for group in self.groups]

    def forward(
        self, *, noise: Tensor | None = None, z: Tensor | None = None, features: Sequence[Tensor] | None = None
    ) -> Descent:
        """One way down.

        Parameters
        ----------
        noise
            Standard normal numbers `(*lead, latent)`: z is drawn from Q where there are features, else from P.
        z
            Given codes `(*lead, latent)`, in place of noise.
        features
            What `bottom_up` gave, each `(batch, ...)`.

        """
        given = noise if z is None else z
        if given is None:
            raise ConfigError("a way down needs noise or z")
        state = self.start(given.shape[:-1])
        parts: list[list[Tensor]] = []
        for level, (group, flat) in enumerate(zip(self.groups, given.split(self.sizes, -1), strict=True)):
            part, prior = group.shaped(flat), self.prior(level, state)
            moments = [prior] if features is None else [prior, self.posterior(level, state, features[level], prior)]
            mean, log_std = moments[-1]
            code = part if z is not None else mean + log_std.exp() * part
            state = self.advance(level, state, code)
            parts.append([group.flat(each) for each in (code, *(number for pair in moments for number in pair))])
        code, p_mean, p_log_std, *q = (torch.cat(tensors, -1) for tensors in zip(*parts, strict=True))
        q_mean, q_log_std = q or (None, None)
        return Descent(code, self.output(state), p_mean, p_log_std, q_mean, q_log_std)
