"""Numbers some of which have mass of their own."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.distributions.cell_mixture import choose

__all__ = ["Atoms"]


class Atoms(Distribution):
    """P(x = a_i) = w_i at the atoms, and the density w_0 p(x) elsewhere; w = softmax(logits), per cell, in nats.

    The measure is Lebesgue measure plus counting measure on the atoms: at an atom it is the mass alone that counts.

    Source: Tobin 1958, Estimation of relationships for limited dependent variables; Cragg 1971, equation 5 (a mass at a
    value beside a law of the others, each with parameters of its own).

    Parameters
    ----------
    logits
        `(*batch, *event, 1 + atoms)`: of the density first; −inf where a cell has fewer atoms.
    base
        The density of what is at no atom, `(*batch, *event)`.
    atoms
        `(*event, atoms)`, float64; NaN where a cell has fewer.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(self, logits: Tensor, base: Distribution, atoms: Tensor) -> None:
        self.logits, self.base, self.atoms = logits, base, atoms
        super().__init__(logits.shape[:-1], validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which it is computed."""
        return self.logits.dtype

    def expand(self, batch_shape: Any, _instance: Any = None) -> Atoms:
        shape = torch.Size(batch_shape)
        return Atoms(self.logits.expand(*shape, self.logits.shape[-1]), self.base.expand(shape), self.atoms)

    def held(self, value: Tensor) -> Tensor:
        """Whether the values are atoms."""
        return (value.unsqueeze(-1) == self.atoms).any(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        weights = F.log_softmax(self.logits, -1)
        hits = value.unsqueeze(-1) == self.atoms
        mass = torch.where(hits, weights[..., 1:], -torch.inf).amax(-1)
        return torch.where(hits.any(-1), mass, weights[..., 0] + self.base.log_prob(value))

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        weights = torch.softmax(self.logits, -1)
        below = torch.where(self.atoms <= value.unsqueeze(-1), weights[..., 1:], 0.0).sum(-1)
        return below + weights[..., 0] * self.base.cdf(value)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draws hit an atom exactly."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            chosen = choose(F.log_softmax(self.logits, -1), shape)
            drawn = self.base.sample(torch.Size(sample_shape)).to(torch.float64)
            every = torch.cat([drawn.unsqueeze(-1), self.atoms.expand(*shape, -1)], -1)
            return every.gather(-1, chosen).squeeze(-1)

    def _moment(self, base: Tensor, atoms: Tensor) -> Tensor:
        weights = torch.softmax(self.logits, -1).to(torch.float64)
        return weights[..., 0] * base + (weights[..., 1:] * atoms.nan_to_num()).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self._moment(self.base.mean.to(torch.float64), self.atoms)

    @property
    def variance(self) -> Tensor:
        mean = self.mean
        off = self.base.mean.to(torch.float64) - mean
        spread = self.base.variance.to(torch.float64) + off.square()
        return self._moment(spread, (self.atoms - mean.unsqueeze(-1)).square())

    @property
    def mode(self) -> Tensor:
        """The atom of most mass where that is more than the density's, else the density's mode."""
        best, place = torch.softmax(self.logits, -1).max(-1)
        every = torch.cat([self.base.mode.to(torch.float64).unsqueeze(-1), self.atoms.expand(*best.shape, -1)], -1)
        return every.gather(-1, place.unsqueeze(-1)).squeeze(-1)
