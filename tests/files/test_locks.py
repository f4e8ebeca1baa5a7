"""A folder that is being filled belongs to one process; a dead one's is free again."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from likely.errors import OutputError
from likely.files import LOCK, demand_own_lock, demand_unowned, locked_by_us, release_lock, take_lock


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives as long as the test."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


def owned(folder: Path, **changed: object) -> None:
    """A lock as this process writes it, but for some fields."""
    take_lock(folder)
    lock = folder / LOCK
    lock.write_text(json.dumps({**json.loads(lock.read_text()), **changed}))


def test_a_folder_that_is_held_is_refused_to_all_until_it_is_released(tmp_path: Path) -> None:
    take_lock(tmp_path)
    assert {"host", "namespace", "pid", "started"} == json.loads((tmp_path / LOCK).read_text()).keys()
    demand_own_lock(tmp_path)
    with pytest.raises(OutputError, match=f"belongs to process {os.getpid()}, which still runs"):
        take_lock(tmp_path)
    release_lock(tmp_path)
    assert not list(tmp_path.iterdir())
    take_lock(tmp_path)


def test_a_process_that_lives_owns_what_it_took(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    owned(tmp_path, pid=other.pid, started=started(other.pid))
    with pytest.raises(OutputError, match=f"belongs to process {other.pid}, which still runs"):
        demand_unowned(tmp_path)
    release_lock(tmp_path)
    assert (tmp_path / LOCK).exists()


def started(pid: int) -> str:
    from likely.files.locks import _started

    return str(_started(pid))


def test_another_process_with_the_same_number_owns_nothing(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    for pid in (other.pid, os.getpid()):
        owned(tmp_path, pid=pid, started="an earlier boot:17")
        demand_unowned(tmp_path)
        take_lock(tmp_path)
        assert locked_by_us(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == [LOCK]
        release_lock(tmp_path)


def test_the_dead_own_nothing_whether_or_not_they_were_waited_for(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owned(tmp_path, pid=process.pid, started=started(process.pid))
    process.kill()
    while started(process.pid) not in ("ended", "None"):
        time.sleep(0.01)
    demand_unowned(tmp_path)
    process.communicate()
    demand_unowned(tmp_path)


def test_a_disk_that_does_not_answer_at_the_moment_takes_no_folder_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_lock(tmp_path)
    for number, kept in ((errno.EIO, True), (errno.EMFILE, True), (errno.ESTALE, False), (errno.ENOENT, False)):
        failing = OSError(number, os.strerror(number))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", lambda *_, failing=failing: (_ for _ in ()).throw(failing))
            assert locked_by_us(tmp_path) == kept


def test_what_another_container_holds_is_refused_with_how_to_free_it(tmp_path: Path) -> None:
    boot = started(os.getpid()).partition(":")[0]
    for begun in (f"{boot}:17", None):
        owned(tmp_path, namespace="pid:[17]", pid=2**22 + 1, started=begun)
        with pytest.raises(
            OutputError, match=r"process \d+ of another container.* if it no longer runs, remove .*lock"
        ):
            take_lock(tmp_path)
        (tmp_path / LOCK).unlink()
    owned(tmp_path, namespace="pid:[17]", started="an earlier boot:17")
    take_lock(tmp_path)
    release_lock(tmp_path)
    owned(tmp_path, namespace=None, pid=2**22 + 1)
    take_lock(tmp_path)
    release_lock(tmp_path)


def test_what_another_host_holds_is_refused_with_how_to_free_it(tmp_path: Path) -> None:
    owned(tmp_path, host="elsewhere")
    with pytest.raises(OutputError, match=r"on host elsewhere, which this one cannot see; .* remove .*lock.json"):
        demand_unowned(tmp_path)


def test_a_lock_that_is_empty_is_being_written_or_was_left_by_a_kill(tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    with pytest.raises(OutputError, match="is being taken by another process"):
        demand_unowned(tmp_path)
    os.utime(tmp_path / LOCK, (0, 0))
    take_lock(tmp_path)
    demand_own_lock(tmp_path)


def test_what_is_removed_or_replaced_is_not_held(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    take_lock(folder)
    folder.rename(tmp_path / "away")
    with pytest.raises(OutputError, match="was removed or replaced while it was being filled"):
        demand_own_lock(folder)


def test_a_kill_while_it_is_taken_leaves_no_lock_without_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", killed)
        with pytest.raises(KeyboardInterrupt):
            take_lock(tmp_path)
    assert not list(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no hard links here")))
        take_lock(tmp_path)
    assert locked_by_us(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [LOCK]
