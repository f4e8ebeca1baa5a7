from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from likely.data.sources import open_source
from likely.errors import DataError


def grid(rows: int) -> np.ndarray:
    return np.arange(rows * 6, dtype=np.float32).reshape(rows, 2, 3)


def only(data: Any) -> np.ndarray:
    values = open_source(data).splits["all"].values
    assert isinstance(values, np.ndarray)
    return values


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "i8", "f2", "f4", "f8", ">f4", ">i4"])
def test_every_kind_of_number_is_kept_in_the_machines_byte_order(dtype: str, tmp_path: Path) -> None:
    array = (np.arange(6).reshape(3, 2) % 2).astype(dtype)
    np.save(tmp_path / "x.npy", array)
    for data in (array, tmp_path / "x.npy"):
        values = only(data)
        assert values.dtype == array.dtype.newbyteorder("=")
        assert values.dtype.isnative
        np.testing.assert_array_equal(values, array)


@pytest.mark.parametrize("kind", ["x_{}", "X_{}", "{}_images", "images_{}", "{}"])
def test_splits_are_found_in_front_and_behind(kind: str, tmp_path: Path) -> None:
    named: dict[str, Any] = {kind.format(split): grid(rows) for split, rows in (("train", 5), ("test", 2))}
    labels: dict[str, Any] = {"labels_train": np.arange(5), "y_test": np.arange(2)}
    np.savez(tmp_path / "d.npz", **named, **labels)
    splits = open_source(tmp_path / "d.npz").splits
    assert {name: rows.values.shape for name, rows in splits.items()} == {"train": (5, 2, 3), "test": (2, 2, 3)}
    for rows in splits.values():
        assert rows.labels is not None
        np.testing.assert_array_equal(rows.labels, np.arange(len(rows)))


def test_several_candidates_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=grid(2), images=grid(3))
    with pytest.raises(DataError, match=r"several.*x \(2, 2, 3\), images \(3, 2, 3\).*d\.npz:NAME"):
        open_source(tmp_path / "d.npz")


def test_two_arrays_for_one_split_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=grid(2), train_x=grid(3))
    with pytest.raises(DataError, match="has several"):
        open_source(tmp_path / "d.npz")


def test_an_archive_of_nothing_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz")
    with pytest.raises(DataError, match="has none; it holds no arrays"):
        open_source(tmp_path / "d.npz")


def test_what_has_one_value_a_row_comes_beside_the_array_by_its_name(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz", X=grid(2), depth=np.array([2.5, 3.0]), sex=np.array(["f", "m"]), sample_weight=np.ones(2)
    )
    source = open_source(tmp_path / "d.npz")
    beside = source.splits["all"].beside
    assert beside is not None
    assert beside.to_dict("list") == {"depth": [2.5, 3.0], "sex": ["f", "m"], "sample_weight": [1.0, 1.0]}
    assert source.notices == ()
    np.savez(
        tmp_path / "s.npz", x_train=grid(3), x_test=grid(2), age_train=np.arange(3), age_test=np.arange(2), age=[7]
    )
    parts = open_source(tmp_path / "s.npz").splits
    assert [list(rows.beside["age"]) for rows in parts.values() if rows.beside is not None] == [[0, 1, 2], [0, 1]]
    np.savez(tmp_path / "l.npz", x=grid(2), y=np.arange(2), target=np.arange(2) + 5)
    two = open_source(tmp_path / "l.npz").splits["all"].beside
    assert two is not None
    assert two.to_dict("list") == {"y": [0, 1], "target": [5, 6]}


def test_arrays_that_are_not_taken_are_noted(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", X=grid(2), y=np.arange(2), names=np.array(["a", "b", "c"]))
    assert open_source(tmp_path / "d.npz").notices == ("d.npz: arrays left out: names (3,)",)


def test_labels_of_one_column_are_flat_and_wider_ones_are_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=grid(3), y=np.array([[4], [5], [6]]))
    labels = open_source(tmp_path / "d.npz").splits["all"].labels
    assert labels is not None
    assert labels.tolist() == [4, 5, 6]
    np.savez(tmp_path / "d.npz", x=grid(3), y=np.eye(3))
    source = open_source(tmp_path / "d.npz")
    assert source.splits["all"].labels is None
    assert source.notices == ("d.npz: labels y of shape (3, 3) are not one a row and were left out",)


def test_objects_beside_the_data_do_not_matter(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", X=grid(2), meta=np.array([{}, None], dtype=object))
    assert only(tmp_path / "d.npz").shape == (2, 2, 3)
    with pytest.raises(DataError, match=r"d\.npz:meta cannot be read.*holding objects"):
        open_source(f"{tmp_path / 'd.npz'}:meta")


def test_splits_of_different_shapes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=grid(2), x_test=np.zeros((2, 4)))
    with pytest.raises(DataError, match=r"train \(2, 3\), test \(4,\)"):
        open_source(tmp_path / "d.npz")


def test_rows_without_cells_are_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(3, 0\).*at least one cell"):
        open_source(np.zeros((3, 0)))


def test_numbers_wider_than_64_bits_are_refused() -> None:
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("long doubles are doubles here")
    with pytest.raises(DataError, match="up to 64 bits"):
        open_source(np.zeros((3, 2), np.longdouble))


def test_a_header_cut_within_its_brackets_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", grid(2))
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole.replace(b"}", b" "))
    with pytest.raises(DataError, match=r"x\.npy cannot be read as npy"):
        open_source(tmp_path / "x.npy")


def test_masked_cells_are_missing_or_refused() -> None:
    mask = [[True, False], [False, False]]
    values = only(np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=mask))
    assert type(values) is np.ndarray
    np.testing.assert_array_equal(values, [[np.nan, 2.0], [3.0, 4.0]])
    with pytest.raises(DataError, match="masked cells"):
        open_source(np.ma.masked_array([[1, 2], [3, 4]], mask=mask))


def test_bfloat16_tensors_are_exact() -> None:
    tensor = torch.tensor([[1.0, 0.15625], [-3.0, 2.0**-100]], dtype=torch.bfloat16)
    values = only(tensor)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, tensor.double().numpy())


def test_parameters_are_tensors_and_complex_ones_are_refused() -> None:
    assert only(torch.nn.Parameter(torch.ones(3, 2))).shape == (3, 2)
    with pytest.raises(DataError, match="expected booleans, integers or floats"):
        open_source(torch.eye(3) * 1j)


def test_other_things_of_torch_are_no_tensors() -> None:
    with pytest.raises(DataError, match=r"got torch\.dtype"):
        open_source(torch.float32)
