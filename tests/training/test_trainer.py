from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

import likely
from likely.config import TrainingConfig, default_max_steps
from likely.data import Batch, EncodedRows, ResidentRows
from likely.likelihoods import Bernoulli
from likely.models import VAE
from likely.networks import ResidualMLP
from likely.objectives import ELBO, Loss
from likely.posteriors import Normal
from likely.priors import Exemplar, StandardNormal
from likely.training import Monitor, Schedule, train
from likely.training.sampler import Sampler
from likely.training.validate import validate

CONFIG = TrainingConfig(batch_size=32, precision="float32")


def vae() -> VAE:
    torch.manual_seed(0)
    return VAE(StandardNormal(2), Bernoulli((9,)), Normal(2), ResidualMLP(9, 4, 16), ResidualMLP(2, 9, 16))


def rows(count: int = 200) -> EncodedRows:
    generator = torch.Generator().manual_seed(0)
    kind = torch.randint(0, 2, (count, 1), generator=generator)
    p = torch.where(kind == 1, torch.linspace(0.9, 0.1, 9), torch.linspace(0.1, 0.9, 9))
    return ResidentRows(torch.bernoulli(p, generator=generator))


def plan(steps: int, every: int = 50) -> Schedule:
    return Schedule(steps, open=False, warmup_steps=steps // 10, validate_every=every)


def test_the_loss_is_minus_the_mean_of_summed_terms() -> None:
    model, batch = vae(), Batch(rows().stored().values[:8])
    torch.manual_seed(3)
    value, terms = Loss(model, ELBO(samples=4))(batch, kl_weight=0.5)
    expected = -(terms.log_px_z.mean(0) - 0.5 * terms.kl).sum() / 8
    torch.testing.assert_close(value, expected)
    cells = model.likelihood(terms.z).log_prob(batch.values)
    assert cells.shape == (4, 8, 9)
    torch.testing.assert_close(terms.log_px_z, cells.sum(-1))


def test_every_row_is_seen_once_per_epoch_and_no_batch_is_partial() -> None:
    sampler = Sampler(10, 4, 0)
    batches = [sampler.next() for _ in range(5)]
    assert all(len(batch) == 4 for batch in batches)
    seen = torch.cat(batches)
    assert sorted(seen[:10].tolist()) == list(range(10))
    assert sorted(seen[10:].tolist()) == list(range(10))


def test_the_same_seed_and_steps_give_the_same_weights_whatever_happens_between() -> None:
    models = []
    for noise in range(2):
        model = vae()
        for _ in range(noise):
            torch.randn(5)
            validate(model, rows(), 0)
        train(model, rows(), rows(50), CONFIG, plan(60, every=30), seed=7)
        models.append(model)
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_leaves_the_callers_generator_alone() -> None:
    model = vae()
    before = torch.random.get_rng_state().clone()
    train(model, rows(), rows(50), CONFIG, plan(5), seed=1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_kept_weights_are_those_that_validated_best() -> None:
    model, validation = vae(), rows(60)
    outcome = train(model, rows(), validation, CONFIG, plan(200, every=20), seed=0)
    assert outcome.best == max(max(r["val_elbo"], r["val_elbo_average"]) for r in outcome.history)
    assert validate(model, validation, 0).elbo == pytest.approx(outcome.best, abs=1e-5)
    assert outcome.history[-1]["val_elbo"] > outcome.history[0]["val_elbo"] + 0.05


def test_validation_is_the_elbo_whatever_the_objective() -> None:
    class Doubled:
        def __call__(self, model: VAE, batch: Batch, *told: Any) -> tuple[torch.Tensor, object]:
            value, terms = ELBO()(model, batch, *told)
            return 2 * value, terms

    model, validation = vae(), rows(60)
    outcome = train(model, rows(), validation, CONFIG, plan(20, every=20), objective=Doubled(), seed=0)  # type: ignore[arg-type]
    assert outcome.best == pytest.approx(validate(model, validation, 0).elbo, abs=1e-5)


def test_the_warm_up_ends_at_one_and_the_rate_at_zero() -> None:
    schedule = Schedule.make(replace(CONFIG, steps=1000), 200)
    weights = [schedule.kl_weight(step) for step in range(1000)]
    assert weights[0] < 0.05
    assert weights[100:] == [1.0] * 900
    assert all(b >= a for a, b in pairwise(weights))
    assert schedule.rate(999) < 1e-4
    assert max(schedule.rate(step) for step in range(1000)) > 0.98


@pytest.mark.parametrize(("steps", "apart", "every"), [(4000, 1, 100), (4000, 300, 300), (400, 300, 80), (3, 9, 1)])
def test_validations_are_as_far_apart_as_they_take_time(steps: int, apart: int, every: int) -> None:
    assert Schedule.make(replace(CONFIG, steps=steps), 200, apart=apart).validate_every == every


def test_without_a_budget_validations_are_often_enough_to_see_a_stall() -> None:
    schedule = Schedule.make(CONFIG, 150_000, apart=10**6)
    assert schedule.validate_every <= schedule.total_steps // 16


def test_an_open_budget_decays_over_a_fifth_of_the_steps_taken_once_validation_stalls() -> None:
    schedule = Schedule.make(CONFIG, 10_000)
    assert schedule.open
    assert schedule.end() == default_max_steps(10_000)
    assert schedule.decay_begins(2000, since_best=100)
    assert not schedule.decay_begins(2000, since_best=1)
    assert schedule.end(decay_from=2000) == 2400
    assert schedule.rate(2000, decay_from=2000) == pytest.approx(1)
    assert schedule.rate(2399, decay_from=2000) < 0.01


def test_ctrl_c_keeps_the_best_weights_so_far() -> None:
    model = vae()

    class Stop(Monitor):
        def on_step(self, step: int, total: int) -> None:
            assert total == 400
            if step >= 100:
                raise KeyboardInterrupt

    outcome = train(model, rows(), rows(60), CONFIG, plan(400, every=25), seed=0, monitors=[Stop()])
    assert outcome.interrupted
    assert outcome.steps == 100
    assert validate(model, rows(60), 0)[0] == pytest.approx(outcome.best, abs=1e-5)


def exemplars() -> VAE:
    torch.manual_seed(0)
    return VAE(Exemplar(2, 20), Bernoulli((9,)), Normal(2), ResidualMLP(9, 4, 16), ResidualMLP(2, 9, 16))


def test_exemplars_are_those_of_the_kept_weights_also_where_ctrl_c_falls_into_a_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, train_rows, calls = exemplars(), rows(100), [0]
    model.initialise(train_rows.evaluation_batch(torch.arange(100)))

    def interrupted(*arguments: Any, **options: Any) -> tuple[float, float, float]:
        calls[0] += 1
        found = validate(*arguments, **options)
        if calls[0] == 4:
            model.eval()
            model.prior()
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr("likely.training.trainer.validate", interrupted)
    assert train(model, train_rows, rows(60), CONFIG, plan(400, every=25), seed=0).interrupted
    means = model.posterior(train_rows.evaluation_batch(torch.arange(0, 100, 5))).mean
    torch.testing.assert_close(model.p_z.centres, means)


def test_a_prior_that_knows_rows_by_number_is_given_those_that_train() -> None:
    model, x = exemplars(), rows(100)
    run = likely.train(model, x, config=replace(CONFIG, steps=2))
    assert model.p_z.chosen is not None
    assert int(model.p_z.chosen.max()) < len(run.division.train)
    assert likely.train(model, x, validation=rows(20), config=replace(CONFIG, steps=2)).steps == 2


def test_divergence_is_told() -> None:
    model = vae()
    with torch.no_grad():
        model.decoder.last.bias.fill_(torch.nan)
    with pytest.raises(likely.LikelyError, match="diverged"):
        train(model, rows(), rows(50), CONFIG, plan(10, every=10))


def test_bfloat16_gives_log_probabilities_in_float32_and_about_the_same_bound() -> None:
    model, data = vae(), rows()
    train(model, data, rows(50), CONFIG, plan(200), seed=0)
    exact = validate(model, data, 0).elbo
    with torch.autocast("cpu", torch.bfloat16):
        terms = model.terms(Batch(data.stored().values), 2)
        rounded = validate(model, data, 0).elbo
    assert terms.log_px_z.dtype == terms.kl.dtype == torch.float32
    assert abs(exact - rounded) < 0.05


def test_a_network_of_the_wrong_size_is_named() -> None:
    model = VAE(StandardNormal(2), Bernoulli((9,)), Normal(2), nn.Linear(9, 5), nn.Linear(2, 9))
    with pytest.raises(likely.ConfigError, match="Linear gives 5 numbers per row; 4 are needed"):
        model.terms(Batch(rows().stored().values))


def test_the_learned_distribution_is_close_to_the_true_one() -> None:
    model, data = vae(), rows(4000)
    outcome = likely.train(model, data.stored().values, config=TrainingConfig(steps=1000, batch_size=128))
    found = likely.evaluation.evidence(model, rows(4000), samples=100)
    p = torch.linspace(0.9, 0.1, 9)
    pair = torch.stack(
        [torch.distributions.Bernoulli(q).log_prob(data.stored().values).sum(-1) for q in (p, p.flip(0))]
    )
    truth = (torch.logsumexp(pair, 0) - torch.log(torch.tensor(2.0))).mean().item()
    assert outcome.steps == 1000
    assert found.terms["iwae"].mean() == pytest.approx(truth, abs=0.03)


def test_clipping_within_the_step_is_clipping_by_norm() -> None:
    from likely.training.trainer import take_step

    steps = []
    for ours in (True, False):
        model = vae()
        weights = list(model.parameters())
        optimiser = torch.optim.AdamW(weights, lr=0.1, fused=True)
        for scale in (1.0, 300.0):
            torch.manual_seed(1)
            optimiser.zero_grad()
            loss = scale * Loss(model, ELBO())(Batch(rows().stored().values[:16]))[0]
            loss.backward()
            if ours:
                assert take_step(optimiser, weights, 2.0, loss.detach(), torch.tensor(torch.inf))
            else:
                torch.nn.utils.clip_grad_norm_(weights, 2.0)
                optimiser.step()
        steps.append(torch.cat([weight.detach().flatten() for weight in weights]))
    torch.testing.assert_close(steps[0], steps[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_a_step_that_is_not_finite_is_left_out(bad: str) -> None:
    from likely.training.trainer import take_step

    weight = torch.ones(3, requires_grad=True)
    optimiser = torch.optim.AdamW([weight], lr=0.1, fused=True)
    loss = (weight * torch.nan if bad == "gradient" else weight).sum()
    loss.backward()
    value = torch.tensor(torch.inf if bad == "loss" else 1.0)
    assert not take_step(optimiser, [weight], 1.0, value, torch.tensor(torch.inf))
    assert torch.equal(weight, torch.ones(3))
