"""Progress with time left, for anything that takes more than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bar"]

Tick = Callable[..., None]
PATIENCE = 2.0


@contextmanager
def bar(what: str) -> Iterator[Tick]:
    """Yield a function (done, total, note="") that draws a bar on standard error once two seconds have passed.

    Where standard error is no terminal nothing is drawn.
    """
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task(what, total=1, note="")
    started, shown = time.perf_counter(), False

    def tick(done: int, total: int, note: object = "") -> None:
        nonlocal shown
        if not shown and time.perf_counter() - started > PATIENCE:
            progress.start()
            shown = True
        text = f"validation ELBO {note:.2f}" if isinstance(note, float) else str(note or "")
        progress.update(task, completed=done, total=total, note=text)

    try:
        yield tick
    finally:
        if shown:
            progress.stop()
