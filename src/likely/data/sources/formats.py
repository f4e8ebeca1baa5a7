"""The table of file formats: a new one is a file in this folder and a line here."""

from __future__ import annotations

from pathlib import Path

from likely.data.sources.arrow import ARROW
from likely.data.sources.foreign import FOREIGN
from likely.data.sources.format import HEAD_BYTES, Format, Holds, Writer
from likely.data.sources.idx import IDX
from likely.data.sources.images import PICTURE
from likely.data.sources.npy import NPY
from likely.data.sources.npz import NPZ
from likely.data.sources.packed import TAR, ZIP
from likely.data.sources.parquet import PARQUET
from likely.data.sources.text import TEXT
from likely.errors import OutputError

__all__ = ["FORMATS", "format_of", "readable", "writer_of", "writers"]

# Where an ending tells nothing the first that recognises the content has it: from sure marks to plain text.
FORMATS: tuple[Format, ...] = (TAR, IDX, FOREIGN, NPY, PARQUET, ARROW, NPZ, ZIP, PICTURE, TEXT)


def format_of(path: Path) -> Format | None:
    """The format of a file, by its ending and, where that tells nothing, by how it begins; `None` for none known."""
    name = path.name.lower()
    named = next((one for one in FORMATS if one.endings and name.endswith(one.endings)), None)
    if named is not None:
        return named
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return next((one for one in FORMATS if one.recognises(path, head)), None)


def readable() -> str:
    """What can be read, as errors list it."""
    rows = [one for one in FORMATS if one.holds is Holds.ROWS]
    words = [", ".join(end[1:] for end in one.endings) if one.listed is None else one.listed for one in rows]
    packed = [one.name for one in FORMATS if one.holds is Holds.FOLDER]
    return f"{', '.join(words)}, or a folder, {' or '.join(packed)} of images or IDX files"


def writers() -> dict[str, Writer]:
    """Ending -> how results are written to a file of such a name."""
    known = [one.writer for one in FORMATS if one.writer is not None]
    return {ending: one for one in known for ending in one.endings}


def writer_of(path: Path) -> Writer:
    """How results are written to a file of this name.

    Raises
    ------
    OutputError
        If no format that is written has its ending.

    """
    known = writers()
    try:
        return known[path.suffix.lower()]
    except KeyError as error:
        raise OutputError(
            f"{path}: results go to {', '.join(known)} or a folder of pictures, not {path.suffix}"
        ) from error
