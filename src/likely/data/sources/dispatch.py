"""Data as they are -> `Source`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from likely.data.kinds import Form
from likely.data.source import Source
from likely.data.sources import arrays, foreign, held, idx, images, parquet, several, sparse, tables
from likely.data.sources.format import Holds, Options
from likely.data.sources.formats import FORMATS, format_of, readable
from likely.data.sources.reading import Reading
from likely.errors import DataError
from likely.files import default_bytes, seen_to_exist

__all__ = ["files_of", "open_source", "place_of"]

Progress = Callable[[int, int], None]


def open_source(
    data: Any,
    *,
    resize: tuple[int, int] | None = None,
    background: tuple[int, int, int] | None = None,
    progress: Progress | None = None,
    reading: Reading | None = None,
    memory: int | None = None,
) -> Source:
    """Read data as they are.

    Parameters
    ----------
    data
        A path (for npz also `FILE.npz:NAME`), a folder, a pattern (`data/*.parquet`) or a list of files of one kind and
        the same columns, a DataFrame, an arrow table or what has `to_arrow` (polars), a data set of pyarrow, an array,
        a tensor, or a `Source` already.
    resize
        (height, width) for pictures in a folder; other data are not scaled, and a notice says so.
    background
        (red, green, blue) for transparent pictures in a folder, white unless given.
    progress
        Called with (files read, files) while a folder of pictures is read.
    reading
        What is known of a text file: its separator, its decimal mark, or the schema of the run that it is given to.
    memory
        The most bytes that the rows of files may fill, a third of what is free unless given: of more, as sizes of files
        and what they say of themselves tell, only those that are asked for are read.

    Returns
    -------
    Source
        Its form, its splits, and a notice for each thing done to the data; `streamed` says whether rows stay in files.

    Raises
    ------
    DataError
        If it cannot be read; the message says what was given, what was expected and what to do.

    """
    if isinstance(data, Source):
        return data
    if resize is not None and min(resize) < 1:
        raise DataError(f"resize must be a height and a width of at least 1, got {resize}")
    most = default_bytes() if memory is None else memory
    source = _open(data, Options(resize, background, progress, reading, memory=most))
    _check_events(source)
    notices = []
    if resize is not None and any(one.event[:2] != tuple(resize) for one in source.splits.values()):
        notices.append("resize is for folders of pictures; these data were not scaled")
    written = reading is not None and (reading.separator or reading.decimal)
    if written and source.form != Form.TABLE:
        notices.append("separator and decimal are for tables; these data were taken as they are")
    if background is not None and source.form != Form.IMAGES:
        notices.append("background is for folders of pictures; these data were taken as they are")
    return replace(source, notices=(*source.notices, *notices))


def _open(data: Any, options: Options) -> Source:
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
    if parquet.is_dataset(data):
        return parquet.dataset_source(data, options)
    if isinstance(data, (list, tuple)) and data and all(isinstance(one, (str, os.PathLike)) for one in data):
        return _open_files(several.listed(data), options)
    if not isinstance(data, (str, os.PathLike)):
        got = held.type_of(data)
        raise DataError(f"data must be a path, a DataFrame, an array or a tensor; got {got}: {foreign.cure(data)}")
    return _open_path(os.fsdecode(data), options)


def _open_path(text: str, options: Options) -> Source:
    if several.is_pattern(text):
        return _open_files(several.matched(text), options)
    file, member = place_of(text)
    path = _existing(str(file) if member is not None else text)
    if member is not None:
        return _open_file(path, replace(options, member=member))
    return _open_folder(path, options) if path.is_dir() else _open_file(path, options)


def _open_files(files: Sequence[Path], options: Options) -> Source:
    """Files whose rows follow one another."""
    for file in files:
        _existing(str(file))
    place = Path(os.path.commonpath([file.absolute().parent for file in files]))
    return several.read_several(files, place, options, _open_file)


def files_of(text: str) -> list[Path]:
    """The files that a path, a folder, or a pattern names, in order.

    Raises
    ------
    DataError
        If there are none.

    """
    if several.is_pattern(text):
        return several.matched(text)
    path = _existing(str(place_of(text)[0]))
    return several.files_below(path) if path.is_dir() else [path]


def place_of(text: str) -> tuple[Path, str | None]:
    """The file that a path names, and NAME of `FILE.npz:NAME`; `None` where it names the whole file."""
    for ending in (ending for one in FORMATS if one.members for ending in one.endings):
        file, mark, name = text.rpartition(ending + ":")
        if mark and not seen_to_exist(Path(text)):
            return Path(file + ending), name
    return Path(text), None


def _open_file(path: Path, options: Options) -> Source:
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder (a pipe or a device?); save the data to a file first")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; expected {readable()}")
    known = format_of(path)
    if known is None:
        raise DataError(f"{path}: the type of this file is not known; expected {readable()}")
    return known.read(path, replace(options, open_folder=partial(_open_unpacked, options=options)))


def _existing(text: str) -> Path:
    path = Path(text)
    try:
        exists = path.exists()
    except OSError as error:
        raise DataError(f"{text[:200]} cannot be read ({error.strerror}); expected a file or a folder") from error
    if not exists:
        raise DataError(f"no such file or folder: {text}")
    if not os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK):
        raise DataError(f"{text} cannot be read: permission denied; change its permissions")
    return path


def _open_unpacked(folder: Path, options: Options) -> Source:
    """The folder that an archive was unpacked to, or the one file in it."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    alone = format_of(files[0]) if len(files) == 1 else None
    if alone is not None and alone.holds is Holds.ROWS:
        return _open_file(files[0], options)
    return _open_folder(folder, options)


def _open_folder(path: Path, options: Options) -> Source:
    files = [entry for entry in sorted(path.iterdir()) if entry.is_file() and not entry.name.startswith(".")]
    if {"run.json", "config.json", "schema.json"} <= {file.name for file in files}:
        raise DataError(f"{path} is a run, which holds a model and no data: give it to evaluate, sample or report")
    if any(idx.is_idx(file) for file in files if file.suffix.lower() not in images.SUFFIXES):
        return idx.read_folder(path)
    source = images.read_folder(path, options)
    if source is None:
        source = _tables_below(path, options)
    if source is not None:
        return source
    below = idx.folders_below(path)
    if len(below) == 1:
        return idx.read_folder(below[0])
    if below:
        raise DataError(f"{path} holds several folders of IDX files; give one: {', '.join(map(str, below))}")
    if not any(path.iterdir()):
        raise DataError(f"{path} holds nothing; expected a folder of images or IDX files")
    single = [str(file) for file in files if _read_singly(file)]
    if single:
        more = f" ({len(single)} such files)" if len(single) > 3 else ""
        raise DataError(f"{path} is a folder of files that are read singly; give one: {', '.join(single[:3])}{more}")
    raise DataError(f"{path} holds no images and no IDX files; expected {readable()}")


def _tables_below(path: Path, options: Options) -> Source | None:
    """Tables or arrays of one kind, of which each has some of the rows; `None` where the folder holds others."""
    files = several.files_below(path)
    if not all(os.access(file, os.R_OK) for file in files) or several.one_format(files) is None:
        return None
    sources = {
        split: several.read_several(found, path, options, _open_file)
        for split, found in several.splits_of(path, files).items()
    }
    first = next(iter(sources.values()))
    notices = dict.fromkeys(notice for one in sources.values() for notice in one.notices)
    return replace(
        first, splits={split: one.splits["all"] for split, one in sources.items()}, path=path, notices=tuple(notices)
    )


def _read_singly(file: Path) -> bool:
    known = format_of(file) if os.access(file, os.R_OK) else None
    return known is not None and known.holds is not Holds.NOTHING


def _check_events(source: Source) -> None:
    """Refuse splits whose rows differ in shape."""
    shapes = {split: rows.event for split, rows in source.splits.items()}
    if len(set(shapes.values())) > 1:
        listing = ", ".join(f"{split} {shape}" for split, shape in shapes.items())
        raise DataError(f"{source.path}: rows differ in shape between splits ({listing}); expected one shape")
