"""Effective sample size and Pareto k̂ of importance weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from likely.data import ResidentRows
from likely.evaluation import evidence
from likely.evaluation.tail import Tail, pareto_shape
from linear_gaussian import LinearGaussian

ROWS = 200


def tail_of(log_weight: Tensor, chunk: int = 0) -> Tail:
    tail = Tail(len(log_weight), log_weight.shape[1], log_weight.device)
    for part in log_weight.split(chunk or len(log_weight)):
        tail.add(part)
    return tail


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9, 1.2])
def test_the_shape_of_pareto_samples_is_found(k: float) -> None:
    n = 500
    x = scipy.stats.genpareto(k, scale=3.0).rvs((ROWS, n), random_state=1)
    found = pareto_shape(torch.from_numpy(np.sort(x, 1))).numpy()
    drawn_to = (n * k + 5) / (n + 10)
    # The asymptotic deviation of the maximum-likelihood shape is (1 + k)/√n.
    deviation = (1 + k) / math.sqrt(n)
    assert abs(found.mean() - drawn_to) < 4 * deviation / math.sqrt(ROWS) + 0.01
    assert found.std() == pytest.approx(deviation, rel=0.2)


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9, 1.2])
def test_weights_of_a_known_tail(k: float) -> None:
    # Excesses of a generalised Pareto law over any threshold follow one of the same shape.
    w = scipy.stats.genpareto(k).rvs((5000, ROWS), random_state=2)
    tail = tail_of(torch.from_numpy(w).log())
    n = tail.size
    assert n == math.ceil(3 * math.sqrt(5000))
    expected = (n * k + 5) / (n + 10)
    assert abs(tail.pareto_k.mean() - expected) < 4 * (1 + k) / math.sqrt(n * ROWS) + 0.02


def test_the_fit_is_the_formula_row_by_row() -> None:
    x = np.sort(scipy.stats.genpareto(0.7).rvs((3, 40), random_state=3), 1)
    found = pareto_shape(torch.from_numpy(x)).numpy()
    for row, value in zip(x, found, strict=True):
        m, n = 30 + int(math.sqrt(len(row))), len(row)
        theta = [
            1 / row[-1] + (1 - math.sqrt(m / (j - 0.5))) / (3 * row[int(n / 4 + 0.5) - 1]) for j in range(1, m + 1)
        ]
        k = [np.log(1 - t * row).mean() for t in theta]
        profile = np.array([n * (math.log(-t / one) - one - 1) for t, one in zip(theta, k, strict=True)])
        weight = np.exp(profile - profile.max())
        mean = np.log(1 - (weight * theta).sum() / weight.sum() * row).mean()
        assert value == pytest.approx((n * mean + 5) / (n + 10), abs=1e-10)


@pytest.mark.parametrize("chunk", [1, 7, 64, 999])
def test_chunks_and_units_change_nothing(chunk: int) -> None:
    w = 3 * torch.randn(1000, 5, dtype=torch.float64)
    whole, parts, moved = tail_of(w), tail_of(w, chunk), tail_of(w - 5000)
    torch.testing.assert_close(parts.ess, whole.ess, rtol=1e-12, atol=0)
    torch.testing.assert_close(parts.pareto_k, whole.pareto_k, rtol=0, atol=0)
    torch.testing.assert_close(moved.ess, whole.ess, rtol=1e-8, atol=0)
    torch.testing.assert_close(moved.pareto_k, whole.pareto_k, rtol=0, atol=1e-8)


@pytest.mark.parametrize("s", [0.3, 0.7, 1.0])
def test_effective_sample_size_of_lognormal_weights(s: float) -> None:
    k = 100_000
    tail = tail_of(s * torch.randn(k, 20, dtype=torch.float64), 10_000)
    share = (tail.ess / k).numpy()
    error = share.std(ddof=1) / math.sqrt(20)
    assert share.mean() == pytest.approx(math.exp(-(s**2)), abs=4 * error + 2e-4)
    assert (tail.pareto_k < 0.7).all()


def test_what_has_no_tail() -> None:
    k = 100
    equal = tail_of(torch.full((k, 2), -50.0) + 1e-6 * torch.rand(k, 2))
    torch.testing.assert_close(equal.ess, torch.full((2,), float(k), dtype=torch.float64))
    assert (equal.pareto_k == -math.inf).all()
    assert tail_of(torch.randn(24, 3)).pareto_k.isnan().all()
    none = tail_of(torch.full((k, 1), -math.inf))
    assert none.ess.isnan().all()
    assert none.pareto_k.isnan().all()
    two = tail_of(torch.where(torch.arange(k)[:, None] % 50 == 0, 0.5, 0.0).double())
    assert two.pareto_k.isfinite().all()
    assert (two.pareto_k < 0.7).all()


def test_one_weight_that_carries_all_is_seen_however_far_it_leads() -> None:
    for spread in (10.0, 1e3, 1e5):
        tail = tail_of(spread * torch.randn(500, 4, dtype=torch.float64))
        assert (tail.pareto_k > 1).all()
        assert (tail.ess < 4).all()
    some = torch.full((500, 1), -math.inf, dtype=torch.float64)
    some[:3] = 0.0
    assert tail_of(some).ess == pytest.approx(3)
    assert tail_of(some).pareto_k > 1


def test_evidence_tells_a_good_q_from_a_bad_one() -> None:
    exact = LinearGaussian(8, 3)
    rows = ResidentRows(exact.sample(60))
    found = evidence(exact.vae(), rows, samples=500)
    np.testing.assert_allclose(found.ess, 500, rtol=1e-9)
    assert (found.pareto_k == -math.inf).all()
    # With deviations of Q narrower by c, w ∝ exp(½ (1 − c²) ‖ε‖²), ε ~ N(0, I): the shape of its tail is 1 − c².
    narrow = evidence(exact.vae(widen=0.4), rows, samples=4000)
    assert np.median(narrow.pareto_k) == pytest.approx(1 - 0.4**2, abs=0.15)
    order = torch.randperm(60)
    other = evidence(exact.vae(widen=0.4), ResidentRows(rows.stored().values[order]), samples=4000, max_numbers=6000)
    np.testing.assert_allclose(other.ess, narrow.ess[order.numpy()], rtol=1e-8)
    np.testing.assert_allclose(other.pareto_k, narrow.pareto_k[order.numpy()], atol=1e-7)
    assert np.isnan(evidence(exact.vae(), rows, samples=20).pareto_k).all()
