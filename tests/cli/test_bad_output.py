from __future__ import annotations

import errno
import importlib
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import likely
from likely.cli import main
from likely.files import half_written
from refusals import STEPS, Capture, refused, snapshot, table


def test_an_existing_output_is_kept(stored: Path, run: Path, tmp_path: Path, capsys: Capture) -> None:
    before = snapshot(run)
    assert "--overwrite" in refused(capsys, "fit", stored / "t.csv", "-o", run, *STEPS)
    out = tmp_path / "out.csv"
    out.write_text("mine")
    for words in (["sample", run], ["score", run, stored / "t.csv"], ["encode", run, stored / "t.csv"]):
        assert "--overwrite" in refused(capsys, *words, "-o", out)
    refused(capsys, "report", run, "-o", out)
    assert out.read_text() == "mine"
    assert snapshot(run) == before
    assert main(["sample", str(run), "-n", "3", "-o", str(out), "--overwrite"]) == 0
    assert len(pd.read_csv(out)) == 3


def test_an_output_is_refused_before_anything_is_computed(
    stored: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likely, "load", lambda _: pytest.fail("computed first"))
    assert ".docx" in refused(capsys, "sample", stored / "run", "-o", tmp_path / "out.docx")
    (tmp_path / "out.csv").write_text("mine")
    assert "exists" in refused(capsys, "score", stored / "run", stored / "t.csv", "-o", tmp_path / "out.csv")


@pytest.mark.parametrize("name", ["x.png", "x.npz"])
def test_an_output_that_cannot_hold_a_table(name: str, stored: Path, tmp_path: Path, capsys: Capture) -> None:
    assert name in refused(capsys, "sample", stored / "run", "-o", tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_output_below_a_file(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("mine")
    refused(capsys, "sample", stored / "run", "-o", tmp_path / "file" / "out.csv")
    refused(capsys, "fit", stored / "t.csv", "-o", tmp_path / "file" / "run", *STEPS)
    assert snapshot(tmp_path) == {"file": b"mine"}


def test_what_is_no_run_is_never_overwritten(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    foreign = tmp_path / "thesis"
    (foreign / "chapters").mkdir(parents=True)
    (foreign / "chapters" / "1.tex").write_text("years of work")
    before = snapshot(tmp_path)
    assert "not a run directory" in refused(capsys, "fit", stored / "t.csv", "-o", foreign, "--overwrite", *STEPS)
    file = foreign / "chapters" / "1.tex"
    assert "not a run directory" in refused(capsys, "fit", stored / "t.csv", "-o", file, "--overwrite", *STEPS)
    drawn = refused(capsys, "sample", stored / "pics", "-n", 3, "-o", foreign, "--overwrite")
    assert "not overwritten" in drawn
    assert snapshot(tmp_path) == before


def test_another_programs_folder_with_a_config_is_never_overwritten(
    stored: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"architectures": ["Bert"]}')
    (tmp_path / "bert" / "model.bin").write_bytes(b"weeks of training")
    before = snapshot(tmp_path)
    refused(capsys, "fit", stored / "t.csv", "-o", tmp_path / "bert", "--overwrite", *STEPS)
    assert snapshot(tmp_path) == before


def test_a_folder_of_pictures_is_replaced_whole(stored: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    assert main(["sample", str(stored / "pics"), "-n", "5", "-o", str(out)]) == 0
    assert main(["sample", str(stored / "pics"), "-n", "2", "-o", str(out), "--overwrite"]) == 0
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["00000.png", "00001.png", "drawn"]


def test_pictures_that_likely_did_not_draw_are_kept(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "drawn"
    assert main(["sample", str(stored / "pics"), "-n", "2", "-o", str(out)]) == 0
    Image.open(out / "00001.png").save(out / "00007.png")
    before = snapshot(tmp_path)
    words = ("sample", stored / "pics", "-n", 2, "-o", out, "--overwrite")
    assert "'00007.png', which is no picture that likely drew" in refused(capsys, *words)
    (out / "00007.png").unlink()
    (out / "00008.png").symlink_to(out / "00001.png")
    assert "'00008.png'" in refused(capsys, *words)
    (out / "00008.png").unlink()
    (out / "00009.png").write_bytes(b"")
    assert "'00009.png'" in refused(capsys, *words)
    (out / "00009.png").unlink()
    assert before.keys() - snapshot(tmp_path).keys() == {"drawn/00007.png"}


def full_after(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """A disk that takes so many files and no more."""
    sync, left = os.fsync, [files]

    def fsync(descriptor: int) -> None:
        left[0] -= stat.S_ISREG(os.fstat(descriptor).st_mode)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


AT_THE_END = 7  # files that are written before training, the lock among them, and the two of its state


@pytest.mark.parametrize("files", range(10))
def test_a_full_disk_leaves_nothing_half_written(
    files: int, stored: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_after(monkeypatch, files)
    message = refused(capsys, "fit", stored / "t.csv", "-o", tmp_path / "new", *STEPS)
    assert "No space left" in message
    trained = "--resume" in message
    assert trained == (tmp_path / "new" / "checkpoints").exists() == (tmp_path / "new").exists()
    assert trained == (files > AT_THE_END)
    for file in tmp_path.rglob("*"):
        assert not half_written(file.name)


@pytest.mark.parametrize("files", [0, 4])
def test_a_full_disk_leaves_the_old_run(
    files: int, stored: Path, run: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(tmp_path)
    full_after(monkeypatch, files)
    assert "No space left" in refused(capsys, "fit", stored / "t.csv", "-o", run, "--overwrite", *STEPS)
    assert snapshot(tmp_path) == before
    assert likely.load(run).sample(3).shape == (3, 3)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("verb", "name", "files"), [("table", "out.csv", 0), ("pics", "drawn", 2), ("pics", "x.png", 0)]
)
def test_a_full_disk_leaves_the_old_result(
    verb: str,
    name: str,
    files: int,
    old: bool,
    stored: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = stored / ("run" if verb == "table" else "pics")
    if old:
        assert main(["sample", str(source), "-n", "3", "-o", str(tmp_path / name)]) == 0
    before = snapshot(tmp_path)
    full_after(monkeypatch, files)
    words = ["sample", source, "-n", 4, "-o", tmp_path / name, "--seed", 1, "--overwrite"]
    assert "No space left" in refused(capsys, *words)
    assert snapshot(tmp_path) == before
    assert (tmp_path / name).exists() == old


def test_an_interrupted_fit_keeps_the_best_so_far(
    stored: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from likely.objectives import Loss

    real, seen = Loss.forward, [0]

    def loss(*arguments: object) -> object:
        seen[0] += 1
        if seen[0] > 250:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Loss, "forward", loss)
    words = ["fit", str(stored / "t.csv"), "-o", str(tmp_path / "run"), "--set", "steps=4000"]
    assert main(words) == 130
    assert "interrupted" in capsys.readouterr().err
    run = likely.load(tmp_path / "run")
    assert run.facts["interrupted"] is True
    assert run.facts["steps"] == 250
    assert run.facts["selected_step"] in (100, 200)
    assert np.isfinite(run.score(table())["log_px"]).all()


def test_an_interrupt_in_the_first_steps_still_leaves_a_run(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from likely.objectives import Loss

    def loss(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(Loss, "forward", loss)
    assert main(["fit", str(stored / "t.csv"), "-o", str(tmp_path / "run"), *STEPS]) == 130
    assert len(likely.load(tmp_path / "run").sample(4)) == 4


def test_an_interrupt_before_training_leaves_nothing(
    stored: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting, settling = (importlib.import_module(f"likely.run.{name}") for name in ("fit", "settling"))

    def stop(*_: object, **__: object) -> object:
        raise KeyboardInterrupt

    for place, name in ((fitting, "divided"), (settling, "save_plan"), (settling, "save")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, stop)
            assert main(["fit", str(stored / "t.csv"), "-o", str(tmp_path / "run"), *STEPS]) == 130
        assert capsys.readouterr().err == "likely: interrupted\n"
        assert not list(tmp_path.iterdir())


def test_our_own_faults_have_code_one_and_debug_shows_them(
    stored: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> object:
        raise ZeroDivisionError("oh dear")

    monkeypatch.setattr(likely, "inspect", fail)
    assert main(["inspect", str(stored / "t.csv")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("likely: ZeroDivisionError: oh dear")
    assert err.count("\n") == 1
    with pytest.raises(ZeroDivisionError):
        main(["inspect", str(stored / "t.csv"), "--debug"])


def test_training_that_diverges_ends_in_a_model_and_says_so(stored: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["fit", str(stored / "t.csv"), "-o", str(tmp_path / "run"), "--set", "learning_rate=1e6", *STEPS]
    assert main([*words, "--set", "weight_decay=0"]) == 0
    assert "as their loss or gradient norm was not finite" in capsys.readouterr().err
    assert "weight_decay" in refused(capsys, *words, "--overwrite")
    assert np.isfinite(likely.load(tmp_path / "run").score(table())["elbo"]).all()


HELP = """
import sys, time
from likely.cli import main
from likely.files import half_written
started = time.perf_counter()
assert main({words}) == 0
heavy = {{"torch", "pandas", "numpy", "sklearn", "pyarrow", "matplotlib", "PIL", "safetensors"}} & set(sys.modules)
assert not heavy, heavy
assert time.perf_counter() - started < 5
"""


@pytest.mark.parametrize("words", [["--help"], ["fit", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = HELP.format(words=words)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: likely" in done.stdout
    assert done.stderr == ""


def test_help_is_there_at_once(capsys: Capture) -> None:
    main(["--help"])
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        assert main(["--help"]) == 0
        taken.append(time.perf_counter() - started)
    assert min(taken) < 0.3
    assert "Commands:" in capsys.readouterr().out
