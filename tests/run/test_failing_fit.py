"""A fit whose training fails ends with a run that can be used, or with one line that says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import numpy as np
import pytest
import torch

import likely
from likely.errors import ConfigError, DataError
from likely.run.described import doubt
from likely.training import Monitor
from likely.training.validate import Validation
from small import table


class Raising(Monitor):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_step(self, step: int, total: int) -> None:
        del step, total
        raise self.error

    def on_validation(self, record: Mapping[str, float]) -> None:
        del record


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: not enough memory")],
    ids=["device", "main memory"],
)
def test_too_little_memory_names_the_batch_size_and_the_option(error: Exception) -> None:
    with pytest.raises(
        ConfigError, match=r"cpu has too little memory for batches of 32 rows.*--set batch_size=8"
    ) as told:
        likely.fit(table(), steps=3, latent=2, width=8, batch_size=32, monitors=[Raising(error)], device="cpu")
    assert "\n" not in str(told.value)


def test_a_decay_that_ends_in_no_numbers_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"weight_decay=1e\+09 at learning_rate=.* subtracts"):
        likely.fit(table(), steps=3, latent=2, width=8, weight_decay=1e9)


class Spoilt(torch.nn.Module):
    """A decoder that returns NaN from some call on."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.layer, self.calls, self.last = torch.nn.Linear(2, 4), 0, last

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        self.calls += self.training
        made: torch.Tensor = self.layer(z)
        return made * torch.nan if self.training and self.calls > self.last else made


def test_a_decoder_that_returns_nan_leaves_the_best_model_and_is_named() -> None:
    rows = np.random.default_rng(0).integers(0, 2, (60, 4)).astype(np.uint8)
    run = likely.fit(rows, decoder=Spoilt(30), steps=100, latent=2, width=8, batch_size=16)
    assert run.facts["diverged"]
    assert run.selected_step <= 32
    assert run.history["left_out"].tolist()[0] == 0
    assert run.history["returns"].max() == 3
    said = next(notice for notice in run.notices if "left out" in notice)
    assert "40 of 70 steps" in said
    assert "went back to its best weights 3 time(s)" in said
    assert said.endswith("the layer decoder.module (Spoilt) gives numbers that are not finite, of numbers that are")
    assert np.isfinite(run.score(rows[:5], samples=5)["log_px"]).all()


def test_extreme_numbers_end_with_a_model_or_with_their_column() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    rows[3:6, 1] = 1e30
    split = likely.data.Division.of(range(50), range(50, 60))
    run = likely.fit(rows, steps=40, latent=2, width=8, batch_size=16, split=split)
    assert np.isfinite(run.best)
    assert np.isfinite(run.score(rows[10:15], samples=5)["log_px"]).all()
    rows[3:6, 1] = 1e300
    with pytest.raises(DataError, match="column 'x1' holds 1e\\+300"):
        likely.fit(rows, steps=40, latent=2, width=8, batch_size=16, split=split)


def test_a_bound_above_0_of_a_mass_is_said_to_be_chance() -> None:
    run = likely.fit(np.random.default_rng(0).integers(0, 2, (40, 4)).astype(np.uint8), steps=3, latent=2, width=8)
    assert run.measure == "mass"
    assert doubt(run) == ""

    def with_bound(bound: float) -> Any:
        member = replace(run.record.members[0], validation_elbo=bound)
        return replace(run, record=replace(run.record, members=(member,)))

    assert doubt(with_bound(0.1)) == " by one sample a row, which is chance: log P(x) of a mass is at most 0"
    assert "which is chance" in repr(with_bound(0.1))


def test_no_bar_shows_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    notes, bounds = list[object](), chain(repeat(0.5, 60), repeat(-1.0))

    @contextmanager
    def bar(what: str, *, shown: bool) -> Iterator[Callable[..., None]]:
        del what, shown
        yield lambda *told: notes.append(told[2])

    monkeypatch.setattr("likely.run.learning.bar", bar)
    monkeypatch.setattr("likely.training.trainer.validate", lambda *_, **__: Validation(next(bounds), 0.0, 0.0))
    likely.fit(table()[["town", "count"]], steps=50, latent=2, width=8)
    assert notes == ["validation ELBO about 0", -1.0]
