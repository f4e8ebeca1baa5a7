from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from torch.distributions import kl_divergence

from likely.distributions import DiagonalNormal
from likely.distributions.normal import kl_per_dimension


def law(mean: list[float], std: list[float]) -> DiagonalNormal:
    return DiagonalNormal(torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64).log())


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.7, 0.2), (-3.0, 2.5), (0.1, 1e-3)])
@pytest.mark.parametrize(("other", "wide"), [(0.0, 1.0), (0.5, 2.0)])
def test_closed_form_equals_numerical_integration(mean: float, std: float, other: float, wide: float) -> None:
    q, p = scipy.stats.norm(mean, std), scipy.stats.norm(other, wide)
    grid = np.linspace(mean - 12 * std, mean + 12 * std, 40_001)
    integral = scipy.integrate.simpson(q.pdf(grid) * (q.logpdf(grid) - p.logpdf(grid)), x=grid)
    closed = kl_divergence(law([mean], [std]), law([other], [wide])).item()
    assert closed == pytest.approx(integral, abs=1e-6)


def test_formula_for_the_standard_normal_and_the_sum_over_dimensions() -> None:
    mean, std = [0.3, -1.0, 2.0], [0.5, 1.0, 1.5]
    expected = 0.5 * sum(-np.log(s**2) + m**2 + s**2 - 1 for m, s in zip(mean, std, strict=True))
    q, p = law(mean, std), law([0.0] * 3, [1.0] * 3)
    assert kl_divergence(q, p).item() == pytest.approx(expected, abs=1e-12)
    assert kl_per_dimension(q, p).sum().item() == pytest.approx(expected, abs=1e-12)


def test_a_clamp_never_switches_the_kl_off() -> None:
    from likely.posteriors import Normal

    parameters = torch.tensor([[50.0, -60.0]], requires_grad=True)
    q = Normal(1)(parameters)
    kl_divergence(q, law([0.0], [1.0])).sum().backward()
    assert parameters.grad is not None
    assert parameters.grad[0, 0] == pytest.approx(50.0)
