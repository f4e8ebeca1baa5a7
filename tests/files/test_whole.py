from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from likely.errors import OutputError
from likely.files import (
    contains,
    filled_folder,
    finish_swap,
    half_written,
    new_beside,
    old_beside,
    refuse_existing,
    refuse_unwritable,
    same_place,
    swap,
    write,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    (made / "kept").write_text("kept")
    (made / "old").write_text("old")
    return made


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_file_is_written_whole_and_folders_are_made_where_that_is_asked(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        write(tmp_path / "new" / "file", "text")
    assert not (tmp_path / "new").exists()
    write(tmp_path / "new" / "file", "text", parents=True)
    write(tmp_path / "new" / "file", b"bytes")
    assert contents(tmp_path) == {"new/file": "bytes"}


def test_a_new_file_has_the_mode_of_the_umask_and_a_replaced_one_keeps_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "file", "text")
        with filled_folder(tmp_path / "folder") as half:
            write(half / "file", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750
    (tmp_path / "file").chmod(0o604)
    write(tmp_path / "file", "after")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o604


def test_behind_a_link_the_file_that_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "file")
    with pytest.raises(OutputError, match=r"is a link to .*far/file, which does not exist"):
        refuse_existing(tmp_path / "link", overwrite=True)
    (tmp_path / "far" / "file").write_text("before")
    write(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "file").read_text() == "after"


def test_the_longest_name_that_the_disk_takes_is_written_and_a_longer_one_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / ("n" * 255), "text")
    for call in (lambda path: refuse_existing(path, overwrite=True), refuse_unwritable):
        with pytest.raises(OutputError, match="File name too long") as raised:
            call(tmp_path / ("n" * 5000) / "x")
        assert len(str(raised.value)) < 200


def test_devices_and_pipes_are_not_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe"):
        with pytest.raises(OutputError, match="neither a file nor a folder"):
            refuse_existing(path, overwrite=True)


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "file", "before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*file: No space left on device; free some space"):
        write(tmp_path / "file", "after")
    assert contents(tmp_path) == {"file": "before"}


def test_names_are_kept_through_a_power_cut_where_the_disk_can(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, list[Path]()

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        if synced[-1].is_dir():
            raise OSError(errno.EINVAL, "not on this disk")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "file", "content")
    assert synced[1:] == [tmp_path]
    write(tmp_path / "file", "more", last=False)
    assert len(synced) == 3
    with filled_folder(folder, synced.append) as half:
        (half / "new").write_text("new")
    assert synced[3:] == [half, folder.parent, folder.with_name(f".{folder.name}.old")]


def test_a_folder_takes_its_place_whole(folder: Path) -> None:
    with filled_folder(folder) as inside:
        assert half_written(inside.name)
        (inside / "new").write_text("new")
    assert contents(folder.parent) == {"folder/new": "new"}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_fails_leaves_what_was_there(folder: Path) -> None:
    before = contents(folder.parent)

    def fail() -> None:
        with filled_folder(folder) as inside:
            (inside / "new").write_text("new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert contents(folder.parent) == before
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("fails_at", [0, 1])
def test_a_swap_that_the_disk_refuses_leaves_what_was_there(
    fails_at: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, real, calls = folder.with_name("new"), Path.rename, list[Path]()
    new.mkdir()
    before = contents(folder)

    def rename(self: Path, other: Path) -> Path:
        calls.append(self)
        if len(calls) == fails_at + 1:
            raise PermissionError(13, "Permission denied")
        return real(self, other)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(PermissionError):
        swap(new, folder, lambda _: pytest.fail("it was removed"))
    assert contents(folder) == before
    assert new.exists()


def test_a_swap_that_was_cut_is_finished(folder: Path) -> None:
    assert finish_swap(folder, Path.exists) == ""
    new, old = new_beside(folder), old_beside(folder)
    new.mkdir()
    assert finish_swap(folder, Path.exists) == ""
    folder.rename(old)
    assert finish_swap(folder, Path.exists) == ".folder.new"
    assert contents(folder) == {}
    folder.rename(new)
    assert finish_swap(folder, lambda _: False) == ".folder.old"
    assert "kept" in contents(folder)


def test_a_folder_below_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(OutputError, match="cannot"), filled_folder(folder / "kept" / "below"):
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


def test_folders_above_a_filled_one_are_made(tmp_path: Path) -> None:
    with filled_folder(tmp_path / "a" / "b" / "c") as half:
        (half / "file").write_text("whole")
    assert (tmp_path / "a" / "b" / "c" / "file").read_text() == "whole"
