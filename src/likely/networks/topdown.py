"""The interface of hierarchies: a top-down pass through groups of z, which P(z) and Q(z|x) share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, final

import torch
from torch import Tensor, nn

from likely.errors import ConfigError

__all__ = ["MAX_LOG_STD", "MIN_LOG_STD", "Group", "Moments", "TopDown", "TopDownPass"]

# Limits of log σ of z, under P and Q: beyond them a density or its gradient leaves float32.
MIN_LOG_STD, MAX_LOG_STD = -12.0, 4.0

State = TypeVar("State")


@dataclass(frozen=True)
class Group:
    """One group of z.

    Attributes
    ----------
    shape
        The shape of the group's z: `(size,)`, or `(channels, height, width)`.

    """

    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers the group's z has."""
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
class TopDownPass:
    """The z of a top-down pass, with its moments under P and Q: those of all groups concatenated, the top one first.

    `lead` is the axes before z's own: `(samples, batch)`, or `(batch,)`. Where there are features of x, `(batch, ...)`,
    its last axis is their batch, and they broadcast over the samples.

    Attributes
    ----------
    z
        `(*lead, latent)`.
    output
        The decoder's input: `(*lead, decoded)`.
    p_mean, p_log_std
        Of P(z_l|z_<l) for each group: `(*lead, latent)`.
    q_mean, q_log_std
        Of Q(z_l|z_<l, x); `None` in a pass without x.

    """

    z: Tensor
    output: Tensor
    p_mean: Tensor
    p_log_std: Tensor
    q_mean: Tensor | None
    q_log_std: Tensor | None


class TopDown(nn.Module, ABC, Generic[State]):
    """Networks of a hierarchy: P(z) = Π P(z_l|z_<l) and Q(z|x) = Π Q(z_l|z_<l, x), each a diagonal normal.

    The bottom-up pass (`encoder`, then `bottom_up`) makes features of x for each group. The top-down pass carries a
    state through the groups, the top one first: group l's prior is computed from the state, its posterior from the
    state and x's features, and z_l leads to the next state. A subclass chooses what the state is (`start`, `advance`);
    the decoder reads the last one.

    Attributes
    ----------
    groups
        The groups of z, the top one first; z is their concatenation.
    encoder
        Rows, and y where the model has a condition, to `(batch, encoded)`.
    decoder
        `output(state)`, and y after it, to the parameters of P(x|z).
    encoded, decoded
        How many numbers per row the encoder returns, and `output` returns.
    widest
        The widest layer but for encoder and decoder, in numbers per row: what memory is reckoned by.

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
        """One of the weights, as a template: z gets its dtype and device."""

    @abstractmethod
    def bottom_up(self, encoded: Tensor) -> Sequence[Tensor]:
        """The encoder's output `(batch, encoded)` -> features of x for each group's posterior, the top first."""

    @abstractmethod
    def start(self, lead: torch.Size) -> State:
        """The state above the top group, for draws `(*lead,)`."""

    @abstractmethod
    def prior(self, level: int, state: State) -> Moments:
        """The moments of P(z_l|z_<l)."""

    @abstractmethod
    def posterior(self, level: int, state: State, features: Tensor, prior: Moments) -> Moments:
        """The moments of Q(z_l|z_<l, x), from the group's features of x; P(z_l|z_<l)'s are given to start from."""

    @abstractmethod
    def advance(self, level: int, state: State, z: Tensor) -> State:
        """The state below a group, from the one above it and the group's z `(*lead, *shape)`."""

    @abstractmethod
    def output(self, state: State) -> Tensor:
        """The decoder's input, made of the last state: `(*lead, decoded)`."""

    @final
    @property
    def sizes(self) -> list[int]:
        """How many numbers each group's z has."""
        return [group.size for group in self.groups]

    def forward(
        self, *, noise: Tensor | None = None, z: Tensor | None = None, features: Sequence[Tensor] | None = None
    ) -> TopDownPass:
        """The result of one top-down pass.

        Parameters
        ----------
        noise
            Standard normal numbers `(*lead, latent)`: z is drawn from Q where there are features, else from P.
        z
            Values of z `(*lead, latent)`, in place of noise.
        features
            The features that `bottom_up` returned, each `(batch, ...)`.

        """
        values = noise if z is None else z
        if values is None:
            raise ConfigError("a top-down pass needs noise or z")
        state = self.start(values.shape[:-1])
        parts: list[list[Tensor]] = []
        for level, (group, flat) in enumerate(zip(self.groups, values.split(self.sizes, -1), strict=True)):
            value, prior = group.shaped(flat), self.prior(level, state)
            moments = [prior] if features is None else [prior, self.posterior(level, state, features[level], prior)]
            mean, log_std = moments[-1]
            code = value if z is not None else mean + log_std.exp() * value
            state = self.advance(level, state, code)
            parts.append([group.flat(each) for each in (code, *(moment for pair in moments for moment in pair))])
        code, p_mean, p_log_std, *q = (torch.cat(tensors, -1) for tensors in zip(*parts, strict=True))
        q_mean, q_log_std = q or (None, None)
        return TopDownPass(code, self.output(state), p_mean, p_log_std, q_mean, q_log_std)
