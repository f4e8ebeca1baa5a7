from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from likely.data import sources
from likely.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def packed(array: np.ndarray) -> bytes:
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def pictures(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).integers(0, 256, (rows, 4, 3), dtype=np.uint8)


def folder(path: Path, *, zipped: bool = False) -> Path:
    path.mkdir()
    for split, rows in (("train", 7), ("t10k", 4)):
        for name, array in (("images-idx3", pictures(rows)), ("labels-idx1", np.arange(rows, dtype=np.uint8))):
            content = packed(array)
            file = path / f"{split}-{name}-ubyte{'.gz' if zipped else ''}"
            file.write_bytes(gzip.compress(content) if zipped else content)
    return path


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_gives_splits_and_labels(zipped: bool, tmp_path: Path) -> None:
    source = sources.open_source(folder(tmp_path / "d", zipped=zipped))
    assert source.form == "images"
    assert {name: len(rows) for name, rows in source.splits.items()} == {"train": 7, "test": 4}
    for name, rows in (("train", 7), ("test", 4)):
        np.testing.assert_array_equal(source.splits[name].values, pictures(rows))
        np.testing.assert_array_equal(source.splits[name].labels, np.arange(rows))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", ["x-idx3-ubyte", "x.bin", "x.gz"])
def test_every_type_is_read_in_the_machines_byte_order(code: str, name: str, tmp_path: Path) -> None:
    array = (np.arange(24).reshape(2, 3, 4) - (0 if code == "u1" else 9)).astype(code)
    (tmp_path / name).write_bytes(gzip.compress(packed(array)) if name.endswith(".gz") else packed(array))
    source = sources.open_source(tmp_path / name)
    values = source.splits["all"].values
    assert isinstance(values, np.ndarray)
    assert values.dtype == array.dtype
    np.testing.assert_array_equal(values, array)
    assert source.form == ("images" if code == "u1" else "array")


def test_one_axis_becomes_a_column(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(packed(np.arange(5, dtype=np.uint8)))
    assert sources.open_source(tmp_path / "x").splits["all"].values.shape == (5, 1)


@pytest.mark.parametrize("keep", [6, 12, 16, 40, -1])
def test_truncated_files_are_refused(keep: int, tmp_path: Path) -> None:
    (tmp_path / "x-idx3-ubyte").write_bytes(packed(pictures(9))[:keep])
    with pytest.raises(DataError, match=r"x-idx3-ubyte is truncated"):
        sources.open_source(tmp_path / "x-idx3-ubyte")


@pytest.mark.parametrize("keep", [12, 40, -1])
def test_truncated_gzip_is_refused(keep: int, tmp_path: Path) -> None:
    (tmp_path / "x-idx3-ubyte.gz").write_bytes(gzip.compress(packed(pictures(9)))[:keep])
    with pytest.raises(DataError, match=r"x-idx3-ubyte\.gz is truncated"):
        sources.open_source(tmp_path / "x-idx3-ubyte.gz")


def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(packed(pictures(9)) + b"!")
    with pytest.raises(DataError, match="longer than its header says"):
        sources.open_source(tmp_path / "x")


def test_a_header_that_promises_the_earth_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + b"abc")
    with pytest.raises(DataError, match=r"is truncated|is longer"):
        sources.open_source(tmp_path / "x")


def test_no_axes_are_no_rows(tmp_path: Path) -> None:
    (tmp_path / "x-idx0-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\0\x07"))
    with pytest.raises(DataError, match="no axes"):
        sources.open_source(tmp_path / "x-idx0-ubyte.gz")


def test_labels_must_be_as_many_as_pictures(tmp_path: Path) -> None:
    path = folder(tmp_path / "d")
    (path / "t10k-labels-idx1-ubyte").write_bytes(packed(np.arange(5, dtype=np.uint8)))
    with pytest.raises(DataError, match="5 labels for the 4 rows"):
        sources.open_source(path)


def test_torchvision_keeps_files_beside_their_gz_copies_two_folders_down(tmp_path: Path) -> None:
    (tmp_path / "MNIST").mkdir()
    raw = folder(tmp_path / "MNIST" / "raw")
    for file in sorted(raw.iterdir()):
        (raw / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    for given in (tmp_path, tmp_path / "MNIST", raw):
        source = sources.open_source(given)
        assert {name: len(rows) for name, rows in source.splits.items()} == {"train": 7, "test": 4}
        np.testing.assert_array_equal(source.splits["train"].values, pictures(7))
        assert source.notices == ("4 .gz file(s) were left out, whose content lies beside them",)
    (tmp_path / "FashionMNIST").mkdir()
    folder(tmp_path / "FashionMNIST" / "raw")
    with pytest.raises(DataError, match=r"several folders of IDX files; give one: \S+FashionMNIST/raw, \S+/MNIST/raw"):
        sources.open_source(tmp_path)


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "d")
    (path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(packed(pictures(8))))
    with pytest.raises(DataError, match="holds both"):
        sources.open_source(path)


def test_labels_alone_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "d")
    for file in path.glob("*images*"):
        file.unlink()
    with pytest.raises(DataError, match="no IDX data"):
        sources.open_source(path)
