"""Training that stops between two steps and goes on is training that never stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from kept import Keep, equal
from likely import likelihoods, networks, posteriors, priors
from likely.config import TrainingConfig
from likely.data import EncodedRows, ResidentRows
from likely.models import VAE, HierarchicalVAE, Model
from likely.objectives import IWAE, MMD, Objective
from likely.training import Schedule, Trainer, TrainingState
from likely.training.validate import validate

CELLS, LATENT, STEPS = 6, 4, 12
CONFIG = TrainingConfig(batch_size=7, precision="float32")


def networks_of(parameters: int) -> tuple[nn.Module, nn.Module]:
    return networks.ResidualMLP(CELLS, parameters, 8), networks.ResidualMLP(LATENT, CELLS, 8)


def vae(prior: priors.Prior | priors.FromPosterior, posterior: posteriors.Posterior) -> VAE:
    return VAE(prior, likelihoods.Bernoulli((CELLS,)), posterior, *networks_of(posterior.parameter_shape.numel()))


def with_normalised_batches() -> VAE:
    encoder = networks.Shaped(
        nn.Sequential(nn.Linear(CELLS, 8), nn.BatchNorm1d(8), nn.Linear(8, 2 * LATENT)), (CELLS,), (2 * LATENT,)
    )
    decoder = networks.ResidualMLP(LATENT, CELLS, 8)
    return VAE(
        priors.StandardNormal(LATENT), likelihoods.Bernoulli((CELLS,)), posteriors.Normal(LATENT), encoder, decoder
    )


def with_dropout() -> VAE:
    made = vae(priors.StandardNormal(LATENT), posteriors.Normal(LATENT))
    made.decoder = nn.Sequential(nn.Dropout(0.3), nn.Linear(LATENT, CELLS))
    return made


def ladder() -> HierarchicalVAE:
    encoder, decoder = networks.ResidualMLP(CELLS, 8, 8), networks.ResidualMLP(8, CELLS, 8)
    return HierarchicalVAE(likelihoods.Bernoulli((CELLS,)), networks.Ladder(encoder, decoder, (2, 2), 8))


SHAPES: dict[str, Callable[[], Model]] = {
    "normal": lambda: vae(priors.StandardNormal(LATENT), posteriors.Normal(LATENT)),
    "mixture": lambda: vae(priors.Mixture(LATENT, 3), posteriors.Mixture(LATENT, 2)),
    "vamp": lambda: vae(priors.Vamp(LATENT, (CELLS,), 5), posteriors.Normal(LATENT)),
    "exemplar": lambda: vae(priors.Exemplar(LATENT, 10), posteriors.Normal(LATENT)),
    "flow": lambda: vae(priors.Flow(LATENT, 2), posteriors.Flow(LATENT, 2)),
    "sphere": lambda: vae(priors.Hypersphere(LATENT), posteriors.VonMisesFisher(LATENT)),
    "codes": lambda: vae(priors.Categorical(2, 2), posteriors.Categorical(2, 2)),
    "ladder": ladder,
    "batches": with_normalised_batches,
    "dropout": with_dropout,
}


def rows(count: int) -> EncodedRows:
    p = torch.linspace(0.1, 0.9, CELLS)
    return ResidentRows(torch.bernoulli(p.expand(count, -1), generator=torch.Generator().manual_seed(count)))


def started(shape: str, schedule: Schedule, **told: Any) -> tuple[Trainer, TrainingState]:
    torch.manual_seed(0)
    model, train = SHAPES[shape](), rows(30)
    model.initialise(train.evaluation_batch(torch.arange(30)))
    trainer = Trainer(train, rows(20), CONFIG, schedule, **told)
    return trainer, trainer.state(model)


def stopped_and_gone_on(shape: str, schedule: Schedule, step: int, **told: Any) -> TrainingState:
    trainer, state = started(shape, schedule, **told)
    keep = Keep(state, step)
    trainer.monitors = (keep,)
    trainer.run(state)
    torch.manual_seed(99)
    trainer, state = started(shape, schedule, **told)
    state.load_state_dict(keep.kept[step])
    trainer.run(state)
    return state


@pytest.mark.parametrize("shape", SHAPES)
def test_a_state_that_is_kept_after_any_step_goes_on_to_the_same_bits(shape: str) -> None:
    schedule = Schedule(STEPS, open=False, warmup_steps=3, validate_every=5)
    trainer, whole = started(shape, schedule)
    trainer.run(whole)
    steps = range(1, STEPS) if shape == "normal" else (1, 5, 8)
    for step in steps:
        state = stopped_and_gone_on(shape, schedule, step)
        equal(state.state_dict(), whole.state_dict(), f"{shape}, {step}")
        equal(state.model.state_dict(), whole.model.state_dict(), f"{shape}, {step}")


@pytest.mark.parametrize("objective", [IWAE(3), MMD(1.0)])
def test_so_does_one_of_an_objective_that_draws_more(objective: Objective) -> None:
    schedule = Schedule(6, open=False, warmup_steps=0, validate_every=4)
    trainer, whole = started("mixture", schedule, objective=objective)
    trainer.run(whole)
    equal(stopped_and_gone_on("mixture", schedule, 3, objective=objective).state_dict(), whole.state_dict())


def test_so_does_an_open_budget_that_is_stopped_in_its_decay() -> None:
    schedule = Schedule(60, open=True, warmup_steps=0, validate_every=2)
    trainer, whole = started("normal", schedule)
    trainer.run(whole)
    assert whole.decay_from is not None
    state = stopped_and_gone_on("normal", schedule, whole.decay_from + 1)
    equal(state.state_dict(), whole.state_dict())


def test_the_buffers_are_those_that_validated_best() -> None:
    trainer, state = started("batches", Schedule(60, open=False, warmup_steps=0, validate_every=3))
    outcome = trainer.run(state)
    assert outcome.selected_step < outcome.steps
    assert validate(state.model, trainer.validation, 0).elbo == pytest.approx(outcome.best, abs=1e-6)


def test_training_asks_torch_for_no_random_number_of_its_own() -> None:
    ends = []
    for seed in (0, 1):
        trainer, state = started("mixture", Schedule(4, open=False, warmup_steps=0, validate_every=4))
        state._seed = seed
        trainer.run(state)
        ends.append(state.model.state_dict())
    equal(ends[0], ends[1])


def test_after_its_end_training_goes_on_from_the_last_weights_under_a_schedule_of_its_own() -> None:
    trainer, state = started("normal", Schedule(40, open=False, warmup_steps=4, validate_every=5))
    trainer.run(state)
    best, kept, last = state.outcome.best, len(state.outcome.history), state.last_weights
    assert last is not None
    state.restart_schedule()
    equal(state.model.state_dict(), last)
    further = Trainer(trainer.rows, trainer.validation, CONFIG, Schedule.further(20, 0.5, 1))
    outcome = further.run(state)
    assert outcome.steps == 60
    assert outcome.best >= best
    assert [record["step"] for record in outcome.history[kept:]] == list(range(41, 61))
    rates = [record["learning_rate"] for record in outcome.history[kept:]]
    assert max(rates) <= 0.5 * 2e-3
    assert rates[-1] < rates[0]
    assert all(record["kl_weight"] == 1 for record in outcome.history[kept:])


def test_a_full_device_makes_no_copies_for_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, state = started("normal", Schedule(4, open=False, warmup_steps=0, validate_every=3))
    trainer.run(state)

    def refused(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch.Tensor, "clone", refused)
    kept = state.state_dict()
    monkeypatch.undo()
    before = {name: tensor.clone() for name, tensor in kept["best"].items()}
    with torch.no_grad():
        for weight in (*state.weights, *state.best_weights.values()):
            weight.add_(1)
    equal(kept["best"], before)
