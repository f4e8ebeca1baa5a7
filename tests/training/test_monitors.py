"""Monitors are told of training, and may end it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
import torch

from likely.config import TrainingConfig
from likely.data import ResidentRows
from likely.likelihoods import Bernoulli
from likely.models import VAE
from likely.networks import ResidualMLP
from likely.posteriors import Normal
from likely.priors import StandardNormal
from likely.training import CSV, Monitor, Outcome, Progress, Schedule, TensorBoard, train


class NumberFormat(Monitor):
    def __init__(self) -> None:
        self.steps, self.records, self.ends = list[tuple[int, int]](), list[dict[str, float]](), list[Outcome]()

    def on_step(self, step: int, total: int) -> None:
        self.steps.append((step, total))

    def on_validation(self, record: Mapping[str, float]) -> None:
        self.records.append(dict(record))

    def on_end(self, outcome: Outcome) -> None:
        self.ends.append(outcome)


def trained(*monitors: Monitor) -> Outcome:
    torch.manual_seed(0)
    rows = ResidentRows((torch.rand(40, 3) < 0.4).float())
    model = VAE(StandardNormal(1), Bernoulli((3,)), Normal(1), ResidualMLP(3, 2, 4), ResidualMLP(1, 3, 4))
    schedule = Schedule(60, open=False, warmup_steps=5, validate_every=20)
    return train(model, rows, rows, TrainingConfig(batch_size=8), schedule, monitors=monitors)


def test_every_monitor_is_told_of_each_step_each_validation_and_the_end() -> None:
    first, second = NumberFormat(), NumberFormat()
    outcome = trained(first, second)
    for one in (first, second):
        assert one.steps == [(step, 60) for step in range(1, 61)]
        assert one.records == outcome.history
        assert one.ends == [outcome]


def test_progress_ticks_every_25_steps_with_the_latest_bound() -> None:
    told = list[tuple[int, int, float | None]]()
    outcome = trained(Progress(lambda *words: told.append(words)))
    assert [(step, total) for step, total, _ in told] == [(25, 60), (50, 60)]
    assert [bound for *_, bound in told] == [record["val_elbo"] for record in outcome.history[:2]]


def test_a_csv_grows_by_a_line_with_each_validation(tmp_path: Path) -> None:
    outcome = trained(CSV(tmp_path / "a.csv"))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), pd.DataFrame(outcome.history), check_dtype=False)


def test_tensorboard_that_is_not_there_is_told_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r"pip install \"likely\[tensorboard\]\""):
        TensorBoard(tmp_path)
