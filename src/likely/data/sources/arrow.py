"""Arrow (IPC file or stream) and feather files."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import ipc

from likely.data.source import Source
from likely.data.sources.arrow_sizes import MAGIC, unpacked_size
from likely.data.sources.format import Format, Writer, begins
from likely.data.sources.tables import FEWER, demand_plain, table_source, whole
from likely.files import demand_room

__all__ = ["ARROW", "read_arrow"]

ENDINGS = (".arrow", ".feather")


def read_arrow(path: Path) -> Source:
    """Read an arrow (IPC file or stream) or feather file."""
    with whole(path, "arrow or feather"):
        with path.open("rb") as file:
            older = file.read(4) == b"FEA1"
        if older:
            from pyarrow import feather

            return table_source(feather.read_table(path), path)
        with pa.memory_map(str(path)) as mapped:
            held = mapped.read_buffer()
            demand_room(unpacked_size(held), f"{path}, unpacked,", FEWER)
            opened = ipc.open_file if held.slice(0, 6).to_pybytes() == MAGIC else ipc.open_stream
            with opened(held) as batches:
                demand_plain(batches.schema, str(path))
                return table_source(batches.read_all(), path)


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
