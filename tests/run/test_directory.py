"""What lies beside a run and in it, before either is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from likely.errors import OutputError
from likely.files import new_beside, release_lock, take_lock
from likely.run.directory import demand_run_copy, leftovers_notice, new_run_folder


def test_what_a_living_process_writes_beside_a_run_is_no_leftover(tmp_path: Path) -> None:
    new = new_beside(tmp_path / "run")
    new.mkdir()
    assert f"what it wrote lies in {new}" in leftovers_notice(tmp_path / "run")
    take_lock(new)
    assert leftovers_notice(tmp_path / "run") == ""
    release_lock(new)
    assert leftovers_notice(tmp_path / "run")


def test_only_what_a_copy_would_lose_is_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    demand_run_copy(tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds 'checkpoints/notes\.txt', which likely did not write"):
        demand_run_copy(tmp_path / "run")


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_folder_is_filled_and_is_empty_again_after_a_failure(tmp_path: Path, exists: bool) -> None:
    place = tmp_path / "above" / "run"
    if exists:
        place.mkdir(parents=True)

    def fail() -> None:
        with new_run_folder(place, overwrite=False) as folder:
            assert folder == place
            (folder / "config.json").write_text("{}")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert place.exists() == exists
    assert not exists or not list(place.iterdir())
