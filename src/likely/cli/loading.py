"""Runs from their directories, with what the user brings."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from likely.files import MAX_DOCUMENT_BYTES, parsed, read_regular

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["brought", "opened", "tell_factories"]

FACTORIES: ContextVar[tuple[str, ...]] = ContextVar("factories", default=())


def tell_factories(words: Sequence[str] | None) -> None:
    """Remember `--factory` words for the command that follows."""
    FACTORIES.set(tuple(words or ()))


def brought() -> dict[str, str]:
    """Role -> `module:callable`, as the user said."""
    from likely.cli.options import pairs

    return pairs(FACTORIES.get(), "--factory")


def opened(path: Path, device: str | None = None) -> Run:
    """A stored run, with those of the user's parts that it is made of."""
    import likely

    try:
        named = parsed(read_regular(path / "config.json", MAX_DOCUMENT_BYTES))["factories"]
    except (OSError, ValueError, TypeError, KeyError):
        named = {}
    mine = {role: part for role, part in brought().items() if isinstance(named, dict) and role in named}
    return likely.load(path, device=device, factories=mine or None)
