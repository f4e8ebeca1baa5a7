"""Sparse matrices, made dense where that fits."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from likely.data.kinds import Form
from likely.data.source import Rows, Source
from likely.data.sources.arrays import checked, reading, tensor_source
from likely.data.summary import percent
from likely.errors import DataError
from likely.files import demand_room

__all__ = ["is_sparse", "is_sparse_npz", "read_sparse_npz", "sparse_source"]

SCIPY = {"format", "shape", "data"}
COORDINATES = {"coords", "shape", "data"}
COMPRESSED = {"indices", "indptr", "data"}
TRIPLETS = {"row", "col", "data"}
COST = 3  # halves of the dense array: with its encoding it fills at most what it may where it is a third of the memory
CHECKED = ("csr", "csc", "bsr")


def is_sparse(data: Any) -> bool:
    """Whether an object is one of scipy's sparse matrices or arrays, or a sparse tensor."""
    if str(getattr(data, "layout", "")).startswith("torch.sparse"):
        return True
    scipy = sys.modules.get("scipy.sparse")
    return scipy is not None and bool(scipy.issparse(data))


def is_sparse_npz(names: set[str]) -> bool:
    """Whether an archive of these names is one sparse matrix, of scipy or pydata's sparse, or the parts of one."""
    return any(known <= names for known in (SCIPY, COORDINATES, COMPRESSED, TRIPLETS))


def sparse_source(matrix: Any) -> Source:
    """A sparse matrix or tensor in memory, as a dense source.

    Raises
    ------
    DataError
        If it does not fit in memory, or does not hold real numbers.

    """
    if not hasattr(matrix, "to_dense"):
        return _source(matrix, "the sparse matrix", None)
    shape, what = tuple(matrix.shape), "the sparse tensor"
    _demand_room(shape, matrix.dtype.itemsize, what)
    source = tensor_source(matrix.detach().cpu().to_dense())
    array = source.splits["all"].read().values
    return replace(source, notices=(_notice(what, shape, np.asarray(array)),))


def read_sparse_npz(path: Path) -> Source:
    """What `scipy.sparse.save_npz` wrote (any format), or pydata's `sparse.save_npz` (COO), as a dense source.

    Raises
    ------
    DataError
        If it is damaged, of another kind, or does not fit in memory.

    """
    with reading(path, "sparse npz"), np.load(path, allow_pickle=False) as archive:
        names = set(archive.files)
        if names >= SCIPY:
            from scipy import sparse

            matrix = sparse.load_npz(path)
            if matrix.format in CHECKED:
                matrix.check_format(full_check=True)
            return _source(matrix, str(path), path)
        if names >= COORDINATES:
            return _coordinates(archive, path)
    cure = "of pydata's sparse: np.savez(FILE, x=array.todense())"
    if "compressed_axes" not in names:
        parts = "(data, indices, indptr)" if names >= COMPRESSED else "(data, (row, col))"
        cure = f"scipy.sparse.save_npz(FILE, matrix), with matrix = csr_matrix({parts}, shape=shape) or what it is"
    raise DataError(f"{path} holds the parts of a sparse array, and not of which kind; write it anew by {cure}")


def _source(matrix: Any, what: str, path: Path | None) -> Source:
    shape = tuple(int(size) for size in matrix.shape)
    _demand_room(shape, np.dtype(matrix.dtype).itemsize, what)
    array = checked(matrix.toarray(), what)
    return Source(Form.ARRAY, {"all": Rows(array)}, path, (_notice(what if path is None else path.name, shape, array),))


def _coordinates(archive: Mapping[str, np.ndarray], path: Path) -> Source:
    coords, data = archive["coords"], archive["data"]
    shape = tuple(int(size) for size in archive["shape"].reshape(-1))
    if coords.shape != (len(shape), len(data)) or data.ndim != 1 or coords.dtype.kind not in "iu" or min(shape) < 0:
        raise DataError(f"{path} says that it is sparse, but coords {coords.shape} do not fit the shape {shape}")
    if coords.size and (coords.min() < 0 or (coords.max(1) >= shape).any()):
        raise DataError(f"{path} has coords beyond its shape {shape}; write it anew")
    _demand_room(shape, data.dtype.itemsize, str(path))
    empty = archive.get("fill_value", np.zeros((), data.dtype))
    array = np.full(shape, empty.reshape(()), dtype=np.result_type(data, empty))
    array[tuple(coords)] = 0
    np.add.at(array, tuple(coords), data)
    return Source(Form.ARRAY, {"all": Rows(checked(array, str(path)))}, path, (_notice(path.name, shape, array),))


def _notice(what: str, shape: tuple[int, ...], array: np.ndarray) -> str:
    share = np.count_nonzero(array) / max(1, array.size)
    size = " x ".join(map(str, shape))
    return f"{what}, {size} with {percent(share)} other than 0, was made dense: {array.nbytes / 2**20:.3g} MiB"


def _demand_room(shape: tuple[int, ...], itemsize: int, what: str) -> None:
    size = " x ".join(map(str, shape))
    cure = "keep fewer columns (those that vary most), or fewer rows"
    needed = COST * math.prod(shape) * itemsize // 2
    demand_room(needed, f"{what}, {size}, made dense and encoded,", cure)
