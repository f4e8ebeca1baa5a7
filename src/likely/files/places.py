"""Whether a place may be written to."""

from __future__ import annotations

import os
from pathlib import Path

from likely.errors import OutputError

__all__ = ["contains", "refuse_existing", "refuse_unwritable", "same_place"]


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists, unless it may be replaced.

    Raises
    ------
    OutputError
        If it exists and `overwrite` is false.

    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; choose another name or add --overwrite")


def refuse_unwritable(path: Path) -> None:
    """Refuse a place at which no folder can be made.

    Raises
    ------
    OutputError
        If what stands nearest above it is no folder that may be written to.

    """
    above = next(parent for parent in Path(os.path.realpath(path)).parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"cannot make {path}: {above} is no folder that you may write to; choose another place")


def contains(folder: Path, place: Path) -> bool:
    """Whether a file or folder is this folder or lies below it, by whatever name or link."""
    place = Path(os.path.realpath(place))
    return any(above.exists() and above.samefile(folder) for above in (place, *place.parents))


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder that exists."""
    return one.exists() and other.exists() and one.samefile(other)
