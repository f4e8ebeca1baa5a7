"""Small hierarchies of maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from likely.likelihoods import Bernoulli, Likelihood
from likely.models import HierarchicalVAE
from likely.networks import ConvLadder, Encoder, Level, PatchDecoder, PatchEncoder, Standardise
from likely.networks.conv_topdown import patches_of


def levels_of(event: Sequence[int]) -> list[Level]:
    """Two groups of a quarter of a picture's size, one of half of it."""
    longest = max(event[:2])
    return [Level(-(-longest // 4), 2, 3), Level(-(-longest // 2), 1, 2)]


def build_maps(
    event: Sequence[int],
    levels: Sequence[Level] | None = None,
    *,
    likelihood: Likelihood | None = None,
    width: int = 8,
    stir: float = 0.0,
    condition: nn.Module | None = None,
    y: int = 0,
    masked: bool = False,
) -> HierarchicalVAE:
    """A small model, away from its start where it is stirred."""
    levels, cells = levels_of(event) if levels is None else levels, math.prod(event)
    likelihood = Bernoulli(tuple(event)) if likelihood is None else likelihood
    patch = patches_of(event, levels)[-1]
    body, missing = PatchEncoder(event, width, patch, y, masked), range(cells) if masked else ()
    encoder = Encoder(Standardise(0.5, 0.5, cells), body, list(missing))
    decoder = PatchDecoder(likelihood.parameter_shape, width, patch, covariates=y)
    model = HierarchicalVAE(likelihood, ConvLadder(encoder, decoder, levels, event, width), condition)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(stir * torch.randn_like(weight))
    return model
