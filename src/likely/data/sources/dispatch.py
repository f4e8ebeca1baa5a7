"""Which reader a piece of data is for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from likely.data.source import Rows, Source
from likely.data.sources import arrays, idx, images, tables
from likely.errors import DataError

__all__ = ["open_source"]


def open_source(
    data: Any, *, resize: tuple[int, int] | None = None, progress: Callable[[int, int], None] | None = None
) -> Source:
    """Read data as they are.

    Parameters
    ----------
    data
        A path (for npz also `FILE.npz:NAME`), a DataFrame, an array, a tensor, or a `Source` already.
    resize
        (height, width) for pictures in a folder.
    progress
        Called with (files read, files) while a folder of pictures is read.

    Raises
    ------
    DataError
        If it cannot be read; the message says what was given, what was expected and what to do.

    """
    if isinstance(data, Source):
        return data
    if isinstance(data, pd.DataFrame):
        return Source("table", {"all": Rows(tables.checked(data, "the frame"))})
    if isinstance(data, np.ndarray):
        return Source("array", {"all": Rows(arrays.checked(data, "the array"))})
    if type(data).__module__.split(".")[0] == "torch":
        return Source("array", {"all": Rows(arrays.checked(data.detach().cpu().numpy(), "the tensor"))})
    if not isinstance(data, (str, os.PathLike)):
        raise DataError(f"data must be a path, a DataFrame, an array or a tensor; got {type(data).__name__}")
    return _open_path(str(data), resize, progress)


def _open_path(text: str, resize: tuple[int, int] | None, progress: Callable[[int, int], None] | None) -> Source:
    file, mark, name = text.partition(".npz:")
    if mark and not Path(text).exists():
        return arrays.read_npz(_existing(file + ".npz"), name)
    path = _existing(text)
    if path.is_dir():
        return _open_folder(path, resize, progress)
    if resize is not None:
        raise DataError(f"{path} is not a folder of images, so --resize does not apply")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-1] if suffixes else ""
    if last == ".npy":
        return arrays.read_npy(path)
    if last == ".npz":
        return arrays.read_npz(path, None)
    if last in images.SUFFIXES:
        raise DataError(f"{path} is one picture, that is one row; give a folder of pictures")
    if idx.is_idx(path):
        return idx.read_file(path)
    if [*suffixes[-2:-1], last] in tables.COMPRESSED or last in tables.SUFFIXES:
        return tables.read(path)
    known = "csv, tsv, parquet, arrow, feather, npy, npz, IDX (.gz too), or a folder of images or IDX files"
    raise DataError(f"{path}: the type of this file is not known; expected {known}")


def _existing(text: str) -> Path:
    path = Path(text)
    try:
        found = path.exists()
    except OSError as error:
        raise DataError(f"{text} cannot be read ({error.strerror})") from error
    if not found:
        raise DataError(f"no such file or folder: {text}")
    if not os.access(path, os.R_OK):
        raise DataError(f"{text} cannot be read: permission denied")
    return path


def _open_folder(path: Path, resize: tuple[int, int] | None, progress: Callable[[int, int], None] | None) -> Source:
    files = [entry for entry in sorted(path.iterdir()) if entry.is_file() and not entry.name.startswith(".")]
    if any(idx.is_idx(file) for file in files if file.suffix.lower() not in images.SUFFIXES):
        return idx.read_folder(path)
    source = images.read_folder(path, resize, progress)
    if source is not None:
        return source
    readable = [file.name for file in files if file.suffix.lower() in (*tables.SUFFIXES, ".npy", ".npz", ".gz")]
    hint = f"; give one of its files, such as {path / readable[0]}" if readable else ""
    raise DataError(f"{path} holds no images and no IDX files{hint}")
