"""The likelihood of real columns some of whose numbers have mass of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.data.batch import completed
from likely.likelihoods.base import Likelihood

__all__ = ["Atoms"]


class Atoms(Likelihood):
    """P(x|z) = Π P(x_i|z): w_ia(z) at the atom a, and w_i0(z) times the base's density elsewhere.

    A mixture of masses and a density, in Lebesgue measure plus counting measure on the atoms: see
    `distributions.Atoms`.

    Parameters
    ----------
    base
        Of what is at no atom: a density, of event shape `(columns,)`; its parameters come first, then logits per cell:
        of the density, and of each atom.
    atoms
        For each column its atoms.

    """

    measure = "mixed"
    atoms: Tensor

    def __init__(self, base: Likelihood, atoms: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.base, self.event_shape = base, base.event_shape
        most = max(map(len, atoms))
        self.parameter_shape = torch.Size((*base.event_shape, base.parameter_shape[-1] + 1 + most))
        table = torch.full((len(atoms), most), torch.nan, dtype=torch.float64)
        for row, column in zip(table, atoms, strict=True):
            row[: len(column)] = torch.tensor(list(column), dtype=torch.float64)
        self.register_buffer("atoms", table)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, parameters of the base and 1 + atoms a cell)` -> Atoms, `(*batch, *event)`."""
        size, logits = self.base.parameter_shape.numel(), 1 + self.atoms.shape[-1]
        weights = (
            parameters[..., size:].unflatten(-1, (logits, *self.event_shape)).movedim(-1 - len(self.event_shape), -1)
        )
        absent = torch.cat([torch.zeros_like(self.atoms[:, :1], dtype=torch.bool), self.atoms.isnan()], 1)
        return distributions.Atoms(
            weights.masked_fill(absent, -torch.inf), self.base(parameters[..., :size]), self.atoms
        )

    def initial(self, values: Tensor) -> Tensor:
        """The base's own of what is at no atom, and logarithms of the shares, half a row of each added."""
        hits = values.unsqueeze(-1) == self.atoms
        base = self.base.initial(completed(values, ~hits.any(-1)))
        held = hits.sum(0).to(torch.float64)
        rest = len(values) - held.sum(-1, keepdim=True)
        logits = (torch.cat([rest, held], -1) + 0.5).log() - (rest + 0.5).log()
        return torch.cat([base, logits.movedim(-1, 0).flatten().to(torch.float32)])
