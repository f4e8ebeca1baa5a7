"""Signals while a model trains: they end training early with its result stored, or stop the process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

from likely.training import Monitor

__all__ = ["Stop", "Stopped", "signals_handled"]

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

    As a monitor it ends training after the step in which one came; the best model so far is kept.

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

    @property
    def signal_came(self) -> bool:
        """Whether a signal has come, which ends training or stops the process."""
        return self.end_early or self.exit_signal is not None

    def on_step(self, step: int, total: int) -> None:
        """End training if a signal has come."""
        del step, total
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
        if not self.training or self.exit_signal is not None:
            raise Stopped(number)
        if number == signal.SIGINT and not self.end_early:
            self.end_early = True
        else:
            self.exit_signal = number


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
