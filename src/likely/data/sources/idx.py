"""MNIST-style IDX files, plain or gzipped."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from likely.data.source import Rows, Source
from likely.errors import DataError

__all__ = ["is_idx", "read_file", "read_folder"]

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
SPLITS = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val"}


def is_idx(path: Path) -> bool:
    """Whether the file begins like an IDX file, or is a gzip file that is named or begins like one."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head[:2] == b"\x1f\x8b":
            if "idx" in path.name.lower() or "ubyte" in path.name.lower():
                return True
            with gzip.open(path) as file:
                head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= 8


def read_file(path: Path) -> Source:
    """One file of rows."""
    return _source({"all": Rows(_array(path))}, path)


def read_folder(path: Path) -> Source:
    """A folder of them: `train-*` and `t10k-*` are splits, `*labels*` belong to the `*images*` of their split."""
    data: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        if not file.is_file() or not is_idx(file):
            continue
        split = next((name for prefix, name in SPLITS.items() if file.name.lower().startswith(prefix)), "all")
        kind = labels if "label" in file.name.lower() else data
        if split in kind:
            raise DataError(f"{path} holds both {kind[split].name} and {file.name}; give one file, or keep one of them")
        kind[split] = file
    if not data:
        raise DataError(f"{path} holds IDX labels but no IDX data")
    splits = {}
    for split, file in data.items():
        values = _array(file)
        mark = _array(labels[split]).reshape(-1) if split in labels else None
        if mark is not None and len(mark) != len(values):
            raise DataError(f"{labels[split]} has {len(mark)} labels for the {len(values)} rows of {file.name}")
        splits[split] = Rows(values, mark)
    return _source(splits, path)


def _source(splits: dict[str, Rows], path: Path) -> Source:
    first = next(iter(splits.values())).values
    pictures = isinstance(first, np.ndarray) and first.dtype == np.uint8 and first.ndim == 3
    return Source("images" if pictures else "array", splits, path)


def _array(path: Path) -> np.ndarray:
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged ({' '.join(str(error).split())}); fetch it again") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise DataError(f"{path} is not an IDX file")
    axes = content[3]
    if axes == 0:
        raise DataError(f"{path} is not an IDX file of rows: it has no axes")
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(f"{path} is truncated: its header ends early; fetch it again")
    shape = struct.unpack(f">{axes}I", content[4:start])
    dtype = np.dtype(TYPES[content[2]])
    wanted = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(content) - start != wanted:
        what = "truncated" if len(content) - start < wanted else "longer than its header says"
        raise DataError(
            f"{path} is {what}: {len(content) - start} bytes for shape {shape}, expected {wanted}; fetch it again"
        )
    array = np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
    return array.reshape(-1, 1) if array.ndim == 1 else array
