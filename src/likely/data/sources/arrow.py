"""Arrow (IPC file or stream) and feather files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import ipc

from likely.data.source import Source
from likely.data.sources.arrow_sizes import MAGIC, unpacked_sizes
from likely.data.sources.batches import Part, TableRows, rows_source
from likely.data.sources.columns_alike import one_schema
from likely.data.sources.format import Format, Options, Writer, begins
from likely.data.sources.tables import FEWER, demand_plain, table_source, whole
from likely.errors import DataError
from likely.files import demand_room

__all__ = ["ARROW", "read_arrow"]

ENDINGS = (".arrow", ".feather")


def read_arrow(path: Path, options: Options | None = None) -> Source:
    """Read an arrow (IPC file or stream) or feather file."""
    with whole(path, "arrow or feather"):
        if _is_older(path):
            from pyarrow import feather

            return table_source(feather.read_table(path), path)
        with pa.memory_map(str(path)) as mapped:
            size = sum(unpacked_sizes(mapped.read_buffer()))
        if size <= (options or Options()).memory:
            with _opened(path) as batches:
                demand_room(size, f"{path}, unpacked,", FEWER)
                demand_plain(batches.schema, str(path))
                return table_source(batches.read_all(), path)
    return _read_several([path], path, options or Options())


def _read_several(paths: Sequence[Path], place: Path, options: Options) -> Source:
    with whole(place, "arrow or feather"):
        older = next((path for path in paths if _is_older(path)), None)
        if older is not None:
            raise DataError(f"{older} is of the first version of feather, which is read singly; write it anew")
        measured = [_measured(path) for path in paths]
        schema = one_schema([schema for _, schema, _ in measured], paths, measured[0][1])
        parts = [
            Part(rows, path, partial(_batches, path, schema, group))
            for path, (_, _, counts) in zip(paths, measured, strict=True)
            for group, rows in enumerate(counts)
        ]
        size = sum(size for size, _, _ in measured)
        store = TableRows(parts, schema, place, size, None)
    return rows_source(store, place, place, streamed=size > options.memory)


def _is_older(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"FEA1"


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with pa.memory_map(str(path)) as mapped:
        held = mapped.read_buffer()
        with (ipc.open_file if _is_file(held) else ipc.open_stream)(held) as batches:
            yield batches


def _is_file(held: pa.Buffer) -> bool:
    return bool(held.slice(0, 6).to_pybytes() == MAGIC)


def _measured(path: Path) -> tuple[int, pa.Schema, list[int]]:
    """The bytes that all rows take, their schema, and how many there are in each batch; of a stream, in all."""
    with pa.memory_map(str(path)) as mapped:
        sizes = unpacked_sizes(mapped.read_buffer())
    demand_room(max(sizes, default=0), f"a batch of {path}, unpacked,", "give it in smaller batches")
    with _opened(path) as batches:
        if isinstance(batches, ipc.RecordBatchFileReader):
            counts = [batches.get_batch(i).num_rows for i in range(batches.num_record_batches)]
        else:
            counts = [sum(batch.num_rows for batch in batches)]
        return sum(sizes), batches.schema, counts


def _batches(path: Path, schema: pa.Schema, group: int, size: int, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    with _opened(path) as batches:
        is_file = isinstance(batches, ipc.RecordBatchFileReader)
        for batch in [batches.get_batch(group)] if is_file else batches:
            table = pa.Table.from_batches([batch]).select(wanted.names).cast(wanted)
            for first in range(0, len(table), size):
                yield table.slice(first, size)


def _written(frame: pd.DataFrame, _: str) -> bytes:
    buffer = io.BytesIO()
    frame.reset_index(drop=True).to_feather(buffer)
    return buffer.getvalue()


ARROW = Format(
    "arrow",
    read_arrow,
    ENDINGS,
    begins(b"ARROW1", b"FEA1", b"\xff\xff\xff\xff"),
    writer=Writer(ENDINGS, frame=_written),
    several=_read_several,
)
