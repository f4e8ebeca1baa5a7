"""Every law of cells: normalised; samples and cdf fit the log-probabilities; scipy as the oracle."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from families import (
    DENSITIES,
    DRAWS,
    ERRORS,
    MASSES,
    P_VALUE,
    SCIPY,
    both,
    law_of,
    make,
    score_errors,
    t,
)

# Those whose mean is that of the law before it is cut to the grid, or a code.
PREFIXES = ("logistic mixture", "levels", "grid", "categorical", "warped", "resolutions")
CUT = [name for name in MASSES if name.startswith(PREFIXES)]
NEVER_DRAWN = "categorical, reserve"


@pytest.mark.parametrize("name", MASSES)
def test_masses_sum_to_one_and_to_the_cdf(name: str) -> None:
    law, support = make(name), MASSES[name].support
    x = both(support)
    mass = law.log_prob(x).exp()
    torch.testing.assert_close(mass.sum(0), t(1, 1), rtol=0, atol=1e-9)
    torch.testing.assert_close(law.cdf(x), mass.cumsum(0), rtol=0, atol=1e-9)
    torch.testing.assert_close(law.cdf(x[:1] - 1), both(t(0.0)), rtol=0, atol=1e-9)
    if name not in CUT:
        torch.testing.assert_close((mass * x).sum(0), law.mean, rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", [name for name in MASSES if name != NEVER_DRAWN])
def test_draws_fit_the_masses(name: str) -> None:
    torch.manual_seed(1)
    law, support = make(name), MASSES[name].support
    draws = law.sample(torch.Size((DRAWS,)))
    expected = law.log_prob(both(support)).exp() * DRAWS
    for cell in range(2):
        places = torch.searchsorted(support, draws[:, cell].double().contiguous())
        assert torch.equal(support[places.clamp_max(len(support) - 1)], draws[:, cell].double())
        counts = torch.bincount(places, minlength=len(support)).double()
        frequent = expected[:, cell] >= 20
        if frequent.sum() < 2:
            continue
        observed = np.append(counts[frequent].numpy(), counts[~frequent].sum())
        wanted = np.append(expected[frequent, cell].numpy(), expected[~frequent, cell].sum())
        keep = wanted > 1e-6
        wanted = wanted[keep] * observed[keep].sum() / wanted[keep].sum()
        assert scipy.stats.chisquare(observed[keep], wanted).pvalue > P_VALUE


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_integrate_to_one_and_to_the_cdf(name: str) -> None:
    law, low, high, jumps = make(name), DENSITIES[name].low, DENSITIES[name].high, DENSITIES[name].jumps
    for cell in range(2):

        def density(x: float, cell: int = cell) -> float:
            return float(law.log_prob(t(x, x))[cell].exp())

        middle = float(law.icdf(t(0.4, 0.4))[cell]) if name == "gaussian" else float(law.mean[cell])
        ends = [low, *sorted([middle, *jumps]), high]
        parts = [scipy.integrate.quad(density, *pair, epsabs=1e-11, limit=200)[0] for pair in itertools.pairwise(ends)]
        below = ends.index(middle)
        left, right = sum(parts[:below]), sum(parts[below:])
        assert left + right == pytest.approx(1, abs=1e-7)
        assert float(law.cdf(t(middle, middle))[cell]) == pytest.approx(left, abs=1e-7)


@pytest.mark.parametrize("name", DENSITIES)
def test_draws_fit_the_cdf(name: str) -> None:
    torch.manual_seed(1)
    law = make(name)
    draws = law.sample(torch.Size((DRAWS,)))
    u = law.cdf(draws)
    for cell in range(2):
        assert scipy.stats.kstest(u[:, cell].numpy(), "uniform").pvalue > P_VALUE
    if name != "student":  # whose second cell alone has a fourth moment
        error = 6 * (law.variance / DRAWS).sqrt()
        assert ((draws.mean(0) - law.mean).abs() < error).all()


@pytest.mark.parametrize("name", [name for name in [*DENSITIES, *MASSES] if name != NEVER_DRAWN])
def test_the_mean_score_of_draws_is_zero_and_two_percent_of_scale_are_caught(name: str) -> None:
    torch.manual_seed(1)
    found = law_of(name)
    draws = make(name).sample(torch.Size((DRAWS,)))
    assert (score_errors(found.family, found.values, draws) < ERRORS).all()
    if found.scale:
        place, step = found.scale
        wrong = [value + step * (i == place) for i, value in enumerate(found.values)]
        assert score_errors(found.family, wrong, draws).max() > ERRORS


@pytest.mark.parametrize("name", SCIPY)
def test_against_scipy(name: str) -> None:
    law = make(name)
    discrete = name in MASSES
    draws = both(torch.arange(40, dtype=torch.float64)) if discrete else law.sample(torch.Size((200,))).double()
    for cell, oracle in enumerate(SCIPY[name]):
        x = draws[:, cell].numpy()
        log_prob = oracle.logpmf(x) if discrete else oracle.logpdf(x)
        np.testing.assert_allclose(law.log_prob(draws)[:, cell].numpy(), log_prob, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(law.cdf(draws)[:, cell].numpy(), oracle.cdf(x), rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(float(law.mean[cell]), oracle.mean(), rtol=1e-4)
        np.testing.assert_allclose(float(law.variance[cell]), oracle.var(), rtol=1e-3)


@pytest.mark.parametrize("name", [*DENSITIES, *MASSES])
@pytest.mark.parametrize("prefix", [(), (5,), (3, 4)])
def test_shapes_for_any_prefix(name: str, prefix: tuple[int, ...]) -> None:
    law = make(name)
    wide = law.expand(torch.Size((*prefix, 2)))
    draws = wide.sample()
    assert draws.shape == wide.log_prob(draws).shape == wide.cdf(draws).shape == (*prefix, 2)
    assert law.sample(torch.Size((7, *prefix))).shape == (7, *prefix, 2)
    assert law.log_prob(law.sample(torch.Size((7, *prefix)))).shape == (7, *prefix, 2)
    assert wide.mean.shape == wide.mode.shape == wide.variance.shape == (*prefix, 2)


@pytest.mark.parametrize("name", [name for name in [*DENSITIES, *MASSES] if "mixture" not in name])
def test_nothing_is_denser_than_the_mode(name: str) -> None:
    law = make(name)
    draws = law.sample(torch.Size((2000,)))
    assert (law.log_prob(draws) <= law.log_prob(law.mode) + 1e-5).all()
