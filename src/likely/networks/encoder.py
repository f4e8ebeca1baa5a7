"""An encoder: data units to a common scale, then a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.inputs import Features, Standardise

__all__ = ["Encoder"]


class Encoder(nn.Module):
    """`body([first(x), y])`: rows in data units, and their covariates if the model has any, to Q's parameters.

    Parameters
    ----------
    first
        Brings `(batch, *event)` to `(batch, features)` of order one.
    body
        Network that states its `inputs` and `outputs`; what it takes beyond the features are covariates.

    Attributes
    ----------
    covariates
        How many numbers y it needs per row.

    Raises
    ------
    ConfigError
        If the body states no sizes, or takes fewer numbers than there are features.

    """

    def __init__(self, first: Standardise | Features, body: nn.Module) -> None:
        super().__init__()
        name = type(body).__name__
        if not all(isinstance(getattr(body, size, None), int) for size in ("inputs", "outputs", "widest")):
            raise ConfigError(f"{name} does not state its sizes; wrap it: networks.Shaped(module, inputs, outputs)")
        stated: Any = body
        self.first, self.body, self.outputs = first, body, int(stated.outputs)
        self.widest = max(first.outputs, int(stated.widest))
        self.covariates = int(stated.inputs) - first.outputs
        if self.covariates < 0:
            raise ConfigError(f"{name} takes {stated.inputs} numbers per row; x has {first.outputs} features")

    def forward(self, values: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Values `(batch, *event)`, covariates `(batch, covariates)` -> `(batch, outputs)`."""
        made: Tensor = self.first(values)
        given = 0 if covariates is None else covariates.shape[-1]
        if given != self.covariates:
            raise ConfigError(f"the encoder takes {self.covariates} covariates per row, got {given}")
        if covariates is not None:
            made = torch.cat([made, covariates.to(made.dtype)], -1)
        encoded: Tensor = self.body(made)
        return encoded
