"""csv, tsv and txt files, gzipped or not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from likely.data.kinds import Form
from likely.data.source import Rows, Source
from likely.data.sources.delimited import read_delimited
from likely.data.sources.format import Format, Writer
from likely.data.sources.reading import Reading
from likely.data.sources.tables import checked, whole

__all__ = ["TEXT", "read_text"]

ENDINGS = (".csv", ".tsv", ".txt")
OTHER_ENDINGS = ("", ".data", ".dat")  # endings of files that may be text


def read_text(path: Path, reading: Reading | None = None) -> Source:
    """Read a csv, tsv or txt file: integers, floats and strings keep their types, or those of a run's schema."""
    notices: list[str] = []
    with whole(path, "separated text"):
        read = read_delimited(path, notices, reading or Reading())
    rows = Rows(checked(read.frame, str(path)), tokens=read.tokens, written=read.written, given=read.frame)
    return Source(Form.TABLE, {"all": rows}, path, tuple(notices), read.text)


def _recognises(path: Path, head: bytes) -> bool:
    """Text without a NUL under a name that says nothing; of gzipped files the name decides."""
    if path.suffix.lower() == ".gz":
        return Path(path.stem).suffix.lower() in (*ENDINGS, *OTHER_ENDINGS)
    return path.suffix.lower() in OTHER_ENDINGS and b"\0" not in head


def _written(frame: pd.DataFrame, ending: str) -> bytes:
    return str(frame.to_csv(index=False, sep="\t" if ending == ".tsv" else ",")).encode()


TEXT = Format(
    "text",
    lambda path, options: read_text(path, options.reading),
    ENDINGS,
    _recognises,
    listed="csv, tsv, txt (.gz too)",
    writer=Writer(ENDINGS, frame=_written, is_text=True),
)
