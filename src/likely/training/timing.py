"""Minutes to steps, by a short timing."""

from __future__ import annotations

import copy
import statistics
import time

from likely.config import TrainingConfig
from likely.data import EncodedRows
from likely.models import VAE
from likely.training.loop import train
from likely.training.schedule import VALIDATIONS, Plan

__all__ = ["steps_in"]


def steps_in(minutes: float, model: VAE, rows: EncodedRows, validation: EncodedRows, config: TrainingConfig) -> int:
    """Steps that fit into the minutes, validations counted; measured on a copy of the model, within seconds."""
    budget = minutes * 60
    trial = copy.deepcopy(model)
    ticks: list[float] = []
    size = max(5, min(40, round(budget)))
    started = time.perf_counter()
    while len(ticks) < 4 and (len(ticks) < 2 or time.perf_counter() - started < 0.02 * budget):
        first = time.perf_counter()
        train(trial, rows, validation, config, Plan(size, open=False, kl_steps=0, every=size * 2))
        ticks.append(time.perf_counter() - first)
    validated = ticks[0] * 0
    per_block = statistics.median(ticks[1:])
    first = time.perf_counter()
    train(trial, rows, validation, config, Plan(1, open=False, kl_steps=0, every=1))
    validated = max(0.0, time.perf_counter() - first - per_block / size)
    block_of_steps = max(1e-9, per_block - validated)
    left = budget - (time.perf_counter() - started) - VALIDATIONS * validated
    return max(1, int(left / block_of_steps * size))
