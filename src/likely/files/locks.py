"""Which process a folder belongs to while it is being filled."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from likely.errors import OutputError
from likely.files.whole import unused

__all__ = ["LOCK", "demand_own_lock", "demand_unowned", "locked_by_us", "release_lock", "take_lock"]

LOCK = "lock.json"
EMPTY_FOR = 10.0  # seconds after which a lock without content is what a kill left where there are no hard links


def take_lock(folder: Path) -> None:
    """Make a folder this process's own, by a file in it with host, container, process and when this started.

    Raises
    ------
    OutputError
        If it belongs to a process that lives, or may live on another host or in another container.
    OSError
        If the disk refuses.

    """
    demand_unowned(folder)
    lock = folder / LOCK
    if lock.exists():
        stale = unused(lock)
        with suppress(FileNotFoundError):  # another process takes it over at this moment, and the next line refuses
            lock.rename(stale)
            _demand_dead(folder, stale, back=lock)
            stale.unlink()
    half = unused(lock)
    half.write_text(json.dumps(_me()))
    try:
        _named(half, lock)
    except FileExistsError as error:
        raise OutputError(f"{folder} was taken by another process at this moment; choose another place") from error
    finally:
        half.unlink(missing_ok=True)


def _named(half: Path, lock: Path) -> None:
    """Give a written file its name, unless another has it; without hard links the other is empty for a moment."""
    try:
        os.link(half, lock)
    except FileExistsError:
        raise
    except OSError:
        with lock.open("x") as file:
            file.write(half.read_text())


def demand_unowned(folder: Path) -> None:
    """Refuse a folder that another process fills.

    Raises
    ------
    OutputError
        If that process lives, or may live on another host or in another container; it is named.

    """
    _demand_dead(folder, folder / LOCK)


def _demand_dead(folder: Path, lock: Path, back: Path | None = None) -> None:
    """Refuse a lock whose process lives; one that was moved away to be looked at goes back first."""
    try:
        _demand_dead_owner(folder, lock)
    except OutputError:
        if back is not None:
            with suppress(OSError):
                _named(lock, back)
            lock.unlink(missing_ok=True)
        raise


def _demand_dead_owner(folder: Path, lock: Path) -> None:
    try:
        age, content = time.time() - lock.stat().st_mtime, lock.read_text()
    except OSError:
        return
    try:
        owner = json.loads(content)
        host, pid, started = owner["host"], int(owner["pid"]), owner["started"]
    except (ValueError, KeyError, TypeError, OverflowError):
        if age < EMPTY_FOR:
            raise OutputError(f"{folder} is being taken by another process; choose another place") from None
        return
    if host != platform.node():
        raise OutputError(
            f"{folder} belongs to process {pid} on host {host}, which this one cannot see; if it no longer runs, "
            f"remove {lock}"
        )
    space, boot = owner.get("namespace"), str(started).partition(":")[0]
    if space is not None and space != _namespace() and boot in ("None", "", _boot()):
        raise OutputError(
            f"{folder} belongs to process {pid} of another container, which this one cannot see; if it no longer runs, "
            f"remove {lock}"
        )
    if _lives(pid, started):
        raise OutputError(f"{folder} belongs to process {pid}, which still runs; wait for it, or choose another place")


def locked_by_us(folder: Path) -> bool:
    """Whether a folder is this process's own; where the disk cannot say so at the moment, it is as it was."""
    try:
        return bool(json.loads((folder / LOCK).read_text()) == _me())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        return error.errno != errno.ESTALE


def demand_own_lock(folder: Path) -> None:
    """Refuse to go on in a folder that is no longer this process's.

    Raises
    ------
    OutputError
        If it was removed or replaced.

    """
    if not locked_by_us(folder):
        raise OutputError(f"{folder} was removed or replaced while it was being filled; nothing is stored there")


def release_lock(folder: Path) -> None:
    """Let go of a folder; one that another process has is left as it is."""
    if locked_by_us(folder):
        with suppress(OSError):
            (folder / LOCK).unlink()


def _me() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "namespace": _namespace(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def _namespace() -> str | None:
    """Which processes the numbers of processes are of, as containers have their own; `None` where there is one."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def _boot() -> str:
    """Of which start of the machine all processes are; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _lives(pid: int, started: object) -> bool:
    """Whether a process is there, and not another one with its number; what cannot be seen lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    now = _started(pid)
    return now is None or now == started


def _started(pid: int) -> str | None:
    """When a process started, as the system counts it; `None` where it does not tell, `ended` of a zombie."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return "ended" if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
    try:
        answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
