"""What the process is asked for while it trains: an early end, or to stop at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

from likely.training import Monitor

__all__ = ["Stop", "Stopped", "heeded"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SHELL = 128  # what a shell adds to the number of a signal


@final
class Stopped(SystemExit):
    """The process ends by a signal that it has heeded; its code is the one by which shells tell the signal.

    Attributes
    ----------
    number, step
        Of the signal; the step after which training stopped, where it had begun.
    text
        What to say of it.

    """

    def __init__(self, number: int, step: int | None = None) -> None:
        super().__init__(SHELL + number)
        self.number, self.step, self.text = number, step, "interrupted"


@final
class Stop(Monitor):
    """Which signals have come: in training they wait for the end of the step, outside it they end the process.

    As a monitor it ends training after the step in which one came; the best model so far is kept.

    Attributes
    ----------
    training
        Whether steps are being taken.
    number
        The signal at which to stop at once; `None` where there is none.
    ended
        Whether training is to end early, and what it came to be stored.

    """

    def __init__(self) -> None:
        self.training, self.ended = False, False
        self.number: int | None = None

    @property
    def asked(self) -> bool:
        """Whether anything has come."""
        return self.ended or self.number is not None

    def on_step(self, step: int, total: int) -> None:
        """End training if that was asked for."""
        del step, total
        if self.asked:
            self.training = False
            raise KeyboardInterrupt

    def leave(self, step: int | None = None) -> None:
        """End the process where a signal has asked for more than an early end; the step is where training can go on.

        Raises
        ------
        Stopped
            If one has.

        """
        if self.number is not None:
            self.training = False
            raise Stopped(self.number, step)

    def take(self, number: int, frame: FrameType | None = None) -> None:
        """Heed a signal: one Ctrl-C ends training, two stop it, and a third or a second other signal does not wait."""
        del frame
        if not self.training and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.training or self.number is not None:
            raise Stopped(number)
        if number == signal.SIGINT and not self.ended:
            self.ended = True
        else:
            self.number = number


@contextmanager
def heeded() -> Iterator[Stop]:
    """Within it SIGINT, SIGTERM and SIGHUP are heeded, where they would end the process; and not in other threads."""
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
