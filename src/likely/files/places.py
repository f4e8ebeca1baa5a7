"""Whether a place may be written to."""

from __future__ import annotations

import os
from pathlib import Path

from likely.errors import OutputError, quoted

__all__ = ["contains", "refuse_existing", "refuse_unwritable", "same_place", "seen_to_exist"]


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists, unless it may be replaced; devices, pipes and links that lead nowhere never are.

    Raises
    ------
    OutputError
        If it exists and `overwrite` is false, or is no file or folder, or cannot be looked at.

    """
    try:
        if path.exists():
            if not path.is_file() and not path.is_dir():
                raise OutputError(f"{path} is neither a file nor a folder, so nothing is written to it; name another")
            if not overwrite:
                raise OutputError(f"{path} exists already; choose another name or add --overwrite")
        elif path.is_symlink():
            raise OutputError(
                f"{path} is a link to {path.readlink()}, which does not exist; remove it or choose another name"
            )
    except OSError as error:
        raise OutputError(f"cannot write {quoted(str(path))}: {error.strerror or error}") from error


def refuse_unwritable(path: Path) -> None:
    """Refuse a place at which nothing can be made.

    Raises
    ------
    OutputError
        If what stands nearest above it is no folder that may be written to.

    """
    try:
        above = next(parent for parent in Path(os.path.realpath(path)).parents if parent.exists())
        writable = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    except OSError as error:
        raise OutputError(f"cannot make {quoted(str(path))}: {error.strerror or error}") from error
    if not writable:
        raise OutputError(f"cannot make {path}: {above} is no folder that you may write to; choose another place")


def seen_to_exist(place: Path) -> bool:
    """Whether a file or folder exists; none does where `exists` fails, as for a name that the disk cannot hold."""
    try:
        return place.exists()
    except OSError:
        return False


def contains(folder: Path, place: Path) -> bool:
    """Whether a file or folder is this folder or lies below it, by whatever name or link."""
    place = Path(os.path.realpath(place))
    return any(above.exists() and above.samefile(folder) for above in (place, *place.parents))


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder that exists."""
    return one.exists() and other.exists() and one.samefile(other)
