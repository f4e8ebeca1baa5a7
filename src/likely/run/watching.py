"""Who watches training: the user's monitors, the bar, the checkpoints; and what is said where a batch size fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from likely import world
from likely.config import Config
from likely.data.kinds import Measure
from likely.errors import ConfigError
from likely.run.checkpoints import Checkpoints
from likely.run.memory import MEMORY_ERRORS, out_of_memory
from likely.run.plan import Plan
from likely.run.stopping import Stop
from likely.training import Monitor, Outcome, Progress

__all__ = ["Watching", "batch_size_errors_explained"]


@dataclass(frozen=True)
class Watching:
    """What watches training: the user's monitors, the signals, and the checkpoints."""

    monitors: Sequence[Monitor]
    stop: Stop
    checkpoints: Checkpoints | None = None

    @property
    def resumed(self) -> bool:
        """Whether training goes on from what an earlier process stored."""
        return self.checkpoints is not None and bool(self.checkpoints.earlier)

    def begin(self, plan: Plan, *, write_now: bool = False) -> None:
        """Training of a plan begins: `write_now` writes a first checkpoint, and signals wait for the end of a step.

        One of several processes may be killed before the first checkpoint is due, so that one is written now.
        """
        if self.checkpoints is not None:
            new_of_several = world.size() > 1 and not self.checkpoints.earlier
            self.checkpoints.begin(plan, write_now=write_now or new_of_several)
        self.stop.training = True

    def end(self) -> None:
        """Training has ended, so that signals wait no more; with checkpoints those that came are handled."""
        self.stop.end()
        if self.checkpoints is not None:
            self.checkpoints.end()

    def of(self, tick: Callable[..., None], measure: Measure) -> list[Monitor]:
        """All monitors of one member: of the bar, which ticks so; checkpoints or signals come last."""

        def shown(done: int, total: int, bound: float | None) -> None:
            chance = measure == "mass" and bound is not None and bound > 0  # one sample a row may give that
            tick(done, total, "validation ELBO about 0" if chance else bound)

        monitors = self.monitors if world.size() == 1 else [_ForAll(one, self.stop) for one in self.monitors]
        return [Progress(shown), *(monitors if world.first() else ()), self.checkpoints or self.stop]


@final
class _ForAll(Monitor):
    """A user's monitor in the first of several processes: where it ends training, that ends in all of them."""

    def __init__(self, monitor: Monitor, stop: Stop) -> None:
        self.monitor, self.stop = monitor, stop

    def on_step(self, step: int, total: int) -> None:
        self._told(self.monitor.on_step, step, total)

    def on_validation(self, record: Mapping[str, float]) -> None:
        self._told(self.monitor.on_validation, record)

    def on_end(self, outcome: Outcome) -> None:
        self.monitor.on_end(outcome)

    def _told(self, call: Callable[..., None], *what: Any) -> None:
        try:
            call(*what)
        except KeyboardInterrupt:
            self.stop.end_after_step()


@contextmanager
def batch_size_errors_explained(config: Config) -> Iterator[None]:
    """Errors of a batch size become messages of one line: too large for memory, or one row to normalise."""
    try:
        yield
    except MEMORY_ERRORS as error:
        if not out_of_memory(error):
            raise
        size = config.training.batch_size or 0
        raise ConfigError(
            f"{config.device} has too little memory for batches of {size} rows; take a smaller one, as by --set "
            f"batch_size={max(1, size // 4)}, or --device cpu"
        ) from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ConfigError(
            "batch_size=1: a batch normalisation takes mean and deviation over the rows of a batch; make batch_size 2 "
            "or more, or use another normalisation"
        ) from error
