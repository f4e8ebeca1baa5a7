"""Parquet files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from likely.data.source import Source
from likely.data.sources.format import Format, Writer, begins
from likely.data.sources.tables import FEWER, demand_plain, table_source, whole
from likely.errors import DataError
from likely.files import demand_room, gib, most_bytes, no_room

if TYPE_CHECKING:
    from pyarrow import parquet

__all__ = ["PARQUET", "read_parquet"]

FEWEST, MOST = 256, 65536  # rows at a time
ENDINGS = (".parquet", ".pq")


def read_parquet(path: Path) -> Source:
    """Read a parquet file."""
    from pyarrow import parquet

    with whole(path, "parquet"), parquet.ParquetFile(path) as file:
        demand_plain(file.schema_arrow, str(path))
        return table_source(_read(file, path), path)


def _read(file: parquet.ParquetFile, path: Path) -> pa.Table:
    """All rows; few at a time where texts may be long and stored once, so that they are counted as they unfold."""
    known, schema, most = file.metadata, file.schema_arrow, most_bytes()
    what = f"{path}, unpacked,"
    chunks = [known.row_group(i).column(j) for i in range(known.num_row_groups) for j in range(known.num_columns)]
    demand_room(8 * known.num_rows * known.num_columns, what, FEWER)
    demand_room(sum(chunk.total_uncompressed_size for chunk in chunks), what, FEWER)
    demand_room(8 * sum(chunk.num_values for chunk in chunks), what, FEWER)
    texts = [one for one in schema if not pa.types.is_primitive(one.type)]
    longest = max((chunk.total_uncompressed_size for chunk in chunks), default=0) if texts else 0
    if longest * known.num_rows <= most:
        return file.read()
    held, count = [], 0
    for batch in file.iter_batches(max(FEWEST, min(MOST, most // (4 * longest)))):
        held.append(batch)
        count += batch.nbytes
        if count > most:
            raise DataError(f"{path} unpacks to more than {gib(count)}: {no_room(most)}; {FEWER}")
    return pa.Table.from_batches(held, schema=held[0].schema if held else schema).combine_chunks()


def _written(frame: pd.DataFrame, _: str) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


PARQUET = Format(
    "parquet", lambda path, _: read_parquet(path), ENDINGS, begins(b"PAR1"), writer=Writer(ENDINGS, frame=_written)
)
