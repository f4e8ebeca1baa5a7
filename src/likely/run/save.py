"""A run in memory to a directory."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.files import refuse_existing, same_place, write
from likely.run.directory import CHECKPOINTS, REPORT, RIVALS, new_run_folder, run_copy
from likely.run.states import are_of, read_checkpoint

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["save_as"]

ROWS = ("schema.json", "rows.safetensors")
MODEL = (*ROWS, "weights.safetensors", "history.csv")
MADE_OF = {"baselines.safetensors": ROWS, REPORT: MODEL, RIVALS: MODEL}


def save_as(run: Run, path: str | Path, *, overwrite: bool = False) -> Path:
    """Store the run in a directory of its own, from which `likely.load` reads it; the directory.

    It is then the run's directory, unless it has one already, whose report and baselines come along. What is of
    another model there by now, as after it was lengthened, does not, nor does the state of that training; in the run's
    own directory it is removed, which a warning says.

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

    place, earlier, states, lost = Path(path), run.directory, run.states, list[str]()
    plan: Mapping[str, Any] = {}
    if earlier is not None and (earlier / CHECKPOINTS).is_dir():
        read = read_checkpoint(earlier)
        if are_of(read.states, run.record):
            states, plan = states or read.states, read.plan
        elif not states:
            lost = [CHECKPOINTS]
    own = earlier is not None and same_place(place, earlier)
    if own:
        refuse_existing(place, overwrite=overwrite)
    data = None if run.home.source is None else run.home.source.path
    with run_copy(place) if own else new_run_folder(place, overwrite=overwrite, data=data) as directory:
        save_plan(directory, run)
        save(directory, replace(run, states=states), plan)
        lost += [] if earlier is None else _brought(earlier, directory)
    if own and lost:
        warnings.warn(
            f"{place} held another model than this one: its {' and '.join(lost)} went with it; make what you need anew",
            stacklevel=2,
        )
    run.home.directory = earlier or place
    return place


def _brought(earlier: Path, directory: Path) -> list[str]:
    """Bring along what was made of a stored run where this is the same one; the names of what is of another."""
    lost = []
    for name, of in MADE_OF.items():
        if not (earlier / name).exists():
            continue
        if all(_same(earlier / one, directory / one) for one in of):
            write(directory / name, (earlier / name).read_bytes())
        else:
            (directory / name).unlink(missing_ok=True)
            lost.append(name)
    return lost


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.read_bytes() == other.read_bytes()
