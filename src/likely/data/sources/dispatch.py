"""Which reader a piece of data is for."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from likely.data.source import Source
from likely.data.sources import archives, arrays, foreign, held, idx, images, packed, sparse, tables
from likely.data.sources.picture import is_picture
from likely.data.sources.reading import Reading
from likely.errors import DataError

__all__ = ["open_source", "sniff"]

Progress = Callable[[int, int], None]
Pictures = Callable[[Path], Source | None]

TEXT = (".csv", ".tsv", ".txt")
PLAIN = ("", ".data", ".dat")
KINDS = {
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    **dict.fromkeys(TEXT, "text"),
    **dict.fromkeys(images.SUFFIXES, "picture"),
}
MAGIC = {
    b"\x93NUMPY": "npy",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"FEA1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
}
KNOWN = (
    "csv, tsv, txt (.gz too), parquet, arrow, feather, npy, npz, IDX (.gz too), or a folder, zip or tar of images or "
    "IDX files"
)


def open_source(
    data: Any,
    *,
    resize: tuple[int, int] | None = None,
    background: tuple[int, int, int] | None = None,
    progress: Progress | None = None,
    reading: Reading | None = None,
) -> Source:
    """Read data as they are.

    Parameters
    ----------
    data
        A path (for npz also `FILE.npz:NAME`), a DataFrame, an arrow table or what has `to_arrow` (polars), an array, a
        tensor, or a `Source` already.
    resize
        (height, width) for pictures in a folder; other data are not scaled, and a notice says so.
    background
        (red, green, blue) for transparent pictures in a folder, white unless given.
    progress
        Called with (files read, files) while a folder of pictures is read.
    reading
        What is known of a text file: its separator, its decimal mark, or the schema of the run that it is given to.

    Returns
    -------
    Source
        Its form, its splits, and a notice for each thing done to the data.

    Raises
    ------
    DataError
        If it cannot be read; the message says what was given, what was expected and what to do.

    """
    if isinstance(data, Source):
        return data
    if resize is not None and min(resize) < 1:
        raise DataError(f"resize must be a height and a width of at least 1, got {resize}")
    source = _open(data, resize, background, progress, reading)
    _check_events(source)
    notices = []
    if resize is not None and any(rows.values.shape[1:3] != tuple(resize) for rows in source.splits.values()):
        notices.append("resize is for folders of pictures; these data were not scaled")
    told = reading is not None and (reading.separator or reading.decimal)
    if told and source.form != "table":
        notices.append("separator and decimal are for tables; these data were taken as they are")
    if background is not None and source.form != "images":
        notices.append("background is for folders of pictures; these data were taken as they are")
    return replace(source, notices=(*source.notices, *notices))


def sniff(path: Path) -> str | None:
    """The kind of a file, by its name and, where the name does not tell, by how it begins.

    Returns
    -------
    str | None
        One of `npy`, `npz`, `parquet`, `arrow`, `idx`, `picture`, `text`, `packed` (zip and tar); `None` for any other.

    """
    suffix = path.suffix.lower()
    if suffix in KINDS:
        return KINDS[suffix]
    if packed.is_tar(path):
        return "packed"
    if idx.is_idx(path):
        return "idx"
    if foreign.advice(path):
        return None
    if suffix == ".gz":
        return "text" if Path(path.stem).suffix.lower() in (*TEXT, *PLAIN) else None
    with path.open("rb") as file:
        head = file.read(4096)
    magic = next((kind for mark, kind in MAGIC.items() if head.startswith(mark)), None)
    if magic:
        return magic
    if head.startswith(b"PK"):
        return "npz" if _holds_arrays(path) else "packed"
    if is_picture(path):
        return "picture"
    return "text" if suffix in PLAIN and b"\0" not in head else None


def _holds_arrays(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _open(
    data: Any,
    resize: tuple[int, int] | None,
    background: tuple[int, int, int] | None,
    progress: Progress | None,
    reading: Reading | None,
) -> Source:
    if isinstance(data, pd.DataFrame):
        return tables.frame_source(data)
    if isinstance(data, np.ndarray):
        return arrays.array_source(data)
    if sparse.is_sparse(data):
        return sparse.sparse_source(data)
    if any(kind.__name__ == "Tensor" and kind.__module__.split(".")[0] == "torch" for kind in type(data).__mro__):
        return arrays.tensor_source(data)
    if held.is_held(data):
        return tables.frame_source(held.frame_of(data))
    if not isinstance(data, (str, os.PathLike)):
        got = held.type_of(data)
        raise DataError(f"data must be a path, a DataFrame, an array or a tensor; got {got}: {foreign.cure(data)}")
    text = os.fsdecode(data)
    file, mark, name = text.rpartition(".npz:")
    if mark and not Path(text).exists():
        return archives.read_npz(_existing(file + ".npz"), name)
    path = _existing(text)

    def pictures(folder: Path) -> Source | None:
        return images.read_folder(folder, resize, progress, background)

    if path.is_dir():
        return _open_folder(path, pictures)
    return _open_file(path, pictures, reading)


def _open_file(path: Path, pictures: Pictures, reading: Reading | None) -> Source:
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder (a pipe or a device?); save the data to a file first")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; expected {KNOWN}")
    kind = sniff(path)
    if kind == "picture":
        raise DataError(f"{path} is one picture, that is one row; give a folder of pictures")
    if kind == "npz":
        return archives.read_npz(path, None)
    if kind == "text":
        return tables.read_text(path, reading)
    readers = {"npy": arrays.read_npy, "parquet": tables.read_parquet, "arrow": tables.read_arrow,
               "idx": idx.read_file}  # fmt: skip
    if kind == "packed":
        return _open_packed(path, pictures, reading)
    if kind is None:
        known = foreign.advice(path)
        if known:
            raise DataError(f"{path} is {known}")
        raise DataError(f"{path}: the type of this file is not known; expected {KNOWN}")
    return readers[kind](path)


def _existing(text: str) -> Path:
    path = Path(text)
    try:
        found = path.exists()
    except OSError as error:
        raise DataError(f"{text[:200]} cannot be read ({error.strerror}); expected a file or a folder") from error
    if not found:
        raise DataError(f"no such file or folder: {text}")
    if not os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK):
        raise DataError(f"{text} cannot be read: permission denied; change its permissions")
    return path


def _open_packed(path: Path, pictures: Pictures, reading: Reading | None) -> Source:
    """What an archive holds: a folder, or one file."""
    with packed.unpacked(path) as folder:
        try:
            files = [file for file in folder.rglob("*") if file.is_file()]
            alone = len(files) == 1 and sniff(files[0]) not in ("picture", "packed", None)
            source = _open_file(files[0], pictures, reading) if alone else _open_folder(folder, pictures)
        except DataError as error:
            raise DataError(str(error).replace(str(folder), str(path))) from error
    return replace(source, path=path)


def _open_folder(path: Path, pictures: Pictures) -> Source:
    files = [entry for entry in sorted(path.iterdir()) if entry.is_file() and not entry.name.startswith(".")]
    if any(idx.is_idx(file) for file in files if file.suffix.lower() not in images.SUFFIXES):
        return idx.read_folder(path)
    source = pictures(path)
    if source is not None:
        return source
    below = idx.folders_below(path)
    if len(below) == 1:
        return idx.read_folder(below[0])
    if below:
        raise DataError(f"{path} holds several folders of IDX files; give one: {', '.join(map(str, below))}")
    if not any(path.iterdir()):
        raise DataError(f"{path} holds nothing; expected a folder of images or IDX files")
    readable = [str(file) for file in files if os.access(file, os.R_OK) and sniff(file)]
    if readable:
        more = f" ({len(readable)} such files)" if len(readable) > 3 else ""
        raise DataError(f"{path} is a folder of files that are read singly; give one: {', '.join(readable[:3])}{more}")
    raise DataError(f"{path} holds no images and no IDX files; expected {KNOWN}")


def _check_events(source: Source) -> None:
    """Rows of all splits must have one shape."""
    shapes = {split: rows.values.shape[1:] for split, rows in source.splits.items()}
    if len(set(shapes.values())) > 1:
        listing = ", ".join(f"{split} {shape}" for split, shape in shapes.items())
        raise DataError(f"{source.path}: rows differ in shape between splits ({listing}); expected one shape")
