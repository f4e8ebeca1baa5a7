"""A linear map beside a residual perceptron, which may start at principal components."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from likely.networks.base import Network
from likely.networks.residual import ResidualMLP

__all__ = ["LinearMLP"]

SMALL = 0.1  # of its first weights remain in the perceptron's last layer


class LinearMLP(Network):
    """A x + b + g(x), g a `ResidualMLP`: `(*batch, inputs) -> (*batch, outputs)`.

    Where columns are close to linear functions of each other the map alone explains them, and g learns the rest.

    Parameters
    ----------
    inputs, outputs
        Sizes of the last axis.
    width, blocks
        Of g.

    """

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int = 1) -> None:
        super().__init__()
        self.linear, self.bent = nn.Linear(inputs, outputs), ResidualMLP(inputs, outputs, width, blocks)
        self.inputs, self.outputs, self.widest = inputs, outputs, self.bent.widest

    @torch.no_grad()
    def start(self, bias: Tensor) -> None:
        """Start the output near `bias`, `(outputs,)`, whatever the input is."""
        self.start_at(torch.zeros_like(self.linear.weight), bias)

    @torch.no_grad()
    def start_at(self, weight: Tensor, bias: Tensor) -> None:
        """Start near the linear map with these, `(outputs, inputs)` and `(outputs,)`."""
        self.linear.weight.copy_(weight)
        self.linear.bias.copy_(bias)
        self.bent.last.weight.mul_(SMALL)
        self.bent.last.bias.zero_()

    def layers(self, x: Tensor) -> list[Tensor]:
        """The output of each layer for x, in order; the last one is the network's."""
        *hidden, last = self.bent.layers(x)
        return [*hidden, last + self.linear(x)]

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.linear(x) + self.bent(x)
        return output
