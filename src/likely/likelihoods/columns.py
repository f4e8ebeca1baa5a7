"""A table's likelihood: one family per group of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from likely import distributions
from likely.likelihoods.base import Likelihood

__all__ = ["Columns"]


class Columns(Likelihood):
    """P(x|z) = Π_families P(x_columns|z): columns are independent given z, each family takes its own columns.

    Parameters
    ----------
    groups
        `(likelihood, places)`: the columns that each family is about; together every column once.

    """

    def __init__(self, groups: Sequence[tuple[Likelihood, Sequence[int]]]) -> None:
        super().__init__()
        self.families = nn.ModuleList(family for family, _ in groups)
        self.event_shape = torch.Size((sum(len(places) for _, places in groups),))
        self._sizes = [family.parameter_shape.numel() for family, _ in groups]
        self.parameter_shape = torch.Size((sum(self._sizes),))
        for i, (_, places) in enumerate(groups):
            self.register_buffer(f"places{i}", torch.tensor(list(places)), persistent=False)
        self.exposed = any(family.exposed for family, _ in groups)
        self.matches_shares = any(family.matches_shares for family, _ in groups)
        measures = {family.measure for family, _ in groups}
        self.measure = measures.pop() if len(measures) == 1 else "mixed"

    @property
    def places(self) -> list[Tensor]:
        """For each family, the columns that it is about."""
        return [self.get_buffer(f"places{i}") for i in range(len(self.families))]

    def forward(self, parameters: Tensor, log_exposure: Tensor | None = None) -> Distribution:
        """`(*batch, numbers)` -> one distribution per column, `(*batch, columns)`."""
        pieces = parameters.split(self._sizes, -1)
        parts = [
            family(piece, log_exposure) if family.exposed else family(piece)
            for family, piece in zip(self.families, pieces, strict=True)
        ]
        return distributions.CellsByFamily(parts, self.places)

    def initial(self, values: Tensor) -> Tensor:
        """The parameters of each family's best z-free model, side by side."""
        pairs = zip(self.families, self.places, strict=True)
        return torch.cat([cast(Likelihood, family).initial(values[:, places]) for family, places in pairs])

    def located(self, values: Tensor) -> Tensor | None:
        """Those of each family, side by side, 0 for one that has none; `None` if none has."""
        pairs = list(zip(self.families, self.places, self._sizes, strict=True))
        each = [(cast(Likelihood, family).located(values[:, places]), size) for family, places, size in pairs]
        if all(one is None for one, _ in each):
            return None
        zeros = torch.zeros(len(values), max(self._sizes), dtype=torch.float64, device=values.device)
        return torch.cat([zeros[:, :size] if one is None else one for one, size in each], 1)

    def match_shares(self, parameters: Tensor, values: Tensor, row_weights: Tensor, draw_weights: Tensor) -> None:
        """Set each family's constants (`Likelihood.match_shares`)."""
        triples = zip(self.families, parameters.split(self._sizes, -1), self.places, strict=True)
        for family, piece, places in triples:
            weights = row_weights[:, places], draw_weights[:, places]
            cast(Likelihood, family).match_shares(piece, values[:, places], *weights)
