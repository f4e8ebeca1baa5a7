"""Progress with time left, for anything that takes more than two seconds; and what is said before training."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, final

from likely import world
from likely.errors import visible

__all__ = ["bar", "tell"]

Tick = Callable[..., None]
PATIENCE, PERIOD = 2.0, 0.5  # seconds before a bar is drawn, and between two drawings


@contextmanager
def bar(what: str, *, shown: bool = True) -> Iterator[Tick]:
    """Yield a function (done, total, note="") that draws a bar once two seconds have passed.

    In a notebook it is drawn below the cell, else on standard error; where that is no terminal, nothing is drawn.
    """
    place = _place(what) if shown and world.first() else None
    started, begun = time.perf_counter(), False

    def tick(done: int, total: int, note: object = "") -> None:
        nonlocal begun
        if place is None or time.perf_counter() - started <= PATIENCE:
            return
        begun = True
        place.draw(done, total, f"validation ELBO {note:.2f}" if isinstance(note, float) else str(note or ""))

    try:
        yield tick
    finally:
        if place is not None and begun:
            place.stop()


def tell(text: str) -> None:
    """Print lines on standard error, where that is open."""
    with suppress(OSError):  # nobody reads it: no reason to end what runs
        print(visible(text, kept="\n"), file=sys.stderr, flush=True)


class _Bar(ABC):
    """Where progress is drawn."""

    @abstractmethod
    def draw(self, done: int, total: int, note: str) -> None:
        """So much of the total is done."""

    @abstractmethod
    def stop(self) -> None:
        """Leave nothing behind."""


def _place(what: str) -> _Bar | None:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel"):
        return _Notebook(what)
    return _Terminal(what) if sys.stderr.isatty() else None


@final
class _Terminal(_Bar):
    def __init__(self, what: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.progress.add_task(visible(what), total=1, note="")

    def draw(self, done: int, total: int, note: str) -> None:
        self.progress.start()
        self.progress.update(self.task, completed=done, total=total, note=visible(note))

    def stop(self) -> None:
        self.progress.stop()


@final
class _Notebook(_Bar):
    """A display that is replaced; ipywidgets are not needed."""

    def __init__(self, what: str) -> None:
        self.what, self.started, self.drawn = what, time.perf_counter(), 0.0
        self.handle: Any = None

    def draw(self, done: int, total: int, note: str) -> None:
        now = time.perf_counter()
        if now - self.drawn < PERIOD:
            return
        self.drawn, spent = now, now - self.started
        left = f", {spent * (total - done) / done:.0f} s left" if done else ""
        from html import escape

        text = escape(f"{self.what} {done}/{total}, {spent:.0f} s{left}  {note}")
        self._show(f'<progress value="{done}" max="{total}"></progress> {text}')

    def stop(self) -> None:
        self._show("")

    def _show(self, text: str) -> None:
        from IPython.display import HTML, display

        if self.handle is None:
            self.handle = display(HTML(text), display_id=True)
        else:
            self.handle.update(HTML(text))
