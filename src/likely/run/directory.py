"""What the directory of a run may hold, and when it may be replaced.

Three context managers give a folder to write to, and move it to the run's place at the end: `new_run_folder` for a new
run, `resumed_folder` for an unfinished fit, `run_copy` for changes to a stored run. `recover` finishes a replacement
that a kill cut short.

In arguments `directory` is the path of the run, and `given` the same path as the user typed it, for messages. `place`
is its real path, behind all links. `folder` is where the files of a run are: `place` itself, or a `hidden` folder next
to it: one that is written and renamed to `place` at the end (`new_beside`), or the run that it replaces (`old_beside`).
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
    demand_own_lock,
    demand_unowned,
    finish_swap,
    half_written,
    locked_by_us,
    new_beside,
    old_beside,
    read_regular,
    refuse_existing,
    refuse_unwritable,
    release_lock,
    seen_to_exist,
    swap,
    sync_folder,
    take_lock,
    write,
)

__all__ = [
    "CHECKPOINTS",
    "MISSING",
    "REPORT",
    "RIVALS",
    "RUN",
    "RUN_FILES",
    "START",
    "STATE_FILES",
    "can_resume",
    "demand_new_run_folder",
    "demand_run_copy",
    "leftovers_notice",
    "new_run_folder",
    "recover",
    "resumed_folder",
    "run_copy",
    "unfinished_fit",
]

# `finished` in run.json: true; false of a fit that is under way or was cut short; null of a copy that is being made.
RUN, REPORT = "run.json", "report.html"
RIVALS = "rivals.safetensors"  # a flow fitted to the training rows, which `evaluate --rivals` compares with
MISSING = "missing.safetensors"  # which cells of the training rows are missing together
START = "start.safetensors"  # the weights that a fit begins with, where it was given some; removed at its end
MAX_RUN_JSON = 2**26  # bytes that are read of it: a real one is far smaller
EARLIER_MISSING = "holes.safetensors"  # the name of MISSING in version 0.1
RUN_FILES = (
    "baselines.safetensors",  # plain models that the VAE has to beat, fitted at the first evaluation
    "conditions.safetensors",  # y of the training rows, encoded
    "config.json",
    "history.csv",
    LOCK,
    MISSING,
    REPORT,
    RIVALS,
    "rows.safetensors",  # the row numbers of the training, validation and test rows
    RUN,
    "schema.json",
    "seen.safetensors",  # what the training rows were like: ranges, and the encoder's outputs for some
    START,
    "weights.safetensors",
)
CHECKPOINTS, STATE_FILES = "checkpoints", ("state.json", "state.safetensors", "SHA256SUMS")


def _ours_and_foreign(folder: Path) -> tuple[list[Path], list[Path]]:
    """The entries of a run's folder that likely wrote, a folder in it after its entries, and all others."""
    ours: list[Path] = []
    foreign: list[Path] = []
    for entry in folder.iterdir():
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


def _foreign(folder: Path) -> list[str]:
    return sorted(str(entry.relative_to(folder)) for entry in _ours_and_foreign(folder)[1])


def _is_folder(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()


def _is_one_of(entry: Path, names: tuple[str, ...]) -> bool:
    """Whether an entry is a file with one of these names, or one that is half written."""
    return (entry.name in names or half_written(entry.name)) and entry.is_file() and not entry.is_symlink()


def _remove(folder: Path) -> None:
    """Remove the entries that likely wrote, and the folder if it is empty then."""
    with suppress(OSError):
        for entry in _ours_and_foreign(folder)[0]:
            with suppress(OSError):
                entry.rmdir() if entry.is_dir() else entry.unlink()
        folder.rmdir()


def _run_json_entry(folder: Path, name: str) -> object:
    """An entry of `run.json`; `None` where it has none of this name, or cannot be read."""
    try:
        return json.loads(read_regular(folder / RUN, MAX_RUN_JSON))[name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_our_run(folder: Path) -> bool:
    """Whether `run.json` says that likely wrote the folder, or a fit was killed before it wrote that."""
    versions = _run_json_entry(folder, "versions")
    if isinstance(versions, dict) and isinstance(versions.get("likely"), str):
        return True
    return all(entry.name == LOCK or half_written(entry.name) for entry in folder.iterdir())


def _demand_replaceable(given: Path, folder: Path, data: Path | None) -> None:
    """Refuse to replace anything but an empty folder, or a run with no foreign entries that no process writes to.

    `given` names it in messages: as the user typed the run's path, or a hidden folder by its own path.
    """
    if not folder.is_dir():
        raise OutputError(f"{given} is not a run directory but a file, so it is not overwritten; choose another name")
    foreign = _foreign(folder)
    if foreign:
        named = ", ".join(map(repr, foreign[:3])) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise OutputError(
            f"{given} is not a run directory, or not that alone: it holds {named}; so it is not overwritten; move what "
            "you need out of it, or choose another name"
        )
    if not _is_our_run(folder):
        raise OutputError(
            f"{given} is not a run directory: no run.json in it says that likely wrote it; so it is not overwritten; "
            "choose another name"
        )
    if data is not None and contains(folder, data):
        raise OutputError(f"{given} holds the data of this fit, {data}; so it is not overwritten; choose another name")
    if not _empty(folder) and contains(folder, Path.cwd()):
        raise OutputError(f"{given} is or holds the current folder, so it is not overwritten; choose another name")
    demand_unowned(folder)


def _resumable(folder: Path) -> bool:
    """Whether a fit in this folder has a checkpoint to go on from; half written checkpoints do not count."""
    checkpoints = folder / CHECKPOINTS
    # a checkpoint is fully written once its folder has its final name, a number
    written = checkpoints.is_dir() and any(step.name.isdecimal() for step in checkpoints.iterdir())
    return written and _run_json_entry(folder, "finished") is not None


def _demand_nothing_to_resume(given: Path, hidden: Path) -> None:
    """Refuse to remove, unasked, the work of a fit that was to replace a run and can be gone on with."""
    if _resumable(hidden):
        raise OutputError(
            f"a fit that was to replace {given} was stopped, and lies in {hidden}; likely fit --resume {given} "
            f"finishes it; to give it up, remove {hidden}"
        )


def _empty(place: Path) -> bool:
    return place.is_dir() and next(place.iterdir(), None) is None


def can_resume(directory: Path) -> bool:
    """Whether the fit of a run has not finished, and has a checkpoint to go on from."""
    folder = unfinished_fit(directory)
    return folder is not None and _resumable(folder)


def unfinished_fit(directory: Path) -> Path | None:
    """The folder of a fit that has not finished: the run's own, or the hidden one next to it; `None` if there is none.

    A fit also counts as unfinished if it was interrupted, or if it has ended but was killed before it replaced the run.
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


def demand_new_run_folder(directory: Path, *, overwrite: bool, data: Path | None = None) -> None:
    """Check, before anything is written, what `new_run_folder` demands; finishes a replacement that a kill cut short.

    Raises
    ------
    OutputError
        If the directory exists and may not be replaced, holds something that is not a run, the data, or the current
        folder, is being written to by another process, or cannot be made; or if a fit that was to replace it was
        stopped and can be resumed.

    """
    refuse_existing(directory, overwrite=True)  # pipes, devices and dangling links are refused all the same
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
        for folder in (place, new_beside(place), old_beside(place)):
            if folder.exists():
                _demand_replaceable(directory if folder == place else folder, folder, data)
        _demand_nothing_to_resume(directory, new_beside(place))
        refuse_unwritable(place if not _empty(place) else place / RUN)
    except OSError as error:
        raise OutputError(f"cannot make {directory}: {error.strerror or error}") from error


@contextmanager
def new_run_folder(directory: Path, *, overwrite: bool, data: Path | None = None) -> Iterator[Path]:
    """A folder to write a new run to, which is moved to the run's place at the end; an earlier run stays until then.

    If the directory does not exist or is empty, the folder is the directory itself; else a hidden one next to it. Only
    a run is replaced: its `run.json` says that likely wrote it, and it holds nothing but the files that likely writes.
    On failure what was written is removed, unless it holds checkpoints, from which a fit can be resumed.

    Parameters
    ----------
    directory
        The path of the run; of a link, the folder that it leads to.
    overwrite
        Whether an earlier run may be replaced.
    data
        The file or folder that the run is fitted on, which is never replaced.

    Raises
    ------
    OutputError
        As in `demand_new_run_folder`, before anything is changed; or if the folder is removed meanwhile.

    """
    demand_new_run_folder(directory, overwrite=overwrite, data=data)
    place = Path(os.path.realpath(directory))
    folder = _without_leftovers(new_beside(place), place) if place.exists() and not _empty(place) else place
    with _locked(directory, folder, lambda: _move_new_run(directory, folder, place, data)):
        yield folder


@contextmanager
def resumed_folder(directory: Path) -> Iterator[Path]:
    """The folder of an unfinished fit, to go on in; it is moved to the run's place at the end, and kept on failure.

    Raises
    ------
    RunError
        If there is no unfinished fit.
    OutputError
        If another process writes to it, or it cannot be written, or it is removed meanwhile.

    """
    place = Path(os.path.realpath(directory))
    folder = unfinished_fit(place)
    if folder is None:
        raise RunError(f"{directory} holds no fit that was not finished")
    with _locked(directory, folder, lambda: _move_new_run(directory, folder, place, None), kept=True):
        yield folder


@contextmanager
def _locked(given: Path, folder: Path, move: Callable[[], None], *, kept: bool = False) -> Iterator[None]:
    """Within it only this process writes to the folder, until `move` has brought it to its place.

    On failure the folder is removed, unless `kept` or it has checkpoints.
    """
    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
        take_lock(folder)
    except OSError as error:
        raise OutputError(f"cannot make {given}: {error.strerror or error}") from error
    try:
        yield
        demand_own_lock(folder)
    except BaseException as error:
        if locked_by_us(folder) and (kept or _resumable(folder)):
            release_lock(folder)
            if isinstance(error, OutputError):
                raise OutputError(f"{error}; likely fit --resume {given} then finishes the fit") from error
        elif locked_by_us(folder):
            _remove(folder)
            if not created:
                folder.mkdir(exist_ok=True)
        raise
    try:
        move()
    finally:
        for place in (folder, Path(os.path.realpath(given))):
            release_lock(place)


def _move_new_run(given: Path, folder: Path, place: Path, data: Path | None) -> None:
    """Move a complete run to its place, unless what is there now may not be replaced any more."""
    if folder == place:
        return
    try:
        if place.exists():
            _demand_replaceable(given, place, data)
        swap(folder, place, _remove)
    except OutputError as error:
        raise OutputError(f"{error}; the new run is complete and lies in {folder}") from error
    except OSError as error:
        raise OutputError(
            f"cannot replace {given}: {error.strerror or error}; the new run is complete and lies in {folder}"
        ) from error


def recover(directory: Path) -> None:
    """Finish the replacement of a run that a kill cut short between its two renames, with a warning.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    name = finish_swap(directory, _is_complete)
    if name:
        which = "the new run has its place now" if name.endswith(".new") else "the earlier run is back"
        warnings.warn(f"a command was killed while it replaced {directory}: {which}", stacklevel=3)


def _is_complete(folder: Path) -> bool:
    """Whether a folder holds a finished run, and no process writes to it."""
    with suppress(OutputError):
        demand_unowned(folder)
        return _run_json_entry(folder, "finished") is True
    return False


def leftovers_notice(directory: Path) -> str:
    """A notice of the folders that killed commands left next to a run, and how to finish; empty if there are none."""
    place = Path(os.path.realpath(directory))
    new, old = new_beside(place), old_beside(place)
    try:
        if new.exists():
            demand_unowned(new)
            begun = f"a command was killed that was to replace {directory}; what it wrote lies in {new}"
            more = unfinished_fit(place) == new
            return begun + (f"; likely fit --resume {directory} finishes it" if more else "")
        if old.exists():
            return (
                f"{old} holds a run that was replaced by {directory}; a kill kept it from being removed, or a file in "
                "it that likely did not write"
            )
    except (OSError, OutputError):
        pass
    return ""


def demand_run_copy(directory: Path) -> None:
    """Check, before anything is written, what `run_copy` demands.

    Raises
    ------
    OutputError
        If the report or the checkpoints hold something that likely did not write, which would be lost, if the directory
        is or holds the current folder, if another process writes to it, or if it cannot be written; or if a fit that
        was to replace it was stopped and can be resumed.

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
        _demand_nothing_to_resume(directory, new_beside(place))
        if old_beside(place).exists():
            _demand_replaceable(old_beside(place), old_beside(place), None)
        refuse_unwritable(place)
    except OSError as error:
        raise OutputError(f"cannot write {directory}: {error.strerror or error}") from error


@contextmanager
def run_copy(directory: Path) -> Iterator[Path]:
    """A copy of a run's directory to write to, which replaces the run at the end; on failure nothing has changed.

    The report, the rivals and the checkpoints are not copied, as they belong to the earlier weights; the copy's
    run.json says that it is not finished, until it is written anew.

    Raises
    ------
    OutputError
        As in `demand_run_copy`, or if the disk refuses.

    """
    demand_run_copy(directory)
    place = Path(os.path.realpath(directory))
    _without_leftovers(old_beside(place), place)
    folder = _without_leftovers(new_beside(place), place)
    with _locked(directory, folder, lambda: _move_copy(directory, folder, place)):
        try:
            facts = {"finished": None, "versions": _run_json_entry(place, "versions")}
            write(folder / RUN, json.dumps(facts))  # first, so that half a copy is no finished run
            shutil.copytree(place, folder, symlinks=True, dirs_exist_ok=True, ignore=_not_copied)
        except (OSError, shutil.Error) as error:
            raise OutputError(f"cannot write {directory}: {error}") from error
        yield folder


def _move_copy(given: Path, folder: Path, place: Path) -> None:
    """Move the copy to the place of the run that it is a copy of, and remove that run but for what came meanwhile."""
    try:
        swap(folder, place, lambda old: _remove_copied(old, place))
    except OSError as error:
        raise OutputError(f"cannot replace {given}: {error.strerror or error}; the new run lies in {folder}") from error
    # `exists` may raise; the run is in its place now, so the command must not fail because it cannot look
    if seen_to_exist(old_beside(place)):
        warnings.warn(f"files that were put into {given} meanwhile lie in {old_beside(place)}", stacklevel=5)


def _remove_copied(old: Path, place: Path) -> None:
    """Remove of a run what its copy has too, and what was not copied; files that were put there meanwhile stay."""
    for folder, folders, files in os.walk(old, topdown=False):
        for entry in (Path(folder) / name for name in (*folders, *files)):
            within = entry.relative_to(old)
            with suppress(OSError):
                if _is_folder(entry):
                    entry.rmdir()
                elif os.path.lexists(place / within) or _not_copied("", [within.parts[0]]):
                    entry.unlink()
    with suppress(OSError):
        old.rmdir()


def _not_copied(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name in (CHECKPOINTS, REPORT, RIVALS, LOCK, RUN)]


def _without_leftovers(hidden: Path, place: Path) -> Path:
    """The hidden folder next to a run, after what a killed command left there is removed."""
    if hidden.exists():
        _demand_replaceable(hidden, hidden, None)
        warnings.warn(f"{leftovers_notice(place)}; it is removed", stacklevel=3)
        _remove(hidden)
    return hidden
