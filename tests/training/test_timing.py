"""Minutes to steps: what is timed, and what validations may take of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import likely
from likely.config import TrainingConfig
from likely.data import EncodedRows, ResidentRows
from likely.likelihoods import Bernoulli
from likely.models import VAE
from likely.networks import ResidualMLP
from likely.posteriors import Normal
from likely.priors import StandardNormal
from likely.training import Monitor, timing, trainer
from likely.training.validate import Validation, validate


def rows(count: int) -> EncodedRows:
    return ResidentRows(torch.bernoulli(torch.full((count, 9), 0.4), generator=torch.Generator().manual_seed(0)))


def vae() -> VAE:
    torch.manual_seed(0)
    return VAE(StandardNormal(2), Bernoulli((9,)), Normal(2), ResidualMLP(9, 4, 16), ResidualMLP(2, 9, 16))


def test_few_validation_rows_are_looked_at_to_time_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def counted(model: Any, some: EncodedRows, *told: Any, **named: Any) -> Validation:
        looked_at.append(len(some))
        return validate(model, some, *told, **named)

    for module in (timing, trainer):
        monkeypatch.setattr(module, "validate", counted)
    model = vae()
    config = TrainingConfig(batch_size=32, precision="float32")
    assert timing.steps_in(0.3, model, rows(200), rows(40_000), config) > 1
    assert max(looked_at) == timing.TIMED
    assert sum(count == timing.TIMED for count in looked_at) == 1


def test_a_validation_is_timed_as_long_as_all_rows_take(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, model = iter(range(1000)), vae()
    monkeypatch.setattr(timing, "_now", lambda: next(clock))
    monkeypatch.setattr(timing, "validate", lambda *_, **__: None)
    seconds = timing._seconds_to_validate(model, rows(40_000))
    assert seconds == 40_000 / timing.TIMED


def test_validations_of_maps_take_a_tenth_of_a_fit_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    from likely.run import learning

    monkeypatch.setattr(learning, "PASSES", 2.0)
    seen: list[int] = []
    monitor = Monitor()
    monkeypatch.setattr(monitor, "on_validation", lambda record: seen.append(int(record["step"])))
    data = rows(1000).stored().values.numpy().reshape(-1, 3, 3)
    likely.fit(data, model="hierarchy:conv:3x1x1", steps=400, batch_size=32, width=4, monitors=[monitor])
    # 100 validation rows are 3.1 batches, twice as long as a step each: 62 steps between two, not 400/40
    assert seen == [62, 124, 186, 248, 310, 372, 400]
