"""Minutes to steps, by a short timing."""

from __future__ import annotations

import copy
import statistics
import time

import torch

from likely import world
from likely.config import TrainingConfig
from likely.data import EncodedRows
from likely.models import Model
from likely.objectives import Objective
from likely.training.schedule import MIN_VALIDATIONS, VALIDATIONS_PER_BUDGET, Schedule
from likely.training.trainer import train
from likely.training.validate import validate

__all__ = ["steps_in"]

MAX_SHARE = 0.02  # of the budget: further blocks are timed until so much of it is spent
MIN_BLOCKS, MIN_BLOCK = 3, 2
BLOCK = 20  # steps timed at once, so that the clock's error and one slow step count little
FEW = 32  # validation rows of a block, whose time is not its steps'
TIMED = 1000  # validation rows whose time tells that of all


def steps_in(
    minutes: float,
    model: Model,
    rows: EncodedRows,
    validation: EncodedRows,
    config: TrainingConfig,
    objective: Objective | None = None,
    apart: int = 1,
) -> int:
    """How many steps fit into the minutes, validations counted; measured on a copy of the model, within seconds.

    With several processes the first one's clock is that of all.

    Two validations are so many steps `apart` at least (`Schedule.make`).
    """
    budget, started = minutes * 60, _now()
    copied, few = copy.deepcopy(model), validation.take(torch.arange(min(FEW, len(validation))))

    def seconds(steps: int) -> float:
        """Seconds of so many steps, and of a validation of few rows."""
        first = _now()
        schedule = Schedule(steps, open=False, warmup_steps=0, validate_every=steps)
        if train(copied, rows, few, config, schedule, objective=objective).interrupted:
            raise KeyboardInterrupt
        return _now() - first

    seconds(3)
    block = max(MIN_BLOCK, min(BLOCK, int(MAX_SHARE * budget * 3 / seconds(3))))
    blocks: list[float] = []
    while len(blocks) < MIN_BLOCKS or (len(blocks) < 9 and _now() - started < MAX_SHARE * budget):
        short = seconds(1)
        blocks.append(seconds(1 + block) - short)
    per_step = max(1e-6, statistics.median(blocks) / block)
    per_validation = 2 * _seconds_to_validate(copied, validation)  # of the weights, and of their average
    last = 0.0  # where z is summed over, the last validation takes longer than the others: it is over all points
    if copied.summed:
        first = _now()
        validate(copied, validation, seed=0)
        last = _now() - first
    left = budget - (_now() - started) - last
    at_distances = (left - VALIDATIONS_PER_BUDGET * per_validation) / per_step
    apart_enough = min(left / (per_step + per_validation / apart), (left - MIN_VALIDATIONS * per_validation) / per_step)
    return max(1, int(max(at_distances, apart_enough)))


def _seconds_to_validate(model: Model, validation: EncodedRows) -> float:
    """Seconds that one validation takes, told by that of a part of the rows."""
    part = validation.take(torch.arange(min(TIMED, len(validation))))
    first = _now()
    validate(model, part, seed=0, roughly=True)
    return (_now() - first) * len(validation) / len(part)


def _now() -> float:
    """Seconds by the clock of the first process, so that all come to the same number of steps."""
    return world.of_first(time.perf_counter())
