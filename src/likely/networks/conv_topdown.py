"""The convolutional ladder: the top-down path of a hierarchy whose groups are maps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.patches import MapBlock, Size, as_map, conv, flat_map, map_size, picture_of
from likely.networks.topdown import Group, Moments, TopDown

__all__ = ["MAX_MAPS", "ConvLadder", "Level", "patches_of"]

MAX_MAPS = 100  # groups of z: more is a slip, as each has networks of its own
MAX_MOVE = 5.0  # of log σ, of P from 0 and of Q from P


@dataclass(frozen=True)
class Level:
    """Groups of z whose maps have the same size.

    Attributes
    ----------
    side
        The longer side of the maps: the picture's, halved some times and rounded up each time.
    count
        How many groups there are.
    channels
        Of each group's z.

    """

    side: int
    count: int
    channels: int


def patches_of(event_shape: Sequence[int], levels: Sequence[Level]) -> tuple[int, ...]:
    """How many pixels a side each level's places have: powers of 2, the coarsest first.

    Raises
    ------
    ConfigError
        If a level has no such number, the levels do not go from coarse to fine, or a number of them is out of range.

    """
    longest = max(picture_of(event_shape)[:2])
    sides: dict[int, int] = {}
    for power in range(longest.bit_length() + 1):
        sides.setdefault(-(-longest // 2**power), 2**power)
    for level in levels:
        if level.side not in sides:
            taken = ", ".join(map(str, sides))
            raise ConfigError(f"maps of a picture with side {longest} have side {taken}; got {level.side}")
    told = [level.side for level in levels]
    if not told or any(above >= below for above, below in itertools.pairwise(told)):
        raise ConfigError(f"maps go from coarse to fine, each size once, got {' then '.join(map(str, told)) or 'none'}")
    groups = sum(level.count for level in levels)
    if not 1 <= groups <= MAX_MAPS or min(min(level.count, level.channels) for level in levels) < 1:
        raise ConfigError(f"a hierarchy has 1 to {MAX_MAPS} groups of at least one channel each, got {groups}")
    return tuple(sides[side] for side in told)


class _State:
    """The maps h, and their activation, which a group's P and Q both read.

    `lead` is the axes of draws; `rows` those of h: none above the top group, where h is the same for all draws.
    """

    def __init__(self, h: Tensor, lead: torch.Size, rows: torch.Size) -> None:
        self.h, self.lead, self.rows = h, lead, rows

    @cached_property
    def active(self) -> Tensor:
        """silu(h)."""
        return F.silu(self.h)


class _Path(nn.Module):
    """The weights of both ways, up and down; lists have an entry for each group, the top one first."""

    def __init__(self, levels: Sequence[Level], sizes: Sequence[Size], width: int, blocks: int) -> None:
        super().__init__()
        channels = [level.channels for level in levels for _ in range(level.count)]
        depth = blocks * len(channels)
        self.places = nn.ParameterList(torch.zeros(*size, width) for size in sizes)
        self.up = nn.ModuleList(_chain(width, blocks, depth) for _ in channels)
        self.read = nn.ModuleList(conv(width, width, 3) for _ in channels)
        self.seen = nn.ModuleList(conv(width, width, 3, bias=False) for _ in channels)
        self.prior = nn.ModuleList(_zeroed(conv(width, 2 * each, 1)) for each in channels)
        self.posterior = nn.ModuleList(_zeroed(conv(width, 2 * each, 1)) for each in channels)
        self.into = nn.ModuleList(conv(each, width, 1) for each in channels)
        self.down = nn.ModuleList(_chain(width, blocks, depth) for _ in channels)


class ConvLadder(TopDown[_State]):
    """Groups of maps z_1, ..., z_L with P(z) = Π P(z_l|z_<l) and Q(z|x) = Π Q(z_l|z_<l, x), each a diagonal normal.

    On the way up, features of x pass residual blocks for each group, averaged over 2x2 places from one size of maps to
    the next. On the way down, a deterministic map h, which starts at learned numbers, passes as many blocks, which P
    and Q share: group l's prior is a linear map of silu(h) at each place; its posterior, from h and x's features, is
    N(μ_p + Δμ, (σ_p Δσ)²); then z_l is added to h by a linear map at each place, and after the blocks h is repeated to
    the next size (nearest neighbour), where it gets learned numbers for each place.

    log σ_p and log Δσ are 5 tanh(r/5) of what the network gives: smooth, and never beyond ±5 (the bound of NVAE's
    published code). At the start every conditional is N(0, I), for P and for Q, so that the KL is 0.

    Sources: Sønderby et al. 2016, Ladder variational autoencoders, section 2 (one top-down path for P and Q); Kingma et
    al. 2016, section 4 (the deterministic path, residual blocks); Maaløe et al. 2019, BIVA, section 3 (skips through
    the deterministic path); Vahdat and Kautz 2020, NVAE, sections 3.1 and 3.2 (maps of several sizes, the posterior
    relative to the prior, the first state learned); Child 2021, Very deep VAEs, section 3 (averages down, nearest
    neighbour up, 1/√depth, learned numbers for each place).

    Parameters
    ----------
    encoder
        `(batch, *event) -> (batch, encoded)`: the map of the last level's size, flat, channels last, as a
        `PatchEncoder` gives it; with a condition it is also given y's features, and the mask as in `likely.VAE`.
    decoder
        `(*batch, decoded) -> (*batch, likelihood.parameter_shape.numel())`, from the last state, a map as the encoder
        gives it (`PatchDecoder`); with a condition y's features come after it.
    levels
        Groups of z, the coarsest maps first.
    event_shape
        Of the pictures, `(H, W)` or `(H, W, C)`.
    width
        Channels of h and of x's features.
    blocks
        Residual blocks per group, up and down.

    Raises
    ------
    ConfigError
        If the event is no picture, or the levels do not fit it.

    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        levels: Sequence[Level],
        event_shape: Sequence[int],
        width: int,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        patches = patches_of(event_shape, levels)
        sizes = [map_size(event_shape, patch) for patch in patches]
        self.place = tuple(place for place, level in enumerate(levels) for _ in range(level.count))
        self.sides, self.patches = sizes, patches
        self.groups = tuple(Group((levels[place].channels, *sizes[place])) for place in self.place)
        self.encoded = self.decoded = self.widest = math.prod(sizes[-1]) * width
        self.encoder, self.decoder, self.path = encoder, decoder, _Path(levels, sizes, width, blocks)

    @property
    def like(self) -> Tensor:
        template: Tensor = self.path.places[0]
        return template

    def bottom_up(self, encoded: Tensor) -> tuple[Tensor, ...]:
        """Features of x `(batch, encoded)` -> what each group reads, `(batch, width, H, W)`, the top group's first."""
        h, features = as_map(encoded, self.sides[-1]), []
        for level in reversed(range(len(self.groups))):
            h = self.path.up[level](h)
            features.append(self.path.read[level](F.silu(h)).unflatten(0, encoded.shape[:-1]))
            if level and self.place[level - 1] < self.place[level]:
                factor = self._factor(self.place[level])
                h = F.avg_pool2d(h, factor, ceil_mode=True, count_include_pad=False)
        return tuple(reversed(features))

    def start(self, lead: torch.Size) -> _State:
        return _State(self._learned(0), lead, torch.Size())

    def prior(self, level: int, state: _State) -> Moments:
        mean, move = _halves(self.path.prior[level](state.active), state.rows, state.lead)
        return Moments(mean, _bounded(move))

    def posterior(self, level: int, state: _State, features: Tensor, prior: Moments) -> Moments:
        # Above the top group h is the same for all draws, so that Q is computed once a row of x.
        rows = torch.broadcast_shapes(state.rows, features.shape[:-3])
        known = features.expand(*rows, *features.shape[-3:]).reshape(-1, *features.shape[-3:])
        seen = self.path.seen[level](state.active)
        joined = F.silu(seen + known.to(seen.dtype))
        mean, move = _halves(self.path.posterior[level](joined), rows, state.lead)
        return Moments(prior.mean + mean, prior.log_std + _bounded(move))

    def advance(self, level: int, state: _State, z: Tensor) -> _State:
        h = self.path.down[level](state.h + self.path.into[level](z.reshape(-1, *z.shape[-3:])))
        if level + 1 < len(self.groups) and (below := self.place[level + 1]) > self.place[level]:
            wide = F.interpolate(h, scale_factor=self._factor(below), mode="nearest")
            height, width = self.sides[below]
            h = wide[:, :, :height, :width] + self._learned(below)
        return _State(h, state.lead, state.lead)

    def output(self, state: _State) -> Tensor:
        return flat_map(state.h).reshape(*state.lead, self.decoded)

    def _factor(self, place: int) -> int:
        """How many times as long the sides of a level's maps are as those of the level above."""
        return self.patches[place - 1] // self.patches[place]

    def _learned(self, place: int) -> Tensor:
        """The numbers learned for each place of a level's maps: `(1, width, H, W)`."""
        return as_map(self.path.places[place].flatten(), self.sides[place])


def _halves(made: Tensor, rows: torch.Size, lead: torch.Size) -> tuple[Tensor, Tensor]:
    """What a head gives, for `rows`, in two, each `(*lead, C, H, W)`; in float32 under autocast."""
    full = made.float() if made.dtype in (torch.bfloat16, torch.float16) else made
    event = full.shape[1:]
    first, second = full.reshape(*rows, *event).expand(*lead, *event).chunk(2, -3)
    return first, second


def _chain(width: int, blocks: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(MapBlock(width, depth) for _ in range(blocks)))


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    return layer


def _bounded(move: Tensor) -> Tensor:
    return MAX_MOVE * torch.tanh(move / MAX_MOVE)
