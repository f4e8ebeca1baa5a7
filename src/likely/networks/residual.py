"""The residual multilayer perceptron."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likely.networks.base import Network

__all__ = ["Block", "ResidualMLP"]


class Block(nn.Module):
    """h + W₂ silu(W₁ h): starts as the identity, because W₂ starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, h: Tensor) -> Tensor:
        change: Tensor = self.second(F.silu(self.first(h)))
        return h + change


class ResidualMLP(Network):
    """Linear, `blocks` residual blocks (He et al. 2016), silu, linear: `(*batch, inputs) -> (*batch, outputs)`.

    Parameters
    ----------
    inputs, outputs
        Sizes of the last axis.
    width
        Of the hidden layers.
    blocks
        Residual blocks; each holds two linear layers.

    """

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int = 2) -> None:
        super().__init__()
        self.inputs, self.outputs, self.widest = inputs, outputs, max(inputs, width, outputs)
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.last = nn.Linear(width, outputs)

    @torch.no_grad()
    def start(self, bias: Tensor) -> None:
        """Start the output near `bias`, `(outputs,)`, whatever the input is."""
        self.last.weight.mul_(0.1)
        self.last.bias.copy_(bias)

    def layers(self, x: Tensor) -> list[Tensor]:
        """The output of each layer for x, in order; the last one is the network's."""
        outputs = [self.first(x)]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return [*outputs, self.last(F.silu(outputs[-1]))]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)[-1]
