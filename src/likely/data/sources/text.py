"""csv, tsv and txt files, gzipped or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from likely.data.kinds import Form
from likely.data.source import Source
from likely.data.sources.delimited import TEXT_COST
from likely.data.sources.format import Format, Options, Writer
from likely.data.sources.reading import Reading
from likely.data.sources.tables import whole
from likely.data.sources.text_rows import TextRows, read_texts, rows_of_table
from likely.files import demand_room, is_gzip

__all__ = ["TEXT", "read_text"]

ENDINGS = (".csv", ".tsv", ".txt")
OTHER_ENDINGS = ("", ".data", ".dat")  # endings of files that may be text


def read_text(path: Path, options: Options | None = None) -> Source:
    """Read a csv, tsv or txt file: integers, floats and strings keep their types, or those of a run's schema."""
    return _read([path], path, options or Options())


def _read(paths: Sequence[Path], place: Path, options: Options) -> Source:
    """Files whose rows follow one another; what a column holds is told by all of them together."""
    notices: list[str] = []
    reading = options.reading or Reading()
    plain = [path for path in paths if not is_gzip(path)]
    size = TEXT_COST * sum(path.stat().st_size for path in paths)
    with whole(place, "separated text"):
        if size > options.memory and len(plain) == len(paths):
            store = TextRows(paths, place, notices, reading)
            return Source(Form.TABLE, {"all": store}, place, tuple(notices), store.text)
        if len(paths) > 1:
            demand_room(size, str(place), "give fewer rows, or another format: parquet, npy")
        table = read_texts(paths, place, notices, reading)
    return Source(Form.TABLE, {"all": rows_of_table(table, place)}, place, tuple(notices), table.text)


def _recognises(path: Path, head: bytes) -> bool:
    """Text without a NUL under a name that says nothing; of gzipped files the name decides."""
    if path.suffix.lower() == ".gz":
        return Path(path.stem).suffix.lower() in (*ENDINGS, *OTHER_ENDINGS)
    return path.suffix.lower() in OTHER_ENDINGS and b"\0" not in head


def _written(frame: pd.DataFrame, ending: str) -> bytes:
    return str(frame.to_csv(index=False, sep="\t" if ending == ".tsv" else ",")).encode()


TEXT = Format(
    "text",
    read_text,
    ENDINGS,
    _recognises,
    listed="csv, tsv, txt (.gz too)",
    writer=Writer(ENDINGS, frame=_written, is_text=True),
    several=_read,
)
