"""Parquet files, folders of them, and data sets of pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from likely.data.source import Source
from likely.data.sources.batches import Part, TableRows, rows_source, seen_in
from likely.data.sources.columns_alike import one_schema
from likely.data.sources.format import Format, Options, Writer, begins
from likely.data.sources.tables import FEWER, demand_plain, table_source, whole
from likely.errors import DataError
from likely.files import demand_room, gib, most_bytes, no_room

if TYPE_CHECKING:
    from pyarrow import dataset, parquet

__all__ = ["PARQUET", "dataset_source", "is_dataset", "read_parquet"]

FEWEST, MOST = 256, 65536  # rows at a time
ENDINGS = (".parquet", ".pq")


def read_parquet(path: Path, options: Options | None = None) -> Source:
    """Read a parquet file."""
    from pyarrow import parquet

    with whole(path, "parquet"), parquet.ParquetFile(path) as file:
        demand_plain(file.schema_arrow, str(path))
        if _size(file.metadata) <= (options or Options()).memory:
            return table_source(_read(file, path), path)
    return _read_several([path], path, options or Options())


def _read_several(paths: Sequence[Path], place: Path, options: Options) -> Source:
    """Files of one set; a folder named `year=2024` on the way to one is a column `year`."""
    from pyarrow import dataset, fs

    with whole(place, "parquet"):
        ways = dataset.HivePartitioning.discover()
        base = place if place.is_dir() else place.parent
        told = dataset.FileSystemFactoryOptions(partition_base_dir=base.as_posix(), partitioning=ways)
        names = [path.as_posix() for path in paths]
        factory = dataset.FileSystemDatasetFactory(fs.LocalFileSystem(), names, dataset.ParquetFileFormat(), told)
        opened = factory.finish()
    return _source(opened, place, options)


def is_dataset(data: Any) -> bool:
    """Whether it is a data set of pyarrow."""
    return any(kind.__name__ == "Dataset" and kind.__module__ == "pyarrow._dataset" for kind in type(data).__mro__)


def dataset_source(data: dataset.Dataset, options: Options) -> Source:
    """The rows of a data set of pyarrow, as a source."""
    return _source(data, None, options)


def _source(data: dataset.Dataset, place: Path | None, options: Options) -> Source:
    from pyarrow import dataset

    called = Path("the data set") if place is None else place
    with whole(called, "a table"):
        fragments = _fragments(data)
        if not fragments:
            raise DataError(f"{called} has no files; expected at least one")
        paths = [Path(getattr(one, "path", called)) for one in fragments]
        demand_plain(data.schema, str(called))
        schema = one_schema([one.physical_schema for one in fragments], paths, data.schema)
        parts: list[Part] = []
        size, known = 0, dict[str, bool | None](dict.fromkeys(schema.names, False))
        for fragment, path in zip(fragments, paths, strict=True):
            if isinstance(fragment, dataset.ParquetFileFragment):
                size += _size(fragment.metadata)
                parts += _groups(fragment, path, schema)
                known = {name: _has_nulls(fragment.metadata, name, has) for name, has in known.items()}
            else:
                count = fragment.count_rows()
                size += 16 * count * len(schema)
                parts.append(Part(count, path, partial(_scanned, fragment, schema)))
                known = dict[str, bool | None](dict.fromkeys(schema.names))
        sure = {name: has for name, has in known.items() if has is not None}
        store = TableRows(parts, schema, called, size, seen_in(parts, schema, sure))
    return rows_source(store, place, called, streamed=size > options.memory)


def _fragments(data: dataset.Dataset) -> list[Any]:
    try:
        return list(data.get_fragments())
    except ValueError as error:
        raise DataError("the data set keeps some rows back by a filter; give its table: data.to_table()") from error


def _groups(fragment: dataset.ParquetFileFragment, path: Path, schema: pa.Schema) -> list[Part]:
    """The row groups of a file."""
    from pyarrow import dataset

    metadata, given = fragment.metadata, dataset.get_partition_keys(fragment.partition_expression)

    def batches(group: int, size: int, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        from pyarrow import parquet

        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        with fragment.open() as opened, parquet.ParquetFile(opened, metadata=metadata, buffer_size=2**20) as file:
            there = [name for name in wanted.names if name in file.schema_arrow.names]
            for batch in file.iter_batches(size, row_groups=[group], columns=there):
                yield _aligned(batch, wanted, given)

    return [Part(metadata.row_group(i).num_rows, path, partial(batches, i)) for i in range(metadata.num_row_groups)]


def _scanned(fragment: Any, schema: pa.Schema, size: int, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    scanner = fragment.scanner(
        schema=schema, columns=columns, batch_size=size, batch_readahead=1, fragment_readahead=1, use_threads=False
    )
    for batch in scanner.to_batches():
        if len(batch):
            yield pa.Table.from_batches([batch])


def _aligned(batch: pa.RecordBatch, schema: pa.Schema, given: dict[str, Any]) -> pa.Table:
    """The columns of the schema, in its order and types; what the name of a folder says is the same in all rows."""
    columns = [
        batch.column(one.name).cast(one.type)
        if one.name in batch.schema.names
        else pa.repeat(pa.scalar(given.get(one.name), one.type), len(batch))
        for one in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _size(metadata: parquet.FileMetaData) -> int:
    """Bytes that all rows take, as a table and as a frame."""
    packed = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    return int(packed + 8 * metadata.num_rows * metadata.num_columns)


def _has_nulls(metadata: parquet.FileMetaData, name: str, has: bool | None) -> bool | None:
    """Whether a column has missing values, in a file or before it; `None` where the file does not say."""
    columns = [one for one in range(metadata.num_columns) if metadata.schema.column(one).path == name]
    if has or has is None or not columns:
        return has
    groups = [metadata.row_group(i).column(columns[0]).statistics for i in range(metadata.num_row_groups)]
    if any(one is None or not one.has_null_count for one in groups):
        return None
    return any(one.null_count for one in groups)


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
    "parquet",
    read_parquet,
    ENDINGS,
    begins(b"PAR1"),
    writer=Writer(ENDINGS, frame=_written),
    several=_read_several,
)
