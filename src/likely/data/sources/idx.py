"""MNIST-style IDX files, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from likely.data.kinds import Form
from likely.data.source import Rows, Source
from likely.data.sources.format import Format
from likely.errors import DataError
from likely.files import inflated

__all__ = ["IDX", "folders_below", "is_idx", "read_file", "read_folder"]

GZIP = b"\x1f\x8b"
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IDX_COST = 2  # bytes of memory that a byte takes: as it is read, and as it is used
SPLITS = {"train": "train", "training": "train", "t10k": "test", "test": "test",
          "val": "val", "valid": "val", "validation": "val"}  # fmt: skip
NAMED = re.compile(r"idx\d?-?ubyte")


def is_idx(path: Path) -> bool:
    """Whether the file begins like an IDX file, gzipped or not, or is named like one (and so may be damaged)."""
    if NAMED.search(path.name.lower()):
        return True
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head[:2] == GZIP:
            with gzip.open(path) as file:
                head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return _is_header(head)


def folders_below(path: Path) -> list[Path]:
    """The folders, this one or below it, with files named as IDX files are: torchvision's `MNIST/raw`."""
    folders = {file.parent for file in path.rglob("*") if NAMED.search(file.name.lower()) and file.is_file()}
    return sorted(folder for folder in folders if not any(part[0] == "." for part in folder.relative_to(path).parts))


def read_file(path: Path) -> Source:
    """The rows of one IDX file, as a source."""
    return _source({"all": Rows(_column_at_least(_array(path)))}, path)


def read_folder(path: Path) -> Source:
    """A folder of them: `train-*` and `t10k-*` are splits, `*labels*` belong to the `*images*` of their split.

    A gzipped file beside the same file without gzip is left out.

    Raises
    ------
    DataError
        If files are damaged, compete for one place, or labels and rows do not match.

    """
    present = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
    files = [file for file in present if is_idx(file)]
    others = len(present) - len(files)
    single = [file for file in files if not _is_copy(file, files)]
    data, labels = _placed(path, single)
    if not data:
        raise DataError(f"{path} holds IDX labels but no IDX data; add the files of images")
    lone = next((file for split, file in labels.items() if split not in data), None)
    if lone is not None:
        raise DataError(f"{path} holds the labels {lone.name} without the data they belong to; add that file")
    if "all" in data and len(data) > 1:
        raise DataError(f"{path} holds {data['all'].name}, which no split is named in, beside split files; take it out")
    splits = {split: _rows(file, labels.get(split)) for split, file in data.items()}
    copies = len(files) - len(single)
    notices = [f"{others} file(s) that are not IDX were left out"] if others else []
    notices += [f"{copies} .gz file(s) were left out, whose content lies beside them"] if copies else []
    return _source(splits, path, tuple(notices))


def _is_copy(file: Path, files: list[Path]) -> bool:
    """Whether a gzipped file holds what the file beside it does: its last 8 bytes are the checksum and the size."""
    plain = file.with_suffix("")
    if file.suffix != ".gz" or plain not in files:
        return False
    content = inflated(plain)
    with file.open("rb") as packed:
        packed.seek(max(0, file.stat().st_size - 8))
        return packed.read() == struct.pack("<II", zlib.crc32(content), len(content) % 2**32)


def _placed(path: Path, files: list[Path]) -> tuple[dict[str, Path], dict[str, Path]]:
    data: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for file in files:
        parts = re.split(r"[-_. ]", file.name.lower())
        split = next((SPLITS[part] for part in parts if part in SPLITS), "all")
        kind = labels if "label" in file.name.lower() else data
        if split in kind:
            raise DataError(f"{path} holds both {kind[split].name} and {file.name}; give one file, or keep one of them")
        kind[split] = file
    return data, labels


def _rows(file: Path, labels: Path | None) -> Rows:
    values = _column_at_least(_array(file))
    if labels is None:
        return Rows(values)
    marks = _array(labels)
    if marks.size != len(marks) or len(marks) != len(values):
        raise DataError(
            f"{labels} has {marks.size} labels for the {len(values)} rows of {file.name}; expected one for each row"
        )
    return Rows(values, marks.reshape(-1))


def _source(splits: dict[str, Rows], path: Path, notices: tuple[str, ...] = ()) -> Source:
    arrays = [np.asarray(rows.values) for rows in splits.values()]
    pictures = all(array.dtype == np.uint8 and array.ndim == 3 for array in arrays)
    return Source(Form.IMAGES if pictures else Form.ARRAY, splits, path, notices)


def _array(path: Path) -> np.ndarray:
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise DataError(f"{path} is named like an IDX file but does not begin like one; fetch it again")
    axes = content[3]
    if axes == 0:
        raise DataError(f"{path} is not an IDX file of rows: it has no axes")
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(f"{path} is truncated: its header ends early; fetch it again")
    shape = struct.unpack(f">{axes}I", content[4:start])
    dtype = np.dtype(TYPES[content[2]])
    given, wanted = len(content) - start, math.prod(shape) * dtype.itemsize
    if given != wanted:
        what = "is truncated" if given < wanted else "is longer than its header says"
        raise DataError(f"{path} {what}: {given} bytes for shape {shape}, expected {wanted}; fetch it again")
    try:
        array = np.frombuffer(content, dtype, offset=start).reshape(shape)
    except ValueError as error:  # more axes, or longer ones, than numpy has
        raise DataError(f"{path} has a shape that no array has ({error}); fetch it again") from error
    return array.astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    try:
        content = inflated(path, IDX_COST)
    except (OSError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is truncated or damaged ({reason}); fetch it again") from error
    if not content:
        raise DataError(f"{path} is empty; fetch it again")
    return content


def _is_header(head: bytes) -> bool:
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= 8


def _column_at_least(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, 1) if array.ndim == 1 else array


IDX = Format("idx", lambda path, _: read_file(path), recognises=lambda path, _: is_idx(path), listed="IDX (.gz too)")
