"""Whole folders: what stands at a place stays until what replaces it is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from likely.errors import OutputError
from likely.files.places import seen_to_exist
from likely.files.whole import sync_folder, unused

__all__ = ["filled_folder", "finish_swap", "new_beside", "old_beside", "swap"]


def new_beside(place: Path) -> Path:
    """Where what is to replace a folder is made."""
    return place.with_name(f".{place.name}.new")


def old_beside(place: Path) -> Path:
    """Where a folder that is being replaced lies until its successor has its place."""
    return place.with_name(f".{place.name}.old")


def swap(new: Path, place: Path, remove: Callable[[Path], object]) -> None:
    """Put a complete folder in the place of what stands there, which is then removed.

    It takes two renames. After a kill between them the old folder lies beside its place, and so does the new one:
    `finish_swap` takes the second.

    Parameters
    ----------
    new, place
        Folders on one file system.
    remove
        How the old folder is removed.

    Raises
    ------
    OSError
        If the disk refuses; the old folder is back then.

    """
    old = old_beside(place)
    if old.exists():
        remove(old)
    if place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except FileNotFoundError:
        if new.exists() or not place.exists():  # else another process has finished the swap
            raise
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    sync_folder(place.parent)  # before the old folder goes
    if old.exists():
        remove(old)


def finish_swap(place: Path, complete: Callable[[Path], bool]) -> str:
    """Finish a swap that was cut between its renames; the name of the folder that now has the place, or an empty one.

    A swap begins only when the new folder is complete, so it is this one that takes the place if it is there and
    `complete` holds of it; else the old one is put back.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    place = Path(os.path.realpath(place))
    new, old = new_beside(place), old_beside(place)
    try:
        if seen_to_exist(place) or not seen_to_exist(old):
            return ""
        folder = new if new.exists() and complete(new) else old
        folder.rename(place)
        sync_folder(place.parent)
    except OSError as error:
        raise OutputError(
            f"a command was killed while it replaced {place}: {new} is to take its place, and cannot be renamed to it "
            f"({error.strerror or error}); rename it yourself"
        ) from error
    return folder.name


@contextmanager
def filled_folder(folder: Path, remove: Callable[[Path], object] = shutil.rmtree) -> Iterator[Path]:
    """A hidden folder to fill, which takes a place at its end, and that of what stands there; on failure it is removed.

    Parameters
    ----------
    folder
        Where to; behind a link, the folder that it leads to. Folders above it are made.
    remove
        How what stands there is removed.

    Raises
    ------
    OutputError
        If the disk refuses.

    """
    place = Path(os.path.realpath(folder))
    half = unused(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        half.mkdir()
        yield half
        sync_folder(half)
        swap(half, place, remove)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}; free some space") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(half)
