"""Steps whose loss or gradient is not finite are left out; a burst of them leads back; what does not end is told."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from kept import Keep, equal
from likely.config import TrainingConfig
from likely.data import EncodedRows, ResidentRows
from likely.errors import ConfigError, InputError
from likely.likelihoods import Bernoulli, Gaussian
from likely.models import VAE
from likely.networks import ResidualMLP, Shaped
from likely.posteriors import Normal
from likely.priors import StandardNormal
from likely.training import Schedule, Trainer, TrainingState
from likely.training.state import MAX_FAILURES_IN_A_ROW, MAX_RETURNS
from likely.training.trainer import _step_by_known_norm, _step_on_device, take_step
from likely.training.validate import validate

CELLS, STEPS = 6, 60
CONFIG = TrainingConfig(batch_size=8, precision="float32")
SCHEDULE = Schedule(STEPS, open=False, warmup_steps=0, validate_every=5)


class Poisoned(nn.Module):
    """A decoder that returns NaN at some of its calls in training."""

    def __init__(self, bad: range, calls: int) -> None:
        super().__init__()
        self.body, self.normalised = nn.Linear(2, CELLS), nn.BatchNorm1d(CELLS)
        self.bad, self.calls = bad, calls

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.body(z)
        if self.training:
            if self.calls in self.bad:
                made = made * torch.nan
            self.calls += 1
            made = self.normalised(made.flatten(0, -2)).view(made.shape)
        return made


def bits(count: int) -> EncodedRows:
    p = torch.linspace(0.1, 0.9, CELLS)
    return ResidentRows(torch.bernoulli(p.expand(count, -1), generator=torch.Generator().manual_seed(count)))


def poisoned(bad: range, calls: int = 0) -> tuple[Trainer, TrainingState]:
    torch.manual_seed(0)
    decoder = Shaped(Poisoned(bad, calls), (2,), (CELLS,))
    model = VAE(StandardNormal(2), Bernoulli((CELLS,)), Normal(2), ResidualMLP(CELLS, 4, 8), decoder)
    trainer = Trainer(bits(30), bits(20), CONFIG, SCHEDULE)
    return trainer, trainer.state(model)


def test_a_step_that_fails_changes_nothing_and_is_counted() -> None:
    trainer, state = poisoned(range(1, 2))
    keep = Keep(state, 1, 2, 3)
    trainer.monitors = (keep,)
    trainer.run(state)
    before, after, later = (keep.kept[step] for step in (1, 2, 3))
    for part in ("model", "averaged"):
        for name, tensor in before[part].items():
            if "normalised" not in name:
                assert torch.equal(tensor, after[part][name]), name
                assert not torch.equal(tensor, later[part][name]), name
            assert after[part][name].isfinite().all(), name
    equal(before["optimiser"], after["optimiser"])
    assert not torch.equal(before["generator"], after["generator"])


def test_what_is_left_out_is_in_the_history() -> None:
    trainer, state = poisoned(range(6, 7))
    outcome = trainer.run(state)
    assert (outcome.left_out, outcome.returns, outcome.steps, outcome.diverged) == (1, 0, STEPS, False)
    assert "left_out" not in outcome.history[0]
    assert [record["left_out"] for record in outcome.history[1:]] == [1] * 11
    assert all(math.isfinite(record["objective"]) for record in outcome.history)


def test_a_burst_leads_back_to_the_best_weights_at_a_tenth_of_the_rate() -> None:
    trainer, state = poisoned(range(17, 17 + MAX_FAILURES_IN_A_ROW))
    outcome = trainer.run(state)
    assert (outcome.left_out, outcome.returns, outcome.steps, outcome.diverged) == (
        MAX_FAILURES_IN_A_ROW,
        1,
        STEPS,
        False,
    )
    whole, unhurt = poisoned(range(0))
    whole.run(unhurt)
    pairs = zip(outcome.history, unhurt.outcome.history, strict=True)
    rates = [one["learning_rate"] / other["learning_rate"] for one, other in pairs]
    assert rates == pytest.approx([1] * 5 + [0.1] * 7)
    assert math.isnan(outcome.history[4]["objective"])
    assert outcome.history[-1]["returns"] == 1


@pytest.mark.parametrize("step", [18, 26, 27, 30])
def test_a_state_that_is_kept_within_or_after_a_burst_goes_on_to_the_same_bits(step: int) -> None:
    trainer, whole = poisoned(range(17, 17 + MAX_FAILURES_IN_A_ROW))
    trainer.run(whole)
    trainer, first = poisoned(range(17, 17 + MAX_FAILURES_IN_A_ROW))
    keep = Keep(first, step)
    trainer.monitors = (keep,)
    trainer.run(first)
    trainer, second = poisoned(range(17, 17 + MAX_FAILURES_IN_A_ROW), calls=step)
    second.load_state_dict(keep.kept[step])
    trainer.run(second)
    assert whole.outcome.returns == 1
    equal(second.state_dict(), whole.state_dict())


def test_what_does_not_end_stops_with_the_layer_named_and_the_best_weights_kept() -> None:
    trainer, state = poisoned(range(17, 10**9))
    outcome = trainer.run(state)
    assert outcome.diverged
    assert outcome.left_out == (MAX_RETURNS + 1) * MAX_FAILURES_IN_A_ROW == outcome.steps - 17
    assert outcome.selected_step <= 17 + MAX_FAILURES_IN_A_ROW
    assert outcome.cause == "the layer decoder.module (Poisoned) gives numbers that are not finite, of numbers that are"
    assert validate(state.model, trainer.validation, 0).elbo == pytest.approx(outcome.best, abs=1e-6)
    later, again = poisoned(range(17, 10**9))
    again.load_state_dict(state.state_dict())
    assert later.run(again).steps == outcome.steps


def gaussian(values: Tensor, **told: float) -> tuple[Trainer, TrainingState]:
    torch.manual_seed(0)
    model = VAE(StandardNormal(2), Gaussian((3,)), Normal(2), ResidualMLP(3, 4, 8), ResidualMLP(2, 6, 8))
    config = replace(CONFIG, **told)  # type: ignore[arg-type]
    rows = ResidentRows(values)
    trainer = Trainer(rows, ResidentRows(torch.randn(20, 3)), config, SCHEDULE, columns=("a", "b", "c"))
    return trainer, trainer.state(model)


@pytest.mark.parametrize("cell", [math.inf, 1e30])
def test_one_bad_row_costs_a_step_an_epoch(cell: float) -> None:
    values = torch.randn(40, 3)
    values[7, 1] = cell
    trainer, state = gaussian(values)
    outcome = trainer.run(state)
    assert outcome.left_out == STEPS // 5
    assert (outcome.returns, outcome.diverged) == (0, False)
    assert math.isfinite(outcome.best)


@pytest.mark.parametrize(
    ("cell", "said"),
    [(math.inf, "column 'b' holds a number that is not finite"), (1e30, r"log P\(x\|z\) of column 'b'.*up to 1e\+30")],
)
def test_a_bad_column_is_named(cell: float, said: str) -> None:
    values = torch.randn(40, 3)
    values[:, 1] = cell
    trainer, state = gaussian(values)
    outcome = trainer.run(state)
    assert outcome.diverged
    assert re.search(said, outcome.cause), outcome.cause


def test_a_column_of_validation_rows_without_a_bound_is_named() -> None:
    trainer, state = gaussian(torch.randn(40, 3))
    values = torch.randn(20, 3)
    values[3, 2] = math.inf
    trainer.validation = ResidentRows(values)
    with pytest.raises(InputError, match=r"no finite bound on the validation rows: column 'c' holds a number"):
        trainer.run(state)


def test_a_rate_a_thousand_times_too_high_ends_with_a_model() -> None:
    trainer, state = gaussian(torch.randn(40, 3), learning_rate=2.0)
    outcome = trainer.run(state)
    assert math.isfinite(outcome.best)
    assert all(weight.isfinite().all() for weight in state.model.parameters())


def test_a_rate_at_which_weights_overflow_is_named() -> None:
    trainer, state = gaussian(torch.randn(40, 3), weight_decay=0.0)
    trainer.base_rate = 1e38  # beyond what a configuration may say
    with pytest.raises(InputError, match=r"weights of .* have grown to .* too high a learning rate"):
        trainer.run(state)


def test_a_decay_that_takes_more_than_there_is_is_refused() -> None:
    config = replace(CONFIG, weight_decay=1e9)
    with pytest.raises(
        ConfigError, match=r"weight_decay=1e\+09 at learning_rate=0.002 subtracts 2e\+06 times each weight"
    ):
        Trainer(bits(30), bits(20), config, SCHEDULE)


@pytest.mark.parametrize(("entry", "left_out"), [(1e18, 0), (2e19, 1), (math.inf, 1), (math.nan, 1)])
def test_a_gradient_whose_norm_overflows_is_left_out(entry: float, left_out: int) -> None:
    weight = nn.Parameter(torch.ones(3))
    weight.grad = torch.full((3,), entry)
    optimiser = torch.optim.AdamW([weight], fused=True)
    assert take_step(optimiser, [weight], 5.0, torch.tensor(1.0), torch.tensor(math.inf)) == (not left_out)
    assert weight.isfinite().all()
    assert weight.equal(torch.ones(3)) == bool(left_out)


def test_a_step_whose_gradient_is_far_beyond_the_usual_is_left_out() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    optimiser = torch.optim.AdamW([weight], 1e-2, fused=True)
    usual, loss = torch.tensor(math.inf), torch.tensor(1.0)

    def left_out(size: float) -> bool:
        weight.grad = torch.full((3,), size)
        return not take_step(optimiser, [weight], 5.0, loss, usual)

    assert not left_out(1.0)
    assert usual.item() == pytest.approx(3**0.5)
    assert not left_out(50.0)
    assert usual.item() == pytest.approx(3**0.5 * (0.98 + 0.02 * 50))
    assert not left_out(900.0)
    before = usual.clone()
    assert left_out(25_000.0)
    assert left_out(math.inf)
    assert usual == before


def test_a_step_on_a_device_is_the_step_on_a_processor() -> None:
    sizes = (1.0, 50.0, 900.0, 25_000.0, math.inf, math.nan, 2.0)
    found = []
    for step in (_step_by_known_norm, _step_on_device):
        weight, usual, done = torch.nn.Parameter(torch.zeros(3)), torch.tensor(math.inf), list[bool]()
        optimiser = torch.optim.AdamW([weight], 1e-2, fused=True)
        for size in sizes:
            weight.grad = size * torch.tensor([1.0, -2.0, 0.5])
            norm = torch.nn.utils.get_total_norm([weight.grad])
            done.append(step(optimiser, norm, 5.0, torch.tensor(1.0), usual))
        found.append((done, weight.detach(), usual))
    assert found[0][0] == found[1][0] == [True, True, True, False, False, False, True]
    assert torch.equal(found[0][1], found[1][1])
    torch.testing.assert_close(found[0][2], found[1][2])


class Wild(Poisoned):
    """A decoder whose gradients are a million times as large at some of its calls in training."""

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.body(z)
        if self.training:
            if self.calls in self.bad:
                made = made + 1e6 * (made - made.detach())
            self.calls += 1
        return made


def test_training_whose_steps_stay_far_beyond_the_usual_returns_to_the_best_weights() -> None:
    torch.manual_seed(0)
    decoder = Shaped(Wild(range(20, 20 + MAX_FAILURES_IN_A_ROW), 0), (2,), (CELLS,))
    model = VAE(StandardNormal(2), Bernoulli((CELLS,)), Normal(2), ResidualMLP(CELLS, 4, 8), decoder)
    trainer = Trainer(bits(30), bits(20), CONFIG, SCHEDULE)
    outcome = trainer.run(trainer.state(model))
    assert (outcome.left_out, outcome.returns, outcome.diverged) == (MAX_FAILURES_IN_A_ROW, 1, False)
    assert outcome.steps == STEPS
