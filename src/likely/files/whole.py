"""One file, written whole."""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from likely.errors import OutputError

__all__ = ["half_written", "sync_folder", "unused", "write"]

HALF = ".likely-"


def write(path: Path, content: bytes | str, *, parents: bool = False, last: bool = True) -> None:
    """Write a file whole: under a hidden name beside its place, then renamed.

    Behind a link the file that it leads to is written. A new file has the mode that the umask leaves; one that is
    replaced keeps its own.

    Parameters
    ----------
    path, content
        Where to, and what.
    parents
        Whether folders above it are made.
    last
        Whether the disk is to keep the names in the folder now, through a power cut: of several files once is enough.

    Raises
    ------
    OutputError
        If the disk refuses, or the folder is gone; nothing is left behind.

    """
    data = content.encode() if isinstance(content, str) else content
    place = Path(os.path.realpath(path))
    half = unused(place)
    try:
        if parents:
            place.parent.mkdir(parents=True, exist_ok=True)
        with half.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            half.chmod(stat.S_IMODE(place.stat().st_mode))
        half.replace(place)
        if last:
            sync_folder(place.parent)
    except BaseException as error:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}; free some space or choose another place"
            ) from error
        raise


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names in a folder as they are now, through a power cut, where it can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def unused(place: Path) -> Path:
    """A hidden name beside a place that nothing has yet."""
    return place.with_name(f"{HALF}{secrets.token_hex(4)}")


def half_written(name: str) -> bool:
    """Whether a file or folder of this name is what a kill left of one that `write` or `filled_folder` had begun."""
    return re.fullmatch(rf"{re.escape(HALF)}[0-9a-f]{{8}}", name) is not None
