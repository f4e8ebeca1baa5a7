"""Arrow (IPC file or stream) and feather files."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import feather, ipc

from likely.data.source import Source
from likely.data.sources.format import Format, Writer, begins
from likely.data.sources.tables import BROKEN, broken, table_source
from likely.errors import DataError

__all__ = ["ARROW", "read_arrow"]

ENDINGS = (".arrow", ".feather")


def read_arrow(path: Path) -> Source:
    """Read an arrow (IPC file or stream) or feather file."""
    try:
        with path.open("rb") as file:
            head = file.read(6)
        if head[:4] == b"FEA1" or head == b"ARROW1":
            return table_source(feather.read_table(path), path)
        with pa.memory_map(str(path)) as mapped, ipc.open_stream(mapped) as stream:
            return table_source(stream.read_all(), path)
    except DataError:
        raise
    except BROKEN as error:
        raise broken(path, "arrow or feather", error) from error


def _written(frame: pd.DataFrame, _: str) -> bytes:
    buffer = io.BytesIO()
    frame.reset_index(drop=True).to_feather(buffer)
    return buffer.getvalue()


ARROW = Format(
    "arrow",
    lambda path, _: read_arrow(path),
    ENDINGS,
    begins(b"ARROW1", b"FEA1", b"\xff\xff\xff\xff"),
    writer=Writer(ENDINGS, frame=_written),
)
