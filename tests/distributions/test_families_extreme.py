"""The univariate families at extreme parameters, their gradients, and the special functions they rest on."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from extreme import EXTREME
from families import DENSITIES, DRAWS, make, t
from likely.distributions import (
    Beta,
    Gamma,
    NegativeBinomial,
    Poisson,
)
from likely.distributions.special import betainc, stirling


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
