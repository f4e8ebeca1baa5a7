"""An encoder: data units to a common scale, then a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from likely.errors import ConfigError
from likely.networks.base import Network, stated
from likely.networks.inputs import Features, Standardise

__all__ = ["Encoder"]


class Encoder(Network):
    """`body([first(x), missing, y])`: rows in data units, and covariates if the model has any, to Q's parameters.

    Features of a cell that is not observed are 0, and the body is given which of the cells that may be missing are.

    Parameters
    ----------
    first
        Brings `(batch, *event)` to `(batch, features)` of order one.
    body
        A `Network`, or a module that states `inputs`, `outputs` and `widest` as one; what it takes beyond the features
        and the marks of missing cells are covariates.
    missing
        Places of the cells that may be missing, in a flat row: each adds a number, 1 where it is.

    Attributes
    ----------
    covariates
        How many numbers y it needs per row.

    Raises
    ------
    ConfigError
        If the body states no sizes, or takes fewer numbers than there are features.

    """

    missing: Tensor
    takes_observed = True

    def __init__(self, first: Standardise | Features, body: nn.Module, missing: Sequence[int] = ()) -> None:
        super().__init__()
        name, sizes = type(body).__name__, stated(body)
        if sizes.inputs is None or sizes.outputs is None or sizes.widest is None:
            raise ConfigError(f"{name} does not state its sizes; wrap it: networks.Shaped(module, inputs, outputs)")
        self.first, self.body, self.inputs, self.outputs = first, body, first.inputs, sizes.outputs
        self.register_buffer("missing", torch.tensor(list(missing), dtype=torch.int64), persistent=False)
        features = first.outputs + len(missing)
        self.widest = max(features, sizes.widest)
        self.covariates: int = sizes.inputs - features
        if self.covariates < 0:
            raise ConfigError(f"{name} takes {sizes.inputs} numbers per row; x has {features} features")

    def forward(
        self,
        values: Tensor,
        covariates: Tensor | None = None,
        observed: Tensor | None = None,
        fixed: tuple[Tensor, ...] | None = None,
    ) -> Tensor:
        """Values `(batch, *event)`, covariates `(batch, covariates)`, mask as the values -> `(batch, outputs)`.

        `fixed` is what `self.fixed` gives for the values, where that is known.
        """
        encoded: Tensor = self.body(self.features(values, covariates, observed, fixed))
        return encoded

    def features(
        self,
        values: Tensor,
        covariates: Tensor | None = None,
        observed: Tensor | None = None,
        fixed: tuple[Tensor, ...] | None = None,
    ) -> Tensor:
        """What the body is given: features of x, marks of missing cells, covariates."""
        if fixed is not None and isinstance(self.first, Features):
            features = self._marked(self.first.from_fixed(fixed), observed)
        else:
            features = self._marked(self.first(values), observed)
        given = 0 if covariates is None else covariates.shape[-1]
        if given != self.covariates:
            raise ConfigError(f"the encoder takes {self.covariates} covariates per row, got {given}")
        return features if covariates is None else torch.cat([features, covariates.to(features.dtype)], -1)

    def fixed(self, values: Tensor) -> tuple[Tensor, ...] | None:
        """What of the features no weight takes part in; `None` where the first layer does not tell."""
        return self.first.fixed(values) if isinstance(self.first, Features) else None

    def _marked(self, features: Tensor, observed: Tensor | None) -> Tensor:
        """Features of x, and of what is missing of it: `(batch, features + marks)`."""
        if observed is None:
            return (
                torch.cat([features, features.new_zeros(len(features), len(self.missing))], 1)
                if len(self.missing)
                else features
            )
        seen = observed.flatten(1)
        kept = torch.where(seen[:, self.first.cells], features, features.new_zeros(()))
        return torch.cat([kept, (~seen[:, self.missing]).to(features.dtype)], 1)
