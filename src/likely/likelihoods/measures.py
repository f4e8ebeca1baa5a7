"""Which cells have mass, which a density, and where both."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from likely.data.kinds import Measure
from likely.likelihoods.atoms import Atoms
from likely.likelihoods.base import Likelihood
from likely.likelihoods.columns import Columns

__all__ = ["atoms_of", "measured"]


def measured(likelihood: Likelihood, what: Measure) -> Tensor:
    """Which cells have this measure: `()` or `(columns,)`."""
    if not isinstance(likelihood, Columns):
        return torch.tensor(likelihood.measure == what)
    cells = torch.zeros(likelihood.event_shape, dtype=torch.bool)
    for family, places in zip(likelihood.families, likelihood.places, strict=True):
        cells[places.cpu()] = measured(cast(Likelihood, family), what).cpu()
    return cells


def atoms_of(likelihood: Likelihood) -> Tensor | None:
    """Atoms of each column, `(columns, most)`, NaN where there are fewer; `None` where no column has any."""
    if isinstance(likelihood, Atoms):
        return likelihood.atoms
    if not isinstance(likelihood, Columns):
        return None
    pairs = zip(likelihood.families, likelihood.places, strict=True)
    parts = [(atoms_of(cast(Likelihood, family)), place) for family, place in pairs]
    most = max((part.shape[1] for part, _ in parts if part is not None), default=0)
    if not most:
        return None
    atoms = torch.full((*likelihood.event_shape, most), torch.nan, dtype=torch.float64)
    for part, place in parts:
        if part is not None:
            atoms[place.cpu(), : part.shape[1]] = part.cpu()
    return atoms
