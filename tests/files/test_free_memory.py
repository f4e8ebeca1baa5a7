"""How much memory is free: the least of what the machine, the system and the container leave."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from likely.files import room

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
