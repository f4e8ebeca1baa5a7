"""The ladder: the top-down path of a hierarchy whose groups are vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.residual import Block
from likely.networks.topdown import MAX_LOG_STD, MIN_LOG_STD, Group, Moments, TopDown

__all__ = ["MAX_GROUPS", "Ladder"]

MAX_GROUPS = 20  # of z: more is a slip, as each has networks of its own


class _State:
    """The deterministic path h, and its activation, which a group's prior and posterior both read."""

    def __init__(self, h: Tensor) -> None:
        self.h = h

    @cached_property
    def active(self) -> Tensor:
        """silu(h)."""
        return F.silu(self.h)


class _Path(nn.Module):
    """The weights of both ways, up and down."""

    def __init__(self, groups: Sequence[int], width: int) -> None:
        super().__init__()
        self.top = nn.Parameter(torch.zeros(width))
        self.up = nn.ModuleList(Block(width) for _ in groups)
        self.down = nn.ModuleList(Block(width) for _ in groups)
        self.into = nn.ModuleList(nn.Linear(dim, width) for dim in groups)
        self.prior = nn.ModuleList(_zeroed(nn.Linear(width, 2 * dim)) for dim in groups)
        self.posterior = nn.ModuleList(_zeroed(nn.Linear(2 * width, 2 * dim)) for dim in groups)


class Ladder(TopDown[_State]):
    """Groups z_1, ..., z_L with P(z) = Π P(z_l|z_<l) and Q(z|x) = Π Q(z_l|z_<l, x), each a diagonal normal.

    On the way up, features of x pass L residual blocks, and group l reads what block L + 1 − l gave. On the way down, a
    deterministic state h passes L residual blocks, which P and Q share: group l's prior is read from h; its posterior,
    from h and x's features, is N(μ_p + Δμ, (σ_p Δσ)²); then z_l is added to h. The state is the skip path: what lies
    above reaches the decoder beside z_L.

    Sources: Sønderby et al. 2016, Ladder variational autoencoders, section 2 (one top-down path for P and Q); Kingma et
    al. 2016, section 4 (the deterministic path beside the stochastic one); Vahdat and Kautz 2020, NVAE, section 3.2
    (the posterior relative to the prior).

    At the start every conditional is N(0, I), for P and for Q.

    Parameters
    ----------
    encoder
        `(batch, *event) -> (batch, width)`: features of x; with a condition it is also given y's features, and the
        mask as in `likely.VAE`.
    decoder
        `(*batch, width) -> (*batch, likelihood.parameter_shape.numel())`, from the last state; with a condition y's
        features come after it.
    groups
        Dimension of each group, the top one first; 1 to 20 of them.
    width
        Of the state and of x's features.

    Raises
    ------
    ConfigError
        If there are no groups or too many, or one has no dimension.

    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, groups: Sequence[int], width: int) -> None:
        super().__init__()
        if not 1 <= len(groups) <= MAX_GROUPS or min(groups) < 1:
            raise ConfigError(
                f"a hierarchy has 1 to {MAX_GROUPS} groups of at least one dimension each, got {list(groups)}"
            )
        self.groups = tuple(Group((dim,)) for dim in groups)
        self.encoded = self.decoded = self.widest = width
        self.encoder, self.decoder, self.path = encoder, decoder, _Path(groups, width)

    @property
    def like(self) -> Tensor:
        return self.path.top

    def bottom_up(self, encoded: Tensor) -> tuple[Tensor, ...]:
        """Features of x `(batch, width)` -> what each group reads, the top group's first."""
        levels = []
        for block in self.path.up:
            encoded = block(encoded)
            levels.append(encoded)
        return tuple(reversed(levels))

    def start(self, lead: torch.Size) -> _State:
        return _State(self.path.top.expand(*lead, -1))

    def prior(self, level: int, state: _State) -> Moments:
        mean, log_std = _halves(self.path.prior[level](state.active))
        return Moments(mean, F.hardtanh(log_std, MIN_LOG_STD, MAX_LOG_STD))

    def posterior(self, level: int, state: _State, features: Tensor, prior: Moments) -> Moments:
        active = state.active
        seen = torch.cat([active, F.silu(features).expand(active.shape).to(active.dtype)], -1)
        move, stretch = _halves(self.path.posterior[level](seen))
        return Moments(prior.mean + move, F.hardtanh(prior.log_std + stretch, MIN_LOG_STD, MAX_LOG_STD))

    def advance(self, level: int, state: _State, z: Tensor) -> _State:
        return _State(self.path.down[level](state.h + self.path.into[level](z)))

    def output(self, state: _State) -> Tensor:
        return state.h


def _zeroed(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _halves(numbers: Tensor) -> Moments:
    """Mean and log-deviation, in float32 under autocast."""
    full = numbers.float() if numbers.dtype in (torch.bfloat16, torch.float16) else numbers
    mean, log_std = full.chunk(2, -1)
    return Moments(mean, log_std)
