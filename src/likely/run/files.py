"""Writing whole files or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from likely.errors import OutputError

__all__ = ["claim", "fresh", "write"]


def write(path: Path, content: bytes | str) -> None:
    """Write a file whole: beside its place first, then renamed into it.

    Raises
    ------
    OutputError
        If the disk refuses; nothing is left behind.

    """
    data = content.encode() if isinstance(content, str) else content
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another place"
        ) from error


def fresh(path: Path, *, overwrite: bool) -> None:
    """Refuse an existing output unless it may be replaced.

    Raises
    ------
    OutputError
        If it exists and `overwrite` is false.

    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; choose another name or add --overwrite")


def _replaceable(directory: Path) -> bool:
    """Whether it is an empty folder, or one that a fit made."""
    if not directory.is_dir():
        return False
    return not any(directory.iterdir()) or all((directory / name).exists() for name in ("config.json", "schema.json"))


@contextmanager
def claim(directory: Path, *, overwrite: bool) -> Iterator[Path]:
    """A new directory for a run; on failure it is removed and what stood there before is put back.

    Raises
    ------
    OutputError
        If the directory exists and may not be replaced, or holds something that is not a run.

    """
    fresh(directory, overwrite=overwrite)
    if directory.exists() and not _replaceable(directory):
        raise OutputError(f"{directory} is not a run directory, so it is not overwritten; choose another name")
    aside = directory.with_name(f".{directory.name}.replaced-{os.getpid()}")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        if directory.exists():
            directory.replace(aside)
        directory.mkdir()
    except OSError as error:
        if aside.exists() and not directory.exists():
            aside.replace(directory)
        raise OutputError(f"cannot make {directory}: {error.strerror or error}") from error
    try:
        yield directory
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        if aside.exists():
            aside.replace(directory)
        raise
    shutil.rmtree(aside, ignore_errors=True)
