"""How much memory files may fill, asked before it is filled."""

from __future__ import annotations

import os
from pathlib import Path

from likely.errors import ConfigError, DataError, InputError

__all__ = ["MAX_BYTES", "default_bytes", "demand_room", "gib", "most_bytes", "no_room"]

MAX_BYTES = "LIKELY_MAX_BYTES"
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def most_bytes() -> int:
    """The most bytes that one thing may fill: `LIKELY_MAX_BYTES`, or half of the memory that is free.

    Raises
    ------
    ConfigError
        If `LIKELY_MAX_BYTES` is no whole number.

    """
    text = os.environ.get(MAX_BYTES, "").strip()
    if not text:
        return _free() // 2
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ConfigError(f"{MAX_BYTES} must be a whole number of bytes, such as 4000000000; got {text[:40]!r}")
    return int(text)


def default_bytes() -> int:
    """The most bytes that the rows of one source may fill: a third of the memory that is free."""
    return most_bytes() * 2 // 3


def demand_room(needed: int, what: str, cure: str, error: type[InputError] = DataError) -> None:
    """Refuse what would fill more memory than it may, before it does.

    Parameters
    ----------
    needed
        Bytes.
    what, cure
        What would fill them, and what to do instead, for the message.
    error
        What is raised.

    Raises
    ------
    InputError
        If it is more than `most_bytes()`.

    """
    most = most_bytes()
    if needed > most:
        raise error(f"{what} would fill {gib(needed)} of memory: {no_room(most)}; {cure}")


def no_room(most: int) -> str:
    """What the bound is, for messages."""
    if os.environ.get(MAX_BYTES):
        return f"more than the {gib(most)} of {MAX_BYTES}"
    return f"more than {gib(most)}, half of what is free ({MAX_BYTES} sets another bound)"


def gib(count: int) -> str:
    """A number of bytes, in GiB or MiB."""
    return f"{count / 2**30:.3g} GiB" if count >= 2**30 else f"{count / 2**20:.3g} MiB"


def _memory() -> int | None:
    """Bytes of memory that this process may have; `None` where the system does not say."""
    try:
        have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    limit = _number(CGROUP / "memory.max")
    return have if limit is None else min(have, limit)


def _free() -> int:
    """Bytes of memory that are free, or can be made so; where the system does not say, all that an address reaches."""
    have = _memory()
    available = [line.split() for line in _lines(MEMINFO) if line.startswith("MemAvailable:")]
    free = [] if have is None else [have]
    free += [1024 * int(words[1]) for words in available]
    limit, taken = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    if limit is not None and taken is not None:
        cached = [int(line.split()[1]) for line in _lines(CGROUP / "memory.stat") if line.startswith("inactive_file ")]
        free.append(max(0, limit - taken + sum(cached)))
    return min(free, default=2**62)


def _number(path: Path) -> int | None:
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
