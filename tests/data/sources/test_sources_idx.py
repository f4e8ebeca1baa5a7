from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from likely.data.sources import open_source
from likely.errors import DataError


def put(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    code = {"u1": 0x08, "f4": 0x0D}[array.dtype.str[1:]]
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(bytes([0, 0, code, array.ndim]) + shape + array.astype(array.dtype.newbyteorder(">")).tobytes())


def pictures(rows: int, height: int = 4) -> np.ndarray:
    return np.arange(rows * height * 3, dtype=np.uint8).reshape(rows, height, 3)


@pytest.mark.parametrize(
    "name", ["emnist-letters-{}-images-idx3-ubyte", "{}.images.idx3-ubyte", "{}_images-idx3-ubyte"]
)
def test_the_split_is_found_anywhere_in_the_name(name: str, tmp_path: Path) -> None:
    for split, rows in (("train", 3), ("val", 2), ("test", 1)):
        put(tmp_path / name.format(split), pictures(rows))
    splits = open_source(tmp_path).splits
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 3, "val": 2, "test": 1}
    assert all(rows.labels is None for rows in splits.values())


def test_labels_are_the_integers_of_the_file(tmp_path: Path) -> None:
    put(tmp_path / "train-images-idx3-ubyte", pictures(3))
    put(tmp_path / "train-labels-idx1-ubyte", np.array([7, 0, 9], np.uint8))
    labels = open_source(tmp_path).splits["train"].labels
    assert labels is not None
    assert labels.dtype == np.uint8
    assert labels.tolist() == [7, 0, 9]


def test_rows_that_are_not_bytes_are_no_pictures(tmp_path: Path) -> None:
    put(tmp_path / "train-images-idx3-ubyte", pictures(3).astype(np.float32))
    assert open_source(tmp_path).form == "array"


def test_labels_without_their_pictures_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "train-images-idx3-ubyte", pictures(3))
    put(tmp_path / "t10k-labels-idx1-ubyte", np.array([1], np.uint8))
    with pytest.raises(DataError, match="the labels t10k-labels-idx1-ubyte without the data"):
        open_source(tmp_path)


def test_an_empty_file_is_not_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "train-images-idx3-ubyte", pictures(3))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte is empty"):
        open_source(tmp_path)


def test_a_file_outside_the_splits_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "train-images-idx3-ubyte", pictures(3))
    put(tmp_path / "more-images-idx3-ubyte", pictures(3))
    with pytest.raises(DataError, match="more-images-idx3-ubyte, which no split is named in"):
        open_source(tmp_path)


def test_splits_of_different_sizes_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "train-images-idx3-ubyte", pictures(3))
    put(tmp_path / "t10k-images-idx3-ubyte", pictures(3, height=5))
    with pytest.raises(DataError, match=r"train \(4, 3\)"):
        open_source(tmp_path)


def test_other_files_are_left_out_and_counted(tmp_path: Path) -> None:
    put(tmp_path / "train-images-idx3-ubyte", pictures(3))
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".hidden").write_text("hello")
    assert open_source(tmp_path).notices == ("1 file(s) that are not IDX were left out",)


def test_a_file_only_named_like_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_text("<html>not found</html>")
    with pytest.raises(DataError, match="does not begin like one"):
        open_source(tmp_path / "train-images-idx3-ubyte")


def test_what_is_read_can_be_written_to(tmp_path: Path) -> None:
    put(tmp_path / "x-idx3-ubyte", pictures(3))
    values = open_source(tmp_path / "x-idx3-ubyte").splits["all"].values
    assert isinstance(values, np.ndarray)
    assert values.flags.writeable
