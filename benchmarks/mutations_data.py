"""Small files of every kind that is read, and what pandas, numpy, pyarrow and Pillow say of the same bytes."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import shutil
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageOps
from pyarrow import feather, ipc, parquet

import mutations_bytes as change
from likely.data import infer_schema
from likely.data.cells import TOKENS
from likely.data.source import Source
from likely.data.sources import open_source

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
TEXTS = ("csv", "tsv", "csv.gz")


class DiffersError(Exception):
    """What was read is not what is there."""


def table(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "n": rng.integers(0, 500, 40),
        "x": rng.normal(size=40).round(2),
        "town": rng.choice(["Rome", "Oslo", "Łódź"], 40),
        "ok": rng.random(40) < 0.5,
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, 40), "D"),
    })  # fmt: skip
    frame.loc[rng.random(40) < 0.1, "x"] = np.nan
    return frame


def pictures(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for i in range(4):
        place = folder / "ab"[i % 2] / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)).save(place)


def idx(seed: int) -> bytes:
    cells = np.random.default_rng(seed).integers(0, 256, (12, 5, 4), dtype=np.uint8)
    return b"\0\0\x08\x03" + struct.pack(">III", *cells.shape) + cells.tobytes()


def make(folder: Path, seed: int) -> None:
    """One file of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    frame, rng = table(seed), np.random.default_rng(seed)
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_csv(folder / "t.tsv", index=False, sep="\t")
    (folder / "t.csv.gz").write_bytes(gzip.compress((folder / "t.csv").read_bytes(), mtime=0))
    frame.to_parquet(folder / "t.parquet")
    frame.to_feather(folder / "t.feather", compression="uncompressed")
    held = pa.Table.from_pandas(frame.assign(town=frame["town"].astype("category")))
    for name, new, kind in (("packed.arrow", ipc.new_file, "zstd"), ("stream.arrow", ipc.new_stream, None)):
        with new(folder / name, held.schema, options=ipc.IpcWriteOptions(compression=kind)) as out:
            out.write_table(held, max_chunksize=25)
    cells = rng.normal(size=(20, 4)).astype(np.float32)
    np.save(folder / "x.npy", cells)
    np.savez(folder / "x.npz", x=cells, y=np.arange(20))
    np.savez_compressed(folder / "packed.npz", x_train=cells, x_test=cells[:4])
    pictures(folder / "pictures", seed)
    shutil.make_archive(str(folder / "pictures"), "zip", folder / "pictures")
    shutil.make_archive(str(folder / "pictures"), "gztar", folder / "pictures")
    Image.fromarray(rng.integers(0, 65536, (6, 5), dtype=np.uint16)).save(folder / "deep.png")
    (folder / "images-idx3-ubyte").write_bytes(idx(seed))
    (folder / "images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(seed), mtime=0))


NAMES = ("t.csv", "t.csv", "t.tsv", "t.csv.gz", "t.parquet", "t.feather", "packed.arrow", "stream.arrow", "x.npy",
         "x.npz", "packed.npz", "pictures.zip", "pictures.tar.gz", "pictures/a/0.png", "deep.png",
         "images-idx3-ubyte", "images-idx3-ubyte.gz")  # fmt: skip


def mutated(rng: np.random.Generator, name: str, originals: Path, others: Path) -> tuple[str, bytes]:
    """How a file was changed, and its bytes; a packed one is changed inside half of the time."""
    content, other = (originals / name).read_bytes(), (others / name).read_bytes()
    packed = name.endswith("csv.gz") or name.endswith("ubyte.gz")
    inside = packed and rng.random() < 0.5
    if inside:
        content, other = gzip.decompress(content), gzip.decompress(other)
    ways = change.TEXT if name.endswith((".csv", ".tsv")) or (inside and "csv" in name) else change.BINARY
    way = ways[int(rng.integers(len(ways)))]
    made = way(rng, content, other)
    return way.__name__, gzip.compress(made, mtime=0) if inside else made


def read(path: Path) -> Source:
    """What likely reads, and all that looking at it says."""
    source = open_source(path)
    if source.form == "table":
        infer_schema(next(iter(source.splits.values())).read(), "table")
    return source


def compare(source: Source, path: Path) -> None:
    """Raise `DiffersError` where the libraries that others use read something else in the same bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if source.text is not None:
            _compare_text(source, path)
        else:
            REFERENCES[_kind(path)](source, path)


def _kind(path: Path) -> str:
    name = path.name
    if path.is_dir():
        return "pictures"
    return next(kind for kind in REFERENCES if name.endswith(kind) or kind in name)


def _compare_text(source: Source, path: Path) -> None:
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    told = source.text
    text = raw.decode({"utf-8": "utf-8-sig"}.get(told.encoding, told.encoding)) if told is not None else ""
    if text[:4].lower() == "sep=":
        text = text.split("\n", 1)[1]
    frame = next(iter(source.splits.values())).read().values
    assert isinstance(frame, pd.DataFrame)
    headed = not any("has no header row" in notice for notice in source.notices)
    given = pd.read_csv(io.StringIO(text, newline=""), sep=told.separator, dtype=str, na_filter=False, index_col=False,
                        header=0 if headed else None)  # fmt: skip
    if given.shape != frame.shape:
        raise DiffersError(f"pandas reads {given.shape}, likely {frame.shape}")
    for place, name in enumerate(frame.columns):
        texts, values = given.iloc[:, place], frame.iloc[:, place]
        missing = texts.str.strip().isin(TOKENS)
        if not (values.isna() == missing).all():
            raise DiffersError(f"column {name!r}: other cells are missing")
        there, known = texts[~missing], values[~missing]
        if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
            numbers = pd.to_numeric(there.str.strip(), errors="coerce").astype(float)
            plain = numbers.notna()
            if not np.array_equal(numbers[plain].to_numpy(), known[plain].to_numpy(float)):
                raise DiffersError(f"column {name!r}: other numbers")
        elif pd.api.types.is_string_dtype(values.dtype) and there.tolist() != known.tolist():
            raise DiffersError(f"column {name!r}: other texts")


def _frame(table_of: Callable[[Path], pa.Table]) -> Callable[[Source, Path], None]:
    def compared(source: Source, path: Path) -> None:
        given = source.splits["all"].read().given
        assert given is not None
        try:
            reference = table_of(path).to_pandas()
        except Exception as error:
            raise DiffersError(f"pyarrow reads nothing: {error}") from error
        pd.testing.assert_frame_equal(given, reference, check_dtype=False)

    return compared


def _stream(path: Path) -> pa.Table:
    with ipc.open_stream(path.read_bytes()) as opened:
        return opened.read_all()


def _arrow(path: Path) -> pa.Table:
    return feather.read_table(path) if path.read_bytes()[:4] in (b"ARRO", b"FEA1") else _stream(path)


def _array(source: Source, path: Path) -> None:
    _same(source.splits["all"].read().values, np.load(path, allow_pickle=False))


def _arrays(source: Source, path: Path) -> None:
    arrays = []
    with np.load(path, allow_pickle=False) as held:
        for name in held.files:
            with contextlib.suppress(Exception):  # another array of the file may be damaged
                arrays.append(held[name])
    for rows in source.splits.values():
        values = rows.read().values
        if not any(_alike(values, array) for array in arrays):
            raise DiffersError("no array of the file is what was read")


def _idx(source: Source, path: Path) -> None:
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    shape = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
    cells = np.frombuffer(raw, TYPES[raw[2]], math.prod(shape), 4 + 4 * raw[3]).reshape(shape)
    _same(source.splits["all"].read().values, cells)


def _pictures(source: Source, path: Path) -> None:
    files = sorted((file for file in path.rglob("*.png")), key=lambda file: file.relative_to(path).parts)
    values = np.concatenate([np.asarray(rows.read().values) for rows in source.splits.values()])
    for cells, file in zip(values, files, strict=True):
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            deep = image.mode.startswith("I")
            if "A" in image.mode or "transparency" in image.info:
                continue
            plain = np.asarray(image) if deep else np.asarray(image.convert("RGB" if cells.ndim == 3 else "L"))
        _same(cells, plain)


def _packed(source: Source, path: Path) -> None:
    folder = path.with_name("unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    else:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    if source.form == "images":
        _pictures(source, folder)


def _alike(given: Any, reference: np.ndarray) -> bool:
    reference = reference.astype(reference.dtype.newbyteorder("="))
    shaped = reference.reshape(-1, 1) if reference.ndim == 1 else reference
    values = np.asarray(given)
    return values.dtype == shaped.dtype and values.shape == shaped.shape and values.tobytes() == shaped.tobytes()


def _same(given: Any, reference: np.ndarray) -> None:
    if not _alike(given, reference):
        raise DiffersError(f"{np.asarray(given).dtype} {np.shape(given)}, expected {reference.dtype} {reference.shape}")


REFERENCES: Mapping[str, Callable[[Source, Path], None]] = {
    "pictures.zip": _packed,
    "pictures.tar.gz": _packed,
    "pictures": _pictures,
    ".parquet": _frame(lambda path: parquet.ParquetFile(path).read()),
    ".feather": _frame(_arrow),
    ".arrow": _frame(_arrow),
    ".npy": _array,
    ".npz": _arrays,
    "ubyte": _idx,
}
