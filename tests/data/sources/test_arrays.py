from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from likely.data import sources
from likely.errors import DataError


def grid(rows: int = 6) -> np.ndarray:
    return np.arange(rows * 12, dtype=np.float32).reshape(rows, 3, 4) / 8


def test_npy_and_arrays_and_tensors_are_read_as_they_are(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", grid())
    for data in (tmp_path / "x.npy", str(tmp_path / "x.npy"), grid(), torch.from_numpy(grid())):
        source = sources.open_source(data)
        assert source.form == "array"
        values = source.splits["all"].values
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, grid())


def test_a_vector_becomes_a_column() -> None:
    assert sources.open_source(np.arange(5)).splits["all"].values.shape == (5, 1)


def test_a_tensor_that_takes_gradients_is_read() -> None:
    tensor = torch.ones(4, 2, requires_grad=True)
    assert sources.open_source(tensor).splits["all"].values.shape == (4, 2)


@pytest.mark.parametrize("name", ["X", "x", "data", "images"])
def test_npz_data_and_labels_are_found_by_name(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **{name: grid(), "labels": np.arange(6)})
    rows = sources.open_source(tmp_path / "d.npz").splits["all"]
    np.testing.assert_array_equal(rows.values, grid())
    assert rows.labels is not None
    np.testing.assert_array_equal(rows.labels, np.arange(6))


def test_npz_splits_are_found_by_suffix(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz",
        x_train=grid(6), y_train=np.arange(6), x_val=grid(2), y_val=np.arange(2), x_test=grid(3), y_test=np.arange(3),
    )  # fmt: skip
    splits = sources.open_source(tmp_path / "d.npz").splits
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 6, "val": 2, "test": 3}
    assert all(rows.labels is not None and len(rows.labels) == len(rows) for rows in splits.values())


def test_one_array_of_any_name_is_the_data(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", weather=grid())
    np.testing.assert_array_equal(sources.open_source(tmp_path / "d.npz").splits["all"].values, grid())


def test_an_array_is_picked_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", a=grid(), b=grid(3))
    with pytest.raises(DataError, match=r"a \(6, 3, 4\), b \(3, 3, 4\)"):
        sources.open_source(tmp_path / "d.npz")
    assert len(sources.open_source(f"{tmp_path / 'd.npz'}:b").splits["all"]) == 3
    with pytest.raises(DataError, match="no array 'c'"):
        sources.open_source(f"{tmp_path / 'd.npz'}:c")
    with pytest.raises(DataError, match="no such file"):
        sources.open_source(f"{tmp_path / 'e.npz'}:c")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a", "b"]), "dtype"),
        (np.ones(3) * 1j, "dtype complex128"),
        (np.array(3.0), "single number"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "dtype"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(array: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    np.savez(tmp_path / "x.npz", x=array)
    for data in (array, tmp_path / "x.npy", tmp_path / "x.npz"):
        with pytest.raises(DataError, match=message):
            sources.open_source(data)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_truncated_files_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    np.save(path, grid()) if suffix == ".npy" else np.savez(path, x=grid())
    whole = path.read_bytes()
    for keep in (3, 20, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:keep])
        with pytest.raises(DataError, match="truncated"):
            sources.open_source(path)


def test_files_with_the_other_suffix_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", grid())
    np.savez(tmp_path / "y.npz", x=grid())
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    (tmp_path / "y.npz").rename(tmp_path / "y.npy")
    for name in ("x.npz", "y.npy"):
        with pytest.raises(DataError, match="cannot be read as"):
            sources.open_source(tmp_path / name)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=np.array([{}, []], dtype=object))
    for name in ("x.npy", "x.npz"):
        with pytest.raises(DataError, match="holding objects"):
            sources.open_source(tmp_path / name)


def test_labels_must_be_as_many_as_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=grid(), y=np.arange(5))
    with pytest.raises(DataError, match="6 rows of data but labels"):
        sources.open_source(tmp_path / "d.npz")


def test_other_things_are_refused() -> None:
    with pytest.raises(DataError, match="got list"):
        sources.open_source([[1, 2], [3, 4]])
