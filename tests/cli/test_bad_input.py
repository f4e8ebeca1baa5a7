from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likely import load
from likely.errors import RunError
from likely.run.checksums import ChecksummedFiles
from refusals import STEPS, Capture, idx, pictures, refused, table


def text(content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "t.csv").write_text(content)
        return folder / "t.csv"

    return make


def frame(**columns: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        table().assign(**columns).to_csv(folder / "t.csv", index=False)
        return folder / "t.csv"

    return make


def cut(name: str, content: Callable[[Path], bytes], keep: float) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        whole = content(folder)
        (folder / name).write_bytes(whole[: int(len(whole) * keep)])
        return folder / name

    return make


def npy(folder: Path) -> bytes:
    np.save(folder / "whole.npy", pictures())
    return (folder / "whole.npy").read_bytes()


def npz(folder: Path) -> bytes:
    np.savez(folder / "whole.npz", x=pictures())
    return (folder / "whole.npz").read_bytes()


def parquet(folder: Path) -> bytes:
    table().to_parquet(folder / "whole.parquet")
    return (folder / "whole.parquet").read_bytes()


def idx_folder(folder: Path) -> Path:
    (folder / "train-images-idx3-ubyte").write_bytes(idx(pictures()))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(11, dtype=np.uint8)))
    return folder


def two_sizes(folder: Path) -> Path:
    Image.fromarray(pictures()[0]).save(folder / "a.png")
    Image.fromarray(np.zeros((7, 4), np.uint8)).save(folder / "b.png")
    return folder


def broken_picture(folder: Path) -> Path:
    Image.fromarray(pictures()[0]).save(folder / "a.png")
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:40])
    return folder


def one_picture(folder: Path) -> Path:
    Image.fromarray(pictures()[0]).save(folder / "a.png")
    return folder / "a.png"


def unknown(folder: Path) -> Path:
    (folder / "t.docx").write_bytes(b"PK..")
    return folder / "t.docx"


def objects(folder: Path) -> Path:
    np.save(folder / "o.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    return folder / "o.npy"


def constant(folder: Path) -> Path:
    np.save(folder / "c.npy", np.full((30, 4, 4), 2.5))
    return folder / "c.npy"


def times(folder: Path) -> Path:
    table().assign(day=dt.time(1, 30)).to_parquet(folder / "d.parquet")
    return folder / "d.parquet"


STRAY = [str(i) for i in range(38)] + ["12 km", "13"]
BAD_DATA: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty file": (text(""), "empty"),
    "blank file": (text("\n\n"), "empty"),
    "header only": (text("a,b\n"), "no rows"),
    "one row": (text("a,b\n1.5,2.5\n1,3\n"), "too few"),
    "nothing but missing": (frame(a=None, n=None, s=None), "no column is left to model"),
    "beyond float64": (frame(q=["1e400", "1.5"] * 20), "column 'q' holds 1e400"),
    "nearly numeric": (frame(q=STRAY), "12 km"),
    "infinite": (frame(q=[np.inf, 1.5] * 20), "'q'"),
    "too large": (frame(q=[10**18 + i for i in range(40)]), "'q'"),
    "ragged": (text("a,b\n1,2\n3\n" + "4,5\n" * 20), "line 3"),
    "too wide": (text("a,b\n1,2\n3,4,5\n" + "4,5\n" * 20), "line 3"),
    "open quote": (text('a,b\n1,2\n"3,4\n' + "4,5\n" * 20), "t.csv"),
    "duplicate columns": (text("a,b,a\n" + "1,2,3\n" * 20), "'a'"),
    "times of day": (times, "'day'"),
    "truncated gz": (cut("t.csv.gz", lambda _: gzip.compress(b"a,b\n" + b"1,2\n" * 99), 0.5), "t.csv.gz"),
    "truncated idx": (cut("x-idx3-ubyte", lambda _: idx(pictures()), 0.5), "truncated"),
    "truncated idx header": (cut("x-idx3-ubyte", lambda _: idx(pictures())[:9], 1), "truncated"),
    "truncated idx gz": (cut("x-idx3-ubyte.gz", lambda _: gzip.compress(idx(pictures())), 0.5), "truncated"),
    "truncated npy": (cut("x.npy", npy, 0.8), "truncated"),
    "truncated npz": (cut("x.npz", npz, 0.8), "truncated"),
    "truncated parquet": (cut("x.parquet", parquet, 0.8), "x.parquet"),
    "pickled objects": (objects, "o.npy"),
    "constant array": (constant, "nothing to learn"),
    "label count": (idx_folder, "11 labels"),
    "sizes": (two_sizes, "--resize 4x4"),
    "unreadable picture": (broken_picture, "b.png"),
    "one picture": (one_picture, "a.png"),
    "empty folder": (lambda folder: folder, "holds no"),
    "unknown type": (unknown, "t.docx"),
    "not there": (lambda folder: folder / "nowhere.csv", "nowhere.csv"),
    "no such array": (lambda folder: Path(f"{folder / 'nowhere.npz'}:x"), "nowhere.npz"),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_data_that_cannot_be_used(what: str, tmp_path: Path, capsys: Capture) -> None:
    make, message = BAD_DATA[what]
    (tmp_path / "data").mkdir()
    data = make(tmp_path / "data")
    assert message in refused(capsys, "fit", data, "-o", tmp_path / "out" / "run", *STEPS)
    assert not (tmp_path / "out" / "run").exists()
    assert message in refused(capsys, "inspect", data)
    assert not list(tmp_path.rglob(".*"))


BAD_OPTIONS: dict[str, tuple[list[str], str]] = {
    "unknown key": (["--set", "stps=20"], "did you mean 'steps'?"),
    "unknown dotted key": (["--set", "training.learning_rat=1"], "did you mean 'training.learning_rate'?"),
    "no value": (["--set", "steps"], "NAME=VALUE"),
    "wrong type": (["--set", "latent=many"], "latent must be int"),
    "a key that is an argument": (["--set", "out=x"], "--set out"),
    "a key that is an option": (["--set", "column=x"], "--set column"),
    "two budgets": (["--epochs", "1", "--set", "steps=3"], "one budget"),
    "negative steps": (["--set", "steps=-3"], "steps must be positive"),
    "negative latent": (["--latent", "-3"], "latent must be at least 1"),
    "latent no number": (["--latent", "two"], "--latent"),
    "negative seed": (["--seed", "-1"], "--seed"),
    "seed too large": (["--seed", "9223372036854775808"], "--seed"),
    "column without kind": (["--column", "a"], "NAME=VALUE"),
    "unknown column": (["--column", "b=real"], "no column 'b'"),
    "near column": (["--column", "aa=real"], "did you mean 'a'?"),
    "unknown kind": (["--column", "a=reel"], "did you mean 'real'?"),
    "kind that does not fit": (["--column", "s=real"], "is not a number"),
    "likelihood": (["--likelihood", "gausian"], "did you mean 'gaussian'?"),
    "sigma": (["--likelihood", "gaussian:-1"], "must be positive"),
    "device": (["--device", "toaster"], "toaster"),
    "resize": (["--resize", "28"], "28x28"),
    "binarize": (["--binarize", "often"], "often"),
    "binarize a table": (["--binarize", "static"], "table"),
    "config not there": (["--config", "nowhere.json"], "nowhere.json"),
    "unknown option": (["--latnt", "3"], "--latnt"),
}


@pytest.mark.parametrize("what", BAD_OPTIONS)
def test_options_that_cannot_be_used(what: str, stored: Path, tmp_path: Path, capsys: Capture) -> None:
    words, message = BAD_OPTIONS[what]
    assert message in refused(capsys, "fit", stored / "t.csv", "-o", tmp_path / "run", *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": 3}', '{"colour": 3}', '{"seed": "x"}'])
def test_a_configuration_that_is_none(content: str, stored: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "c.json").write_text(content)
    refused(capsys, "fit", stored / "t.csv", "-o", tmp_path / "run", "--config", tmp_path / "c.json")
    assert not (tmp_path / "run").exists()


def test_words_that_are_no_command(stored: Path, capsys: Capture) -> None:
    assert "Did you mean 'fit'?" in refused(capsys, "fitt", stored / "t.csv")
    assert "data" in refused(capsys, "fit").lower()
    assert "-o RUN" in refused(capsys, "fit", stored / "t.csv")


FILES = ["config.json", "schema.json", "run.json", "history.csv", "rows.safetensors", "weights.safetensors"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["gone", "empty", "binary", "a folder", "cut"])
def test_damaged_runs(name: str, how: str, run: Path, stored: Path, capsys: Capture) -> None:
    if (name, how) == ("history.csv", "cut"):
        pytest.skip("a shorter history is still one")
    content = (run / name).read_bytes()
    (run / name).unlink()
    if how == "a folder":
        (run / name).mkdir()
    elif how != "gone":
        (run / name).write_bytes({"empty": b"", "binary": b"\xff\xfe\0\x01", "cut": content[: len(content) // 2]}[how])
    assert str(run) in refused(capsys, "sample", run, "-n", 3)
    refused(capsys, "score", run, stored / "t.csv")


def test_a_run_that_is_none(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    assert "likely fit DATA" in refused(capsys, "sample", tmp_path / "nowhere")
    assert "no run directory" in refused(capsys, "sample", stored / "t.csv")
    assert "is not a run directory" in refused(capsys, "sample", tmp_path)
    (tmp_path / "config.json").write_text('{"architectures": ["Bert"], "hidden_size": 3}')
    assert "is not a run directory" in refused(capsys, "evaluate", tmp_path)


def test_an_unfinished_run(run: Path, capsys: Capture) -> None:
    for name in ("weights.safetensors", "history.csv"):
        (run / name).unlink()
    checksummed = ChecksummedFiles.of(run)
    checksummed.write({}, {**checksummed.facts, "finished": False})
    assert "did not finish" in refused(capsys, "sample", run)


def test_weights_of_another_shape(run: Path, capsys: Capture) -> None:
    values = json.loads((run / "config.json").read_text())
    values["model"]["latent"] += 5
    checksummed = ChecksummedFiles.of(run)
    checksummed.write({"config.json": json.dumps(values)}, checksummed.facts)
    assert "do not fit the model that this version makes" in refused(capsys, "sample", run)


@pytest.mark.parametrize("device", ["auto", "toaster"])
def test_a_run_whose_device_is_none(device: str, run: Path, capsys: Capture) -> None:
    values = json.loads((run / "config.json").read_text())
    checksummed = ChecksummedFiles.of(run)
    checksummed.write({"config.json": json.dumps({**values, "device": device})}, checksummed.facts)
    assert str(run) in refused(capsys, "sample", run)


@pytest.mark.parametrize("words", [["--latent", "0"], ["--set", "width=0"], ["--set", "weight_decay=-1"]])
def test_sizes_that_cannot_be(words: list[str], stored: Path, tmp_path: Path, capsys: Capture) -> None:
    refused(capsys, "fit", stored / "t.csv", "-o", tmp_path / "run", *words, *STEPS)


def test_rows_that_do_not_fit_the_run(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "odd.csv"
    for odd, message in (
        (table().drop(columns="n"), "column 'n' is missing"),
        (table().assign(a=["oops"] + ["1"] * 39), "column 'a', row 0: 'oops'"),
    ):
        odd.to_csv(path, index=False)
        assert message in refused(capsys, "score", stored / "run", path)
    np.save(tmp_path / "odd.npy", np.zeros((3, 5, 5), np.uint8))
    assert "(4, 4)" in refused(capsys, "score", stored / "pics", tmp_path / "odd.npy")
    np.save(tmp_path / "odd.npy", np.full((3, 4, 4), 256))
    assert "256" in refused(capsys, "encode", stored / "pics", tmp_path / "odd.npy", "-o", tmp_path / "z.npy")
    assert not (tmp_path / "z.npy").exists()
    for words in (["-n", 0], ["-n", "x"], ["--seed", -1]):
        refused(capsys, "sample", stored / "run", *words)
    refused(capsys, "score", stored / "run", stored / "t.csv", "--samples", 0)
    refused(capsys, "evaluate", stored / "run", stored / "gone.csv")


LONG = "long " * 1000
TOLD_LONG = {
    "kind": ["--column", f"a={LONG}"],
    "column": ["--column", f"{LONG}=real"],
    "condition": ["--condition", LONG],
    "split": ["--split", LONG],
    "split by a column": ["--split", f"time:{LONG}"],
    "limits": ["--limits", f"{LONG}=0:1"],
    "weight": ["--weight", LONG],
    "option": ["--set", f"{LONG}=1"],
    "value": ["--set", f"width={LONG}"],
    "prior": ["--prior", f"mixture:{LONG}"],
    "separator": ["--separator", LONG],
    "date format": ["--date-format", f"a={LONG}"],
    "device": ["--device", LONG],
    "background": ["--background", LONG],
    "configuration": ["--config", LONG],
    "initial run": ["--init", LONG],
    "no option": ["--" + "x" * 5000],
}


@pytest.mark.parametrize("what", TOLD_LONG)
def test_long_texts_of_options_are_shortened(what: str, stored: Path, tmp_path: Path, capsys: Capture) -> None:
    said = refused(capsys, "fit", stored / "t.csv", "-o", tmp_path / "run", *TOLD_LONG[what])
    assert len(said) < 1100
    assert "Errno" not in said


def test_names_that_no_file_can_have(stored: Path, capsys: Capture) -> None:
    name = "x" * 5000
    for words in (
        ["sample", name],
        ["sample", stored / "run", "-n", 2, "-o", f"{name}.csv"],
        ["inspect", f"{name}.npz:x"],
    ):
        said = refused(capsys, *words)
        assert len(said) < 600
        assert "Errno" not in said
    with pytest.raises(RunError, match=r"no run directory at x+\.\.\.x+;"):
        load(name)
