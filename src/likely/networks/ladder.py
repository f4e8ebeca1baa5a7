"""The ladder: one top-down path for P(z) and Q(z|x) of a hierarchy of groups of z."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.residual import Block

__all__ = ["Descent", "Ladder"]

LOW, HIGH = -12.0, 4.0
MOST = 20


@dataclass(frozen=True, eq=False)
class Descent:
    """What one way down gives, all groups side by side, the top one first.

    Attributes
    ----------
    z
        `(*lead, latent)`.
    state
        The deterministic path after the last group: `(*lead, width)`.
    p_mean, p_log_std
        Of P(z_l|z_<l) for each group: `(*lead, latent)`.
    q_mean, q_log_std
        Of Q(z_l|z_<l, x), where x was there.

    """

    z: Tensor
    state: Tensor
    p_mean: Tensor
    p_log_std: Tensor
    q_mean: Tensor | None
    q_log_std: Tensor | None


class Ladder(nn.Module):
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
    groups
        Dimension of each group, the top one first; 1 to 20 of them.
    width
        Of the state and of x's features.

    """

    def __init__(self, groups: Sequence[int], width: int) -> None:
        super().__init__()
        if not 1 <= len(groups) <= MOST or min(groups) < 1:
            raise ConfigError(f"a hierarchy has 1 to {MOST} groups of at least one dimension each, got {list(groups)}")
        self.groups, self.width, self.widest = tuple(groups), width, width
        self.top = nn.Parameter(torch.zeros(width))
        self.up = nn.ModuleList(Block(width) for _ in groups)
        self.down = nn.ModuleList(Block(width) for _ in groups)
        self.into = nn.ModuleList(nn.Linear(dim, width) for dim in groups)
        self.prior = nn.ModuleList(_silent(nn.Linear(width, 2 * dim)) for dim in groups)
        self.posterior = nn.ModuleList(_silent(nn.Linear(2 * width, 2 * dim)) for dim in groups)

    def climb(self, features: Tensor) -> tuple[Tensor, ...]:
        """Features of x `(batch, width)` -> what each group reads, the top group's first."""
        made = []
        for block in self.up:
            features = block(features)
            made.append(features)
        return tuple(reversed(made))

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
            What `climb` gave, each `(batch, width)`.

        """
        given = noise if z is None else z
        if given is None:
            raise ConfigError("a way down needs noise or z")
        state: Tensor = self.top.expand(*given.shape[:-1], -1)
        found: list[tuple[Tensor, ...]] = []
        for level, part in enumerate(given.split(self.groups, -1)):
            calm = F.silu(state)
            mean, log_std = _halves(self.prior[level](calm))
            log_std = F.hardtanh(log_std, LOW, HIGH)
            made = [mean, log_std]
            if features is not None:
                seen = torch.cat([calm, F.silu(features[level]).expand(calm.shape).to(calm.dtype)], -1)
                move, stretch = _halves(self.posterior[level](seen))
                made += [mean + move, F.hardtanh(log_std + stretch, LOW, HIGH)]
            code = part if z is not None else made[-2] + made[-1].exp() * part
            state = self.down[level](state + self.into[level](code))
            found.append((code, *made))
        code, *laws = (torch.cat(tensors, -1) for tensors in zip(*found, strict=True))
        q_mean, q_log_std = laws[2:] if features is not None else (None, None)
        return Descent(code, state, laws[0], laws[1], q_mean, q_log_std)


def _silent(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _halves(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-deviation, in float32 under autocast."""
    full = numbers.float() if numbers.dtype in (torch.bfloat16, torch.float16) else numbers
    mean, log_std = full.chunk(2, -1)
    return mean, log_std
