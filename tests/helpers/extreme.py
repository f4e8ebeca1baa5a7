"""The univariate families at extreme parameters."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from families import levels, t, unit_grid
from likely.data import Warp
from likely.distributions import (
    Atoms,
    Bernoulli,
    Beta,
    Categorical,
    CellsByFamily,
    CoupledLogisticMixture,
    Gamma,
    Gaussian,
    Laplace,
    Listed,
    Logistic,
    LogNormal,
    Mixture,
    NegativeBinomial,
    Poisson,
    Rescaled,
    Resolutions,
    StudentT,
    Truncated,
    Warped,
    ZeroInflated,
)
from likely.distributions.coupled import Grid
from likely.distributions.levels import Levels
from likely.distributions.listed import Numbers
from likely.distributions.rescaled import Frame


def coupled(a: Tensor, b: Tensor) -> CoupledLogisticMixture:
    """One pixel, two components."""
    part = (a[:, None] * a.new_tensor([1.0, -2.0])).view(1, 1, 3, 2)
    scale = torch.stack([b, -b], -1).view(1, 1, 3, 2)
    grid = Grid(Frame(t(3.0)[0], t(2.5)[0]), t(1.0)[0], t(0.0)[0], t(16.0)[0])
    return CoupledLogisticMixture(100 * part[..., 0, :], part, scale, part, grid)


def warped(a: Tensor, b: Tensor, levels: Levels | None = None, logarithmic: bool = False) -> Warped:
    """Knots with cells a billionth and a billion wide on the warped axis."""
    knots = ((0.5, -3.0), (1.5, -3.0 + 1e-9), (2.5, 0.0), (3.5, 1e9))
    loc, log_scale = torch.stack([a, -3 * a], -1), torch.stack([b, -b], -1)
    return Warped(100 * loc, loc, log_scale, Warp([knots], [logarithmic]), levels)


def warped_cut(a: Tensor, b: Tensor, levels: Levels | None) -> Warped:
    base = warped(a, b).mixture
    return Warped(base.logits, base.loc, base.log_scale, warped(a, b).axis, levels, cut=(t(1.0), t(3.0)))


def resolutions(a: Tensor, b: Tensor) -> Resolutions:
    steps = t(1.0, 2.0).view(2, 1)
    grids = Levels(steps, steps * -math.inf, steps * math.inf)
    return Resolutions(
        torch.stack([100 * a, b], -1).unsqueeze(-2).expand(3, 2, 2), warped(a, b, unit_grid(-math.inf)), grids
    )


def listed(a: Tensor, b: Tensor) -> Listed:
    part = warped(a, b).mixture
    numbers = Numbers(t(1.0, 2.0, 3.0)[None], t(-3.0, -3.0 + 1e-9)[None], t(0.01))
    return Listed(part.logits, part.loc, part.log_scale, numbers)


EXTREME: dict[str, tuple[Callable[[Tensor, Tensor], Distribution], Tensor]] = {
    "gaussian": (Gaussian, t(-5.0, 0.0, 300.0)),
    "laplace": (Laplace, t(-5.0, 0.0, 300.0)),
    "logistic": (Logistic, t(-5.0, 0.0, 300.0)),
    "student": (lambda a, b: StudentT(a, b, a.abs() + 0.5), t(-5.0, 0.0, 300.0)),
    "student, df": (lambda a, b: StudentT(a, a, b), t(-5.0, 0.0, 300.0)),
    "lognormal": (LogNormal, t(1e-6, 1.0, 1e6)),
    "gamma": (Gamma, t(1e-6, 1.0, 1e6)),
    "gamma, mean": (lambda a, b: Gamma(b, a), t(1e-6, 1.0, 1e6)),
    "beta": (lambda a, b: Beta(100 * a, b), t(1e-6, 0.5, 1 - 1e-6)),
    "mixture": (
        lambda a, b: Mixture(torch.stack([100 * a, -100 * a], -1), Gaussian(a[:, None], b[:, None])),
        t(-5, 0, 9),
    ),
    "truncated": (lambda a, b: Truncated(Gaussian(a, b), t(0.0)[0], t(9.0)[0]), t(0.0, 3.0, 9.0)),
    "truncated logistic": (lambda a, b: Truncated(Logistic(a, b), t(0.0)[0], t(math.inf)[0]), t(0.0, 3.0, 9.0)),
    "poisson": (lambda a, b: Poisson(b + 0 * a), t(0.0, 3.0, 1e6)),
    "negative binomial": (NegativeBinomial, t(0.0, 3.0, 1e6)),
    "negative binomial, mean": (lambda a, b: NegativeBinomial(b, a), t(0.0, 3.0, 1e6)),
    "zero-inflated": (lambda a, b: ZeroInflated(100 * a, NegativeBinomial(a, b)), t(0.0, 3.0, 1e6)),
    "logistic mixture": (
        lambda a, b: Mixture(torch.stack([100 * a, -100 * a], -1), levels(a[:, None], b[:, None])),
        t(0.0, 3.0, 16.0),
    ),
    "bernoulli": (lambda a, b: Bernoulli(100 * a + b), t(1.0, 0.0, 0.0)),
    "categorical": (lambda a, b: Categorical(torch.stack([100 * a, b, -b], -1), 0.01), t(0.0, 2.0, -1.0)),
    "categorical, fewer": (lambda a, b: Categorical(torch.stack([100 * a, b, b - torch.inf], -1)), t(0.0, 1.0, 0.0)),
    "levels": (levels, t(0.0, 3.0, 16.0)),
    "grid": (lambda a, b: levels(a, b, 0.25, -math.inf, math.inf), t(-1e6, 0.0, 1e6)),
    "levels, reserve": (lambda a, b: levels(a, b, reserve=0.01), t(-1e6, 3.0, 1e6)),
    "warped": (warped, t(-1e6, 1.0, 1e6)),
    "warped, positive": (lambda a, b: warped(a, b, logarithmic=True), t(1e-6, 1.0, 1e6)),
    "warped grid": (lambda a, b: warped(a, b, unit_grid(-math.inf)), t(-1e6, 1.0, 1e6)),
    "warped levels": (lambda a, b: warped(a, b, unit_grid(0, 3, 0.01)), t(0.0, 2.0, 1e6)),
    "warped, positive grid": (lambda a, b: warped(a, b, unit_grid(1), logarithmic=True), t(1.0, 2.0, 1e6)),
    "warped, cut": (lambda a, b: warped_cut(a, b, None), t(1.0, 2.0, 3.0)),
    "warped grid, cut": (lambda a, b: warped_cut(a, b, unit_grid(1, 3)), t(1.0, 2.0, 3.0)),
    "resolutions": (resolutions, t(1.0, 2.0, 4.0)),
    "listed": (listed, t(1.0, 2.0, 5.0)),
    "atoms": (
        lambda a, b: Atoms(torch.stack([100 * a, b], -1), Gaussian(a, b.clamp(-9, 9)), t(0.0, 0.0, 0.0)[:, None]),
        t(-5.0, 0.0, 300.0),
    ),
    "rescaled": (lambda a, b: Rescaled(Gaussian(a, b), Frame(t(3.0), t(1e-6))), t(2.999, 3.0, 3.001)),
    "coupled": (coupled, t(0.0, 3.0, 16.0)),
    "columns": (
        lambda a, b: CellsByFamily([Gaussian(a[:2], b[:2]), Poisson(b[2:])], [torch.tensor([0, 2]), torch.tensor([1])]),
        t(-5.0, 1e6, 300.0),
    ),
}
