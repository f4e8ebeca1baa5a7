"""What zip files hold, by name."""

from __future__ import annotations

import zipfile
from pathlib import Path

__all__ = ["names_in"]


def names_in(path: Path) -> list[str]:
    """The names of the files in a zip file; none where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception:  # a damaged file makes zipfile raise almost anything
        return []
