"""Checkpoints: the state of training, written while it runs, so that a stopped fit can go on as if it had not been."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch

from likely import world
from likely.errors import OutputError
from likely.files import demand_own_lock
from likely.run.memory import MEMORY_ERRORS, out_of_memory
from likely.run.plan import Plan
from likely.run.states import has_checkpoint, write_states
from likely.run.stopping import Stop
from likely.training import Monitor, TrainingState

__all__ = ["CheckpointTimer", "Checkpoints"]

MIN_SECONDS_BETWEEN = 60.0  # from one checkpoint to the next
MAX_TIME_SHARE = 0.02  # of the time of training that goes to checkpoints, by how long the last one took
MAX_KEPT = 2  # checkpoints: the last, and the one before it in case the last is damaged


class CheckpointTimer:
    """When the next checkpoint is due: after a minute, or later where writing takes long (`MAX_TIME_SHARE`)."""

    def __init__(self) -> None:
        self.last, self.wait = time.perf_counter(), MIN_SECONDS_BETWEEN

    def due(self) -> bool:
        """Whether a checkpoint is due now."""
        return time.perf_counter() - self.last >= self.wait

    def written_in(self, seconds: float) -> None:
        """Wait anew: a checkpoint has just been written, which took so many seconds."""
        self.last, self.wait = time.perf_counter(), max(MIN_SECONDS_BETWEEN, seconds / MAX_TIME_SHARE)


@final
class Checkpoints(Monitor):
    """Writes the state of training between two steps: when a checkpoint is due, and before a signal stops training.

    A model has one state; an ensemble has one for each member, which train one after another.

    Parameters
    ----------
    directory
        The folder of the run.
    stop
        The signals that have come.
    earlier
        States to go on from, one for each member whose training had begun; empty in a new fit.

    """

    def __init__(self, directory: Path, stop: Stop, earlier: Sequence[dict[str, Any]] = ()) -> None:
        self.directory, self.stop, self.earlier = directory, stop, tuple(earlier)
        self.plan: dict[str, Any] = {}
        self.states: list[TrainingState] = []
        self.timer = CheckpointTimer()

    def begin(self, plan: Plan, *, write_now: bool) -> None:
        """Begin with what was settled before the first step, of which checkpoints store the configuration and notices.

        `write_now` writes one before the first step: where a budget in minutes became steps, which would be counted
        anew, and differently, in another process.
        """
        config = plan.config.to_dict()
        # with another number of threads sums have other last digits: a fit that goes on with another one says so
        self.plan = {"config": config, "notices": list(plan.notices), "threads": torch.get_num_threads()}
        if write_now:
            self._write()
        self.timer = CheckpointTimer()

    def register(self, state: TrainingState) -> dict[str, Any] | None:
        """The earlier state of the next member, if its training had begun; checkpoints hold its state from now on."""
        self.states.append(state)
        number = len(self.states) - 1
        return self.earlier[number] if number < len(self.earlier) else None

    def on_step(self, step: int, total: int) -> None:
        """Write a checkpoint if one is due or a signal has come (`stop.signal_came`); then do what the signal asks.

        SIGTERM, SIGHUP or a second Ctrl-C (`stop.exit_signal`) ends the process; the first Ctrl-C ends training, and
        its result is stored.
        """
        del total
        self.stop.agree()
        if self.stop.signal_came or self.timer.due():
            self._write()
        self.stop.exit_if_signalled(self._last_step(step) if self.stop.signal_came else None)
        self.stop.end_training_if_signalled()

    def end(self) -> None:
        """Training has ended: a signal that came since the last step ends the process after a last checkpoint."""
        if self.stop.exit_signal is not None:
            self._write()
            self.stop.exit_if_signalled(self._last_step(self.states[-1].step))

    def _last_step(self, step: int) -> int | None:
        """The step, for the message to the user; `None` if there is no checkpoint, so that a fit would start anew."""
        return step if has_checkpoint(self.directory) else None

    def _write(self) -> None:
        """Write a checkpoint, in the first process; a failure is only warned of, as the next one may succeed."""
        if not world.first():
            return
        started = time.perf_counter()
        demand_own_lock(self.directory)
        try:
            states = [state.state_dict() for state in self.states]
            write_states(self.directory, states, self.plan, kept=MAX_KEPT)
        except (OutputError, OSError, *MEMORY_ERRORS) as error:
            of_disk = isinstance(error, (OutputError, OSError))
            if not of_disk and not out_of_memory(error):
                raise
            reason = error if of_disk else "too little memory"
            then = "" if self.stop.signal_came else "; training goes on"
            warnings.warn(f"no checkpoint could be written ({reason}){then}", stacklevel=2)
        self.timer.written_in(time.perf_counter() - started)
