"""Zip and tar files of folders are read as the folders; harmful ones are refused."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likely.data.sources import open_source, packed
from likely.data.split import digest
from likely.errors import DataError


def put(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, in an enclosing folder."""
    for i in range(6):
        put(tmp_path / "outer" / "pets" / ("cat", "dog")[i % 2] / f"{i}.png", i)
    (tmp_path / "outer" / "pets" / "readme.md").write_text("pets")
    return tmp_path / "outer"


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_an_archive_is_read_as_its_folder(kind: str, folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "pets"), kind, folder))
    given, found = open_source(folder), open_source(path)
    rows, own = given.splits["all"], found.splits["all"]
    np.testing.assert_array_equal(own.values, rows.values)
    assert rows.labels is not None
    assert own.labels is not None
    assert own.labels.tolist() == rows.labels.tolist() == ["cat", "cat", "cat", "dog", "dog", "dog"]
    assert found.notices == given.notices
    assert found.form == "images"
    assert found.path == path
    assert digest(found, labels=["label"]) == digest(given, labels=["label"])


def test_what_is_hidden_is_left_out(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "pets"), "zip", folder))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/pets/cat/._0.png", b"?")
        archive.writestr("pets/.DS_Store", b"?")
    assert len(open_source(path).splits["all"]) == 6


def test_one_table_in_an_archive_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t/t.csv", "a,b\n1,2\n3,4\n")
    assert open_source(tmp_path / "t.zip").splits["all"].values.shape == (2, 2)


def test_a_damaged_picture_is_named_by_its_archive(folder: Path, tmp_path: Path) -> None:
    (folder / "pets" / "cat" / "0.png").write_bytes(b"no picture")
    path = Path(shutil.make_archive(str(tmp_path / "pets"), "zip", folder))
    with pytest.raises(DataError, match=r"^picture \S+/pets\.zip/pets/cat/0\.png cannot be read"):
        open_source(path)


def tar_of(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


def zip_of(path: Path, name: str, mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, b"x")
    return path


@pytest.mark.parametrize("name", ["../out.png", "a/../../out.png", "/out.png", "..\\out.png", "C:\\out.png"])
def test_paths_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    for path in (tar_of(tmp_path / "t.tar.gz", tarfile.TarInfo(name), b"x"), zip_of(tmp_path / "t.zip", name)):
        with pytest.raises(DataError, match="a path that leads out of it"):
            open_source(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["t.tar.gz", "t.zip"]
    assert not (tmp_path.parent / "out.png").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo("a/passwd")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match=r"holds 'a/passwd', which is a link or a device"):
        open_source(tar_of(tmp_path / "t.tgz", member))
    with pytest.raises(DataError, match=r"holds 'a/passwd', which is a link or a device"):
        open_source(zip_of(tmp_path / "t.zip", "a/passwd", stat.S_IFLNK))


def test_absurd_sizes_are_refused_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(packed, "MIN_LIMIT", 10_000)
    zeros = b"\0" * 5_000_000
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/bomb.bmp", zeros)
    for path in (tmp_path / "t.zip", tar_of(tmp_path / "t.tar.gz", tarfile.TarInfo("a/bomb.bmp"), zeros)):
        with pytest.raises(DataError, match=r"unpacks to more than .* GiB, which is refused; unpack it yourself"):
            open_source(path)
    assert list(scratch.iterdir()) == []


def test_damaged_encrypted_and_doubled_members_are_refused(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "pets"), "gztar", folder))
    (tmp_path / "cut.tar.gz").write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be unpacked"):
        open_source(tmp_path / "cut.tar.gz")
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a.png"), io.BytesIO())
    with pytest.raises(DataError, match=r"holds 'a\.png' twice"):
        open_source(tmp_path / "twice.tar")
    locked = bytearray(zip_of(tmp_path / "locked.zip", "a.png").read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[locked.index(mark) + offset] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(DataError, match=r"cannot be unpacked.*encrypted"):
        open_source(tmp_path / "locked.zip")


def test_enclosing_folders_are_no_level(tmp_path: Path) -> None:
    def labels(root: str) -> dict[str, list[str] | None]:
        found = open_source(tmp_path / root).splits
        return {name: None if rows.labels is None else rows.labels.tolist() for name, rows in found.items()}

    for root in ("a/x/y", "b/only", "c"):
        put(tmp_path / root / "cat" / "0.png", 0)
        put(tmp_path / root / "dog" / "0.png", 1)
    assert labels("a") == labels("b") == labels("c") == {"all": ["cat", "dog"]}
    put(tmp_path / "d" / "data" / "train" / "cat" / "0.png", 0)
    put(tmp_path / "d" / "data" / "train" / "dog" / "0.png", 0)
    assert labels("d") == {"train": ["cat", "dog"]}
    put(tmp_path / "e" / "cat" / "0.png", 0)
    assert labels("e") == {"all": ["cat"]}
    put(tmp_path / "f" / "pics" / "cat" / "0.png", 0)
    assert labels("f") == {"all": ["cat"]}


def test_nothing_is_written_beside_an_archive(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "pets"), "zip", folder))
    before = sorted(tmp_path.iterdir())
    open_source(path)
    assert sorted(tmp_path.iterdir()) == before
