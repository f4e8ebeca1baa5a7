"""Numbers some of which have a probability of their own."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

from likely.data.located import Located
from likely.distributions.cell_mixture import choose
from likely.distributions.levels import Levels
from likely.distributions.locating import Locating, locate, log_prob_at
from likely.distributions.shapes import broadcast_shapes

__all__ = ["Atoms"]


class Atoms(Locating):
    """P(x = a_i) = w_i at the atoms, and w_0 times the base's distribution; w = softmax(logits), per cell, in nats.

    Where the base is a density p, the measure is Lebesgue measure plus counting measure on the atoms: at an atom it is
    the mass w_i alone that counts, elsewhere w_0 p(x). Where the base has masses on a grid, an atom has
    w_i + w_0 P(a_i).

    Source: Tobin 1958, Estimation of relationships for limited dependent variables; Cragg 1971, equation 5 (a mass at a
    value beside a distribution of the others, each with parameters of its own).

    Parameters
    ----------
    logits
        `(*batch, *event, 1 + atoms)`: of the base first; −inf where a cell has fewer atoms.
    base
        The distribution of what is at no atom, `(*batch, *event)`.
    atoms
        `(*event, atoms)`, float64; NaN where a cell has fewer.
    levels
        The grid of a base of masses, which itself keeps nothing outside its range, and what is kept; `None` for a
        density.

    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real

    def __init__(self, logits: Tensor, base: Distribution, atoms: Tensor, levels: Levels | None = None) -> None:
        self.logits, self.base, self.atoms, self.levels = logits, base, atoms, levels
        super().__init__(logits.shape[:-1], validate_args=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type in which it is computed."""
        return self.logits.dtype

    def expand(self, batch_shape: Any, _instance: Any = None) -> Atoms:
        shape = torch.Size(batch_shape)
        logits = self.logits.expand(*shape, self.logits.shape[-1])
        return Atoms(logits, self.base.expand(shape), self.atoms, self.levels)

    def held(self, value: Tensor) -> Tensor:
        """Whether the values are atoms."""
        return self._hits(value).any(-1)

    def _hits(self, value: Tensor) -> Tensor:
        if self.levels is None:
            return value.unsqueeze(-1) == self.atoms
        away = (value.unsqueeze(-1) - self.atoms).abs()
        return away < 0.25 * self.levels.step.unsqueeze(-1)

    def locate(self, value: Tensor) -> Located:
        """Whether each value is an atom, the place of its logit, and what the base and `Levels` know."""
        hits = self._hits(value)
        held = hits.any(-1)
        place = torch.where(held, 1 + hits.to(torch.uint8).argmax(-1), 0)
        if self.levels is None:
            return held, place, locate(self.base, value), None
        return held, place, locate(self.base, self.levels.snap(value.to(torch.float64))), self.levels.locate(value)

    def log_prob_at(self, located: Located) -> Tensor:
        known: Any = located
        held, place, of_base, of_levels = known
        weights = F.log_softmax(self.logits, -1)
        shape = broadcast_shapes(place.shape, self.batch_shape)
        mass = weights.expand(*shape, -1).gather(-1, place.expand(shape).unsqueeze(-1)).squeeze(-1)
        base = log_prob_at(self.base, of_base)
        if self.levels is None:
            return torch.where(held, mass, mass + base)
        rest = weights[..., 0] + base
        both = torch.logaddexp(torch.where(held, mass, 0.0), rest)
        return self.levels.log_prob_at(torch.where(held, both, rest), *of_levels)

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= value)."""
        weights = torch.softmax(self.logits, -1)
        slack = 0.0 if self.levels is None else 0.25 * self.levels.step.unsqueeze(-1)
        below = torch.where(self.atoms - slack <= value.unsqueeze(-1), weights[..., 1:], 0.0).sum(-1)
        inside = below + weights[..., 0] * self.base.cdf(value)
        return inside if self.levels is None else self.levels.cdf(inside, value)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        """Draws, which hit an atom exactly."""
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
        """The most probable value on a grid; of a density the atom of most mass where it has more, else its mode."""
        if self.levels is not None:
            near = torch.stack(
                [self.base.mode.to(torch.float64), *self.atoms.expand(*self.logits.shape[:-1], -1).unbind(-1)]
            )
            log_probs = torch.stack([self.log_prob(one.nan_to_num()) for one in near]).masked_fill(
                near.isnan(), -torch.inf
            )
            return near.gather(0, log_probs.argmax(0, keepdim=True)).squeeze(0)
        best, place = torch.softmax(self.logits, -1).max(-1)
        every = torch.cat([self.base.mode.to(torch.float64).unsqueeze(-1), self.atoms.expand(*best.shape, -1)], -1)
        return every.gather(-1, place.unsqueeze(-1)).squeeze(-1)
