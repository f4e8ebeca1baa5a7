"""npz files: which array is the data, which its labels, which belong to a split."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from likely.data.kinds import Form
from likely.data.source import Rows, Source
from likely.data.sources.arrays import checked, header_of, reading
from likely.data.sources.format import Format, Writer
from likely.data.sources.listing import names_in
from likely.data.sources.sparse import is_sparse_npz, read_sparse_npz
from likely.errors import DataError, quoted
from likely.files import demand_room

__all__ = ["NPZ", "holds_arrays", "read_npz"]

DATA = ("x", "data", "images")
LABELS = ("y", "label", "labels", "target", "targets")
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass
class _Group:
    data: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)


def read_npz(path: Path, name: str | None) -> Source:
    """The data of an archive, with its labels, its splits, and what else has one value a row.

    Parameters
    ----------
    path
        The archive.
    name
        The array to take; `None` to go by the names: `X|x|data|images`, and `x_train`, `test_images` and so on.

    Raises
    ------
    DataError
        If the file is damaged, or the names do not tell which array is meant.

    """
    with reading(path, "npz"):
        held = _held(path, name)
        if name is None and is_sparse_npz(set(held)):
            return read_sparse_npz(path)
        with np.load(path, allow_pickle=False) as archive:
            if name is not None:
                if name not in held:
                    raise DataError(f"{path} has no array {quoted(name)}; it holds {_listing(held)}")
                return Source(Form.ARRAY, {"all": Rows(_load(archive, path, name))}, path)
            return _by_name(archive, path, held)


def _by_name(archive: Mapping[str, np.ndarray], path: Path, held: dict[str, str]) -> Source:
    splits: dict[str, Rows] = {}
    notices: list[str] = []
    used: set[str] = set()
    for split, group in _groups(list(held)).items():
        if len(group.data) != 1:
            count = "several" if group.data else "none"
            raise DataError(
                f"{path} needs one array named X, x, data or images (in each split), and has {count}; "
                f"it holds {_listing(held)}; choose one with {path}:NAME"
            )
        values = _load(archive, path, group.data[0])
        used.update(group.data)
        labels, others = None, dict(group.others)
        if len(group.labels) == 1:
            labels = _labels(archive, path, group.labels[0], len(values), notices)
            used.update(group.labels)
        else:
            others |= {key: key for key in group.labels}
        beside = _beside(archive, others, len(values), held)
        used.update(others[name] for name in beside.columns)
        splits[split] = Rows(values, labels, beside=beside if len(beside.columns) else None)
    unused = {key: shape for key, shape in held.items() if key not in used}
    if unused:
        notices.append(f"{path.name}: arrays left out: {_listing(unused)}")
    return Source(Form.ARRAY, splits, path, tuple(notices))


def _beside(
    archive: Mapping[str, np.ndarray], others: Mapping[str, str], rows: int, held: Mapping[str, str]
) -> pd.DataFrame:
    """The arrays of one value a row, which a condition, an exposure, a weight or a division may name."""
    columns = {}
    for name, key in others.items():
        if held[key] not in (f"({rows},)", f"({rows}, 1)"):
            continue
        with suppress(ValueError):  # objects, which are never opened
            columns[name] = archive[key].reshape(rows)
    return pd.DataFrame(columns, index=range(rows))


def _held(path: Path, name: str | None) -> dict[str, str]:
    """Name -> shape, as text, of every array, without loading any; refused where what is asked for is too much."""
    held, asked = {}, 0
    with zipfile.ZipFile(path) as archive:
        for entry in archive.namelist():
            if not entry.endswith(".npy"):
                continue
            with archive.open(entry) as file:
                shape, needed = header_of(file)
            key = entry.removesuffix(".npy")
            held[key] = str(shape)
            asked += needed if name in (None, key) else 0
            if needed > archive.getinfo(entry).file_size:
                raise ValueError(f"{entry} has fewer bytes than its shape {shape} needs")
    demand_room(asked, f"{path}, unpacked,", f"take one array, {path}:NAME, or give fewer rows")
    return held


def _groups(keys: list[str]) -> dict[str, _Group]:
    """Split -> the keys of its data and labels; `all` where no data array is named after a split."""
    groups: dict[str, _Group] = {}
    for key in keys:
        parts = [part for part in re.split(r"[_\-. ]", key.lower()) if part]
        split = next((SPLITS[part] for part in parts if part in SPLITS), "all")
        base = "_".join(part for part in parts if part not in SPLITS)
        group = groups.setdefault(split, _Group())
        if base in DATA or not base:
            group.data.append(key)
        elif base in LABELS:
            group.labels.append(key)
        else:
            group.others[base] = key
    divided = {split: group for split, group in groups.items() if split != "all" and group.data}
    if divided:
        return divided
    return {"all": _Group(keys) if len(keys) == 1 else groups.get("all", _Group())}


def _load(archive: Mapping[str, np.ndarray], path: Path, key: str) -> np.ndarray:
    with reading(Path(f"{path}:{key}"), "npz"):
        return checked(archive[key], f"{path}:{key}")


def _labels(
    archive: Mapping[str, np.ndarray], path: Path, key: str, rows: int, notices: list[str]
) -> np.ndarray | None:
    with reading(Path(f"{path}:{key}"), "npz"):
        labels = archive[key]
    if labels.ndim == 0 or len(labels) != rows:
        raise DataError(
            f"{path}: {rows} rows of data but labels {key} of shape {labels.shape}; expected one label for each row"
        )
    if labels.size != rows:
        notices.append(f"{path.name}: labels {key} of shape {labels.shape} are not one a row and were left out")
        return None
    return labels.reshape(rows)


def _listing(held: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {shape}" for key, shape in held.items()) or "no arrays"


def holds_arrays(path: Path) -> bool:
    """Whether a zip file holds nothing but npy files."""
    names = names_in(path)
    return bool(names) and all(name.endswith(".npy") for name in names)


def _written(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=array)
    return buffer.getvalue()


ENDINGS = (".npz",)
NPZ = Format(
    "npz",
    lambda path, options: read_npz(path, options.member),
    ENDINGS,
    lambda path, head: head.startswith(b"PK") and holds_arrays(path),
    members=True,
    writer=Writer(ENDINGS, array=_written),
)
