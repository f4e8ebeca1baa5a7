from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from likely.errors import OutputError
from likely.files import (
    contains,
    copied_folder,
    filled_folder,
    refuse_existing,
    refuse_unwritable,
    replaced_folder,
    same_place,
    write,
)

FOLDERS: dict[str, Callable[[Path], AbstractContextManager[Path]]] = {
    "replaced": replaced_folder,
    "copied": lambda folder: copied_folder(folder, without=("old",)),
    "filled": filled_folder,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    (made / "kept").write_text("kept")
    (made / "old").write_text("old")
    return made


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_file_is_written_whole_and_folders_are_made(tmp_path: Path) -> None:
    write(tmp_path / "new" / "file", "text")
    write(tmp_path / "new" / "file", b"bytes")
    assert contents(tmp_path) == {"new/file": "bytes"}
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "file", "before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*file: No space left on device; free some space"):
        write(tmp_path / "file", "after")
    assert contents(tmp_path) == {"file": "before"}


@pytest.mark.parametrize(
    ("how", "after"),
    [
        ("replaced", {"folder/new": "new"}),
        ("copied", {"folder/new": "new", "folder/kept": "kept"}),
        ("filled", {"folder/new": "new"}),
    ],
)
def test_a_folder_takes_its_place_whole(how: str, after: dict[str, str], folder: Path) -> None:
    with FOLDERS[how](folder) as inside:
        (inside / "new").write_text("new")
    assert contents(folder.parent) == after
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("how", FOLDERS)
def test_a_folder_that_fails_leaves_what_was_there(how: str, folder: Path) -> None:
    before = contents(folder.parent)

    def fail() -> None:
        with FOLDERS[how](folder) as inside:
            (inside / "new").write_text("new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert contents(folder.parent) == before
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_below_a_file_is_refused(folder: Path) -> None:
    for how in (replaced_folder, filled_folder):
        with pytest.raises(OutputError, match="cannot"), how(folder / "kept" / "below"):
            pytest.fail("it was made")
    with pytest.raises(OutputError, match="is no folder that you may write to"):
        refuse_unwritable(folder / "kept" / "below")
    refuse_unwritable(folder / "new" / "below")


def test_places(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert same_place(folder, link)
    assert not same_place(folder, folder / "kept")
    assert contains(folder, link / "kept")
    assert contains(folder, link)
    assert not contains(folder / "kept", folder)
    with pytest.raises(OutputError, match="exists already"):
        refuse_existing(folder, overwrite=False)
    refuse_existing(folder, overwrite=True)
    refuse_existing(folder / "new", overwrite=False)
