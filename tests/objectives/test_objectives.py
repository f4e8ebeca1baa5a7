from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
import torch

from likely.config import TrainingConfig
from likely.data import Batch, ResidentRows
from likely.errors import ConfigError
from likely.models import Terms
from likely.objectives import ELBO, IWAE, MIWAE, MMD, Beta, BetaTC, Capacity, FreeBits, Loss, Objective, Trimmed
from likely.priors import Mixture
from likely.training import Schedule, train
from likely.training.validate import validate
from linear_gaussian import LinearGaussian
from maximising import at, binary, gradients, small
from rooms import OBJECTIVES

every = pytest.mark.parametrize("name", OBJECTIVES)


@every
def test_an_objective_is_finite_and_every_parameter_receives_a_gradient(name: str) -> None:
    model, batch = small(), Batch(binary())
    value, terms = OBJECTIVES[name][0](model, batch, 0.5)
    assert value.shape == (32,)
    assert terms.log_px_z.shape[1:] == (32,)
    torch.manual_seed(0)
    lost, _ = Loss(model, OBJECTIVES[name][0])(batch)
    torch.testing.assert_close(lost, -at(0, OBJECTIVES[name][0], model, batch)[0].mean())
    found = gradients(0, OBJECTIVES[name][0], model, batch)
    assert set(found) == {name for name, _ in model.named_parameters()}
    assert all(bool(grad.isfinite().all()) and bool(grad.any()) for grad in found.values())


@every
def test_an_objective_says_what_it_is(name: str) -> None:
    objective, is_bound, couples_rows = OBJECTIVES[name]
    assert (objective.is_bound, objective.couples_rows) == (is_bound, couples_rows)
    with pytest.raises(FrozenInstanceError):
        objective.samples = 3  # type: ignore[misc]


@every
def test_rows_are_coupled_where_that_is_said(name: str) -> None:
    objective, _, couples_rows = OBJECTIVES[name]
    model, x = small(), binary()
    other = x.clone()
    other[16:] = 1 - other[16:]
    first, second = (at(0, objective, model, Batch(rows))[0][:16] for rows in (x, other))
    if not couples_rows:
        torch.testing.assert_close(first, second)
    elif name in ("beta-tc", "mmd", "info-vae"):  # the others are coupled, but not in every batch
        assert not torch.allclose(first, second)


@every
def test_a_bound_stays_below_the_evidence(name: str) -> None:
    objective, is_bound, _ = OBJECTIVES[name]
    exact = LinearGaussian(8, 3)
    x = exact.sample(500)
    value, _ = objective(exact.vae(shift=0.2, widen=1.2), Batch(x))
    off = (value - exact.log_px(x)).detach()
    error = off.std() / math.sqrt(len(x))
    if is_bound:
        assert off.mean() < 4 * error


@every
def test_training_validates_with_the_elbo(name: str) -> None:
    model, rows = small().float(), ResidentRows(binary(200).float())
    plan = Schedule(6, open=False, warmup_steps=2, validate_every=6)
    config = TrainingConfig(batch_size=32, precision="float32")
    outcome = train(model, rows, rows, config, plan, objective=OBJECTIVES[name][0])
    assert outcome.best == pytest.approx(validate(model, rows, 0).elbo, abs=1e-4)


SAME: dict[str, tuple[Objective, Objective]] = {
    "β = 1": (Beta(1.0, 3), ELBO(3)),
    "no free nats per dimension": (FreeBits(0.0, samples=3), ELBO(3)),
    "no free nats in total": (FreeBits(0.0, "total", 3), ELBO(3)),
    "no capacity, γ = 1": (Capacity(0.0, 1.0, 3), ELBO(3)),
    "no discrepancy, the KL paid": (MMD(0.0, kl=1.0, samples=3), ELBO(3)),
    "one importance sample": (IWAE(1), ELBO(1, "sampled")),
    "the mean of bounds of one sample": (MIWAE((3, 1)), ELBO(3, "sampled")),
    "one mean of bounds": (MIWAE((1, 3)), IWAE(3)),
    "total correlation of weight 1": (BetaTC(1.0, 999, 3), ELBO(3, "sampled")),
}


@pytest.mark.parametrize("case", SAME)
@pytest.mark.parametrize("kl_weight", [1.0, 0.3])
def test_special_cases_are_other_objectives(case: str, kl_weight: float) -> None:
    if isinstance(SAME[case][0], Capacity):
        kl_weight = 1.0  # its γ is not warmed up
    model, batch = small(), Batch(binary())
    first, second = SAME[case]
    torch.testing.assert_close(at(5, first, model, batch, kl_weight)[0], at(5, second, model, batch, kl_weight)[0])
    left, right = (gradients(5, one, model, batch, kl_weight) for one in (first, second))
    for name, grad in left.items():
        torch.testing.assert_close(grad, right[name], msg=name)


def test_a_sampled_kl_has_the_same_value_and_mean_gradient_with_less_noise() -> None:
    model, rows = small(), 400
    model.p_z = Mixture(2, 3).double()
    same = Batch(binary(1).expand(rows, -1))  # each row a sample of the gradient of one row
    plain, path = ELBO(kl="sampled"), ELBO()
    torch.testing.assert_close(at(0, path, model, same)[0], at(0, plain, model, same)[0])

    def by_sample(objective: Objective) -> torch.Tensor:
        values = at(0, objective, model, same)[0]
        bias = list(model.encoder.parameters())[-1]
        return torch.stack([torch.autograd.grad(value, bias, retain_graph=True)[0] for value in values])

    first, second = by_sample(plain), by_sample(path)
    apart = first - second
    assert bool((apart.mean(0).abs() < 4 * apart.std(0) / math.sqrt(rows)).all())
    assert bool(apart.std(0).min() > 0.1)
    assert bool((second.std(0) < first.std(0)).all())


def test_a_law_without_the_needed_form_is_named() -> None:
    terms = small().terms(Batch(binary()))
    other = torch.distributions.Independent(torch.distributions.Normal(terms.q.mean, 1.0), 1)
    with pytest.raises(ConfigError, match="diagonal normal posterior, got Independent"):
        BetaTC(2.0, 10).decompose(Terms(terms.draws, terms.log_px_z, other, terms.p))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="use free bits per total"):
        FreeBits(1.0)._parts(Terms(terms.draws, terms.log_px_z, other, terms.p))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: ELBO(0),
        lambda: ELBO(kl="open"),  # type: ignore[arg-type]
        lambda: Beta(-1.0),
        lambda: Capacity(-1.0),
        lambda: Capacity(1.0, gamma=-1.0),
        lambda: FreeBits(-0.1),
        lambda: FreeBits(1.0, per="row"),  # type: ignore[arg-type]
        lambda: IWAE(0),
        lambda: IWAE(5, "dregs"),  # type: ignore[arg-type]
        lambda: MIWAE((5,)),  # type: ignore[arg-type]
        lambda: MIWAE((0, 5)),
        lambda: BetaTC(2.0, dataset_size=0),
        lambda: BetaTC(-0.1, dataset_size=1),
        lambda: MMD(-1.0),
        lambda: Trimmed(-0.1),
        lambda: Trimmed(1.0),
        lambda: MMD(1.0, kl=-0.1),
        lambda: MMD(1.0, scales=()),
        lambda: MMD(1.0, scales=(1.0, 0.0)),
    ],
)
def test_a_setting_without_meaning_is_refused(make: Callable[[], Objective]) -> None:
    with pytest.raises(ConfigError):
        make()


def test_a_weight_of_zero_is_a_setting_and_of_one_a_bound() -> None:
    none = (Beta(0.0), Capacity(0.0, gamma=0.0), BetaTC(0.0, dataset_size=1), MMD(0.0))
    assert [one.is_bound for one in none] == [False] * 4
    assert Beta(1.0).is_bound
    assert MMD(1.0, kl=1.0).is_bound


def test_what_is_trimmed_does_not_train_and_the_rest_counts_as_a_mean() -> None:
    exact = LinearGaussian(3, 1)
    batch = Batch(torch.cat([exact.sample(9), torch.full((3, 3), 50.0, dtype=torch.float64)]))
    value, whole = (at(1, objective, exact.vae(), batch)[0] for objective in (Trimmed(0.25), ELBO()))
    assert (value[9:] == 0).all()
    torch.testing.assert_close(value.mean(), whole[:9].mean())
    torch.testing.assert_close(at(1, Trimmed(0.0), exact.vae(), batch)[0], whole)


def test_a_row_of_probability_zero_can_be_trimmed() -> None:
    exact = LinearGaussian(3, 1)
    batch = Batch(torch.cat([exact.sample(9), torch.full((3, 3), 1e200, dtype=torch.float64)]))
    value, whole = (at(1, objective, exact.vae(), batch)[0] for objective in (Trimmed(0.25), ELBO()))
    assert (whole[9:] == -math.inf).all()
    assert (value[9:] == 0).all()
