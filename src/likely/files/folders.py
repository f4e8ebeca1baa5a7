"""Whole folders: what stood there stays until the new one is complete, or comes back where that fails."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from likely.errors import OutputError

__all__ = ["copied_folder", "filled_folder", "left_beside", "replaced_folder"]


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """A new, empty folder at a place; on failure it is removed, and what stood there before is put back.

    Parameters
    ----------
    folder
        Where to; behind a link, the folder that it leads to.

    Raises
    ------
    OutputError
        If it cannot be made.

    """
    place = Path(os.path.realpath(folder))
    aside = _beside(place, "replaced")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            place.replace(aside)
        place.mkdir()
    except OSError as error:
        if aside.exists() and not place.exists():
            aside.replace(place)
        raise OutputError(f"cannot make {folder}: {error.strerror or error}") from error
    try:
        yield folder
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        if aside.exists():
            aside.replace(place)
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def copied_folder(folder: Path, *, without: Collection[str]) -> Iterator[Path]:
    """A copy of a folder to write to, which takes the folder's place at the end; on failure nothing has changed.

    Parameters
    ----------
    folder
        What is copied; behind a link, the folder that it leads to.
    without
        Names in it that are not copied.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    place = Path(os.path.realpath(folder))
    copy, aside = _beside(place, "renewed"), _beside(place, "replaced")

    def left_out(inside: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(inside) == place and name in without]

    try:
        shutil.copytree(place, copy, symlinks=True, ignore=left_out)
        yield copy
        place.replace(aside)
        copy.replace(place)
    except BaseException as error:
        if aside.exists() and not place.exists():
            aside.replace(place)
        shutil.rmtree(copy, ignore_errors=True)
        if isinstance(error, (OSError, shutil.Error)):
            raise OutputError(f"cannot write {folder}: {getattr(error, 'strerror', None) or error}") from error
        raise
    shutil.rmtree(aside, ignore_errors=True)


def left_beside(directory: Path) -> str:
    """Where the run lies that stood here before a command was killed while it replaced it; empty where none was."""
    place = Path(os.path.realpath(directory))
    try:
        hidden = re.compile(rf"\.{re.escape(place.name)}\.(replaced|renewed)-\d+")
        folders = sorted(entry for entry in place.parent.iterdir() if hidden.fullmatch(entry.name))
    except OSError:
        return ""
    before, after = ([str(one) for one in folders if f".{word}-" in one.name[-20:]] for word in ("replaced", "renewed"))
    if not before:
        return ""
    lies = f"the run that stood at {directory} before lies in {' and '.join(before)}: what replaced it was killed"
    if place.exists():
        return f"{lies}, or runs still; to have it back, remove {directory} and rename it to that, else remove it"
    new = f", and mv {after[-1]} {directory} the one that was to replace it" if after else ""
    return f"{lies}; mv {before[-1]} {directory} brings it back{new}"


@contextmanager
def filled_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder to fill, which takes a place at its end, and that of what stands there; on failure it is removed.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    half: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        half.chmod(0o755)
        yield half
        if folder.exists():
            shutil.rmtree(folder)
        half.replace(folder)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}; free some space") from error
    finally:
        if half is not None:
            shutil.rmtree(half, ignore_errors=True)


def _beside(place: Path, word: str) -> Path:
    """A hidden name of this process's own beside a place."""
    return place.with_name(f".{place.name}.{word}-{os.getpid()}")
