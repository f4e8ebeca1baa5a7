"""A run in memory to a directory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from likely.files import write
from likely.run.directory import CHECKPOINTS, claim
from likely.run.states import are_of, read_states

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["save_as"]

BASELINES = "baselines.safetensors"


def save_as(run: Run, path: str | Path, *, overwrite: bool = False) -> Path:
    """Store the run in a directory of its own, from which `likely.load` reads it; the directory.

    It is then the run's directory, unless it has one already. Where that holds the state of another training by now, as
    after it was lengthened, no state is stored.

    Parameters
    ----------
    path
        The directory.
    overwrite
        Whether a run that stands there may be replaced.

    Raises
    ------
    OutputError
        If the directory exists and may not be replaced, or cannot be written.

    """
    from likely.run.store import save, save_plan

    earlier, states = run.directory, run.states
    if not states and earlier is not None and (earlier / CHECKPOINTS).is_dir():
        read = read_states(earlier)
        states = read if are_of(read, run.facts) else ()
    with claim(Path(path), overwrite=overwrite, data=None if run.source is None else run.source.path) as directory:
        other = replace(run, directory=directory, states=states)
        save_plan(other)
        save(other)
        if earlier is not None and (earlier / BASELINES).exists():
            write(directory / BASELINES, (earlier / BASELINES).read_bytes())
    run.directory = earlier or directory
    return directory
