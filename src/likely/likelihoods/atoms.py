"""The likelihood of columns some of whose numbers have a probability of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from likely import distributions
from likely.data.batch import completed
from likely.distributions.levels import Levels
from likely.likelihoods.base import Likelihood
from likely.likelihoods.resolutions import Resolutions
from likely.likelihoods.warped import Warped

__all__ = ["Atoms"]


class Atoms(Likelihood):
    """P(x|z) = Π P(x_i|z): w_ia(z) at the atom a, and w_i0(z) times the base's distribution; see `distributions.Atoms`.

    Parameters
    ----------
    base
        Of what is at no atom, of event shape `(columns,)`; its parameters come first, then logits per cell: of the
        base, and of each atom. A density, or masses on a grid: a `Warped` or `Resolutions` without a reserve.
    atoms
        For each column its atoms.
    reserve
        Mass kept outside an inferred range of the grid; 0 where the limits are hard.

    """

    atoms: Tensor
    reserve: Tensor
    absent: Tensor

    def __init__(self, base: Likelihood, atoms: Sequence[Sequence[float]], reserve: float | Tensor = 0.0) -> None:
        super().__init__()
        self.base, self.event_shape = base, base.event_shape
        self.matches_shares = base.matches_shares
        self.measure = "mixed" if base.measure == "density" else "mass"
        most = max(map(len, atoms))
        self.parameter_shape = torch.Size((*base.event_shape, base.parameter_shape[-1] + 1 + most))
        table = torch.full((len(atoms), most), torch.nan, dtype=torch.float64)
        for row, column in zip(table, atoms, strict=True):
            row[: len(column)] = torch.tensor(list(column), dtype=torch.float64)
        self.register_buffer("atoms", table)
        self.register_buffer("reserve", torch.as_tensor(reserve, dtype=torch.float64))
        absent = torch.cat([torch.zeros_like(table[:, :1], dtype=torch.bool), table.isnan()], 1)
        self.register_buffer("absent", absent, persistent=False)
        self._reserves = bool((self.reserve > 0).any())

    @property
    def levels(self) -> Levels | None:
        """The grid of the base, with what is kept outside its range; `None` for a density."""
        if not isinstance(self.base, Warped | Resolutions) or self.base.levels is None:
            return None
        grid = self.base.levels
        return Levels(grid.step, grid.low, grid.high, self.reserve if self._reserves else None)

    def forward(self, parameters: Tensor) -> Distribution:
        """`(*batch, parameters of the base and 1 + atoms a cell)` -> Atoms, `(*batch, *event)`."""
        size = self.base.parameter_shape.numel()
        weights, distribution = self._weights(parameters[..., size:]), self.base(parameters[..., :size])
        return distributions.Atoms(weights, distribution, self.atoms, self.levels)

    def _weights(self, numbers: Tensor) -> Tensor:
        """Logits `(*batch, *event, 1 + atoms)`, −inf where a cell has fewer."""
        event = -1 - len(self.event_shape)
        weights: Tensor = numbers.unflatten(-1, (1 + self.atoms.shape[-1], *self.event_shape)).movedim(event, -1)
        return weights.masked_fill(self.absent, -torch.inf)

    def match_shares(self, parameters: Tensor, values: Tensor, row_weights: Tensor, draw_weights: Tensor) -> None:
        """Set the base's constants (`Likelihood.match_shares`) by the values that are at no atom."""
        size = self.base.parameter_shape.numel()
        beside = self._weights(parameters[..., size:]).softmax(-1)[..., 0]
        off = row_weights.masked_fill(self._hits(values).any(-1), 0)
        self.base.match_shares(parameters[..., :size], values, off, draw_weights * beside)

    def _hits(self, values: Tensor) -> Tensor:
        near = 0.0 if self.levels is None else 0.25 * self.levels.step.unsqueeze(-1)
        hits: Tensor = (values.unsqueeze(-1) - self.atoms).abs() <= near
        return hits

    def initial(self, values: Tensor) -> Tensor:
        """The base's own of what is at no atom, and logarithms of the shares, half a row of each added."""
        hits = self._hits(values)
        base = self.base.initial(completed(values, ~hits.any(-1)))
        held = hits.sum(0).to(torch.float64)
        rest = len(values) - held.sum(-1, keepdim=True)
        logits = (torch.cat([rest, held], -1) + 0.5).log() - (rest + 0.5).log()
        return torch.cat([base, logits.movedim(-1, 0).flatten().to(torch.float32)])
