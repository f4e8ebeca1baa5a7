from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import likely
from likely import likelihoods
from likely.data import Batch, EncodedRows, ResidentRows
from likely.data.noise import row_keys
from likely.evaluation import (
    AnnealingPath,
    AssessOptions,
    Baseline,
    Headline,
    LogPxEstimate,
    NotAnnealed,
    against,
    anneal,
    bidirectional,
    count_codes,
    enumerated,
    estimate_log_px,
    evidence,
    log_px,
    of_annealing,
    of_importance,
    simulate,
    tune,
)
from likely.evaluation.annealing import chains as walks
from likely.evaluation.annealing.bridge import Bridge
from likely.evaluation.annealing.chains import backward, forward
from likely.evaluation.annealing.clock import Clock
from likely.evaluation.averages import LogMean
from likely.networks import Ladder
from linear_gaussian import LinearGaussian
from rooms import CELLS, POSTERIORS, PRIORS, started, stir


def plain(temperatures: int, step: float, chains: int = 16) -> AnnealingPath:
    """Equal intervals of β, and one step size."""
    return AnnealingPath(tuple(np.linspace(0, 1, temperatures + 1)), (step,) * (temperatures + 1), chains, 3)


@pytest.mark.parametrize(
    ("latent", "shift", "widen", "temperatures"),
    [(2, 0.3, 1.3, 400), (2, 0.0, 1.0, 20), (10, 0.2, 0.85, 500), (50, 0.05, 0.9, 300)],
)
def test_annealing_gives_the_exact_evidence(latent: int, shift: float, widen: float, temperatures: int) -> None:
    exact = LinearGaussian(latent + 5, latent)
    x, model = exact.sample(50), exact.vae(shift, widen)
    rows, truth = ResidentRows(x), exact.log_px(x).numpy()
    found = anneal(model, rows, tune(model, rows).path.spread(temperatures, 32))
    error = found.log_px - truth
    assert np.abs(error).mean() <= 0.02
    assert abs(error.mean()) <= 4 * np.sqrt((found.se_mc**2).sum()) / len(error) + 1e-4
    assert 0.6 < found.acceptance.mean() <= 1


def test_annealing_from_the_prior_is_exact_too() -> None:
    exact = LinearGaussian(7, 2)
    x, model = exact.sample(50), exact.vae(1.0, 0.7)
    path = replace(plain(300, 1.0, 32), from_prior=True)
    found = anneal(model, ResidentRows(x), path)
    error = found.log_px - exact.log_px(x).numpy()
    assert np.abs(error).mean() <= 0.15
    assert abs(error.mean()) <= 4 * np.sqrt((found.se_mc**2).sum()) / len(error) + 0.01


def test_a_posterior_that_misses_is_left_for_the_prior() -> None:
    exact = LinearGaussian(7, 2)
    found = tune(exact.vae(4.0, 0.1), ResidentRows(exact.sample(20)))
    assert found.path.from_prior
    assert found.width <= 0.5
    assert not tune(exact.vae(0.1, 1.1), ResidentRows(exact.sample(20))).path.from_prior


def test_the_evidence_lies_between_the_two_bounds_in_expectation() -> None:
    exact = LinearGaussian(15, 10)
    model = exact.vae(0.3, 0.7)
    path = tune(model, ResidentRows(exact.sample(5))).path.spread(4, 4)
    simulated = simulate(model, ResidentRows(exact.sample(5)), 400, seed=7)
    truth = exact.log_px(simulated.rows.stored().values).numpy()
    found = bidirectional(model, simulated, path)
    below, above = truth - found.lower, found.upper - truth
    assert below.mean() > 4 * below.std() / 20
    assert above.mean() > 4 * above.std() / 20
    assert found.width == pytest.approx(below.mean() + above.mean())


def test_simulated_codes_are_exact_draws_of_the_posterior() -> None:
    exact = LinearGaussian(15, 3)
    model = exact.vae()
    simulated = simulate(model, ResidentRows(exact.sample(5)), 4000, seed=1)
    q = model.posterior(simulated.rows.evaluation_batch(torch.arange(4000)))
    standardised = (simulated.z - q.mean) / q.stddev
    assert (standardised.mean(0).abs() < 4 / math.sqrt(4000)).all()
    assert ((standardised.square().mean(0) - 1).abs() < 4 * math.sqrt(2 / 4000)).all()


def test_nominal_intervals_of_the_annealed_mean_cover() -> None:
    exact = LinearGaussian(7, 2)
    x, model = exact.sample(20), exact.vae(0.2, 1.2)
    rows, repetitions, chains = ResidentRows(x), 200, 16
    path = tune(model, rows).path.spread(60, repetitions * chains)
    batch = rows.evaluation_batch(torch.arange(20))
    with torch.no_grad():
        walk = forward(Bridge(model, batch, model.prior()), row_keys(x, 0), path)
    truth, hits, errors, ses = exact.log_px(x).mean().item(), 0, [], []
    for part in walk.log_weight.split(chains):
        mean = LogMean(chains, 20, x.device)
        mean.add(0, part)
        se = float(mean.error.square().sum().sqrt()) / 20
        error = float(mean.value.mean()) - truth
        hits += abs(error) < 1.96 * se
        errors.append(error)
        ses.append(se)
    assert abs(np.mean(errors)) < 0.25 * np.mean(ses)
    assert 0.90 <= hits / repetitions <= 0.99


def small(prior: str, posterior: str) -> likely.VAE:
    """A model of five 0/1 cells, away from its start."""
    torch.manual_seed(5)
    q, p = POSTERIORS[posterior](), PRIORS[prior]()
    likelihood = likelihoods.Bernoulli((CELLS,))
    encoder, decoder = nn.Linear(CELLS, q.parameter_shape.numel()), nn.Linear(p.event_shape[0], CELLS)
    model = likely.VAE(p, likelihood, q, encoder, decoder)
    started(p, torch.randint(0, 2, (40, CELLS)).float())
    stir(model)
    return model.eval()


def cells() -> EncodedRows:
    every = [[float(number >> cell & 1) for cell in range(CELLS)] for number in range(0, 32, 3)]
    return ResidentRows(torch.tensor(every, dtype=torch.float64))


PAIRS = [
    ("standard normal", "full normal"),
    ("standard normal", "mixture"),
    ("diagonal normal", "flow, iaf"),
    ("flow, coupling", "normal"),
    ("vamp", "normal"),
    ("exemplar", "full normal"),
    ("hypersphere", "von Mises-Fisher"),
    ("circle", "von Mises"),
]


@pytest.mark.parametrize(("prior", "posterior"), PAIRS)
def test_annealing_agrees_with_many_importance_samples(prior: str, posterior: str) -> None:
    model, rows = small(prior, posterior), cells()
    found = anneal(model, rows, plain(60, 0.6))
    other = evidence(model, rows, samples=5_000, prior_sampling=True)
    error = found.log_px - other.terms["prior_sampling"]
    both = np.hypot(found.se_mc, other.se_mc["prior_sampling"])
    assert np.all(error < 4 * both + 0.01)
    assert error.mean() > -4 * np.sqrt((both**2).sum()) / len(error) - 0.1


def test_a_hierarchy_is_annealed_in_its_noise() -> None:
    model, rows = ladder(), cells()
    noise = torch.randn(6, len(rows), 3, dtype=torch.float64)
    p = model.prior()
    torch.testing.assert_close(p.to_noise(p.from_noise(noise)), noise)
    found, other = anneal(model, rows, plain(60, 0.6)), evidence(model, rows, samples=5_000)
    error, both = found.log_px - other.terms["iwae"], np.hypot(found.se_mc, other.se_mc["iwae"])
    assert np.all(np.abs(error) < 4 * both + 0.01)


def test_few_codes_are_summed_exactly() -> None:
    model = small("categorical", "categorical")
    rows = cells()
    assert count_codes(model) == 16
    assert count_codes(small("standard normal", "normal")) is None
    every = torch.tensor([[float(number >> cell & 1) for cell in range(CELLS)] for number in range(32)])
    everything = enumerated(model, ResidentRows(every.double()))
    assert np.exp(everything).sum() == pytest.approx(1, abs=1e-12)
    found = evidence(model, rows, samples=20_000)
    exact = enumerated(model, rows, max_numbers=1)
    assert np.all(np.abs(found.terms["iwae"] - exact) < 5 * found.se_mc["iwae"] + 1e-6)
    with pytest.raises(TypeError, match="discrete codes"):
        enumerated(small("standard normal", "normal"), rows)


def ladder() -> likely.HierarchicalVAE:
    """A hierarchy over five 0/1 cells, away from its start."""
    torch.manual_seed(0)
    likelihood = likelihoods.Bernoulli((CELLS,))
    model = likely.HierarchicalVAE(likelihood, Ladder(nn.Linear(CELLS, 8), nn.Linear(8, CELLS), (2, 1), 8))
    stir(model)
    return model


def test_a_row_of_a_hierarchy_is_annealed_the_same_in_any_company() -> None:
    model, rows = ladder(), cells()
    whole = anneal(model, rows, plain(5, 0.6))
    for row in (0, 7):
        alone = anneal(model, rows.take(torch.tensor([row])), plain(5, 0.6))
        np.testing.assert_allclose(alone.log_px, whole.log_px[[row]], rtol=0, atol=1e-8)


@pytest.mark.parametrize("from_prior", [False, True])
@pytest.mark.parametrize(
    ("prior", "posterior"), [("hypersphere", "von Mises-Fisher"), ("circle", "von Mises"), ("vamp", "normal")]
)
def test_weights_are_unbiased_both_ways(prior: str, posterior: str, from_prior: bool) -> None:
    model, chains = small(prior, posterior), 2000
    every = torch.tensor([[float(number >> cell & 1) for cell in range(CELLS)] for number in range(32)]).double()
    rows, path = ResidentRows(every), replace(plain(8, 0.5, chains), from_prior=from_prior)
    log_px = evidence(model, rows, samples=10_000, prior_sampling=True).terms["prior_sampling"]
    assert np.exp(log_px).sum() == pytest.approx(1, abs=0.02)
    truth, batch = torch.from_numpy(log_px), rows.evaluation_batch(torch.arange(32))
    bridge = Bridge(model, batch, model.prior(), from_prior=from_prior)
    with torch.no_grad():
        ratio = (forward(bridge, row_keys(every, 0), path).log_weight - truth).exp()
    assert ((ratio.mean(0) - 1).abs() < 4.5 * ratio.std(0) / chains**0.5 + 0.02).all()

    simulated = simulate(model, rows, 1000, seed=3)
    place = (simulated.rows.stored().values * 2 ** torch.arange(CELLS)).sum(1).long()
    bridge = Bridge(model, simulated.rows.evaluation_batch(torch.arange(1000)), model.prior(), from_prior=from_prior)
    with torch.no_grad():
        keys = row_keys(torch.arange(1000.0).view(-1, 1), 0)
        back = backward(bridge, simulated.z, keys, replace(path, chains=8)).log_weight
    inverse = (truth[place] - back).exp().mean(0)
    assert abs(inverse.mean() - 1) < 4.5 * inverse.std() / 1000**0.5 + 0.02


class Beside(nn.Module):
    """A linear encoder of a row and its condition."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.linear(torch.cat([x, y], -1))
        return made


def test_simulated_rows_take_the_conditions_of_rows_chosen_by_content() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(600, CELLS), torch.arange(3.0).repeat_interleave(200).view(-1, 1)
    condition, likelihood = nn.Linear(1, 2), likelihoods.Gaussian((CELLS,))
    encoder, decoder = Beside(CELLS + 2, 4), nn.Linear(2 + 2, likelihood.parameter_shape.numel())
    prior, posterior = likely.priors.StandardNormal(2), likely.posteriors.Normal(2)
    model = likely.VAE(prior, likelihood, posterior, encoder, decoder, condition)
    made = simulate(model, ResidentRows(x, covariates=y), 60, seed=0).rows.covariates
    assert made is not None
    assert np.bincount(made.flatten().long(), minlength=3).min() > 8
    order = torch.randperm(600)
    other = simulate(model, ResidentRows(x[order], covariates=y[order]), 60, seed=0).rows.covariates
    assert other is not None
    assert torch.equal(other, made)


def test_verdicts_tell_rows_without_probability_and_bounds_from_values() -> None:
    exact = LinearGaussian(15, 10)
    x, model = exact.sample(60), exact.vae(0.3, 0.7)
    rows, truth = ResidentRows(x), exact.log_px(x).numpy()
    found = evidence(model, rows, samples=500)
    estimate = estimate_log_px(model, rows, found, max_rows=60)
    assert isinstance(estimate, LogPxEstimate)

    def beside(nats: np.ndarray, how: LogPxEstimate | NotAnnealed = estimate) -> Headline:
        return against(found, [Baseline("gaussian", nats, 0.0, "")], how)

    headline = beside(truth - 0.5)
    assert headline.text.startswith("The model beats")
    assert "though its bound L_K does not" in headline.text
    assert not headline.beaten
    assert "anneal to know" in beside(truth - 0.5, NotAnnealed("not requested")).text
    assert beside(truth + 0.5).text.startswith("THE MODEL DOES NOT BEAT GAUSSIAN")
    assert "do not differ" in beside(estimate.log_px.copy()).text

    far = x.clone()
    far[0] = 1e200
    found = evidence(model, ResidentRows(far), samples=50)
    assert str(of_importance(found, annealed=False)).startswith("unstable: 1 of the rows get no probability")
    estimate = estimate_log_px(model, ResidentRows(far), found, max_rows=60)
    assert isinstance(estimate, LogPxEstimate)
    assert str(of_annealing(estimate, found, precise=False)).startswith("unstable: 1 of the rows get no probability")
    assert beside(truth, estimate) == Headline("", beaten=False)


def test_a_row_is_annealed_the_same_in_any_company() -> None:
    exact = LinearGaussian(6, 2)
    model, x = exact.vae(0.2, 1.1), exact.sample(120)
    path = tune(model, ResidentRows(x)).path
    before = torch.random.get_rng_state().clone()
    whole = anneal(model, ResidentRows(x), path)
    order = torch.randperm(120, generator=torch.Generator().manual_seed(1))
    other = anneal(model, ResidentRows(x[order]), path)
    np.testing.assert_allclose(other.log_px, whole.log_px[order.numpy()], rtol=0, atol=1e-8)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not np.allclose(anneal(model, ResidentRows(x), path, seed=1).log_px, whole.log_px)


def test_a_limit_of_time_takes_rows_and_temperatures_and_leaves_each_row_its_number() -> None:
    exact = LinearGaussian(15, 10)
    rows, model = ResidentRows(exact.sample(120)), exact.vae(1.0, 0.6)
    found = evidence(model, rows, samples=50)

    def within(minutes: float | None) -> LogPxEstimate:
        estimate = estimate_log_px(model, rows, found, max_rows=110, minutes=minutes)
        assert isinstance(estimate, LogPxEstimate)
        assert estimate.annealed is not None
        return estimate

    whole, long, none = within(None), within(60), within(1e-9)
    assert whole.annealed is not None
    assert none.annealed is not None
    assert whole.annealed.path.temperatures > none.annealed.path.temperatures == 8
    assert len(whole.indices) == 110
    np.testing.assert_array_equal(long.indices, whole.indices)
    for name in ("log_px", "se_mc"):
        np.testing.assert_allclose(getattr(long, name), getattr(whole, name), rtol=0, atol=1e-8)
    assert whole.limit is None
    assert long.limit is not None
    assert none.limit is not None
    assert (long.limit.cut, none.limit.cut) == (False, True)
    assert none.limit.seconds > none.limit.minutes * 60
    np.testing.assert_array_equal(none.indices, np.sort(np.argsort(found.keys, kind="stable")[:50]))
    every = anneal(model, rows, none.annealed.path)
    np.testing.assert_allclose(none.log_px, every.log_px[none.indices], rtol=0, atol=1e-8)
    assert none.gap_split is not None
    assert whole.gap_split is not None
    kept = np.isin(whole.indices, none.indices)
    np.testing.assert_allclose(none.gap_split.amortisation, whole.gap_split.amortisation[kept], rtol=0, atol=1e-8)


class Scripted(Clock):
    """Every lap takes a second, and each time that it is asked there are other seconds left."""

    def __init__(self, *seconds: float) -> None:
        super().__init__(1)
        self.seconds = list(seconds)

    def lap(self) -> float:
        return 1.0

    def left(self) -> float:
        return self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]


def test_temperatures_are_raised_as_far_as_half_of_the_time_goes() -> None:
    exact = LinearGaussian(15, 10)
    model, rows = exact.vae(1.0, 0.6), ResidentRows(exact.sample(5))
    assert tune(model, rows).path.temperatures > 12
    clock = Scripted(3.0, 3.0, 3.0, 1.0)  # a second for 8 temperatures: 12 of them take half of three seconds
    found = tune(model, rows, clock=clock)
    assert found.path.temperatures == 12
    assert clock.cut
    assert tune(model, rows, clock=Scripted(2.0)).path.temperatures == 8


def test_rows_are_annealed_until_a_further_part_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = LinearGaussian(6, 2)
    model, rows = exact.vae(0.2, 1.1), ResidentRows(exact.sample(140))
    found, clock = evidence(model, rows, samples=5), Scripted(9.0, 0.5)
    monkeypatch.setattr(log_px, "Clock", lambda _: clock)
    monkeypatch.setattr(log_px, "tune", lambda *_, **__: tune(model, rows))
    estimate = estimate_log_px(model, rows, found, max_rows=140, minutes=1)
    assert isinstance(estimate, LogPxEstimate)
    np.testing.assert_array_equal(estimate.indices, np.sort(np.argsort(found.keys, kind="stable")[:100]))
    assert clock.cut


def test_a_limit_of_time_is_a_positive_number() -> None:
    for minutes in (0, -1, math.nan, math.inf):
        with pytest.raises(likely.ConfigError, match="minutes must be a positive number"):
            AssessOptions(minutes=minutes)


def test_every_schedule_ends_where_it_should() -> None:
    exact = LinearGaussian(6, 2)
    path = tune(exact.vae(0.5, 0.7), ResidentRows(exact.sample(5))).path
    for temperatures in (1, 7, 200):
        made = path.spread(temperatures)
        assert made.temperatures == temperatures
        assert made.betas[0] == 0
        assert made.betas[-1] == 1
        assert np.all(np.diff(made.betas) > 0)


def test_no_noise_is_taken_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, int]] = []

    def noted(draw: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def drawn(keys: torch.Tensor, stream: int, first: int, count: int, size: int) -> torch.Tensor:
            taken.extend((stream, number) for number in range(first, first + count))
            return draw(keys, stream, first, count, size)

        return drawn

    monkeypatch.setattr(walks, "normal", noted(walks.normal))
    monkeypatch.setattr(walks, "uniform", noted(walks.uniform))
    exact = LinearGaussian(4, 2)
    x, model = exact.sample(3), exact.vae(0.2)
    bridge, keys = Bridge(model, Batch(x), model.prior()), row_keys(x, 0)
    walk = forward(bridge, keys, plain(4, 0.5, 2))
    backward(bridge, torch.zeros(3, 2, dtype=torch.float64), keys, plain(4, 0.5, 2))
    assert walk.log_weight.shape == (2, 3)
    assert len(set(taken)) == len(taken)
    assert len({stream for stream, _ in taken}) == 7  # where chains start, and three of each direction
