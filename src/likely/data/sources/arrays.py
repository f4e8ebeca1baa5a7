"""npy and npz files, arrays and tensors."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

from likely.data.source import Rows, Source
from likely.errors import DataError

__all__ = ["checked", "read_npy", "read_npz"]

DATA = ("x", "data", "images")
LABELS = ("y", "label", "labels", "target")
SPLIT = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
BROKEN = (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError)


def checked(array: np.ndarray, what: str) -> np.ndarray:
    """An array of numbers with a row axis.

    Raises
    ------
    DataError
        If it has no rows axis, or does not hold real numbers.

    """
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} has dtype {array.dtype}; expected booleans, integers or floats")
    if array.ndim == 0:
        raise DataError(f"{what} is a single number; expected an array (rows, ...)")
    return array.reshape(-1, 1) if array.ndim == 1 else array


def read_npy(path: Path) -> Source:
    """One array; its first axis is rows."""
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except BROKEN as error:
        raise DataError(
            f"{path} cannot be read as npy: truncated, damaged or holding objects ({_short(error)})"
        ) from error
    return Source("array", {"all": Rows(checked(array, str(path)))}, path)


def read_npz(path: Path, name: str | None) -> Source:
    """The data array of an archive, with its labels and splits; `name` picks an array."""
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            found = {key: archive[key] for key in archive.files}
    except BROKEN as error:
        raise DataError(
            f"{path} cannot be read as npz: truncated, damaged or holding objects ({_short(error)})"
        ) from error
    if name is not None:
        if name not in found:
            raise DataError(f"{path} has no array {name!r}; it has {_listing(found)}")
        return Source("array", {"all": Rows(checked(found[name], f"{path}:{name}"))}, path)
    splits = _by_split(found)
    made = {split: _rows(path, arrays) for split, arrays in splits.items()}
    if not made or any(rows is None for rows in made.values()):
        raise DataError(f"{path} needs one array named X, x, data or images; it has {_listing(found)}; use {path}:NAME")
    return Source("array", {split: rows for split, rows in made.items() if rows is not None}, path)


def _by_split(found: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Arrays grouped by the split in their names: `x_train`, `train_labels`; `all` where there is none."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, array in found.items():
        parts = re.split(r"[_\-.]", key.lower())
        split = next((SPLIT[part] for part in parts if part in SPLIT), None)
        base = "_".join(part for part in parts if part not in SPLIT)
        groups.setdefault(split or "all", {})[base] = array
    divided = {split: arrays for split, arrays in groups.items() if split != "all" and set(arrays) & set(DATA)}
    return divided or {"all": {key.lower(): array for key, array in found.items()}}


def _rows(path: Path, arrays: dict[str, np.ndarray]) -> Rows | None:
    data = [array for key, array in arrays.items() if key in DATA]
    if not data and len(arrays) == 1:
        data = list(arrays.values())
    if len(data) != 1:
        return None
    values = checked(data[0], str(path))
    labels = next((array for key, array in arrays.items() if key in LABELS), None)
    if labels is not None and (labels.ndim == 0 or len(labels) != len(values)):
        raise DataError(f"{path}: {len(values)} rows of data but labels of shape {labels.shape}")
    return Rows(values, None if labels is None else labels.reshape(len(values), -1)[:, 0])


def _listing(found: dict[str, np.ndarray]) -> str:
    return ", ".join(f"{key} {array.shape}" for key, array in found.items()) or "no arrays"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
