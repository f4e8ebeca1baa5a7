"""One file, written whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from likely.errors import OutputError

__all__ = ["write"]


def write(path: Path, content: bytes | str) -> None:
    """Write a file whole: under a hidden name beside its place, then renamed; folders above it are made.

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
