"""Parquet files."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from pyarrow import parquet

from likely.data.source import Source
from likely.data.sources.format import Format, Writer, begins
from likely.data.sources.tables import BROKEN, broken, table_source
from likely.errors import DataError

__all__ = ["PARQUET", "read_parquet"]

ENDINGS = (".parquet", ".pq")


def read_parquet(path: Path) -> Source:
    """Read a parquet file."""
    try:
        with parquet.ParquetFile(path) as file:
            return table_source(file.read(), path)
    except DataError:
        raise
    except BROKEN as error:
        raise broken(path, "parquet", error) from error


def _written(frame: pd.DataFrame, _: str) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


PARQUET = Format(
    "parquet", lambda path, _: read_parquet(path), ENDINGS, begins(b"PAR1"), writer=Writer(ENDINGS, frame=_written)
)
