"""`likely fit --resume RUN`, and what signals do to a fit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from likely.cli import main
from refusals import Capture, refused, snapshot, table
from stopped import Signal, same, stopped

SMALL = {"latent": 2, "width": 8, "batch_size": 8, "steps": 12}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    table().to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


@pytest.mark.filterwarnings("default:.*is finished already")
def test_a_stopped_fit_is_finished_without_data(csv: Path, tmp_path: Path, capsys: Capture) -> None:
    words = [f"{name}={value}" for name, value in SMALL.items()]
    sets = [word for pair in words for word in ("--set", pair)]
    assert main(["fit", str(csv), "-o", str(tmp_path / "whole"), *sets]) == 0
    place = stopped(str(csv), tmp_path / "run", 5, **SMALL)
    assert "likely fit --resume" in refused(capsys, "fit", csv, "-o", place)
    assert "likely fit --resume" in refused(capsys, "evaluate", place)
    assert main(["fit", "--resume", str(place)]) == 0
    assert "12 steps of 8 rows" in capsys.readouterr().out
    same(place, tmp_path / "whole")
    before = snapshot(place)
    assert main(["fit", "--resume", str(place)]) == 0
    assert "is finished already" in capsys.readouterr().err
    assert snapshot(place) == before


def test_what_the_fit_has_already_is_refused(csv: Path, tmp_path: Path, capsys: Capture) -> None:
    place = stopped(csv, tmp_path / "run", 5, **SMALL)
    before = snapshot(place)
    for words in (["--epochs", 3], ["-o", tmp_path / "other"], ["--latent", 3], ["--overwrite"], ["--set", "steps=3"]):
        assert "is set by the fit that is resumed; leave it out" in refused(capsys, "fit", "--resume", place, *words)
    assert snapshot(place) == before


def test_an_interrupted_fit_says_how_it_goes_on(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    import likely

    usual = likely.fit
    monkeypatch.setattr(likely, "fit", lambda *a, **k: usual(*a, monitors=[Signal(5, signal.SIGINT)], **k))
    place = tmp_path / "run"
    assert main(["fit", str(csv), "-o", str(place), "--set", "steps=12"]) == 130
    assert (
        f"interrupted: the best weights so far are kept; likely fit --resume {place} finishes"
        in capsys.readouterr().err
    )
    assert main(["fit", "--resume", str(place)]) == 130
    monkeypatch.setattr(likely, "fit", usual)
    assert main(["fit", "--resume", str(place)]) == 0


def test_a_signal_ends_the_process_after_a_checkpoint(csv: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    words = [sys.executable, "-c", "import sys; from likely.cli import main; sys.exit(main())"]
    words += ["fit", str(csv), "-o", str(place), "--set", "steps=1000000"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    until = time.monotonic() + 60
    while not (place / "rows.safetensors").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert f"likely fit --resume {place} goes on" in said
    assert [entry.name.isdecimal() for entry in (place / "checkpoints").iterdir()] == [True]
