"""Rows that stay in files: the same as those that are read at once, whatever is asked for."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import dataset, ipc, parquet

from likely.data import digest
from likely.data.infer import infer_schema
from likely.data.kinds import Form
from likely.data.source import Rows, RowStore, Source
from likely.data.sources import open_source
from likely.data.sources.reading import Reading
from likely.errors import DataError
from likely.run.datasets import gathered

ROWS = 333


def table(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "real": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "whole": pd.array(rng.integers(-5, 5, rows), dtype="Int64"),
            "count": rng.integers(0, 9, rows),
            "word": rng.choice(["a", "b,c", 'd"e', "f\ng"], rows),
            "truth": pd.array(rng.random(rows) < 0.5, dtype="boolean"),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, rows), unit="D"),
        }
    )
    frame.loc[rows // 2 :, "whole"] = frame["whole"].mask(rng.random(rows) < 0.2)  # none in the first half
    frame.loc[rows // 2 :, "truth"] = frame["truth"].mask(rng.random(rows) < 0.2)
    return frame


def same(got: Rows, expected: Rows) -> None:
    if isinstance(expected.values, pd.DataFrame):
        assert isinstance(got.values, pd.DataFrame)
        pd.testing.assert_frame_equal(got.values, expected.values, check_index_type=False)
    else:
        np.testing.assert_array_equal(got.values, expected.values)
        assert np.asarray(got.values).dtype == np.asarray(expected.values).dtype
    for one, other in ((got.labels, expected.labels), (got.beside, expected.beside)):
        assert (one is None) == (other is None)
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def same_in_every_way(stream: Source, whole: Source) -> None:
    assert stream.streamed
    assert not whole.streamed
    assert stream.form == whole.form
    assert list(stream.splits) == list(whole.splits)
    assert digest(stream, labels=["label"]) == digest(whole, labels=["label"])
    for name, held in whole.splits.items():
        store: RowStore = stream.splits[name]
        assert len(store) == len(held)
        assert store.event == held.event
        for size in (1 + len(held) // 3, 70, 10**6):
            chunks = list(store.chunks(size))
            firsts = np.cumsum([0, *map(len, chunks)])
            assert {len(chunk) for chunk in chunks[:-1]} <= {size}
            for first, chunk in zip(firsts[:-1], chunks, strict=True):
                same(chunk, held.read(np.arange(first, first + len(chunk))))
        later = list(store.chunks(41, 30)) if len(held) > 30 else []
        for number, chunk in enumerate(later):
            same(chunk, held.read(np.arange(30 + 41 * number, min(71 + 41 * number, len(held)))))
        assert sum(map(len, later)) == max(0, len(held) - 30)
        rng = np.random.default_rng(1)
        for index in (
            rng.integers(0, len(held), 40),
            rng.permutation(len(held)),
            np.arange(len(held) // 2, len(held)),
            np.arange(0),
        ):
            same(store.read(index), held.read(index))
        same(store.read(), held.read())


def as_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False)


def as_parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False, row_group_size=50)


def as_arrow(frame: pd.DataFrame, path: Path) -> None:
    held = pa.Table.from_pandas(frame, preserve_index=False)
    with ipc.new_file(path, held.schema) as out:
        out.write_table(held, max_chunksize=60)


def as_stream(frame: pd.DataFrame, path: Path) -> None:
    held = pa.Table.from_pandas(frame, preserve_index=False)
    with ipc.new_stream(path, held.schema) as out:
        out.write_table(held, max_chunksize=60)


WRITTEN: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "t.csv": as_csv,
    "t.parquet": as_parquet,
    "t.arrow": as_arrow,
    "s.arrow": as_stream,
}


def reading_for(path: Path) -> Reading:
    """By the schema of a fit on these rows, so that every chunk has its types."""
    whole = open_source(path, memory=2**62)
    return Reading(schema=infer_schema(whole.splits["all"].read(), whole.form))


@pytest.mark.parametrize("name", WRITTEN)
def test_a_table_in_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITTEN[name](table(), path)
    reading = reading_for(path)
    same_in_every_way(open_source(path, reading=reading, memory=0), open_source(path, reading=reading, memory=2**62))


@pytest.mark.parametrize("name", WRITTEN)
def test_tables_in_several_files_follow_one_another(name: str, tmp_path: Path) -> None:
    frame = table()
    for number, rows in enumerate((frame[:17], frame[17:18], frame[18:200], frame[200:])):
        WRITTEN[name](rows if number else rows[rows.columns[::-1]], tmp_path / f"part-{number}{Path(name).suffix}")
    single = tmp_path / "one"
    single.mkdir()
    WRITTEN[name](frame[frame.columns[::-1]], single / name)
    reading = reading_for(single / name)
    files = sorted(tmp_path.glob("part-*"))
    whole = open_source(single / name, reading=reading, memory=2**62)
    for given in (files, str(tmp_path / "part-*"), tuple(map(str, files))):
        held = open_source(given, reading=reading, memory=2**62)
        same(held.splits["all"].read(), whole.splits["all"].read())
        same_in_every_way(open_source(given, reading=reading, memory=0), held)


def test_a_folder_of_tables_and_its_splits(tmp_path: Path) -> None:
    frame = table()
    (tmp_path / "train").mkdir()
    as_parquet(frame[:100], tmp_path / "train" / "a.parquet")
    as_parquet(frame[100:150], tmp_path / "train" / "b.parquet")
    as_parquet(frame[150:], tmp_path / "test.parquet")
    (tmp_path / "_SUCCESS").touch()
    whole = open_source(tmp_path)
    assert {name: len(rows) for name, rows in whole.splits.items()} == {"test": ROWS - 150, "train": 150}
    same_in_every_way(open_source(tmp_path, memory=0), whole)
    as_parquet(frame, tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"holds test, train and, outside them, \S+other\.parquet"):
        open_source(tmp_path)


def test_folders_that_name_values_are_columns(tmp_path: Path) -> None:
    frame = table().assign(year=np.repeat([2023, 2024, 2025], 111), town="Bern")
    written = pa.Table.from_pandas(frame, preserve_index=False)
    parquet.write_to_dataset(written, tmp_path / "set", partition_cols=["year", "town"])
    whole = open_source(tmp_path / "set")
    values = whole.splits["all"].read().values
    assert isinstance(values, pd.DataFrame)
    assert values["year"].tolist() == frame["year"].tolist()
    assert set(values["town"]) == {"Bern"}
    stream = open_source(tmp_path / "set", memory=0)
    same_in_every_way(stream, whole)
    ways = dataset.dataset(tmp_path / "set", partitioning="hive")
    for memory in (0, 2**62):
        given = open_source(ways, memory=memory)
        assert given.streamed == (memory == 0)
        assert digest(given) == digest(whole)
    with pytest.raises(DataError, match="keeps some rows back by a filter"):
        open_source(ways.filter(dataset.field("count") > 3))


def test_a_category_is_the_same_in_every_chunk(tmp_path: Path) -> None:
    kind = pd.CategoricalDtype(["x", "y", "z"], ordered=True)
    frame = pd.DataFrame({"a": pd.Series(["x"] * 60 + ["z", None] * 30, dtype=kind), "b": range(120)})
    frame.index = pd.RangeIndex(10, 250, 2)
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=50)
    same_in_every_way(open_source(tmp_path / "t.parquet", memory=0), open_source(tmp_path / "t.parquet"))


def test_an_index_is_not_modelled(tmp_path: Path) -> None:
    frame = table().set_index("word")
    frame.to_parquet(tmp_path / "t.parquet")
    stream = open_source(tmp_path / "t.parquet", memory=0)
    assert stream.notices == ("t.parquet: the index 'word' is not modelled",)
    assert stream.splits["all"].event == (5,)
    assert stream.splits["all"].read(np.arange(3, 6)).values.index.tolist() == frame.index[3:6].tolist()


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_in_files(order: str, tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(ROWS, 3, 2)).astype(">f4")
    np.save(tmp_path / "a.npy", np.asarray(array[:40], order=order))  # type: ignore[call-overload]
    np.save(tmp_path / "b.npy", array[40:])
    np.save(tmp_path / "line.npy", np.arange(9))
    same_in_every_way(open_source(tmp_path / "a.npy", memory=0), open_source(tmp_path / "a.npy"))
    same_in_every_way(open_source(tmp_path / "line.npy", memory=0), open_source(tmp_path / "line.npy"))
    both = str(tmp_path / "[ab].npy")
    same_in_every_way(open_source(both, memory=0), open_source(both))
    store = open_source(tmp_path / "line.npy", memory=0).splits["all"]
    torch.from_numpy(np.asarray(store.read(np.arange(4)).values))  # may be written to, so no warning
    assert np.load(tmp_path / "line.npy").tolist() == list(range(9))
    with pytest.raises(DataError, match=r"line\.npy has rows of shape \(\) and type int64, \S+a\.npy of \(3, 2\)"):
        open_source([tmp_path / "a.npy", tmp_path / "line.npy"])


def picture(path: Path, level: int, *, colour: bool = False, sideways: bool = False) -> None:
    values = np.random.default_rng(level).integers(0, 256, (6, 4, 3) if colour else (6, 4)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if sideways:
        values, exif[274] = np.swapaxes(values, 0, 1), 6
    Image.fromarray(values).save(path, exif=exif)


def test_folders_of_pictures(tmp_path: Path) -> None:
    for number in range(7):
        path = tmp_path / ("train" if number < 4 else "test") / f"class{number % 2}" / f"{number}.png"
        picture(path, number, colour=number == 2, sideways=number == 3)
    same_in_every_way(open_source(tmp_path, memory=0), open_source(tmp_path))
    same_in_every_way(open_source(tmp_path, resize=(3, 5), memory=0), open_source(tmp_path, resize=(3, 5)))
    (tmp_path / "train" / "marks.csv").write_text(
        "file,age\n" + "".join(f"{number}.png,{number}\n" for number in range(4))
    )
    same_in_every_way(open_source(tmp_path, memory=0), open_source(tmp_path))
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "test" / "class0" / "odd.png")
    with pytest.raises(DataError, match=r"pictures differ in size: \S+ is 6x4, \S+odd\.png is 9x9"):
        open_source(tmp_path, memory=0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "transparent"])
def test_a_header_tells_what_a_picture_becomes(mode: str, tmp_path: Path) -> None:
    from likely.data.sources.picture import outline_of, read_picture

    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    if mode == "transparent":
        Image.new("L", (5, 7), 3).save(path, transparency=3)
    else:
        Image.new(mode, (5, 7)).save(path)
    for background in ((255, 255, 255), (1, 2, 3)):
        assert outline_of(path, None, background) == read_picture(path, None, background).outline


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_texts_as_they_are_written(encoding: str, ends: str, tmp_path: Path) -> None:
    lines = [
        "",
        "naïve;b",
        *(f"{n},5;é{n}" if n % 7 else f'{n},25;"a{ends}b"' for n in range(1, 200)),
        "  ",
        "",
        "7,0;z",
        "",
    ]
    path = tmp_path / "t.csv"
    path.write_bytes(("sep=;" + ends + ends.join(lines)).encode(encoding))
    whole = open_source(path)
    assert len(whole.splits["all"]) == 200
    reading = Reading(schema=infer_schema(whole.splits["all"].read(), Form.TABLE))
    stream = open_source(path, reading=reading, memory=0)
    same_in_every_way(stream, open_source(path, reading=reading))
    assert stream.notices == open_source(path, reading=reading).notices[: len(stream.notices)]
    assert [notice for notice in stream.notices if "blank" in notice] == ["t.csv: 3 blank line(s) were left out"]
    assert open_source(path, memory=0).text == whole.text


def test_texts_without_a_header_or_a_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1\n2\n" * 70 + "3")
    same_in_every_way(open_source(tmp_path / "a.csv", memory=0), open_source(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n" + "1,2\n" * 99 + "1\n", r"t\.csv, line 101: 1 field\(s\), but the first line has 2"),
        ("a,b\n" + "1,2\n" * 99 + "1,\0\n", "is not text: it holds zero bytes"),
        ("a,b\n", "columns but no rows"),
        ("a,b\n" + "1,2\n" * 5000 + "1,1e999\n", "column 'b' holds 1e999 in row 5000, which is beyond float64"),
    ],
)
def test_texts_that_are_damaged_are_refused(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        list(open_source(tmp_path / "t.csv", memory=0).splits["all"].chunks(1000))


def test_columns_are_the_same_in_all_files(tmp_path: Path) -> None:
    frame = table()
    for name, write in (("csv", as_csv), ("parquet", as_parquet), ("arrow", as_arrow)):
        write(frame, tmp_path / f"a.{name}")
        write(frame.drop(columns="count"), tmp_path / f"b.{name}")
        write(frame.assign(more=1), tmp_path / f"c.{name}")
        for memory in (0, 2**62):
            with pytest.raises(DataError, match=rf"b\.{name} has no column 'count', as \S+a\.{name} has"):
                open_source([tmp_path / f"a.{name}", tmp_path / f"b.{name}"], memory=memory)
            with pytest.raises(DataError, match=rf"c\.{name} has a column 'more', which \S+a\.{name} has not"):
                open_source([tmp_path / f"a.{name}", tmp_path / f"c.{name}"], memory=memory)
    as_parquet(frame.assign(real=frame["count"]), tmp_path / "d.parquet")
    wider = open_source([tmp_path / "d.parquet", tmp_path / "a.parquet"]).splits["all"].read().values
    assert wider["real"].dtype == np.float64
    as_parquet(frame.assign(real="x"), tmp_path / "e.parquet")
    with pytest.raises(DataError, match=r"e\.parquet: column 'real' is of type \S+string, in \S+a\.parquet of double"):
        open_source([tmp_path / "a.parquet", tmp_path / "e.parquet"])


def test_lists_and_patterns_that_name_no_set_are_refused(tmp_path: Path) -> None:
    as_csv(table(), tmp_path / "a.csv")
    as_parquet(table(), tmp_path / "b.parquet")
    (tmp_path / "c.csv").touch()
    with pytest.raises(DataError, match="no file matches"):
        open_source(str(tmp_path / "*.npy"))
    with pytest.raises(DataError, match=r"a\.csv and \S+b\.parquet are of two kinds"):
        open_source([tmp_path / "a.csv", tmp_path / "b.parquet"])
    with pytest.raises(DataError, match=r"c\.csv is empty; take it out"):
        open_source([tmp_path / "a.csv", tmp_path / "c.csv"])
    with pytest.raises(DataError, match="is a folder; give a list of files"):
        open_source([tmp_path])
    with pytest.raises(DataError, match="no such file or folder"):
        open_source([tmp_path / "gone.csv"])


def test_what_is_free_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1000, 8)))
    monkeypatch.setattr("likely.files.room._free", lambda: 3 * 64_000)
    assert not open_source(tmp_path / "x.npy").streamed
    monkeypatch.setattr("likely.files.room._free", lambda: 3 * 64_000 - 6)
    assert open_source(tmp_path / "x.npy").streamed


def test_items_of_a_torch_data_set() -> None:
    tensor = torch.randn(ROWS, 3, dtype=torch.bfloat16)
    data = torch.utils.data.TensorDataset(tensor, torch.arange(ROWS))
    whole = open_source(gathered(data, 0))
    same_in_every_way(gathered(data, 0, memory=0), whole)
    odd = [torch.zeros(2)] * 5 + [torch.zeros(3)]
    store = gathered(Items(odd), memory=0).splits["all"]
    with pytest.raises(DataError, match=r"item 5 has shape \(3,\), item 0 has \(2,\)"):
        store.read(np.array([4, 5]))


class Items(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, items: list[torch.Tensor]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> torch.Tensor:
        return self.items[number]


def test_an_archive_stays_unpacked_as_long_as_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unpacked").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unpacked"))
    for number in range(6):
        picture(tmp_path / "set" / f"{number}.png", number)
    path = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set"))
    stream = open_source(path, memory=0)
    assert len(list((tmp_path / "unpacked").iterdir())) == 1
    same_in_every_way(stream, open_source(path))
    del stream
    gc.collect()
    assert not list((tmp_path / "unpacked").iterdir())
