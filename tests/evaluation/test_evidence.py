from __future__ import annotations

import numpy as np
import pytest
import torch

from likely.data import Batch, ResidentRows
from likely.evaluation import evidence, ledger
from linear_gaussian import LinearGaussian

ROWS = 60


@pytest.mark.parametrize(("dims", "latent"), [(3, 1), (6, 2), (20, 10)])
def test_with_the_exact_posterior_everything_equals_the_evidence(dims: int, latent: int) -> None:
    exact = LinearGaussian(dims, latent)
    x = exact.sample(ROWS)
    found = evidence(exact.vae(), ResidentRows(x), samples=2000)
    truth = exact.log_px(x).numpy()
    np.testing.assert_allclose(found.terms["iwae"], truth, atol=1e-5)
    errors = found.terms["elbo"] - truth
    assert np.all(np.abs(errors) < 5 * found.se_mc["elbo"])
    assert np.all(found.se_mc["iwae"] < 1e-5)


@pytest.mark.parametrize(("shift", "widen"), [(0.1, 1.0), (0.0, 1.4), (-0.15, 0.8)])
def test_the_identity_holds_where_the_gap_is_known(shift: float, widen: float) -> None:
    exact = LinearGaussian(8, 3)
    x = exact.sample(ROWS)
    model, gap = exact.vae(shift, widen), exact.gap(shift, widen)
    batch = Batch(x)
    q = model.posterior(batch)
    # E_Q[log P(x|z)] in closed form: −(‖x − W m − b‖² + Σ w_j² s_j²)/(2σ²) − D log(σ √(2π)).
    spread = (exact.scales.square() * (2 * q.log_std).exp()).sum(-1)
    residual = (x - q.mean @ exact.w.T - exact.b).square().sum(-1)
    constant = exact.dims * (np.log(exact.sigma) + 0.5 * np.log(2 * np.pi))
    reconstruction = -(residual + spread) / (2 * exact.sigma**2) - constant
    kl = torch.distributions.kl_divergence(q, model.prior())
    torch.testing.assert_close(exact.log_px(x) - gap, reconstruction - kl, rtol=0, atol=1e-6)

    found = evidence(model, ResidentRows(x), samples=4000)
    total = ledger(found, dims=8, split="test", measure="density", seed=0, seconds=0.0, versions={})
    assert total["reconstruction"].nats == pytest.approx(
        reconstruction.mean().item(), abs=5 * total["reconstruction"].se_mc
    )
    assert total["kl"].nats == pytest.approx(kl.mean().item(), abs=1e-9)
    assert total["gap"].nats == pytest.approx(gap, abs=5 * total["gap"].se_mc + 0.003)
    assert total["elbo"].nats + total["gap"].nats == pytest.approx(total["iwae"].nats, abs=1e-9)
    assert total["elbo"].nats == pytest.approx(total["reconstruction"].nats - total["kl"].nats, abs=1e-9)


def test_bounds_rise_with_k_and_stay_below_the_evidence_in_expectation() -> None:
    exact = LinearGaussian(8, 3)
    x = exact.sample(2000)
    model = exact.vae(shift=0.3, widen=1.3)
    truth = exact.log_px(x).mean().item()
    means, errors = [], []
    for k in (1, 5, 50):
        found = evidence(model, ResidentRows(x), samples=k, seed=k)
        means.append(found.terms["iwae"].mean())
        errors.append((found.terms["iwae"] - exact.log_px(x).numpy()).std() / np.sqrt(len(x)))
    assert means[0] < means[1] < means[2] < truth + 4 * errors[2]
    elbo = evidence(model, ResidentRows(x), samples=50).terms["elbo"].mean()
    assert abs(means[0] - elbo) < 5 * errors[0]
    assert truth - means[0] == pytest.approx(exact.gap(0.3, 1.3), abs=5 * errors[0])


def test_simple_monte_carlo_is_unbiased_here_and_the_unweighted_mean_is_another_quantity() -> None:
    exact = LinearGaussian(3, 1, sigma=1.0)
    x = exact.sample(200)
    found = evidence(exact.vae(), ResidentRows(x), samples=20_000, prior_sampling=True)
    truth = exact.log_px(x).numpy()
    standardised = (found.terms["prior_sampling"] - truth) / found.se_mc["prior_sampling"]
    assert abs(standardised.mean()) < 4 / np.sqrt(200) + 0.05
    assert 0.7 < standardised.std() < 1.4
    assert (found.terms["unweighted"] - truth).mean() > 0.05


def test_simple_monte_carlo_fails_in_high_dimension_and_stays_below() -> None:
    exact = LinearGaussian(60, 40, sigma=0.2)
    x = exact.sample(20)
    found = evidence(exact.vae(), ResidentRows(x), samples=500, prior_sampling=True)
    assert (exact.log_px(x).numpy() - found.terms["prior_sampling"]).min() > 50


def test_nominal_intervals_cover() -> None:
    exact = LinearGaussian(5, 2)
    x = exact.sample(20)
    model, truth, hits = exact.vae(shift=0.2), exact.log_px(x).mean().item(), 0
    for seed in range(200):
        found = evidence(model, ResidentRows(x), samples=500, seed=seed, max_numbers=2**17)
        entry = ledger(found, dims=5, split="", measure="density", seed=seed, seconds=0, versions={})["iwae"]
        hits += abs(entry.nats - truth) < 1.96 * entry.se_mc
    assert 0.90 <= hits / 200 <= 0.99


def test_terms_and_the_parts_apart_agree() -> None:
    exact = LinearGaussian(6, 2)
    model, batch = exact.vae(0.2, 1.1), Batch(exact.sample(7))
    terms = model.terms(batch, 4)
    q, p = model.posterior(batch), model.prior()
    assert terms.log_px_z.shape == terms.log_pz.shape == terms.log_qz_x.shape == (4, 7)
    torch.testing.assert_close(terms.log_px_z, model.likelihood(terms.z).log_prob(batch.values).sum(-1))
    torch.testing.assert_close(terms.log_pz, p.log_prob(terms.z))
    torch.testing.assert_close(terms.log_qz_x, q.log_prob(terms.z))
    torch.testing.assert_close(model.log_joint(batch, terms.z), terms.log_px_z + terms.log_pz)
    masked = Batch(batch.values, observed=torch.tensor([True, False, True, True, True, True]).expand(7, 6))
    hidden = model.likelihood(terms.z).log_prob(batch.values)[..., 1]
    torch.testing.assert_close(model.log_px_z(masked, terms.z), terms.log_px_z - hidden)


def test_per_row_numbers_do_not_depend_on_batch_chunk_or_order() -> None:
    exact = LinearGaussian(6, 2)
    model, x = exact.vae(0.2, 1.1), exact.sample(120)
    whole = evidence(model, ResidentRows(x), samples=64)
    order = torch.randperm(120)
    other = evidence(model, ResidentRows(x[order]), samples=64, max_numbers=600)
    for name in ("elbo", "iwae", "unweighted"):
        np.testing.assert_allclose(other.terms[name], whole.terms[name][order.numpy()], rtol=0, atol=1e-9)
    alone = evidence(model, ResidentRows(x[5:6]), samples=64)
    np.testing.assert_allclose(alone.terms["iwae"], whole.terms["iwae"][5:6], rtol=0, atol=1e-9)


def test_equal_rows_share_their_noise_and_count_once_in_the_error() -> None:
    exact = LinearGaussian(6, 2)
    model, row = exact.vae(0.3), exact.sample(1)
    one = evidence(model, ResidentRows(row), samples=50)
    many = evidence(model, ResidentRows(row.expand(30, -1)), samples=50)
    facts = {"dims": 6, "split": "", "measure": "density", "seed": 0, "seconds": 0.0, "versions": {}}
    assert ledger(many, **facts)["iwae"].se_mc == pytest.approx(ledger(one, **facts)["iwae"].se_mc)


def test_evaluating_consumes_no_random_numbers() -> None:
    model = LinearGaussian(4, 2).vae()
    before = torch.random.get_rng_state().clone()
    x = ResidentRows(torch.zeros(5, 4, dtype=torch.float64))
    evidence(model, x, samples=10, prior_sampling=True)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_error_of_a_logarithm_grows_where_one_weight_carries_it() -> None:
    exact = LinearGaussian(60, 40, sigma=0.2)
    x = exact.sample(4)
    model = exact.vae()
    estimates = np.stack(
        [
            evidence(model, ResidentRows(x), samples=100, seed=s, prior_sampling=True).terms["prior_sampling"]
            for s in range(20)
        ]
    )
    claimed = evidence(model, ResidentRows(x), samples=100, prior_sampling=True).se_mc["prior_sampling"]
    assert claimed.mean() > estimates.std(0).mean() / 3
    assert claimed.min() > 1


@pytest.mark.parametrize("samples", [1, 2, 7, 20, 33, 100])
def test_averages_equal_their_formulas_for_any_chunks(samples: int) -> None:
    from likely.evaluation.averages import LogMean, Mean

    w = torch.randn(samples, 3, dtype=torch.float64)
    whole, parts = (LogMean(samples, 3, w.device) for _ in range(2))
    plain = Mean(samples, 3, w.device)
    whole.add(0, w)
    for first in range(0, samples, 9):
        parts.add(first, w[first : first + 9])
        plain.add(first, w[first : first + 9])
    torch.testing.assert_close(whole.value, torch.logsumexp(w, 0) - np.log(samples))
    torch.testing.assert_close(parts.without_each(), whole.without_each())
    torch.testing.assert_close(plain.value, w.mean(0))
    if samples > 1:
        torch.testing.assert_close(plain.error, w.std(0) / samples**0.5)
        block = min(20, samples)
        left = torch.stack([w[[i for i in range(samples) if i % block != b]].logsumexp(0) for b in range(block)])
        counts = torch.tensor([sum(i % block != b for i in range(samples)) for b in range(block)])
        torch.testing.assert_close(whole.without_each(), left - counts.double().log()[:, None])
    else:
        assert torch.isnan(whole.error).all()
