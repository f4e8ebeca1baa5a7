"""What the directory of a run may hold, and when it may be replaced.

`claim` gives a folder to write a new run to; `reclaim` the folder of a fit that was left unfinished, to go on in;
`renewed` a copy of a stored run, to change. Each puts the result at its place at the end. `recover` finishes a
replacement that a kill cut short. `directory` is where a run is to be or is; messages name it as it was `given`, as
typed. `place` is its real path, behind all links, and `folder` where it is written: `place` itself, or a hidden folder
beside it (`new_beside`) that takes its place at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from likely.errors import OutputError, RunError
from likely.files import (
    LOCK,
    contains,
    demand_held,
    demand_unowned,
    finish_swap,
    half_written,
    held,
    new_beside,
    old_beside,
    read_regular,
    refuse_existing,
    refuse_unwritable,
    release,
    swap,
    take,
    write,
)

__all__ = [
    "CHECKPOINTS",
    "MISSING",
    "REPORT",
    "RUN",
    "RUN_FILES",
    "START",
    "STATE_FILES",
    "claim",
    "demand_claimable",
    "demand_renewable",
    "leftovers_notice",
    "reclaim",
    "recover",
    "renewed",
    "unfinished",
]

RUN, REPORT, MISSING, START = "run.json", "report.html", "missing.safetensors", "start.safetensors"
MAX_RUN_JSON = 2**26  # bytes: notices and history of splits are far below
EARLIER_MISSING = "holes.safetensors"  # of version 0.1
RUN_FILES = (
    "baselines.safetensors",
    "conditions.safetensors",
    "config.json",
    "history.csv",
    LOCK,
    MISSING,
    REPORT,
    "rows.safetensors",
    RUN,
    "schema.json",
    START,
    "weights.safetensors",
)
CHECKPOINTS, STATE_FILES = "checkpoints", ("state.json", "state.safetensors", "SHA256SUMS")


def _ours_and_foreign(directory: Path) -> tuple[list[Path], list[Path]]:
    """What likely writes into a run, a folder after what it holds; and all else: other names, links, other folders."""
    ours: list[Path] = []
    foreign: list[Path] = []
    for entry in directory.iterdir():
        if entry.name != CHECKPOINTS or not _is_folder(entry):
            (ours if _is_one_of(entry, (*RUN_FILES, EARLIER_MISSING)) else foreign).append(entry)
            continue
        for step in entry.iterdir():
            known = (step.name.isdecimal() or half_written(step.name)) and _is_folder(step)
            for one in step.iterdir() if known else ():
                (ours if _is_one_of(one, STATE_FILES) else foreign).append(one)
            (ours if known else foreign).append(step)
        ours.append(entry)
    return ours, foreign


def _foreign(directory: Path) -> list[str]:
    return sorted(str(entry.relative_to(directory)) for entry in _ours_and_foreign(directory)[1])


def _is_folder(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()


def _is_one_of(entry: Path, names: tuple[str, ...]) -> bool:
    """Whether it is a file of one of these names, or half of one."""
    return (entry.name in names or half_written(entry.name)) and entry.is_file() and not entry.is_symlink()


def _remove(directory: Path) -> None:
    """Remove what likely wrote into a run, and the folder if nothing else is in it."""
    with suppress(OSError):
        for entry in _ours_and_foreign(directory)[0]:
            with suppress(OSError):
                entry.rmdir() if entry.is_dir() else entry.unlink()
        directory.rmdir()


def _run_json_entry(directory: Path, name: str) -> object:
    """An entry of `run.json`; `None` where it has none of this name, or cannot be read."""
    try:
        return json.loads(read_regular(directory / RUN, MAX_RUN_JSON))[name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_our_run(directory: Path) -> bool:
    """Whether `run.json` says that likely wrote the folder, or a fit was killed before it wrote that."""
    versions = _run_json_entry(directory, "versions")
    if isinstance(versions, dict) and isinstance(versions.get("likely"), str):
        return True
    return all(entry.name == LOCK or half_written(entry.name) for entry in directory.iterdir())


def _replaceable(given: Path, directory: Path, data: Path | None) -> None:
    """Refuse to replace anything but an empty folder or a run of ours that holds nothing else and nobody fills."""
    if not directory.is_dir():
        raise OutputError(f"{given} is not a run directory but a file, so it is not overwritten; choose another name")
    foreign = _foreign(directory)
    if foreign:
        named = ", ".join(map(repr, foreign[:3])) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise OutputError(
            f"{given} is not a run directory, or not that alone: it holds {named}; so it is not overwritten; move what "
            "you need out of it, or choose another name"
        )
    if not _is_our_run(directory):
        raise OutputError(
            f"{given} is not a run directory: no run.json in it says that likely wrote it; so it is not overwritten; "
            "choose another name"
        )
    if data is not None and contains(directory, data):
        raise OutputError(f"{given} holds the data of this fit, {data}; so it is not overwritten; choose another name")
    if not _empty(directory) and contains(directory, Path.cwd()):
        raise OutputError(f"{given} is or holds the current folder, so it is not overwritten; choose another name")
    demand_unowned(directory)


def _resumable(directory: Path) -> bool:
    """Whether a fit with a checkpoint lies there; not one half written, nor a run that is stored again."""
    folder = directory / CHECKPOINTS
    # a checkpoint is fully written once its folder has its final name, a number
    written = folder.is_dir() and any(step.name.isdecimal() for step in folder.iterdir())
    return written and _run_json_entry(directory, "finished") is not None


def _empty(place: Path) -> bool:
    return place.is_dir() and next(place.iterdir(), None) is None


def unfinished(directory: Path) -> Path | None:
    """Where a fit was left before its end: in its own folder, or in the one beside it that is to replace it.

    One that has ended and is to replace it still is among them, and one that was interrupted.
    """
    place = Path(os.path.realpath(directory))
    if _run_json_entry(new_beside(place), "finished") is not None:
        return new_beside(place)
    ended_early = _run_json_entry(place, "finished") is False or _run_json_entry(place, "interrupted") is True
    return place if ended_early else None


def _demand_no_mount(given: Path, place: Path) -> None:
    if os.path.ismount(place):
        raise OutputError(
            f"{given} is where a disk is mounted, and nothing can take its place; choose a folder in it: -o {given}/run"
        )


def demand_claimable(directory: Path, *, overwrite: bool, data: Path | None = None) -> None:
    """What `claim` refuses, before there is anything to write; but for a swap that a kill cut short nothing is touched.

    Raises
    ------
    OutputError
        If the directory exists and may not be replaced, holds something that is not a run, the data, or the current
        folder, is being filled by another process, or cannot be made.

    """
    refuse_existing(directory, overwrite=True)
    recover(directory)
    try:
        place = Path(os.path.realpath(directory))
        if not overwrite and place.is_dir() and _run_json_entry(place, "finished") is False:
            demand_unowned(place)
            raise OutputError(
                f"{directory} holds a fit that was not finished; likely fit --resume {directory} finishes it, and "
                "--overwrite starts anew"
            )
        if not _empty(place):
            refuse_existing(directory, overwrite=overwrite)
            _demand_no_mount(directory, place)
        for folder in (place, new_beside(place)):
            if folder.exists():
                _replaceable(directory if folder == place else folder, folder, data)
        refuse_unwritable(place if not _empty(place) else place / RUN)
    except OSError as error:
        raise OutputError(f"cannot make {directory}: {error.strerror or error}") from error


@contextmanager
def claim(directory: Path, *, overwrite: bool, data: Path | None = None) -> Iterator[Path]:
    """A folder to write a run to, which is at its place at the end; what stood there before stays until then.

    Where nothing stands, or an empty folder, it is the directory itself; else a hidden one beside it. Only a run is
    replaced: its `run.json` says that likely wrote it, and it holds nothing but the files that likely writes. On
    failure what was written is removed, unless it holds checkpoints, from which a fit can be resumed.

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
        As `demand_claimable` has it, before anything is touched; or if the folder is removed meanwhile.

    """
    demand_claimable(directory, overwrite=overwrite, data=data)
    place = Path(os.path.realpath(directory))
    folder = _cleared(new_beside(place), place) if place.exists() and not _empty(place) else place
    with _filling(directory, folder, lambda: _replace(directory, folder, place, data)):
        yield folder


@contextmanager
def reclaim(directory: Path) -> Iterator[Path]:
    """The folder in which a fit was left unfinished, to go on in; at the end it is at its place, as with `claim`.

    On failure it stays as it is.

    Raises
    ------
    RunError
        If there is none.
    OutputError
        If another process fills it, or it cannot be written, or it is removed meanwhile.

    """
    place = Path(os.path.realpath(directory))
    folder = unfinished(place)
    if folder is None:
        raise RunError(f"{directory} holds no fit that was not finished")
    with _filling(directory, folder, lambda: _replace(directory, folder, place, None), kept=True):
        yield folder


@contextmanager
def _filling(given: Path, folder: Path, put: Callable[[], None], *, kept: bool = False) -> Iterator[None]:
    """A folder is this process's own while it is filled, and until `put` has brought it to its place.

    On failure it goes, unless `kept` or it has checkpoints.
    """
    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        take(folder)
    except OSError as error:
        raise OutputError(f"cannot make {given}: {error.strerror or error}") from error
    try:
        yield
        demand_held(folder)
    except BaseException as error:
        if held(folder) and (kept or _resumable(folder)):
            release(folder)
            if isinstance(error, OutputError):
                raise OutputError(f"{error}; likely fit --resume {given} then finishes the fit") from error
        elif held(folder):
            _remove(folder)
            if not created:
                folder.mkdir(exist_ok=True)
        raise
    try:
        put()
    finally:
        for place in (folder, Path(os.path.realpath(given))):
            release(place)


def _replace(given: Path, folder: Path, place: Path, data: Path | None) -> None:
    """A complete run takes the place of what stands there, unless this may not be replaced any more."""
    if folder == place:
        return
    try:
        if place.exists():
            _replaceable(given, place, data)
        swap(folder, place, _remove)
    except OutputError as error:
        raise OutputError(f"{error}; the new run is complete and lies in {folder}") from error
    except OSError as error:
        raise OutputError(
            f"cannot replace {given}: {error.strerror or error}; the new run is complete and lies in {folder}"
        ) from error


def recover(directory: Path) -> None:
    """Finish what a kill cut short between the two renames that replace a run, and say so.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    name = finish_swap(directory, _is_complete)
    if name:
        which = "the new run has its place now" if name.endswith(".new") else "the earlier run is back"
        warnings.warn(f"a command was killed while it replaced {directory}: {which}", stacklevel=3)


def _is_complete(new: Path) -> bool:
    """Whether a folder holds a run to its end, and nobody fills it."""
    with suppress(OutputError):
        demand_unowned(new)
        return _run_json_entry(new, "finished") is True
    return False


def leftovers_notice(directory: Path) -> str:
    """What killed commands left beside a run, and what can be done with it; empty where there is nothing."""
    place = Path(os.path.realpath(directory))
    new, old = new_beside(place), old_beside(place)
    try:
        if new.exists():
            demand_unowned(new)
            begun = f"a command was killed that was to replace {directory}; what it wrote lies in {new}"
            more = unfinished(place) == new
            return begun + (f"; likely fit --resume {directory} finishes it" if more else "")
        if old.exists():
            return f"{old} holds a run that was replaced by {directory}; a kill kept it from being removed"
    except (OSError, OutputError):
        pass
    return ""


def demand_renewable(directory: Path) -> None:
    """What `renewed` refuses, before there is anything to write; nothing is touched.

    Raises
    ------
    OutputError
        If something that likely does not write lies in the run, which would be lost, if the directory is or holds the
        current folder, if another process fills it, or if it cannot be written.

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
        _demand_no_mount(directory, place)
        for folder in (place, new_beside(place)):
            demand_unowned(folder)
        refuse_unwritable(place)
    except OSError as error:
        raise OutputError(f"cannot write {directory}: {error.strerror or error}") from error


@contextmanager
def renewed(directory: Path) -> Iterator[Path]:
    """A copy of a run's directory to write to, which takes its place at the end; on failure nothing has changed.

    What is of the earlier weights is not copied: the report and the checkpoints.

    Raises
    ------
    OutputError
        As `demand_renewable` has it, or if the disk refuses.

    """
    demand_renewable(directory)
    place = Path(os.path.realpath(directory))
    _cleared(old_beside(place), place)
    new = _cleared(new_beside(place), place)
    with _filling(directory, new, lambda: _renew(directory, new, place)):
        try:
            facts = {"finished": None, "versions": _run_json_entry(place, "versions")}
            write(new / RUN, json.dumps(facts))  # before what it is a copy of: half a copy is no run
            shutil.copytree(place, new, symlinks=True, dirs_exist_ok=True, ignore=_not_copied)
        except (OSError, shutil.Error) as error:
            raise OutputError(f"cannot write {directory}: {error}") from error
        yield new


def _renew(given: Path, new: Path, place: Path) -> None:
    """The copy takes the place of what it is a copy of, which goes with all that is in it."""
    try:
        swap(new, place, lambda old: shutil.rmtree(old, ignore_errors=True))
    except OSError as error:
        raise OutputError(f"cannot replace {given}: {error.strerror or error}; the new run lies in {new}") from error


def _not_copied(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name in (CHECKPOINTS, REPORT, LOCK, RUN)]


def _cleared(new: Path, place: Path) -> Path:
    """The name beside a run of what is to replace it, without what a killed command left there."""
    if new.exists():
        _replaceable(new, new, None)
        warnings.warn(f"{leftovers_notice(place)}; it is removed", stacklevel=3)
        _remove(new)
    return new
