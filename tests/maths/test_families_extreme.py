"""The univariate families at extreme parameters, their gradients, and the special functions they rest on."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from families import DENSITIES, DRAWS, levels, make, t, unit_grid
from torch import Tensor
from torch.distributions import Distribution

from likely.data import Axis
from likely.distributions import (
    Atoms,
    Bernoulli,
    Beta,
    Categorical,
    Columns,
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
from likely.distributions.special import betainc, stirling


def coupled(a: Tensor, b: Tensor) -> CoupledLogisticMixture:
    """One pixel, two components."""
    part = (a[:, None] * a.new_tensor([1.0, -2.0])).view(1, 1, 3, 2)
    scale = torch.stack([b, -b], -1).view(1, 1, 3, 2)
    grid = Grid(Frame(t(3.0)[0], t(2.5)[0]), t(1.0)[0], t(0.0)[0], t(16.0)[0])
    return CoupledLogisticMixture(100 * part[..., 0, :], part, scale, part, grid)


def warped(a: Tensor, b: Tensor, levels: Levels | None = None, logarithmic: bool = False) -> Warped:
    """Knots with cells a billionth and a billion wide on the bent axis."""
    knots = ((0.5, -3.0), (1.5, -3.0 + 1e-9), (2.5, 0.0), (3.5, 1e9))
    loc, log_scale = torch.stack([a, -3 * a], -1), torch.stack([b, -b], -1)
    return Warped(100 * loc, loc, log_scale, Axis([knots], [logarithmic]), levels)


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
        lambda a, b: Columns([Gaussian(a[:2], b[:2]), Poisson(b[2:])], [torch.tensor([0, 2]), torch.tensor([1])]),
        t(-5.0, 1e6, 300.0),
    ),
}


@pytest.mark.parametrize("name", EXTREME)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_scale", [-30.0, 30.0])
def test_extremes_stay_finite(name: str, dtype: torch.dtype, log_scale: float) -> None:
    law, x = EXTREME[name]
    a = torch.tensor([-1.0, 0.0, 1.0], dtype=dtype, requires_grad=True)
    b = torch.full((3,), log_scale, dtype=dtype, requires_grad=True)
    value = law(a, b).log_prob(x if name in ("rescaled", "coupled") else x.to(dtype))
    assert torch.isfinite(value).all()
    gradients = torch.autograd.grad(value.sum(), [a, b], allow_unused=True)
    assert all(gradient is None or torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", [name for name in DENSITIES if make(name).has_rsample])
def test_reparameterised_gradient_equals_the_score_function_gradient(name: str) -> None:
    """d/dt E tanh(x − m): through the draws, and through log p at them, per draw for each cell."""
    torch.manual_seed(2)
    family, values = DENSITIES[name].family, DENSITIES[name].values
    wide = [value.expand(DRAWS, *value.shape).clone().requires_grad_() for value in values]
    drawn = family(*wide).rsample()
    middle = make(name).mean
    path = torch.autograd.grad(torch.tanh(drawn - middle).sum(), wide)
    value = torch.tanh(drawn.detach() - middle)
    scores = torch.autograd.grad(family(*wide).log_prob(drawn.detach()).sum(), wide)
    for by_path, score in zip(path, scores, strict=True):
        by_score = (value - value.mean(0)) * score
        error = ((by_path.var(0) + by_score.var(0)) / DRAWS).sqrt()
        assert ((by_path.mean(0) - by_score.mean(0)).abs() < 4 * error + 1e-12).all()


def test_large_numbers_keep_their_digits() -> None:
    x = t(999_000.0, 1_000_000.0, 1_002_000.0)
    found = Poisson(t(1e6).log()).log_prob(x)
    np.testing.assert_allclose(found.numpy(), scipy.stats.poisson(1e6).logpmf(x.numpy()), rtol=0, atol=1e-6)
    # With dispersion 1e-12 the negative binomial is Poisson, where Γ(x + r)/Γ(r) alone would lose every digit.
    almost = NegativeBinomial(t(1e6).log(), t(1e-12).log()).log_prob(x)
    np.testing.assert_allclose(almost.numpy(), found.numpy(), rtol=0, atol=1e-5)
    wide = NegativeBinomial(t(1e6).log(), t(0.5).log()).log_prob(x)
    oracle = scipy.stats.nbinom(2, 1 / (1 + 0.5e6)).logpmf(x.numpy())
    np.testing.assert_allclose(wide.numpy(), oracle, rtol=0, atol=1e-6)
    y = t(0.999, 1.0, 1.001)
    narrow = Gamma(t(0.0), t(1e6).log()).log_prob(y)
    np.testing.assert_allclose(narrow.numpy(), scipy.stats.gamma(1e6, scale=1e-6).logpdf(y.numpy()), rtol=0, atol=1e-6)
    sharp = Beta(t(0.0), t(1e6).log()).log_prob(0.5 * y)
    np.testing.assert_allclose(sharp.numpy(), scipy.stats.beta(5e5, 5e5).logpdf(0.5 * y.numpy()), rtol=0, atol=1e-6)


def test_stirling_and_betainc_against_scipy() -> None:
    k = torch.logspace(-8, 9, 200, dtype=torch.float64)
    exact = k * k.log() - k - torch.lgamma(k)
    small = k < 1e3
    torch.testing.assert_close(stirling(k.log())[small], exact[small], rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(stirling(k.log()), exact, rtol=0, atol=1e-5)
    a, b = torch.logspace(-3, 5, 30, dtype=torch.float64), torch.logspace(-2, 4, 30, dtype=torch.float64).flip(0)
    for x in (1e-6, 0.1, 0.5, 0.97, 1 - 1e-9):
        found = betainc(a, b, t(x), t(1 - x)).numpy()
        np.testing.assert_allclose(found, scipy.special.betainc(a.numpy(), b.numpy(), x), rtol=1e-7, atol=1e-12)
