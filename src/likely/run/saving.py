"""A run in memory to a directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from likely.run.files import claim

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["save_as"]


def save_as(run: Run, path: str | Path, *, overwrite: bool = False) -> Path:
    """Store the run in a directory of its own, from which `likely.load` reads it; the directory.

    It is then the run's directory, unless it has one already.

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

    earlier = run.directory
    with claim(Path(path), overwrite=overwrite, data=None if run.source is None else run.source.path) as directory:
        run.directory = directory
        try:
            save_plan(run)
            save(run)
        finally:
            run.directory = earlier
    run.directory = earlier or directory
    return directory
