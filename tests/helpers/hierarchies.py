"""Small hierarchies of latent groups."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from likely.likelihoods import Gaussian
from likely.models import HierarchicalVAE
from likely.networks import Ladder, ResidualMLP

CELLS, WIDTH = 5, 8


def build(
    groups: tuple[int, ...], stir: float = 0.3, condition: nn.Module | None = None, y: int = 0
) -> HierarchicalVAE:
    """A small model away from its start."""
    encoder, decoder = Joined(CELLS + y, WIDTH), ResidualMLP(WIDTH + y, CELLS, 8, 1)
    model = HierarchicalVAE(Gaussian((CELLS,), 0.7), Ladder(encoder, decoder, groups, WIDTH), condition)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(stir * torch.randn_like(weight))
    return model


class Joined(nn.Module):
    """A linear encoder of x, and of y where it is given."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        made: Tensor = self.layer(x if y is None else torch.cat([x, y], -1))
        return made
