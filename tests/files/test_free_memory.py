"""How much memory is free: the least of what the machine, the system and the container leave."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest

from likely.errors import DataError
from likely.files import room
from likely.files.reading import Counted, inflated

PAGE, GIB = 4096, 2**30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 8 GiB, of which the system can give 6."""
    monkeypatch.delenv(room.MAX_BYTES, raising=False)
    monkeypatch.setattr(room, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(room, "CGROUP", tmp_path)
    numbers = {"SC_PAGE_SIZE": PAGE, "SC_PHYS_PAGES": 8 * GIB // PAGE}
    monkeypatch.setattr(os, "sysconf", numbers.__getitem__)
    (tmp_path / "meminfo").write_text(f"MemTotal: {8 * 2**20} kB\nMemAvailable: {6 * 2**20} kB\n")
    return tmp_path


def test_half_of_what_the_system_can_give(system: Path) -> None:
    assert room.most_bytes() == 3 * GIB
    (system / "meminfo").unlink()
    assert room.most_bytes() == 4 * GIB


def test_a_container_leaves_what_it_has_not_taken_but_for_its_cache(system: Path) -> None:
    (system / "memory.max").write_text(f"{4 * GIB}\n")
    (system / "memory.current").write_text(f"{3 * GIB}\n")
    assert room.most_bytes() == GIB // 2
    (system / "memory.stat").write_text(f"active_file {GIB}\ninactive_file {GIB}\n")
    assert room.most_bytes() == GIB
    (system / "memory.max").write_text("max\n")
    assert room.most_bytes() == 3 * GIB


def test_the_variable_goes_before(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(room.MAX_BYTES, "12345")
    assert room.most_bytes() == 12345
    assert (system / "meminfo").exists()


def test_where_nothing_is_told_all_that_an_address_reaches(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (system / "meminfo").unlink()
    monkeypatch.delattr(os, "sysconf")
    assert room.most_bytes() == 2**61


def test_a_file_that_fills_just_what_it_may_is_read(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (system / "plain").write_bytes(b"12345")
    (system / "packed").write_bytes(gzip.compress(b"1" * 100, mtime=0))
    monkeypatch.setenv(room.MAX_BYTES, "5")
    assert inflated(system / "plain") == b"12345"
    with pytest.raises(DataError, match="would fill"):
        inflated(system / "plain", 2)
    monkeypatch.setenv(room.MAX_BYTES, "100")
    assert inflated(system / "packed") == b"1" * 100
    monkeypatch.setenv(room.MAX_BYTES, "99")
    with pytest.raises(DataError, match="unpacks to more"):
        inflated(system / "packed")


def test_a_counted_stream_gives_what_it_may_and_no_more() -> None:
    stream = Counted(io.BytesIO(b"12345"), 3, "too much")
    assert stream.read(2) + stream.read(1) == b"123"
    with pytest.raises(DataError, match="too much"):
        stream.read(1)
