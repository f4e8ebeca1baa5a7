"""Versions of what numbers depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version

__all__ = ["versions"]


def versions() -> dict[str, str]:
    """The versions of `likely`, torch, numpy and Python, on which numbers depend."""
    versions_of = {name: version(name) for name in ("likely", "torch", "numpy")}
    return {**versions_of, "python": platform.python_version()}
