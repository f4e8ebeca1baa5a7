"""What the directory of a run may hold, and when it may be replaced."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from likely.errors import OutputError
from likely.files import contains, copied_folder, left_beside, refuse_existing, refuse_unwritable, replaced_folder

__all__ = [
    "CHECKPOINTS",
    "EARLIER_MISSING",
    "MISSING",
    "REPORT",
    "STATE",
    "WRITTEN",
    "claim",
    "demand_claimable",
    "demand_renewable",
    "renewed",
]

MISSING, EARLIER_MISSING = "missing.safetensors", "holes.safetensors"
WRITTEN = (
    "baselines.safetensors",
    "conditions.safetensors",
    "config.json",
    "history.csv",
    MISSING,
    "report.html",
    "rows.safetensors",
    "run.json",
    "schema.json",
    "weights.safetensors",
)
CHECKPOINTS, STATE = "checkpoints", ("state.json", "state.safetensors")
REPORT = "report.html"


def _foreign(directory: Path) -> list[str]:
    """What lies in a folder that no run of ours writes: any other name, any link, any folder but of checkpoints."""
    strangers = []
    for entry in directory.iterdir():
        steps = list(entry.iterdir()) if entry.name == CHECKPOINTS and _is_folder(entry) else None
        if steps is None:
            strangers += [] if _written(entry, (*WRITTEN, EARLIER_MISSING)) else [entry]
        for step in steps or ():
            known = re.fullmatch(r"\d+|\.\d+\.\w{8}", step.name) and _is_folder(step)
            strangers += [one for one in step.iterdir() if not _written(one, STATE)] if known else [step]
    return sorted(str(entry.relative_to(directory)) for entry in strangers)


def _is_folder(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()


def _written(entry: Path, names: tuple[str, ...]) -> bool:
    """Whether it is a file of one of these names, or half of one."""
    half = re.compile("|".join(rf"\.{re.escape(name)}\.\w{{8}}" for name in names))
    known = entry.name in names or half.fullmatch(entry.name) is not None
    return known and entry.is_file() and not entry.is_symlink()


def _ours(directory: Path) -> bool:
    """Whether `run.json` says that likely wrote the folder."""
    try:
        facts = json.loads((directory / "run.json").read_bytes())
        return isinstance(facts["versions"]["likely"], str)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _replaceable(given: Path, directory: Path, data: Path | None) -> None:
    """Refuse to replace anything but an empty folder or a run of ours that holds nothing else."""
    if not directory.is_dir():
        raise OutputError(f"{given} is not a run directory but a file, so it is not overwritten; choose another name")
    foreign = _foreign(directory)
    if foreign:
        named = ", ".join(map(repr, foreign[:3])) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise OutputError(
            f"{given} is not a run directory, or not that alone: it holds {named}; so it is not overwritten; move what "
            "you need out of it, or choose another name"
        )
    if any(directory.iterdir()) and not _ours(directory):
        raise OutputError(
            f"{given} is not a run directory: no run.json in it says that likely wrote it; so it is not overwritten; "
            "choose another name"
        )
    if data is not None and contains(directory, data):
        raise OutputError(f"{given} holds the data of this fit, {data}; so it is not overwritten; choose another name")
    if contains(directory, Path.cwd()):
        raise OutputError(f"{given} is or holds the current folder, so it is not overwritten; choose another name")


def demand_claimable(directory: Path, *, overwrite: bool, data: Path | None = None) -> None:
    """What `claim` refuses, before there is anything to write; nothing is touched.

    Raises
    ------
    OutputError
        If the directory exists and may not be replaced, holds something that is not a run, the data, or the current
        folder, or cannot be made.

    """
    try:
        refuse_existing(directory, overwrite=overwrite)
        place = Path(os.path.realpath(directory))
        if place.exists():
            _replaceable(directory, place, data)
        refuse_unwritable(directory)
    except OSError as error:
        raise OutputError(f"cannot make {directory}: {error.strerror or error}") from error


@contextmanager
def claim(directory: Path, *, overwrite: bool, data: Path | None = None) -> Iterator[Path]:
    """A new directory for a run; on failure it is removed and what stood there before is put back.

    What stands there is replaced only if it is an empty folder, or a run: its `run.json` says that likely wrote it, and
    it holds nothing but the files that likely writes.

    Parameters
    ----------
    directory
        Where to; behind a link, the folder that it leads to.
    overwrite
        Whether what stands there may be replaced.
    data
        The file or folder that the run is fitted on, which is never replaced.

    Raises
    ------
    OutputError
        If the directory exists and may not be replaced, or holds something that is not a run, the data, or the current
        folder; nothing has been touched then.

    """
    demand_claimable(directory, overwrite=overwrite, data=data)
    left = left_beside(directory)
    if left:
        warnings.warn(left, stacklevel=2)
    with replaced_folder(directory):
        yield directory


def demand_renewable(directory: Path) -> None:
    """What `renewed` refuses, before there is anything to write; nothing is touched.

    Raises
    ------
    OutputError
        If something that likely does not write lies where what is of the earlier weights is removed, if the directory
        is or holds the current folder, or if it cannot be written.

    """
    place = Path(os.path.realpath(directory))
    try:
        foreign = [name for name in _foreign(place) if Path(name).parts[0] in (CHECKPOINTS, REPORT)]
        if foreign:
            raise OutputError(
                f"{directory} holds {foreign[0]!r}, which likely did not write and which would be lost; move it out of "
                "the run, or choose another place: -o OTHER"
            )
        if contains(place, Path.cwd()):
            raise OutputError(
                f"{directory} is or holds the current folder, so it cannot be replaced; go to another folder, or "
                "choose another place: -o OTHER"
            )
        refuse_unwritable(directory)
    except OSError as error:
        raise OutputError(f"cannot write {directory}: {error.strerror or error}") from error


@contextmanager
def renewed(directory: Path) -> Iterator[Path]:
    """A copy of a run's directory to write to, which takes its place at the end; on failure nothing has changed.

    It takes it by two renames: of a process that is killed between them `left_beside` tells.

    What is of the earlier weights is not copied: the report and the checkpoints.

    Raises
    ------
    OutputError
        As `demand_renewable` has it, or if the disk refuses.

    """
    demand_renewable(directory)
    with copied_folder(directory, without=(CHECKPOINTS, REPORT)) as copy:
        yield copy
