"""Signals while a model trains: they end training early with its result stored, or stop the process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

import torch
from torch import Tensor

from likely import world
from likely.training import Monitor

__all__ = ["Stop", "Stopped", "signals_handled"]

NOTHING, END_EARLY = 0, 1  # what came; a signal that stops the process is 1 + its number, the greatest counts
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SHELL_OFFSET = 128  # that shells add to the number of a signal to make an exit code


@final
class Stopped(SystemExit):
    """The exit of the process by a signal that it has handled, with the code that shells have for that signal.

    Attributes
    ----------
    number, step
        The signal's number; the step after which training can go on, where a checkpoint has it.
    text
        The message for the user.

    """

    def __init__(self, number: int, step: int | None = None) -> None:
        super().__init__(SHELL_OFFSET + number)
        self.number, self.step, self.text = number, step, "interrupted"


@final
class Stop(Monitor):
    """The signals that have come: in training they wait for the end of the step, outside it they end the process.

    As a monitor it ends training after the step in which one came; the best model so far is kept. With several
    processes a signal that came to one of them counts for all, a step later, and at the same step in each.

    Attributes
    ----------
    training
        Whether steps are being taken.
    exit_signal
        The signal that stops the process after this step; `None` where none has come.
    end_early
        Whether training is to end after this step, and its result to be stored.

    """

    def __init__(self) -> None:
        self.training, self.end_early = False, False
        self.exit_signal: int | None = None
        self._here = NOTHING  # what came to this process
        self._all: Callable[[], Tensor] | None = None  # gives what came to any of several processes

    @property
    def signal_came(self) -> bool:
        """Whether a signal has come, which ends training or stops the process."""
        return self.end_early or self.exit_signal is not None

    def agree(self) -> None:
        """With several processes, take what had come to any of them when they were asked the last time, and ask anew.

        The answer comes while the next step is computed.
        """
        if world.size() > 1:
            self._take_answer()
            if not self.signal_came:
                self._all = world.total_later(torch.tensor(self._here), greatest=True)

    def end(self) -> None:
        """Training has ended, so that signals wait no more."""
        self._take_answer()
        self._heed(self._here)
        self.training = False

    def _take_answer(self) -> None:
        if self._all is not None:
            self._heed(int(self._all()))
            self._all = None

    def _heed(self, code: int) -> None:
        self.end_early = self.end_early or code == END_EARLY
        self.exit_signal = code - END_EARLY if code > END_EARLY else self.exit_signal

    def on_step(self, step: int, total: int) -> None:
        """End training if a signal has come."""
        del step, total
        self.agree()
        self.end_training_if_signalled()

    def end_training_if_signalled(self) -> None:
        """End training if a signal has come."""
        if self.signal_came:
            self.training = False
            raise KeyboardInterrupt

    def exit_if_signalled(self, step: int | None = None) -> None:
        """Exit if a signal came that stops the process: SIGTERM, SIGHUP or a second Ctrl-C; the first ends training.

        A checkpoint can go on after `step`; `None` where there is none.

        Raises
        ------
        Stopped
            If one has.

        """
        if self.exit_signal is not None:
            self.training = False
            raise Stopped(self.exit_signal, step)

    def take(self, number: int, frame: FrameType | None = None) -> None:
        """Handle a signal: Ctrl-C ends training, a second or another signal stops the process, one more does now."""
        del frame
        if not self.training and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.training or self._here > END_EARLY:
            raise Stopped(number)
        self._here = END_EARLY if number == signal.SIGINT and self._here == NOTHING else END_EARLY + number
        if world.size() == 1:
            self._heed(self._here)

    def end_after_step(self) -> None:
        """End training after this step, as the first Ctrl-C does."""
        self._here = max(self._here, END_EARLY)


@contextmanager
def signals_handled() -> Iterator[Stop]:
    """Within it the `Stop` takes SIGINT, SIGTERM and SIGHUP, where they would end the process; not in other threads."""
    stop, before = Stop(), {}
    if threading.current_thread() is threading.main_thread():
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, stop.take)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
