"""Results of many rows: written a part at a time, the same after an interruption, and never half a row."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from launched import two
from likely.cli import main, many, sinks
from likely.files import MAX_BYTES
from refusals import Capture, pictures, refused, snapshot, table

pytestmark = pytest.mark.filterwarnings("default:cells are missing", "default:.*fewer than 5 effective")
ROWS, PART = 150, 32
FEW = ["--samples", 3]
KILLED = """
import os, signal, sys
from likely.cli import main, many, sinks
many.MAX_ROWS = 32
usual = sinks.{sink}.add
def add(self, result, at):
    if at.part == 2:
        {torn}
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(self, result, at)
sinks.{sink}.add = add
sys.exit(main(sys.argv[1:]))
"""
TORN = {
    "Text": "self._half.open('ab').write(b'66,-1.2')",
    "Array": "usual(self, result[:5], at)",
    "Parts": "(self.place / '.likely-0123abcd').write_bytes(b'PAR1')",
    "Pictures": "usual(self, result[:5], at)",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose scores take no time."""
    folder = tmp_path_factory.mktemp("plain")
    table(60).to_csv(folder / "t.csv", index=False)
    assert run("fit", folder / "t.csv", "-o", folder / "run", "--model", "normals:2") == 0
    return folder / "run"


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "MAX_ROWS", PART)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    frame = table(ROWS)
    frame.loc[100::7, "a"] = np.nan  # none in the first parts
    frame.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path / "rows.csv"


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows would fill more than two thirds of this, and a part does not."""
    monkeypatch.setenv(MAX_BYTES, "8000")


def killed(sink: str, *words: object) -> None:
    script = KILLED.format(sink=sink, torn=TORN[sink])
    told = [sys.executable, "-c", script, *(str(word) for word in words)]
    ended = subprocess.run(told, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.is_dir() or path.suffix == ".parquet" else pd.read_csv(path)


VERBS = ("score", "encode", "reconstruct", "impute")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.usefixtures("streamed")
def test_parts_are_what_all_rows_give_at_once(
    verb: str, plain: Path, rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    tmp_path = rows.parent
    words = [verb, plain, rows, *(FEW if verb in ("score", "impute") else [])]
    for name in ("parts.csv", "one.parquet", "folder"):
        assert run(*words, "-o", tmp_path / name) == 0
    assert run(*words) == 0
    assert capsys.readouterr().out == (tmp_path / "parts.csv").read_text()
    monkeypatch.delenv(MAX_BYTES)
    assert run(*words, "-o", tmp_path / "whole.csv") == 0
    assert run(*words, "-o", tmp_path / "whole.parquet") == 0
    pd.testing.assert_frame_equal(read(tmp_path / "parts.csv"), read(tmp_path / "whole.csv"), rtol=1e-5)
    for name in ("one.parquet", "folder"):
        pd.testing.assert_frame_equal(read(tmp_path / name), read(tmp_path / "whole.parquet"), rtol=1e-5)
    parts = sorted(one.name for one in (tmp_path / "folder").iterdir())
    assert parts == ["_likely.json", *(f"part-{i:05d}.parquet" for i in range(5))]
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


@pytest.mark.usefixtures("streamed")
def test_anomalies_keep_the_order_and_their_numbers(
    plain: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    words = ["anomalies", plain, rows, *FEW, "--false-alarms", 0.25]
    assert run(*words, "-o", tmp_path / "parts.csv") == 0
    capsys.readouterr()
    assert run(*words, "-n", 4, "--json") == 0
    first = json.loads(capsys.readouterr().out)["anomalies"]
    assert run(*words, "-n", 4) == 0
    shown = capsys.readouterr().out
    monkeypatch.delenv(MAX_BYTES)
    assert run(*words, "-o", tmp_path / "whole.csv", "-n", 4) == 0
    capsys.readouterr()
    assert run(*words, "-n", 4) == 0
    whole = capsys.readouterr().out
    ranked = read(tmp_path / "whole.csv")
    parts = read(tmp_path / "parts.csv")
    assert parts["row"].tolist() == list(range(ROWS))
    pd.testing.assert_frame_equal(
        parts, ranked.sort_values("row", ignore_index=True).drop(columns="rank"), rtol=1e-5, check_like=True
    )
    assert [one["row"] for one in first] == ranked["row"].head(4).tolist()
    assert [one["rank"] for one in first] == [1, 2, 3, 4]
    assert shown.splitlines()[:5] == whole.splitlines()[:5]


@pytest.mark.parametrize(("verb", "name"), [("score", "out.csv"), ("score", "out"), ("encode", "out.npy")])
def test_what_was_killed_goes_on(verb: str, name: str, plain: Path, rows: Path, capsys: Capture) -> None:
    tmp_path = rows.parent
    sink = {".csv": "Text", "": "Parts", ".npy": "Array"}[Path(name).suffix]
    words = [verb, plain, rows, *(FEW if verb != "encode" else [])]
    out, whole = tmp_path / "a" / name, tmp_path / "b" / name
    assert run(*words, "-o", whole, "--resume") == 0  # nothing was begun: all of it
    killed(sink, *words, "-o", out, "--resume")
    assert out.is_dir() == (name == "out")
    assert name == "out" or not out.exists()
    before = snapshot(tmp_path / "a")
    assert "was begun and interrupted: --resume goes on with it" in refused(capsys, *words, "-o", out)
    other = ["--given", "y=1"] if verb == "encode" else ["--seed", 1]
    assert "cannot go on: it was begun with" in refused(capsys, *words, *other, "-o", out, "--resume")
    assert snapshot(tmp_path / "a") == before
    assert run(*words, "-o", out, "--resume") == 0
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    if name == "out":
        capsys.readouterr()
        assert run(*words, "-o", out, "--resume", "--json") == 0
        assert "is finished already: 150 rows" in capsys.readouterr().err
    else:
        assert "exists already" in refused(capsys, *words, "-o", out, "--resume")


def test_a_kill_at_the_end_loses_nothing(
    plain: Path, rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Between the last part and the new name, and between the new name and the end."""
    out, words = rows.parent / "out.csv", ["score", plain, rows, *FEW, "--resume", "-o"]
    assert run(*words, rows.parent / "whole.csv") == 0

    def before(_: sinks.Text) -> None:
        raise KeyboardInterrupt

    def after(sink: sinks.Text) -> None:
        usual(sink)
        raise KeyboardInterrupt

    usual = sinks.Text.finish
    for killing in (before, after):
        monkeypatch.setattr(sinks.Text, "finish", killing)
        assert run(*words, out) == 130
    monkeypatch.setattr(sinks.Text, "finish", usual)
    capsys.readouterr()
    assert run(*words, out) == 0
    assert "is finished already" in capsys.readouterr().err
    assert out.read_bytes() == (rows.parent / "whole.csv").read_bytes()
    assert not [one for one in rows.parent.iterdir() if one.name.startswith(".")]


def test_two_processes_share_each_part(plain: Path, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["score", plain, rows, *FEW, "-o"]
    with two(*map(str, [*words, rows.parent / "two"])) as each:
        ended = [(process.communicate(timeout=60), process.returncode) for process in each]
    assert [code for _, code in ended] == [0, 0], ended
    monkeypatch.undo()
    assert run(*words, rows.parent / "one") == 0
    pd.testing.assert_frame_equal(read(rows.parent / "two"), read(rows.parent / "one"), check_exact=True)


def test_other_rows_or_another_run_do_not_go_on(plain: Path, rows: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["score", plain, rows, *FEW, "-o", tmp_path / "out", "--resume"]
    killed("Parts", *words)
    os.utime(rows, (1, 1))
    assert "it was begun with data " in refused(capsys, *words)
    record = tmp_path / "out" / "_likely.json"
    record.write_text("{")
    assert "cannot be read" in refused(capsys, *words)


def test_ctrl_c_says_how_far_it_is(
    plain: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def add(self: sinks.Sink, result: pd.DataFrame, at: sinks.Place) -> int:
        if at.part == 2:
            raise KeyboardInterrupt
        return usual(self, result, at)

    for sink, name, how in (
        (sinks.Text, "out.csv", "the same command with --resume goes on"),
        (sinks.OneParquet, "out.parquet", "nothing is kept of one parquet file"),
    ):
        usual = sink.add
        monkeypatch.setenv(MAX_BYTES, "8000")
        monkeypatch.setattr(sink, "add", add)
        assert run("score", plain, rows, *FEW, "-o", tmp_path / name) == 130
        assert f"interrupted after 64 of 150 rows; {how}" in capsys.readouterr().err
        monkeypatch.undo()
        monkeypatch.setattr(many, "MAX_ROWS", PART)
        assert not (tmp_path / name).exists()
    assert {one.name for one in tmp_path.iterdir()} == {"rows.csv", ".out.csv.new", ".out.csv.json"}
    assert "one parquet file cannot" in refused(
        capsys, "score", plain, rows, "-o", tmp_path / "out.parquet", "--resume"
    )
    assert run("score", plain, rows, *FEW, "-o", tmp_path / "out.csv", "--overwrite") == 0
    assert len(read(tmp_path / "out.csv")) == ROWS


def test_what_stands_there_is_not_lost(plain: Path, rows: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    words = ["score", plain, rows, *FEW, "-o", out]
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    assert "exists already" in refused(capsys, *words)
    assert "holds 'mine.txt', which likely did not write" in refused(capsys, *words, "--overwrite")
    (out / "mine.txt").unlink()
    assert run(*words, "--overwrite") == 0
    before = snapshot(out)
    rows.write_text("a,n,s\nx,1,x\n")
    assert "is not a number" in refused(capsys, *words, "--overwrite")
    assert snapshot(out) == before
    assert "leave one out" in refused(capsys, *words, "--overwrite", "--resume")
    assert "name it: -o FILE" in refused(capsys, *words[:-2], "--resume")


@pytest.mark.usefixtures("streamed")
def test_a_bad_row_is_named_by_its_number_among_all(plain: Path, stored: Path, rows: Path, capsys: Capture) -> None:
    tmp_path, lines = rows.parent, rows.read_text().splitlines()
    lines[121] = "word,1,x"
    rows.write_text("\n".join(lines))
    assert "row 120: 'word' is not a number" in refused(capsys, "score", plain, rows, "-o", tmp_path / "o.csv")
    array = np.tile(pictures(), (10, 1, 1)).astype(float)
    array[77, 1, 2] = np.inf
    np.save(tmp_path / "p.npy", array)
    assert "row 77, cell (1, 2)" in refused(
        capsys, "score", stored / "pics", tmp_path / "p.npy", *FEW, "-o", tmp_path / "o.csv"
    )


@pytest.mark.usefixtures("streamed")
def test_pictures_and_arrays_in_parts(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "p.npy", np.tile(pictures(), (50, 1, 1)))
    words = ["reconstruct", stored / "pics", tmp_path / "p.npy"]
    (tmp_path / "a").mkdir()
    killed("Pictures", *words, "-o", tmp_path / "a" / "pics", "--resume")
    assert not (tmp_path / "a" / "pics").exists()
    assert run(*words, "-o", tmp_path / "a" / "pics", "--resume") == 0
    assert run(*words, "-o", tmp_path / "b" / "pics") == 0
    assert len(list((tmp_path / "b" / "pics").iterdir())) == 600
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    assert run(*words, "-o", tmp_path / "p2.npy") == 0
    assert np.load(tmp_path / "p2.npy").shape == (600, 4, 4)
    assert run("encode", *words[1:], "-o", tmp_path / "codes") == 0
    assert len(read(tmp_path / "codes")) == 600
    assert "many rows of arrays and pictures go to" in refused(capsys, *words, "-o", tmp_path / "p.png")
    assert "are not printed so" in refused(capsys, *words)


def test_draws_are_the_same_wherever_they_were_interrupted(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from likely.cli import sample

    words = ["sample", plain, "-n", ROWS, "--seed", 4]
    assert run(*words, "-o", tmp_path / "small.csv") == 0
    assert run(*words, "-o", tmp_path / "small") == 0
    pd.testing.assert_frame_equal(read(tmp_path / "small"), read(tmp_path / "small.csv"))  # together: as they were
    monkeypatch.setattr(sample, "AT_ONCE", 3 * PART)
    assert run(*words, "-o", tmp_path / "b.csv") == 0
    usual = sinks.Text.add

    def add(self: sinks.Text, result: pd.DataFrame, at: sinks.Place) -> int:
        if at.part == 3:
            raise KeyboardInterrupt
        return usual(self, result, at)

    monkeypatch.setattr(sinks.Text, "add", add)
    assert run(*words, "-o", tmp_path / "a.csv") == 130
    monkeypatch.setattr(sinks.Text, "add", usual)
    assert run(*words, "-o", tmp_path / "a.csv", "--resume") == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    drawn = read(tmp_path / "b.csv")
    assert len(drawn) == ROWS
    assert run("sample", plain, "-n", PART, "--seed", 4, "-o", tmp_path / "first.csv") == 0
    pd.testing.assert_frame_equal(read(tmp_path / "first.csv"), drawn[:PART])
    assert not drawn[PART : 2 * PART].reset_index(drop=True).equals(drawn[:PART])


@pytest.mark.usefixtures("streamed")
def test_what_needs_all_rows_says_how_a_part_is_taken(plain: Path, rows: Path, capsys: Capture) -> None:
    assert "-o FOLDER/ has verbs take a part at a time" in refused(capsys, "evaluate", plain, rows)
