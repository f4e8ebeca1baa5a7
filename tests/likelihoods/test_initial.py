"""Where likelihoods start: the estimates that their formulae name, each against another way to the same number."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
from torch import Tensor

from likely import distributions
from likely.data import Warp
from likely.likelihoods import Atoms, Beta, Gamma, Logistic, Resolutions, StudentT, Truncated, Warped

AXIS = Warp([[(-0.5, -1.5), (40.5, 0.0), (99.5, 1.5)]], [False])


def quantiles(law: object, rows: int = 2000) -> Tensor:
    """Rows that are spread as the law is."""
    middle = (torch.arange(rows, dtype=torch.float64) + 0.5) / rows
    return torch.from_numpy(law.ppf(middle.numpy())).unsqueeze(1)  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [0.3, 2.0, 40.0])
def test_gamma_starts_at_its_mean_and_near_the_most_likely_shape(shape: float) -> None:
    rows, law = quantiles(scipy.stats.gamma(shape, scale=3.0)), Gamma((1,), 2.0)
    start = law.initial(rows)
    wanted, _, _ = scipy.stats.gamma.fit(rows.numpy(), floc=0)
    assert float(law.log_shape(start[1]).exp()) == pytest.approx(wanted, rel=0.015)
    assert float(law(start).mean) == pytest.approx(float(rows.mean()), rel=1e-5)


@pytest.mark.parametrize("df", [1.6, 2.5, 4.0, 8.0, 20.0, 100.0])
def test_student_starts_at_the_degrees_of_freedom_of_the_rows(df: float) -> None:
    law = StudentT((1,), 5.0, 3.0)
    start = law.initial(5 + 3 * quantiles(scipy.stats.t(df)))
    clear = max(df, 1.5 * (300 / 1.5) ** 0.025)  # of the bound
    assert float(law.log_df(start[2]).exp()) == pytest.approx(clear, rel=1e-4)


def test_a_truncated_law_without_limits_starts_as_the_law_itself_does() -> None:
    rows = quantiles(scipy.stats.logistic(5, 3), 500)
    free, cut = Logistic((1,), 5.0, 3.0), Truncated((1,), -math.inf, math.inf, distributions.Logistic, 5.0, 3.0)
    scores = [float(law(law.initial(rows)).log_prob(rows).mean()) for law in (free, cut)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)


def test_atoms_start_at_their_shares_with_half_a_row_added() -> None:
    law = Atoms(Warped((1,), AXIS, 2), [(0.0, 50.0)])
    rows = torch.cat([torch.zeros(3), torch.full((5,), 50.0), torch.linspace(1, 90, 12)]).double().unsqueeze(1)
    found = law(law.initial(rows)).log_prob(torch.tensor([[0.0], [50.0]])).exp().flatten()
    torch.testing.assert_close(found.double(), torch.tensor([3.5, 5.5]).double() / 21.5, rtol=1e-4, atol=0)


def test_resolutions_start_at_the_shares_of_the_rows() -> None:
    law = Resolutions((1,), AXIS, 2, 1.0, [((1, 0.7), (10, 0.3))], 0.0, 99.0)
    rows = torch.arange(100, dtype=torch.float64)
    rows = torch.cat([rows, rows[::10].repeat(10)]).unsqueeze(1)
    every = torch.arange(100, dtype=torch.float64).unsqueeze(1)
    mass = law(law.initial(rows)).log_prob(every).exp()
    assert float(mass[::10].sum()) == pytest.approx(110 / 200, abs=0.02)


def test_beta_lies_between_its_ends() -> None:
    law = Beta((1,), -2.0, 7.0)
    rows = -2 + 9 * quantiles(scipy.stats.beta(2, 3), 500)
    start = law.initial(rows)
    torch.testing.assert_close(law(start).mean.double(), rows.mean(0), rtol=1e-5, atol=0)
    y, wanted = (rows + 2) / 9, scipy.stats.beta(*_moments((rows + 2) / 9))
    scores = torch.from_numpy(wanted.logpdf(y.numpy())) - math.log(9)
    torch.testing.assert_close(law(start).log_prob(rows).double(), scores, rtol=1e-4, atol=1e-4)


def _moments(y: Tensor) -> tuple[float, float]:
    """Parameters of the beta distribution with this mean and variance."""
    mean, variance = float(y.mean()), float(y.var(correction=0))
    total = mean * (1 - mean) / variance - 1
    return mean * total, (1 - mean) * total
