"""The number of steps, and the learning rate and KL weight of each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from likely.config import WARMUP, TrainingConfig, default_max_steps

__all__ = ["Schedule"]

VALIDATIONS_PER_BUDGET, MIN_VALIDATIONS = 40, 5  # at equal distances
PATIENCE = 8  # validations without a better one until the rate decays, where no budget was given
DEFAULT_RATE = 2e-3  # of AdamW


@dataclass(frozen=True)
class Schedule:
    """The number of steps, and the learning rate and KL weight of each; steps count from the schedule's beginning.

    Where no budget was given the decay begins at a step that depends on training, which its state has (`decay_from`).

    Attributes
    ----------
    total_steps
        The step after which training ends; where `open`, the most steps that it may take.
    open
        Whether no budget was given: constant rate until validation stalls, then decay over a fifth of the steps taken.
    warmup_steps
        Over how many steps the weight of the KL rises to 1.
    validate_every
        Steps between two validations.
    peak
        The highest factor of the learning rate.

    """

    total_steps: int
    open: bool
    warmup_steps: int
    validate_every: int
    peak: float = 1.0

    @classmethod
    def make(cls, config: TrainingConfig, rows: int, timed_steps: int | None = None, apart: int = 1) -> Schedule:
        """The schedule of a budget in steps, in epochs, or in minutes, which `timed_steps` fit in; or of no budget.

        Two validations are so many steps `apart` at least, where that leaves five of them; sixteen without a budget.
        """
        per_epoch = rows / (config.batch_size or rows)
        last = config.steps or timed_steps
        if config.epochs is not None:
            last = math.ceil(config.epochs * per_epoch)
        opened = last is None
        total = max(1, last if last is not None else config.max_steps or default_max_steps(rows))
        least = 2 * PATIENCE if opened else MIN_VALIDATIONS
        most = total // least if opened else -(-total // least)
        every = max(1, total // VALIDATIONS_PER_BUDGET, min(apart, most))
        warmup = WARMUP if config.warmup is None else config.warmup
        return cls(total, opened, round(warmup * total), every)

    @classmethod
    def further(cls, steps: int, peak: float, validate_every: int) -> Schedule:
        """The schedule of training that goes on: the rate rises to this share of the first, then falls to zero."""
        return cls(steps, open=False, warmup_steps=0, validate_every=validate_every, peak=peak)

    def end(self, decay_from: int | None = None) -> int:
        """The step after which training ends, given the step at which the decay began where no budget was given."""
        if decay_from is None:
            return self.total_steps
        return min(self.total_steps, decay_from + max(1, decay_from // 5))

    def kl_weight(self, step: int) -> float:
        """Weight of the KL in the training objective at this step: rises linearly to 1, and stays there."""
        return min(1.0, (step + 1) / (self.warmup_steps + 1))

    def rate(self, step: int, decay_from: int | None = None) -> float:
        """Factor of the learning rate at this step."""
        end = self.end(decay_from)
        ramp = self.peak * min(1.0, (step + 1) / min(200, max(1, end // 20)))
        if not self.open:
            return ramp * 0.5 * (1 + math.cos(math.pi * step / end))
        if decay_from is None or step < decay_from:
            return ramp
        return ramp * max(0.0, 1 - (step - decay_from) / max(1, end - decay_from))

    def decay_begins(self, step: int, since_best: int) -> bool:
        """Whether the rate starts to decay after the validation at this step, where no budget was given.

        Training then ends a fifth of the steps later (`end`): early stopping.

        It does when the bound has not risen for some validations, or the maximum is near.
        """
        stalled = since_best >= PATIENCE and step > self.warmup_steps
        return self.open and (stalled or step >= self.total_steps * 5 / 6)
