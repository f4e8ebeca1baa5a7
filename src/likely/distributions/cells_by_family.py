"""A row of cells of different families, as one distribution per cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely.data.located import Located
from likely.distributions.locating import Locating, locate, log_prob_at

__all__ = ["CellsByFamily"]


class CellsByFamily(Locating):
    """Cells of different families side by side: `log_prob` is per cell, `(*batch, cells)`, in nats.

    Parameters
    ----------
    parts
        One distribution per family, over the last axis.
    places
        For each part, the cells it is about.

    """

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, parts: Sequence[Distribution], places: Sequence[Tensor]) -> None:
        self.parts, self.places = list(parts), list(places)
        self._order = torch.argsort(torch.cat(self.places))
        batch = parts[0].batch_shape[:-1]
        super().__init__(torch.Size((*batch, len(self._order))), validate_args=False)

    def _gather(self, pieces: list[Tensor]) -> Tensor:
        return torch.cat(pieces, -1).index_select(-1, self._order)

    @property
    def mean(self) -> Tensor:
        """Mean of numeric cells, most probable code of categorical cells; float64."""
        return self._gather([part.mean.to(torch.float64) for part in self.parts])

    @property
    def mode(self) -> Tensor:
        return self._gather([part.mode.to(torch.float64) for part in self.parts])

    @property
    def variance(self) -> Tensor:
        return self._gather([part.variance.to(torch.float64) for part in self.parts])

    def expand(self, batch_shape: Any, _instance: Any = None) -> CellsByFamily:
        lead = torch.Size(batch_shape)[:-1]
        parts = [part.expand(torch.Size((*lead, part.batch_shape[-1]))) for part in self.parts]
        return CellsByFamily(parts, self.places)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        return self._gather([part.sample(torch.Size(sample_shape)).to(torch.float64) for part in self.parts])

    def locate(self, value: Tensor) -> Located:
        pairs = zip(self.parts, self.places, strict=True)
        return tuple(locate(part, value[..., place]) for part, place in pairs)

    def log_prob_at(self, located: Located) -> Tensor:
        known: Any = located
        return self._gather([log_prob_at(part, one) for part, one in zip(self.parts, known, strict=True)])

    def cdf(self, value: Tensor) -> Tensor:
        pairs = zip(self.parts, self.places, strict=True)
        return self._gather([part.cdf(value[..., place]) for part, place in pairs])
