"""Budgets and rates: functions of the step alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from likely.config import TrainingConfig

__all__ = ["Plan"]

VALIDATIONS = 40
PATIENCE = 8
RATE = 2e-3  # of AdamW, where none is told


@dataclass
class Plan:
    """How many steps there are, and what each step's rate and KL weight is.

    Attributes
    ----------
    last
        The step after which training ends; for an open budget the stated maximum, until validation stalls.
    open
        No budget was given: constant rate until validation stalls, then decay over a fifth of the steps taken.
    decay_from
        Where an open budget's decay begins, once that is known.

    """

    last: int
    open: bool
    kl_steps: int
    every: int
    decay_from: int | None = None

    @classmethod
    def make(cls, config: TrainingConfig, rows: int, timed_steps: int | None = None) -> Plan:
        """The plan for a budget in steps or epochs, for the step count that a timing gave, or for none."""
        per_epoch = rows / (config.batch_size or rows)
        last = config.steps or timed_steps
        if config.epochs is not None:
            last = math.ceil(config.epochs * per_epoch)
        opened = last is None
        total = max(1, last if last is not None else config.max_steps or cls.maximum(rows))
        return cls(total, opened, round(config.warmup * total), max(1, total // VALIDATIONS))

    @staticmethod
    def maximum(rows: int) -> int:
        """The stated maximum of steps without a budget: 60 √rows, at least 600."""
        return max(600, round(60 * math.sqrt(rows)))

    def kl_weight(self, step: int) -> float:
        """Weight of the KL in the training objective at this step: rises linearly to 1, and stays there."""
        return min(1.0, (step + 1) / (self.kl_steps + 1))

    def rate(self, step: int) -> float:
        """Factor of the learning rate at this step."""
        ramp = min(1.0, (step + 1) / min(200, max(1, self.last // 20)))
        if not self.open:
            return ramp * 0.5 * (1 + math.cos(math.pi * step / self.last))
        if self.decay_from is None or step < self.decay_from:
            return ramp
        return ramp * max(0.0, 1 - (step - self.decay_from) / max(1, self.last - self.decay_from))

    def heed(self, step: int, since_best: int) -> None:
        """After a validation: begin the decay of an open budget when the bound has stalled or the maximum is near."""
        if not self.open or self.decay_from is not None:
            return
        stalled = since_best >= PATIENCE and step > self.kl_steps
        if stalled or step >= self.last * 5 / 6:
            self.decay_from = step
            self.last = min(self.last, step + max(1, step // 5))
