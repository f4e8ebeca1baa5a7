"""A command that torchrun started in several processes."""

from __future__ import annotations

import contextlib
import os
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from likely import world
from likely.cli import commands
from likely.cli.telling import among_several, tell
from likely.errors import ConfigError

__all__ = ["SHARED", "run_together"]

SHARED = ("fit", "score", "evaluate", "encode", "reconstruct", "impute", "ask", "anomalies")  # others one process does


def run_together(words: Sequence[str], run: Callable[[], int]) -> int:
    """The exit code of the command that `run` runs, where torchrun may have started several processes.

    Within it they are one group, and only the first prints. Of a command that is not shared it does all.
    """
    known = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    if not world.launched():
        return run()
    if next((word for word in words if word in known), None) not in SHARED:
        return run() if os.environ["RANK"] == "0" else 0
    with among_several(world.first_to_tell):
        try:
            with world.joined(), _quiet():
                return run()
        except ConfigError as error:
            tell(str(error))
            return 2


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within it nothing is printed but by the first process."""
    if world.first():
        yield
        return
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
