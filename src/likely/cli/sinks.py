"""Where results of many rows go, a part at a time: a text file, an array, a folder of tables or of pictures."""

from __future__ import annotations

import os
import re
import shutil
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from likely.data import Schema
from likely.data.pictures import pictures_in_file_units
from likely.errors import OutputError
from likely.files import half_written, new_beside, sync_folder, write

__all__ = ["RECORD", "Done", "Place", "Sink", "Text", "sink_of"]

RECORD = "_likely.json"  # in a folder of parts; names that begin so are left out when the folder is read
PART = re.compile(r"part-\d{5,}\.parquet")
SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": ","}
MANY = ".csv, .tsv, .npy, .parquet, or a folder (-o rows/)"


@dataclass(frozen=True)
class Place:
    """The number of a part, and that of its first row."""

    part: int
    row: int


@dataclass(frozen=True)
class Done:
    """How many parts and rows are written, where a text file then ends, in bytes, and whether all has its name."""

    parts: int = 0
    rows: int = 0
    end: int = 0
    finished: bool = False


class Sink(ABC):
    """A place that results are written to, some rows at a time.

    Attributes
    ----------
    place
        What the user named.
    record
        The file that says how far it is; `None` where an interrupted result cannot go on.

    """

    place: Path
    record: Path | None

    @abstractmethod
    def begin(self, total: int) -> None:
        """Make an empty place for so many rows."""

    @abstractmethod
    def again(self, done: Done) -> bool:
        """Go back to what was recorded last; whether it is there."""

    @abstractmethod
    def add(self, result: Any, at: Place) -> int:
        """Write the results of the rows from a place on; where the place then ends, in bytes, if that matters."""

    @abstractmethod
    def finish(self) -> None:
        """All rows are written: the place has its name."""

    def discard(self) -> None:  # noqa: B027
        """Remove what was written, where it is of no use without the rest: most sinks keep it."""


def sink_of(path: Path, schema: Schema, *, frames: bool) -> Sink:
    """Where results go that are frames, or arrays.

    Raises
    ------
    OutputError
        If a file of such a name is not written a part at a time.

    """
    ending = path.suffix.lower()
    if not ending:
        return Parts(path) if frames else Pictures(path, schema)
    if frames and ending in SEPARATORS:
        return Text(path, SEPARATORS[ending])
    if frames and ending in (".parquet", ".pq"):
        return OneParquet(path)
    if ending == ".npy":
        return Array(path)
    kind = "tables" if frames else "arrays and pictures"
    raise OutputError(f"{path}: many rows of {kind} go to {MANY if frames else '.npy or a folder of pictures'}")


@final
class Text(Sink):
    """A file of separated text, which takes its place when it is whole."""

    def __init__(self, path: Path, separator: str) -> None:
        self.place, self._separator = path, separator
        self._half = new_beside(Path(os.path.realpath(path)))
        self.record = self._half.with_name(f".{path.name}.json")

    def begin(self, _: int) -> None:
        """Make an empty file."""
        self._half.parent.mkdir(parents=True, exist_ok=True)
        self._half.write_bytes(b"")

    def again(self, done: Done) -> bool:
        """Cut the file where the last whole part ends."""
        if not self._half.exists() or self._half.stat().st_size < done.end:
            return False
        os.truncate(self._half, done.end)
        return True

    def add(self, result: Any, at: Place) -> int:
        """Append rows; the first ones below the names."""
        with self._half.open("ab") as file:
            file.write(result.to_csv(index=False, header=at.part == 0, sep=self._separator).encode())
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def finish(self) -> None:
        """Give the file its name."""
        _renamed(self._half, self.place)


@final
class Array(Sink):
    """An npy file, which takes its place when it is whole."""

    def __init__(self, path: Path) -> None:
        self.place, self._total = path, 0
        self._half = new_beside(Path(os.path.realpath(path)))
        self.record = self._half.with_name(f".{path.name}.json")

    def begin(self, total: int) -> None:
        """The file is made with the first rows, which say its type."""
        self._half.parent.mkdir(parents=True, exist_ok=True)
        self._half.unlink(missing_ok=True)
        self._total = total

    def again(self, _: Done) -> bool:
        """Whether the file is there."""
        return self._half.exists()

    def add(self, result: Any, at: Place) -> int:
        """Write rows in their place; a truth beside numbers is 0 or 1."""
        if isinstance(result, pd.DataFrame):
            result = result.astype({name: float for name in result if result[name].dtype == bool}).to_numpy()
        array = np.asarray(result)
        if not self._half.exists():
            np.lib.format.open_memmap(self._half, "w+", array.dtype, (self._total, *array.shape[1:])).flush()
        held = np.lib.format.open_memmap(self._half, "r+")
        if array.shape[1:] != held.shape[1:]:
            raise OutputError(f"{self.place}: rows of shape {array.shape[1:]} after rows of {held.shape[1:]}")
        held[at.row : at.row + len(array)] = array
        held.flush()
        return 0

    def finish(self) -> None:
        """Give the file its name."""
        _renamed(self._half, self.place)


@final
class Parts(Sink):
    """A folder of parquet files, each written whole."""

    def __init__(self, path: Path) -> None:
        self.place, self.record = path, path / RECORD

    def begin(self, _: int) -> None:
        """Make the folder; only what likely wrote is removed from one that is there.

        Raises
        ------
        OutputError
            If it holds anything else.

        """
        if self.place.is_file():
            raise OutputError(f"{self.place} is a file, so it is not overwritten; choose another name")
        entries = list(self.place.iterdir()) if self.place.exists() else []
        odd = [one.name for one in entries if one.name != RECORD and not PART.fullmatch(one.name)]
        odd = [name for name in odd if not half_written(name)]
        if odd or (entries and not (self.place / RECORD).exists()):
            name = odd[0] if odd else entries[0].name
            raise OutputError(f"{self.place} holds {name!r}, which likely did not write there; choose another name")
        for entry in sorted(entries, key=lambda one: one.name == RECORD):  # what says whose they are goes last
            entry.unlink()
        self.place.mkdir(parents=True, exist_ok=True)

    def again(self, done: Done) -> bool:
        """Whether the parts are there; what comes after them is removed."""
        known = {f"part-{i:05d}.parquet" for i in range(done.parts)}
        there = {one.name for one in self.place.iterdir()}
        for name in there - known:
            if PART.fullmatch(name) or half_written(name):
                (self.place / name).unlink()
        return known <= there

    def add(self, result: Any, at: Place) -> int:
        """Write a part."""
        from likely.data.sources.parquet import PARQUET

        if PARQUET.writer is not None and PARQUET.writer.frame is not None:
            write(self.place / f"part-{at.part:05d}.parquet", PARQUET.writer.frame(result, ".parquet"))
        return 0

    def finish(self) -> None:
        """Every part has its name already."""


@final
class Pictures(Sink):
    """A folder with one picture a row, which takes its place when it is whole."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.place, self._schema = path, schema
        self._half = new_beside(Path(os.path.realpath(path)))
        self.record = self._half.with_name(f".{path.name}.json")

    def begin(self, _: int) -> None:
        """Make an empty folder.

        Raises
        ------
        OutputError
            If something is in its place that is not to be replaced.

        """
        if self.place.exists():
            raise OutputError(f"{self.place} exists already; many pictures go to a new folder")
        if self._half.exists():
            shutil.rmtree(self._half)
        self._half.mkdir(parents=True)

    def again(self, done: Done) -> bool:
        """Whether the pictures are there."""
        return done.rows == 0 or (self._half / f"{done.rows - 1:05d}.png").exists()

    def add(self, result: Any, at: Place) -> int:
        """Write the pictures, named by the numbers of their rows."""
        from PIL import Image

        from likely.data.sources.picture import picture_bytes

        for number, picture in enumerate(pictures_in_file_units(self._schema, np.asarray(result))):
            content = picture_bytes(Image.fromarray(picture), ".png")
            (self._half / f"{at.row + number:05d}.png").write_bytes(content)
        sync_folder(self._half)
        return 0

    def finish(self) -> None:
        """Give the folder its name."""
        self._half.rename(self.place)
        sync_folder(self.place.parent)


@final
class OneParquet(Sink):
    """One parquet file: its end says what it holds, so that one which was interrupted cannot go on."""

    def __init__(self, path: Path) -> None:
        self.place, self.record = path, None
        self._half = new_beside(Path(os.path.realpath(path)))
        self._writer: Any = None

    def begin(self, _: int) -> None:
        """The file is made with the first rows, which say its types."""
        self._half.parent.mkdir(parents=True, exist_ok=True)

    def again(self, _: Done) -> bool:
        """It never is there."""
        return False

    def add(self, result: Any, _: Place) -> int:
        """Append a row group."""
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.Table.from_pandas(result, preserve_index=False)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._half, table.schema)
        try:
            self._writer.write_table(table.cast(self._writer.schema))
        except pa.ArrowException as error:
            raise OutputError(
                f"{self.place}: these rows have other types than those before ({error}); give a folder: -o rows/"
            ) from error
        return 0

    def finish(self) -> None:
        """Give the file its name."""
        self._writer.close()
        _renamed(self._half, self.place)

    def discard(self) -> None:
        """Remove what has no end."""
        if self._writer is not None:
            with suppress(Exception):
                self._writer.close()
        self._half.unlink(missing_ok=True)


def _renamed(half: Path, place: Path) -> None:
    half.replace(Path(os.path.realpath(place)))
    sync_folder(place.absolute().parent)
