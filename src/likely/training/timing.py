"""Minutes to steps, by a short timing."""

from __future__ import annotations

import copy
import statistics
import time

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
    copied = copy.deepcopy(model)

    def seconds(steps: int) -> float:
        """Seconds of so many steps and one validation."""
        first = _now()
        schedule = Schedule(steps, open=False, warmup_steps=0, validate_every=steps)
        if train(copied, rows, validation, config, schedule, objective=objective).interrupted:
            raise KeyboardInterrupt
        return _now() - first

    seconds(3)
    block = max(MIN_BLOCK, min(BLOCK, int(MAX_SHARE * budget * 3 / seconds(3))))
    blocks: list[tuple[float, float]] = []
    while len(blocks) < MIN_BLOCKS or (len(blocks) < 9 and _now() - started < MAX_SHARE * budget):
        blocks.append((seconds(1), seconds(1 + block)))
    per_step = max(1e-6, statistics.median(long - short for short, long in blocks) / block)
    per_validation = max(0.0, statistics.median(short for short, _ in blocks) - per_step)
    last = 0.0  # where z is summed over, the last validation takes longer than the others: it is over all points
    if copied.summed:
        first = _now()
        validate(copied, validation, seed=0)
        last = _now() - first
    left = budget - (_now() - started) - last
    at_distances = (left - VALIDATIONS_PER_BUDGET * per_validation) / per_step
    apart_enough = min(left / (per_step + per_validation / apart), (left - MIN_VALIDATIONS * per_validation) / per_step)
    return max(1, int(max(at_distances, apart_enough)))


def _now() -> float:
    """Seconds by the clock of the first process, so that all come to the same number of steps."""
    return world.of_first(time.perf_counter())
