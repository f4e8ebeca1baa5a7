from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from likely.data.sources import open_source
from likely.data.sources.format import Holds
from likely.data.sources.formats import FORMATS, format_of, readable, writer_of, writers
from likely.errors import DataError, OutputError


def test_what_is_read_already_is_given_back() -> None:
    source = open_source(np.zeros((3, 2)))
    assert open_source(source) is source


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^no such file or folder: .*gone\.csv$"):
        open_source(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="too long"):
        open_source("x" * 5000)


@pytest.mark.parametrize("name", ["t.csv", "t.npy", "t.npz", "t.parquet", "t", "t.png", "t.csv.gz"])
def test_an_empty_file_is_called_empty(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match="is empty"):
        open_source(tmp_path / name)


def test_what_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    monkeypatch.setattr(os, "access", lambda *_: False)
    for path in (tmp_path / "t.csv", tmp_path):
        with pytest.raises(DataError, match="permission denied"):
            open_source(path)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        open_source(tmp_path / "pipe")


def test_a_path_may_be_anything_with_a_path(tmp_path: Path) -> None:
    class Named:
        def __fspath__(self) -> str:
            return str(tmp_path / "t.csv")

    (tmp_path / "t.csv").write_text("a\n1\n")
    assert len(open_source(Named()).splits["all"]) == 1


def test_files_are_known_by_how_they_begin(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    frame.to_parquet(tmp_path / "parquet")
    frame.to_feather(tmp_path / "arrow")
    frame.to_csv(tmp_path / "text.data", index=False)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "picture", format="png")
    for name, save in (("npy", np.save), ("npz", np.savez)):
        with (tmp_path / name).open("wb") as file:
            save(file, np.ones((2, 3)))
    for path in tmp_path.iterdir():
        known = format_of(path)
        assert known is not None
        assert known.name == path.stem
    for name, form in (
        ("parquet", "table"),
        ("arrow", "table"),
        ("text.data", "table"),
        ("npy", "array"),
        ("npz", "array"),
    ):
        assert open_source(tmp_path / name).form == form


@pytest.mark.parametrize(("name", "content"), [("t.jpx", b"{}"), ("t.jpx.gz", b"\x1f\x8b"), ("t", b"\0\1\2")])
def test_other_files_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"type of this file is not known; expected .*csv, tsv"):
        open_source(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.json", b"{}", "is JSON: .*read_json"),
        ("t.zip", b"PK\x03\x04rest", "cannot be unpacked"),
        ("t.h5ad", b"\x89HDF\r\n\x1a\n", r"AnnData: .*read_h5ad\(FILE\)\.to_df"),
        ("t.h5", b"\x89HDF\r\n\x1a\n", "is HDF5: .*h5py"),
        ("t", b"\x89HDF\r\n\x1a\n", "is HDF5: .*h5py"),
        ("t.grib", b"GRIB\0\0\0\1" + b"\0" * 99, "is GRIB: .*cfgrib"),
        ("t", b"GRIB\0\0\0\1" + b"\0" * 99, "is GRIB: .*cfgrib"),
        ("t.mat", b"MATLAB 5.0 MAT-file", "loadmat"),
        ("t.fits", b"SIMPLE  =", "astropy"),
        ("t.mtx", b"%%MatrixMarket", "mmread"),
        ("t.pkl", b"", "a pickle, which is never opened.*np.save"),
        ("t", pickle.dumps([1]), "a pickle, which is never opened.*np.save"),
        ("t.mp4", b"", "a video: .*ffmpeg"),
        ("t.wav", b"", "sound: "),
        ("t", b"RIFF\0\0\0\0WAVEfmt ", "sound: "),
        ("t.xlsx", b"PK", "a spreadsheet: .*read_excel"),
    ],
)
def test_files_of_other_tools_are_refused_with_how_to_convert_them(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content or b"?")
    with pytest.raises(DataError, match=words) as told:
        open_source(tmp_path / name)
    assert "picture," not in str(told.value)
    assert "\n" not in str(told.value)


def test_what_torch_saves_is_a_pickle(tmp_path: Path) -> None:
    torch.save(torch.zeros(3, 2), tmp_path / "t.bin")
    with pytest.raises(DataError, match=r"a pickle, which is never opened.*x\.numpy\(\)"):
        open_source(tmp_path / "t.bin")


def test_a_folder_of_tables_says_which_to_give(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("hello")
    (tmp_path / "b.csv").write_text("a\n1\n")
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    with pytest.raises(DataError, match=r"give one: \S+a\.npy, \S+b\.csv$"):
        open_source(tmp_path)


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("hello")
    with pytest.raises(DataError, match="holds no images and no IDX files"):
        open_source(tmp_path)


def test_a_run_in_the_place_of_data_is_named_as_one(tmp_path: Path) -> None:
    for name in ("run.json", "config.json", "schema.json", "history.csv"):
        (tmp_path / name).write_text("{}")
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "samples.png")
    with pytest.raises(DataError, match="is a run, which holds a model and no data"):
        open_source(tmp_path)


def test_resize_without_pictures_is_noted(tmp_path: Path) -> None:
    assert "were not scaled" in open_source(np.zeros((3, 4, 4)), resize=(2, 2)).notices[-1]
    assert open_source(np.zeros((3, 2, 2)), resize=(2, 2)).notices == ()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    assert open_source(tmp_path, resize=(2, 2)).notices == ()
    with pytest.raises(DataError, match="at least 1"):
        open_source(tmp_path, resize=(0, 2))


def test_the_readers_themselves_do_not_import_torch(tmp_path: Path) -> None:
    """The package above them does; it is replaced by an empty one, so that only the readers are judged."""
    script = """
import sys, types, pathlib, likely
likely_data = types.ModuleType("likely.data")
likely_data.__path__ = [str(pathlib.Path(likely.__file__).parent / "data")]
sys.modules["likely.data"] = likely_data
from likely.data.sources import open_source
import numpy, pandas
open_source(numpy.ones((3, 2))), open_source(pandas.DataFrame({"a": [1, 2]}))
sys.exit("torch" in sys.modules)
"""
    (tmp_path / "script.py").write_text(script)
    assert subprocess.run([sys.executable, tmp_path / "script.py"], check=False).returncode == 0


def test_the_table_of_formats_is_what_errors_list_and_every_ending_has_one_format() -> None:
    endings = [ending for one in FORMATS for ending in one.endings]
    assert len(endings) == len(set(endings))
    assert all(ending.startswith(".") and ending == ending.lower() for ending in [*endings, *writers()])
    assert readable() == (
        "IDX (.gz too), npy, parquet, pq, arrow, feather, npz, csv, tsv, txt (.gz too), or a folder, tar or zip of "
        "images or IDX files"
    )
    assert set(writers()) <= set(endings)


@pytest.mark.parametrize("ending", [ending for ending, one in writers().items() if one.frame is not None])
def test_a_table_that_is_written_is_read_again(ending: str, tmp_path: Path) -> None:
    frame, writer = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}), writers()[ending]
    assert writer.frame is not None
    path = tmp_path / f"t{ending}"
    path.write_bytes(writer.frame(frame, ending))
    read = open_source(path).splits["all"].values
    np.testing.assert_array_equal(np.asarray(read), frame.to_numpy())


@pytest.mark.parametrize("ending", [ending for ending, one in writers().items() if one.array is not None])
def test_an_array_that_is_written_is_read_again(ending: str, tmp_path: Path) -> None:
    array, writer = np.arange(12).reshape(2, 3, 2), writers()[ending]
    assert writer.array is not None
    path = tmp_path / f"x{ending}"
    path.write_bytes(writer.array(array))
    np.testing.assert_array_equal(np.asarray(open_source(path).splits["all"].values), array)


@pytest.mark.parametrize("ending", [ending for ending, one in writers().items() if one.picture is not None])
def test_a_picture_that_is_written_is_known_by_its_content(ending: str, tmp_path: Path) -> None:
    writer = writers()[ending]
    assert writer.picture is not None
    (tmp_path / "picture").write_bytes(writer.picture(Image.fromarray(np.zeros((4, 4), np.uint8)), ending))
    known = format_of(tmp_path / "picture")
    assert known is not None
    assert known.holds is Holds.ONE_ROW


def test_a_name_that_no_format_writes_is_refused_with_those_that_do() -> None:
    with pytest.raises(OutputError, match=r"results go to \.npy, \.parquet, .*\.csv.* not \.docx"):
        writer_of(Path("out.docx"))
    assert writer_of(Path("OUT.CSV")).is_text
