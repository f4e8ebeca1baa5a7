"""One dict of constructors: a new distribution enters it and meets every test of the room."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from likely.distributions import Bernoulli, Categorical, Columns, DiagonalNormal, DiscretisedLogistic, Rescaled
from likely.distributions.rescaled import Frame

DRAWS = 300_000
# Family-wise false alarm 1e-3 over fewer than 50 checks.
P_VALUE = 2e-5


def t(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def frame() -> Frame:
    return Frame(t(3.0)[0], t(2.5)[0])


def logistic(step: float, low: float, high: float, reserve: float | None = None) -> DiscretisedLogistic:
    kept = None if reserve is None else t(reserve)[0]
    return DiscretisedLogistic(t(0.3, -1.0), t(-1.0, 0.4), frame(), t(step)[0], t(low)[0], t(high)[0], kept)


# name -> (two cells of the law, every value of its support that matters)
DISCRETE: dict[str, tuple[Callable[[], Distribution], Tensor]] = {
    "bernoulli": (lambda: Bernoulli(t(0.7, -2.0)), t(0, 1)),
    "categorical": (lambda: Categorical(t(0.1, 1.0, -0.5, 2.0, 0.3, -torch.inf).view(2, 3)), t(0, 1, 2)),
    "categorical, reserve": (lambda: Categorical(torch.randn(2, 4, dtype=torch.float64), 0.1), t(-1, 0, 1, 2, 3)),
    "levels": (lambda: logistic(1.0, 0, 16), torch.arange(17, dtype=torch.float64)),
    "grid": (lambda: logistic(0.25, -math.inf, math.inf), torch.arange(-800, 800, dtype=torch.float64) * 0.25),
    "one level": (lambda: logistic(1.0, 4, 4), t(4)),
}
CONTINUOUS: dict[str, Callable[[], Distribution]] = {
    "rescaled normal": lambda: Rescaled(Normal(t(0.3, -1.0), t(0.5, 2.0), validate_args=False), frame()),
}


def masses(law: Distribution, values: Tensor) -> Tensor:
    return law.log_prob(values[:, None].expand(-1, 2)).exp()


@pytest.mark.parametrize("name", DISCRETE)
def test_masses_sum_to_one(name: str) -> None:
    make, support = DISCRETE[name]
    torch.testing.assert_close(masses(make(), support).sum(0), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-9)


def test_reserved_mass_outside_the_range_sums_to_its_share() -> None:
    law = logistic(1.0, 0, 16, reserve=0.02)
    inside = masses(law, torch.arange(17, dtype=torch.float64)).sum(0)
    far = torch.arange(1, 20_001, dtype=torch.float64)
    outside = masses(law, torch.cat([-far, 16 + far])).sum(0)
    torch.testing.assert_close(inside, t(0.98, 0.98), rtol=0, atol=1e-12)
    torch.testing.assert_close(outside, t(0.02, 0.02) * (1 - 1 / 20_001), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in DISCRETE if name != "categorical, reserve"])
def test_discrete_samples_fit_their_masses(name: str) -> None:
    make, support = DISCRETE[name]
    torch.manual_seed(1)
    law = make()
    draws, expected = law.sample(torch.Size((DRAWS,))), masses(law, support) * DRAWS
    for cell in range(2):
        counts = torch.stack([(draws[:, cell] == value).sum() for value in support]).double()
        assert counts.sum() == DRAWS
        frequent = expected[:, cell] >= 20
        if frequent.sum() < 2:
            continue
        observed = np.append(counts[frequent].numpy(), counts[~frequent].sum())
        wanted = np.append(expected[frequent, cell].numpy(), expected[~frequent, cell].sum())
        keep = wanted > 1e-6
        wanted = wanted[keep] * observed[keep].sum() / wanted[keep].sum()
        assert scipy.stats.chisquare(observed[keep], wanted).pvalue > P_VALUE


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_samples_fit_their_cdf_and_density(name: str) -> None:
    torch.manual_seed(1)
    law = CONTINUOUS[name]()
    draws = law.sample(torch.Size((DRAWS,)))
    for cell in range(2):
        uniform = law.cdf(draws)[:, cell].numpy()
        assert scipy.stats.kstest(uniform, "uniform").pvalue > P_VALUE
    x = torch.linspace(-60, 60, 200_001, dtype=torch.float64)
    density = law.log_prob(x[:, None].expand(-1, 2)).exp()
    torch.testing.assert_close(torch.trapezoid(density, x, dim=0), t(1, 1), rtol=0, atol=1e-6)


def test_a_scale_that_is_off_by_two_percent_is_caught() -> None:
    law = CONTINUOUS["rescaled normal"]()
    torch.manual_seed(1)
    draws = (law.sample(torch.Size((DRAWS,))) - law.mean) * 1.02 + law.mean
    assert scipy.stats.kstest(law.cdf(draws)[:, 0].numpy(), "uniform").pvalue < P_VALUE


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_cdf_is_the_running_sum(name: str) -> None:
    make, support = DISCRETE[name]
    torch.manual_seed(1)
    law = make()
    running = masses(law, support).cumsum(0)
    torch.testing.assert_close(law.cdf(support[:, None].expand(-1, 2)), running, rtol=0, atol=1e-9)


def test_reserved_cdf_agrees_with_the_masses() -> None:
    law = logistic(1.0, 0, 16, reserve=0.2)
    x = torch.arange(-50, 70, dtype=torch.float64)
    steps = law.cdf(x[:, None].expand(-1, 2)).diff(dim=0)
    torch.testing.assert_close(steps, masses(law, x)[1:], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", [*DISCRETE, *CONTINUOUS])
@pytest.mark.parametrize("prefix", [(), (5,), (3, 4)])
def test_shapes_for_any_prefix(name: str, prefix: tuple[int, ...]) -> None:
    law = (DISCRETE[name][0] if name in DISCRETE else CONTINUOUS[name])()
    wide = law.expand(torch.Size((*prefix, 2)))
    draws = wide.sample()
    assert draws.shape == (*prefix, 2)
    assert wide.log_prob(draws).shape == (*prefix, 2)
    assert law.sample(torch.Size((7, *prefix))).shape == (7, *prefix, 2)
    assert wide.mean.shape == wide.mode.shape == (*prefix, 2)


def test_discretised_logistic_against_scipy() -> None:
    law = logistic(0.5, -math.inf, math.inf)
    x = t(-3.0, 0.0, 2.5, 40.0)
    for cell, (loc, log_scale) in enumerate([(0.3, -1.0), (-1.0, 0.4)]):
        base = scipy.stats.logistic(3 + 2.5 * loc, 2.5 * math.exp(log_scale))
        expected = np.where(
            x.numpy() > base.mean(),
            base.sf(x.numpy() - 0.25) - base.sf(x.numpy() + 0.25),
            base.cdf(x.numpy() + 0.25) - base.cdf(x.numpy() - 0.25),
        )
        np.testing.assert_allclose(masses(law, x)[:, cell].numpy(), expected, rtol=1e-9)


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


@pytest.mark.parametrize("extreme", [-30.0, 30.0])
def test_extreme_parameters_stay_finite(extreme: float) -> None:
    loc = torch.tensor([0.0, 5.0], requires_grad=True)
    log_scale = torch.full((2,), extreme, requires_grad=True)
    law = DiscretisedLogistic(loc, log_scale, frame(), t(1.0)[0], t(0.0)[0], t(255.0)[0])
    value = law.log_prob(t(7.0, 255.0))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert loc.grad is not None
    assert log_scale.grad is not None
    assert torch.isfinite(loc.grad).all()
    assert torch.isfinite(log_scale.grad).all()
    logits = torch.tensor([100.0, -100.0], requires_grad=True)
    bernoulli = Bernoulli(logits).log_prob(torch.tensor([0.0, 1.0]))
    bernoulli.sum().backward()
    assert torch.isfinite(bernoulli).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_columns_puts_every_cell_in_its_place() -> None:
    normal = Rescaled(Normal(t(1.0, 2.0), t(1.0, 1.0), validate_args=False), Frame(t(0.0, 0.0), t(1.0, 1.0)))
    law = Columns([normal, Bernoulli(t(3.0))], [torch.tensor([0, 2]), torch.tensor([1])])
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


def test_reparameterised_gradient_equals_the_score_function_gradient() -> None:
    mean = torch.tensor([0.4], dtype=torch.float64, requires_grad=True)
    log_std = torch.tensor([-0.3], dtype=torch.float64, requires_grad=True)
    law = DiagonalNormal(mean, log_std)

    def f(z: Tensor) -> Tensor:
        return torch.sin(2 * z).squeeze(-1) + z.square().squeeze(-1)

    z = law.rsample(torch.Size((DRAWS,)))
    path = torch.autograd.grad(f(z).mean(), [mean, log_std])
    noise = z.detach()
    standard = (noise - mean.detach()) / log_std.detach().exp()
    for parameter, score in ((0, standard / log_std.detach().exp()), (1, standard.square() - 1)):
        estimates = (f(noise) - f(noise).mean()) * score.squeeze(-1)
        error = estimates.std() / math.sqrt(DRAWS)
        assert abs(estimates.mean() - path[parameter]) < 4 * error + 0.01
