"""Files that are small and would fill the memory: refused before they do, in one line."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import ipc, parquet

from likely.data.sources import open_source
from likely.errors import ConfigError, DataError
from likely.files import MAX_BYTES

BOUND = 4 * 2**20


@pytest.fixture(autouse=True)
def bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_BYTES, str(BOUND))


def _text(path: Path) -> None:
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 300_000))


def _idx(path: Path) -> None:
    path.write_bytes(gzip.compress(b"\0\0\x08\x02" + struct.pack(">II", 3000, 2000) + bytes(6_000_000)))


def _npy(path: Path) -> None:
    np.save(path, np.zeros((1000, 1000)))


def _npz(path: Path) -> None:
    np.savez_compressed(path, x=np.zeros((1000, 1000)))


def _npz_lies(path: Path) -> None:
    """A header of more cells than the file has."""
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(held, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**3)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", held.getvalue())


def _parquet(path: Path) -> None:
    parquet.write_table(pa.table({"a": np.zeros(1_000_000)}), path)


def _parquet_texts(path: Path) -> None:
    """One long text that many rows have, stored once."""
    held = pa.DictionaryArray.from_arrays(pa.array(np.zeros(5_000, np.int32)), pa.array(["x" * 50_000]))
    parquet.write_table(pa.table({"a": held.dictionary_decode(), "b": np.zeros(5_000)}), path, store_schema=False)


def _arrow(path: Path, new: Callable[..., ipc.RecordBatchStreamWriter] = ipc.new_file, kind: str = "zstd") -> None:
    table = pa.table({"a": np.zeros(1_000_000)})
    with new(path, table.schema, options=ipc.IpcWriteOptions(compression=kind)) as out:
        out.write_table(table)


def _arrow_stream(path: Path) -> None:
    _arrow(path, ipc.new_stream, "lz4")


def _arrow_nulls(path: Path) -> None:
    """No bytes for 10^9 rows."""
    table = pa.table({"a": pa.nulls(1_000_000_000)})
    with ipc.new_file(path, table.schema) as out:
        out.write_table(table)


def _arrow_views(path: Path) -> None:
    """One long text that many rows see."""
    text, rows = b"x" * 10_000, 10_000
    view = struct.pack("<i4sii", len(text), text[:4], 0, 0)
    held = pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(view * rows), pa.py_buffer(text)])
    try:
        _ = held.nbytes
    except pa.ArrowTypeError:
        pytest.skip("this version of pyarrow cannot size texts by view: files with them are refused as unreadable")
    with ipc.new_file(path, pa.schema({"a": pa.string_view()})) as out:
        out.write_table(pa.table({"a": held}))


def _picture(path: Path) -> None:
    """A header of 3000 x 3000 and a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 3000, 3000, 8, 6, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(3000 * (4 * 3000 + 1))))
    path.mkdir()
    (path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))


def _pictures(path: Path) -> None:
    path.mkdir()
    for name in range(8):
        Image.new("RGB", (300, 300)).save(path / f"{name}.png")


BOMBS: dict[str, Callable[[Path], None]] = {
    "t.csv.gz": _text,
    "t.csv": _text,
    "train-images-idx2-ubyte.gz": _idx,
    "x.npy": _npy,
    "x.npz": _npz,
    "t.parquet": _parquet,
    "texts.parquet": _parquet_texts,
    "t.arrow": _arrow,
    "stream.arrow": _arrow_stream,
    "nulls.arrow": _arrow_nulls,
    "views.arrow": _arrow_views,
    "large": _picture,
    "many": _pictures,
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_fill_the_memory_is_refused(name: str, tmp_path: Path) -> None:
    BOMBS[name](tmp_path / name)
    with pytest.raises(DataError, match=r"more than the 4 MiB of LIKELY_MAX_BYTES; .*(give|scale|take)") as told:
        next(iter(open_source(tmp_path / name).splits.values())).read()
    assert name in str(told.value)
    assert len(str(told.value)) <= 300


def test_what_is_free_bounds_where_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MAX_BYTES)
    _arrow_nulls(tmp_path / "t.arrow")
    monkeypatch.setattr("likely.files.room._free", lambda: 2**30)
    with pytest.raises(DataError, match="more than 512 MiB, half of what is free"):
        open_source(tmp_path / "t.arrow")


def test_a_bound_that_is_no_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _npy(tmp_path / "x.npy")
    for told in ("2 GB", "-1", "1e9", "9" * 40):
        monkeypatch.setenv(MAX_BYTES, told)
        with pytest.raises(ConfigError, match="LIKELY_MAX_BYTES must be a whole number of bytes"):
            open_source(tmp_path / "x.npy")


def test_an_archive_is_counted_with_its_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header of many bytes is read into memory before any member is seen."""
    monkeypatch.setattr("likely.data.sources.packed.MIN_LIMIT", 10_000)
    member = tarfile.TarInfo("a/x.png")
    member.pax_headers = {"comment": "x" * 5_000_000}
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO())
    with pytest.raises(DataError, match=r"unpacks to more than .* GiB, which is refused"):
        open_source(tmp_path / "t.tar.gz")


def test_a_header_of_more_cells_than_bytes_is_damage(tmp_path: Path) -> None:
    _npz_lies(tmp_path / "x.npz")
    with pytest.raises(DataError, match="fewer bytes than its shape"):
        open_source(tmp_path / "x.npz")
    np.save(tmp_path / "x.npy", np.zeros(4))
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole.replace(b"(4,), }         ", b"(4000000000,), }"))
    with pytest.raises(DataError, match=r"truncated, damaged .*\(32 bytes, expected 32000000000"):
        open_source(tmp_path / "x.npy")


def test_a_table_of_very_many_columns_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MAX_BYTES)
    (tmp_path / "t.csv").write_bytes(b"," * 10**7)
    with pytest.raises(DataError, match="10,000,001 columns, expected at most 100,000; give so many as an array"):
        open_source(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_lists_are_refused_before_they_are_read(name: str, tmp_path: Path) -> None:
    table = pa.table({"a": [[1.0, 2.0], [3.0]]})
    parquet.write_table(table, tmp_path / "t.parquet")
    with ipc.new_file(tmp_path / "t.arrow", table.schema) as out:
        out.write_table(table)
    with pytest.raises(DataError, match=r"column 'a' holds values of type list<.*>; expected one number or string"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("offsets", [[0, 10**6, 3], [0, 3, 1]])
def test_arrow_texts_that_lie_outside_are_refused(offsets: list[int], tmp_path: Path) -> None:
    """Unchecked, they are read from memory of others, or end the process."""
    buffers = [None, pa.py_buffer(np.array(offsets, np.int32).tobytes()), pa.py_buffer(b"abc")]
    held = pa.Array.from_buffers(pa.string(), 2, buffers)
    with ipc.new_file(tmp_path / "t.arrow", pa.schema({"a": pa.string()})) as out:
        out.write_batch(pa.RecordBatch.from_arrays([held], names=["a"]))
    with pytest.raises(DataError, match=r"cannot be read as arrow or feather: .* expected a whole, undamaged file"):
        open_source(tmp_path / "t.arrow")


def test_codes_beyond_their_categories_are_refused(tmp_path: Path) -> None:
    held = pa.DictionaryArray.from_arrays(pa.array([0, 99], pa.int32()), pa.array(["x"]), safe=False)
    with ipc.new_file(tmp_path / "t.arrow", pa.schema({"a": held.type})) as out:
        out.write_batch(pa.RecordBatch.from_arrays([held], names=["a"]))
    with pytest.raises(DataError, match="cannot be read as arrow or feather"):
        open_source(tmp_path / "t.arrow")


def test_a_pipe_among_pictures_is_left_out(tmp_path: Path) -> None:
    for name in range(3):
        Image.new("L", (4, 4)).save(tmp_path / f"{name}.png")
    os.mkfifo(tmp_path / "3.png")
    (tmp_path / "4.png").symlink_to("/dev/zero")
    assert len(open_source(tmp_path).splits["all"]) == 3
