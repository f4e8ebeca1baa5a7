"""Laws against torch, scipy and their definitions, where the tests of every law do not reach."""

from __future__ import annotations

import math

import numpy as np
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from families import LEVEL, both, levels, t
from likely.distributions import Bernoulli, Categorical, CellsByFamily, DiagonalNormal, Rescaled
from likely.distributions.rescaled import Frame


def mass(law: Distribution, values: Tensor) -> Tensor:
    return law.log_prob(both(values)).exp()


def test_reserved_mass_outside_the_range_sums_to_its_share() -> None:
    law = levels(*LEVEL, reserve=0.02)
    inside = mass(law, torch.arange(17, dtype=torch.float64)).sum(0)
    far = torch.arange(1, 20_001, dtype=torch.float64)
    outside = mass(law, torch.cat([-far, 16 + far])).sum(0)
    torch.testing.assert_close(inside, t(0.98, 0.98), rtol=0, atol=1e-12)
    torch.testing.assert_close(outside, t(0.02, 0.02) * (1 - 1 / 20_001), rtol=0, atol=1e-9)


def test_reserved_cdf_agrees_with_the_masses() -> None:
    law = levels(*LEVEL, reserve=0.2)
    x = torch.arange(-50, 70, dtype=torch.float64)
    steps = law.cdf(both(x)).diff(dim=0)
    torch.testing.assert_close(steps, mass(law, x)[1:], rtol=0, atol=1e-9)


def test_discretised_logistic_against_scipy() -> None:
    law = levels(*LEVEL, 0.5, -math.inf, math.inf)
    x = t(-3.0, 0.0, 2.5, 40.0)
    for cell, (loc, log_scale) in enumerate([(0.3, -1.0), (-1.0, 0.4)]):
        base = scipy.stats.logistic(3 + 2.5 * loc, 2.5 * math.exp(log_scale))
        expected = np.where(
            x.numpy() > base.mean(),
            base.sf(x.numpy() - 0.25) - base.sf(x.numpy() + 0.25),
            base.cdf(x.numpy() + 0.25) - base.cdf(x.numpy() - 0.25),
        )
        np.testing.assert_allclose(mass(law, x)[:, cell].numpy(), expected, rtol=1e-9)


def test_bernoulli_and_categorical_against_torch() -> None:
    logits = torch.randn(6, dtype=torch.float64)
    x = (torch.rand(6) < 0.5).double()
    ours, theirs = Bernoulli(logits), torch.distributions.Bernoulli(logits=logits)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
    table, codes = torch.randn(6, 5, dtype=torch.float64), torch.randint(0, 5, (6,)).double()
    torch.testing.assert_close(
        Categorical(table).log_prob(codes), torch.distributions.Categorical(logits=table).log_prob(codes)
    )


def test_rescaled_counts_the_log_determinant_and_keeps_float64_centres() -> None:
    big = Frame(t(1e9)[0], t(1e-3)[0])
    law = Rescaled(Normal(torch.zeros(1), torch.ones(1), validate_args=False), big)
    x = t(1e9 + 2e-3)
    expected = scipy.stats.norm(1e9, 1e-3).logpdf(x.numpy())
    np.testing.assert_allclose(law.log_prob(x).numpy(), expected, rtol=1e-3)


def test_columns_puts_every_cell_in_its_place() -> None:
    normal = Rescaled(Normal(t(1.0, 2.0), t(1.0, 1.0), validate_args=False), Frame(t(0.0, 0.0), t(1.0, 1.0)))
    law = CellsByFamily([normal, Bernoulli(t(3.0))], [torch.tensor([0, 2]), torch.tensor([1])])
    x = t(1.0, 1.0, 2.0)
    expected = torch.stack(
        [normal.log_prob(t(1.0, 2.0))[0], Bernoulli(t(3.0)).log_prob(t(1.0))[0], normal.log_prob(t(1.0, 2.0))[1]]
    )
    torch.testing.assert_close(law.log_prob(x), expected)
    assert law.sample(torch.Size((9,))).shape == (9, 3)
    torch.testing.assert_close(law.mean[[0, 2]], t(1.0, 2.0))


def test_diagonal_normal_against_torch_and_its_gradient() -> None:
    mean, log_std = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    law = DiagonalNormal(mean, log_std)
    reference = torch.distributions.Independent(Normal(mean, log_std.exp()), 1)
    z = law.rsample(torch.Size((5,)))
    torch.testing.assert_close(law.log_prob(z), reference.log_prob(z))
    torch.testing.assert_close(law.entropy(), reference.entropy())
