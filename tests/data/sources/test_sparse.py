"""Sparse matrices are made dense, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from likely.data.sources import open_source
from likely.errors import DataError
from likely.files import MAX_BYTES

COUNTS = np.random.default_rng(0).poisson(0.3, (20, 7)).astype("float32")


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia"])
@pytest.mark.parametrize("file", [False, True])
def test_a_sparse_matrix_is_made_dense(kind: str, file: bool, tmp_path: Path) -> None:
    for make in (sparse.coo_matrix, sparse.coo_array):
        given: Any = make(COUNTS).asformat(kind)
        if file:
            sparse.save_npz(tmp_path / "s.npz", given)
            given = tmp_path / "s.npz"
        source = open_source(given)
        np.testing.assert_array_equal(source.splits["all"].values, COUNTS)
        assert source.splits["all"].values.dtype == np.float32
        assert source.form == "array"
        assert len(source.notices) == 1
        share = f"{100 * (COUNTS > 0).mean():.2g}"
        assert f", 20 x 7 with {share}% other than 0, was made dense" in source.notices[0]


def test_a_sparse_tensor_is_made_dense() -> None:
    for given in (torch.from_numpy(COUNTS).to_sparse(), torch.from_numpy(COUNTS).to_sparse_coo()):
        source = open_source(given)
        np.testing.assert_array_equal(source.splits["all"].values, COUNTS)
        assert "was made dense" in source.notices[0]


def test_coordinates_with_a_fill_value(tmp_path: Path) -> None:
    coords = np.array([[0, 2, 2], [1, 0, 0]])
    np.savez(tmp_path / "c.npz", data=[5, 3, 1], coords=coords, shape=[3, 2], fill_value=7)
    expected = [[7, 5], [7, 7], [4, 7]]
    assert open_source(tmp_path / "c.npz").splits["all"].values.tolist() == expected
    np.savez(tmp_path / "c.npz", data=[5, 3, 1], coords=coords, shape=[2, 2], fill_value=7)
    with pytest.raises(DataError, match="coords beyond its shape"):
        open_source(tmp_path / "c.npz")


def test_coordinates_are_read_by_any_fill_value(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"data": [5, 3], "coords": [[0, 2], [1, 0]], "shape": [3, 2]}
    np.savez(tmp_path / "c.npz", **parts)
    assert open_source(tmp_path / "c.npz").splits["all"].values.tolist() == [[0, 5], [0, 0], [3, 0]]
    np.savez(tmp_path / "c.npz", fill_value=np.nan, **parts)
    np.testing.assert_array_equal(open_source(tmp_path / "c.npz").splits["all"].values[0], [np.nan, 5])


def test_parts_of_a_sparse_matrix_are_refused_with_the_call_that_joins_them(tmp_path: Path) -> None:
    rows = sparse.csr_matrix(COUNTS)
    parts = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr}
    triplets = {"data": rows.data, "row": rows.tocoo().row, "col": rows.tocoo().col}
    for given, said in (
        (parts, r"save_npz\(FILE, matrix\), with matrix = csr_matrix\(\(data, indices, indptr\), shape=shape\)"),
        (triplets, r"csr_matrix\(\(data, \(row, col\)\), shape=shape\)"),
        (parts | {"compressed_axes": [0]}, r"np\.savez\(FILE, x=array\.todense\(\)\)"),
    ):
        for named in (given, given | {"shape": COUNTS.shape}):
            np.savez(tmp_path / "p.npz", **named)
            with pytest.raises(DataError, match=said):
                open_source(tmp_path / "p.npz")


def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = sparse.coo_matrix(([1.0], ([0], [0])), shape=(10**7, 10**7))
    sparse.save_npz(tmp_path / "w.npz", wide)
    np.savez(tmp_path / "c.npz", data=[1.0], coords=[[0], [0]], shape=[10**7, 10**7], fill_value=0)
    for given in (wide, wide.tocsr(), tmp_path / "w.npz", tmp_path / "c.npz"):
        with pytest.raises(DataError, match=r"10000000, made dense and .* half of what .*; keep") as told:
            open_source(given)
        assert "\n" not in str(told.value)
    monkeypatch.setenv(MAX_BYTES, str(3 * COUNTS.nbytes // 2))
    open_source(sparse.csr_matrix(COUNTS))
    monkeypatch.setenv(MAX_BYTES, str(3 * COUNTS.nbytes // 2 - 1))
    with pytest.raises(DataError, match="of LIKELY_MAX_BYTES"):
        open_source(sparse.csr_matrix(COUNTS))


def test_damaged_sparse_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    whole = {"format": b"csr", "shape": [2, 3], "data": [1.0, 2.0], "indices": [0, 99], "indptr": [0, 1, 2]}
    np.savez(path, **whole)
    with pytest.raises(DataError, match="cannot be read as sparse npz"):
        open_source(path)
    np.savez(path, data=[1.0], indices=[0], indptr=[0, 1], shape=[1, 1], compressed_axes=[0], fill_value=0)
    with pytest.raises(DataError, match=r"of pydata's sparse.*todense"):
        open_source(path)
