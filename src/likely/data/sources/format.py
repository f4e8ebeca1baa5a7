"""What a file format says of itself: a line of the table in `formats`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from likely.data.source import Source
from likely.data.sources.reading import Reading

__all__ = ["HEAD_BYTES", "Format", "Holds", "Options", "Writer", "begins"]

HEAD_BYTES = 4096  # of a file, by which it is known where its name does not tell: enough for every mark at a start


class Holds(Enum):
    """What one file of a format holds."""

    ROWS = "rows"
    ONE_ROW = "one row"
    FOLDER = "a folder"
    NOTHING = "nothing that is read"


@dataclass(frozen=True)
class Options:
    """What the user asks of a reader, and how it opens what a file holds that is itself a folder.

    Attributes
    ----------
    resize, background
        (height, width) and (red, green, blue) for folders of pictures.
    progress
        Called with (files read, files).
    reading
        What is known of a text file.
    member
        NAME of `FILE:NAME`; `None` where none is given.
    open_folder
        Opens the folder that an archive was unpacked to.
    memory
        The most bytes that the rows may fill: of more, those that are asked for are read from the file.

    """

    resize: tuple[int, int] | None = None
    background: tuple[int, int, int] | None = None
    progress: Callable[[int, int], None] | None = None
    reading: Reading | None = None
    member: str | None = None
    open_folder: Callable[[Path], Source] | None = None
    memory: int = 2**62


@dataclass(frozen=True)
class Writer:
    """How results are made the bytes of a file; `None` for what a format cannot hold.

    Attributes
    ----------
    endings
        Of names that ask for the format.
    frame, picture
        (a table, or a picture of Pillow's; the ending) -> bytes.
    array
        An array `(rows, *event)` -> bytes.
    is_text
        Whether the file is text, in which a missing cell is written as in the training rows: `?`, `NA`.

    """

    endings: tuple[str, ...]
    frame: Callable[[pd.DataFrame, str], bytes] | None = None
    array: Callable[[np.ndarray], bytes] | None = None
    picture: Callable[[Any, str], bytes] | None = None
    is_text: bool = False


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    name
        Of the format.
    read
        (path, what is asked) -> the rows; raises a `DataError` that says what was found, what was expected and what to
        do.
    endings
        Names that end so are of this format, whatever they hold; lower case.
    recognises
        (path, its first bytes) -> whether a file whose ending tells nothing is of this format.
    holds
        What one file holds.
    listed
        How a list of what can be read calls it; its endings where it is `None`, empty for nothing.
    members
        Whether `FILE:NAME` names one part of it.
    writer
        How results are written; `None` where they are not.
    several
        (files, the folder that they lie in, what is asked) -> the rows of all of them, one file after the other;
        `None` where files are read singly.

    """

    name: str
    read: Callable[[Path, Options], Source]
    endings: tuple[str, ...] = ()
    recognises: Callable[[Path, bytes], bool] = lambda path, head: False  # noqa: ARG005
    holds: Holds = Holds.ROWS
    listed: str | None = None
    members: bool = False
    writer: Writer | None = None
    several: Callable[[Sequence[Path], Path, Options], Source] | None = None


def begins(*marks: bytes) -> Callable[[Path, bytes], bool]:
    """Whether a file begins with one of these bytes, as `Format.recognises` asks it."""
    return lambda _, head: head.startswith(marks)
