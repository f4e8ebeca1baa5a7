"""What training knows, written while it trains, so that a fit that is stopped goes on as if it had not been."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch

from likely.errors import OutputError
from likely.files import demand_held
from likely.run.memory import MEMORY_ERRORS, out_of_memory
from likely.run.plan import Plan
from likely.run.states import has_checkpoint, write_states
from likely.run.stopping import Stop
from likely.training import Monitor, TrainingState

__all__ = ["Checkpoints", "Pace"]

MIN_SECONDS_BETWEEN = 60.0  # from one checkpoint to the next
MAX_TIME_SHARE = 0.02  # of the time that checkpoints take, once the first has shown how long one does
MAX_KEPT = 2  # checkpoints: the last, and the one before it, for where the last turns out to be damaged


class Pace:
    """When the next checkpoint is due: after a minute, or later where writing takes long (`MAX_TIME_SHARE`)."""

    def __init__(self) -> None:
        self.last, self.wait = time.perf_counter(), MIN_SECONDS_BETWEEN

    def due(self) -> bool:
        """Whether a checkpoint is due now."""
        return time.perf_counter() - self.last >= self.wait

    def took(self, seconds: float) -> None:
        """One was written just now, in so many seconds."""
        self.last, self.wait = time.perf_counter(), max(MIN_SECONDS_BETWEEN, seconds / MAX_TIME_SHARE)


@final
class Checkpoints(Monitor):
    """Writes the states of all members between two steps: when it is time, and before training heeds a signal.

    Parameters
    ----------
    directory
        Of the run.
    stop
        The signals.
    earlier
        The states from which training goes on, of the members that had begun; none where it begins.

    """

    def __init__(self, directory: Path, stop: Stop, earlier: Sequence[dict[str, Any]] = ()) -> None:
        self.directory, self.stop, self.earlier = directory, stop, tuple(earlier)
        self.plan: dict[str, Any] = {}
        self.states: list[TrainingState] = []
        self.pace = Pace()

    def begin(self, plan: Plan, *, write_now: bool) -> None:
        """Training begins by a plan, which is what checkpoints are of; steps that minutes became are stored at once."""
        config = plan.config.to_dict()
        self.plan = {"config": config, "notices": list(plan.notices), "threads": torch.get_num_threads()}
        if write_now:
            self._write()
        self.pace = Pace()

    def register(self, state: TrainingState) -> dict[str, Any] | None:
        """The next member is trained: this state is written with those before; what to go on from, if it had begun."""
        self.states.append(state)
        place = len(self.states) - 1
        return self.earlier[place] if place < len(self.earlier) else None

    def on_step(self, step: int, total: int) -> None:
        """Write what is due."""
        if self.stop.asked or self.pace.due():
            self._write()
        self.stop.leave(step if self.stop.asked and has_checkpoint(self.directory) else None)
        self.stop.on_step(step, total)

    def end(self) -> None:
        """Training has ended; what was asked for since the last step is heeded."""
        if self.stop.number is not None:
            self._write()
            self.stop.leave(self.states[-1].step if has_checkpoint(self.directory) else None)

    def _write(self) -> None:
        """Write a checkpoint; a failure is only warned of, as the next one may succeed."""
        started = time.perf_counter()
        demand_held(self.directory)
        try:
            states = [state.state_dict() for state in self.states]
            write_states(self.directory, states, self.plan, kept=MAX_KEPT)
        except (OutputError, *MEMORY_ERRORS) as error:
            if not isinstance(error, OutputError) and not out_of_memory(error):
                raise
            reason = error if isinstance(error, OutputError) else "too little memory"
            then = "" if self.stop.asked else "; training goes on"
            warnings.warn(f"no checkpoint could be written ({reason}){then}", stacklevel=2)
        self.pace.took(time.perf_counter() - started)
