"""Several files as one data set: a list, a pattern, a folder of tables or arrays."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from likely.data.source import Source
from likely.data.sources.format import Format, Options
from likely.data.sources.formats import format_of
from likely.data.sources.images import SPLITS
from likely.errors import DataError
from likely.files import seen_to_exist

__all__ = ["files_below", "is_pattern", "listed", "matched", "one_format", "read_several", "splits_of"]

MARKS = ("_", ".")  # at the start of names of files that tools put beside those of a data set


def is_pattern(text: str) -> bool:
    """Whether a text with `*`, `?` or `[` names files by a pattern and is not itself a path."""
    return glob.has_magic(text) and not seen_to_exist(Path(text))


def matched(pattern: str) -> list[Path]:
    """The files that a pattern names, in the order of their names; `**` goes through folders.

    Raises
    ------
    DataError
        If there are none.

    """
    root = Path(Path(pattern).anchor)
    files = [file for file in sorted(root.glob(str(Path(pattern).relative_to(root)))) if file.is_file()]
    if not files:
        raise DataError(f"no file matches {pattern}")
    return files


def listed(data: Sequence[object]) -> list[Path]:
    """The files of a list of paths.

    Raises
    ------
    DataError
        If one is a folder.

    """
    files = [Path(os.fsdecode(one)) for one in data if isinstance(one, (str, os.PathLike))]
    folder = next((file for file in files if file.is_dir()), None)
    if folder is not None:
        raise DataError(f"{folder} is a folder; give a list of files, or the folder alone")
    return files


def files_below(folder: Path) -> list[Path]:
    """The files below a folder, in the order of their names, without those of tools: `_SUCCESS`, `.crc`."""
    return sorted(_walk(folder), key=lambda file: file.relative_to(folder).parts)


def _walk(folder: Path) -> Iterator[Path]:
    for root, below, files in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(MARKS)]
        yield from (Path(root, name) for name in files if not name.startswith(MARKS))


def splits_of(folder: Path, files: Sequence[Path]) -> dict[str, list[Path]]:
    """The files of each split, by their first folder or their name: `train/`, `train.csv`; else all of them.

    Raises
    ------
    DataError
        If some are of a split and others are not.

    """
    found: dict[str, list[Path]] = {}
    for file in files:
        first = file.relative_to(folder).parts[0].lower().split(".")[0]
        found.setdefault(SPLITS.get(first, "all"), []).append(file)
    if "all" in found and len(found) > 1:
        named = ", ".join(sorted(split for split in found if split != "all"))
        raise DataError(f"{folder} holds {named} and, outside them, {found['all'][0]}; move that, or give one of them")
    return found


def one_format(files: Sequence[Path]) -> Format | None:
    """The format of all files, where they are of one that is read from several; `None` elsewhere."""
    formats = [format_of(file) for file in files]
    first = formats[0] if formats else None
    return first if first is not None and first.several is not None and all(one is first for one in formats) else None


def read_several(
    files: Sequence[Path], place: Path, options: Options, read: Callable[[Path, Options], Source]
) -> Source:
    """The rows of several files, one file after the other.

    Parameters
    ----------
    files, place
        Files, and the folder that they lie in.
    options
        What is asked.
    read
        Reads one file.

    Raises
    ------
    DataError
        If they are of several formats, or of one that is read singly, or a file is empty.

    """
    if len(files) == 1:
        return read(files[0], options)
    known = one_format(files)
    if known is None or known.several is None:
        kinds = {format_of(file): file for file in files}
        if len(kinds) > 1:
            one, other = list(kinds.values())[:2]
            raise DataError(f"{one} and {other} are of two kinds; give files of one")
        raise DataError(f"files such as {files[0]} are read singly; give one")
    empty = next((file for file in files if not file.stat().st_size), None)
    if empty is not None:
        raise DataError(f"{empty} is empty; take it out")
    return known.several(files, place, options)
