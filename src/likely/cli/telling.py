"""Lines of ours on standard error, of which several processes that fail together print one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["among_several", "tell"]

_first: list[Callable[[], bool]] = []  # says whether this is the first of several processes that has something to tell


@contextlib.contextmanager
def among_several(first: Callable[[], bool]) -> Iterator[None]:
    """Within it this is one of several processes."""
    _first.append(first)
    try:
        yield
    finally:
        _first.clear()


def tell(text: str) -> None:
    """Print why a command ends early, in one line on standard error, where that is open."""
    from likely.errors import visible

    if _first and not _first[-1]():
        return
    with contextlib.suppress(OSError):
        print(f"likely: {visible(text)}", file=sys.__stderr__ if _first else sys.stderr)
