"""The coupled mixture of discretised logistics: its conditionals, joint and draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from families import DRAWS, P_VALUE, t
from likely.distributions.coupled import CoupledLogisticMixture, Grid
from likely.distributions.rescaled import Frame


def coupled(levels: int = 6) -> CoupledLogisticMixture:
    torch.manual_seed(5)
    grid = Grid(Frame(t(2.0)[0], t(1.5)[0]), t(1.0)[0], t(0.0)[0], t(float(levels - 1))[0])
    shape = (1, 1, 3, 2)
    parts = [torch.randn(shape, dtype=torch.float64) for _ in range(3)]
    return CoupledLogisticMixture(torch.randn(1, 1, 2, dtype=torch.float64), parts[0], parts[1] - 1, parts[2], grid)


def test_coupled_conditionals_are_normalised_and_their_sum_is_the_joint() -> None:
    law, n = coupled(), torch.arange(6, dtype=torch.float64)
    x = torch.cartesian_prod(n, n, n).view(6, 6, 6, 1, 1, 3)
    cells = law.log_prob(x)
    assert cells.shape == x.shape
    joint = cells.sum((-1, -2, -3)).exp()
    assert float(joint.sum()) == pytest.approx(1, abs=1e-10)
    red, green, blue = cells[..., 0, 0, :].exp().unbind(-1)
    torch.testing.assert_close(red, joint.sum((1, 2), keepdim=True).expand_as(red))
    torch.testing.assert_close(red * green, joint.sum(2, keepdim=True).expand_as(red))
    torch.testing.assert_close(blue.sum(2), torch.ones(6, 6, dtype=torch.float64))
    cdf = law.cdf(x)[..., 0, 0, :]
    torch.testing.assert_close(cdf[..., 2], blue.cumsum(2))
    torch.testing.assert_close(cdf[:, 0, 0, 0], red[:, 0, 0].cumsum(0))


def test_coupled_draws_fit_the_joint() -> None:
    law, n = coupled(), torch.arange(6, dtype=torch.float64)
    wanted = law.log_prob(torch.cartesian_prod(n, n, n).view(-1, 1, 1, 3)).sum((-1, -2, -3)).exp() * DRAWS
    torch.manual_seed(1)
    draws = law.sample(torch.Size((DRAWS,))).view(-1, 3)
    counts = torch.bincount((draws @ t(36.0, 6.0, 1.0)).long(), minlength=216).double()
    frequent = wanted >= 20
    observed = np.append(counts[frequent].numpy(), counts[~frequent].sum())
    expected = np.append(wanted[frequent].numpy(), wanted[~frequent].sum())
    assert scipy.stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > P_VALUE


def test_coupled_moments_fit_a_fine_and_wide_grid() -> None:
    base = coupled()
    grid = Grid(Frame(t(2.0)[0], t(1.5)[0]), t(1e-3)[0], t(-math.inf)[0], t(math.inf)[0])
    law = CoupledLogisticMixture(base.log_weights, base.loc, base.log_scale, base.coefficients, grid)
    draws = law.sample(torch.Size((DRAWS,)))
    assert ((draws.mean(0) - law.mean).abs() < 6 * (law.variance / DRAWS).sqrt()).all()
    torch.testing.assert_close(draws.var(0), law.variance, rtol=0.05, atol=0)
    assert law.expand(torch.Size((4, 1, 1, 3))).sample().shape == law.mode.expand(4, 1, 1, 3).shape
    assert law.log_prob(law.mode).shape == (1, 1, 3)
