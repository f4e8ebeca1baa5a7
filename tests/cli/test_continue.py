"""`likely fit --continue RUN`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import likely
from likely.cli import main
from refusals import Capture, refused, snapshot, table

MORE = ["--set", "steps=4"]


def test_a_run_is_lengthened_in_place_from_its_own_data(run: Path, capsys: Capture) -> None:
    assert main(["fit", "--continue", str(run), *MORE]) == 0
    out = capsys.readouterr().out
    assert "continued from step 20 by 4 steps, at 1 times the learning rate, falling to 0; all in all:\n24 steps" in out
    assert f"likely evaluate {run}" in out
    assert likely.load(run).facts["steps"] == 24
    assert main(["fit", "--continue", str(run), "--epochs", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [stage["from_step"] for stage in document["continued"]] == [20, 24]


def test_minutes_and_data_are_taken_and_another_directory(stored: Path, run: Path, tmp_path: Path) -> None:
    shutil.copy(stored / "t.csv", tmp_path / "same.csv")
    before, words = snapshot(run), [str(tmp_path / "same.csv"), "--continue", str(run), "--minutes", "0.003"]
    assert main(["fit", *words, "-o", str(tmp_path / "other")]) == 0
    assert snapshot(run) == before
    assert likely.load(tmp_path / "other").facts["steps"] > 20


def test_what_cannot_be_continued_is_refused_and_nothing_touched(run: Path, tmp_path: Path, capsys: Capture) -> None:
    table(41).to_csv(tmp_path / "other.csv", index=False)
    before = snapshot(run)
    fit = ("fit", "--continue", run)
    assert "not the rows that the run was fitted on" in refused(capsys, "fit", tmp_path / "other.csv", *fit[1:], *MORE)
    assert "--latent is set by the run" in refused(capsys, *fit, "--latent", 3, *MORE)
    assert "--set width is set by the run" in refused(capsys, *fit, "--set", "width=3", *MORE)
    assert "minutes, epochs or steps" in refused(capsys, *fit)
    for steps in ("x", "²"):
        assert "whole number" in refused(capsys, *fit, "--set", f"steps={steps}")
    assert "no run directory" in refused(capsys, "fit", "--continue", tmp_path / "none", *MORE)
    assert snapshot(run) == before
    state = next((run / "checkpoints").glob("*/state.json"))
    for content in ('[{"outcome": 5}]', "5", "[5]", '[{"outcome": {"steps": "x"}}]'):
        state.write_text(content)
        assert "damaged" in refused(capsys, *fit, *MORE)
    shutil.rmtree(run / "checkpoints")
    assert "it was fitted by an earlier version" in refused(capsys, *fit, *MORE)


def test_a_new_fit_needs_data_and_a_directory(stored: Path, capsys: Capture) -> None:
    assert "fit needs DATA" in refused(capsys, "fit", "-o", "run")
    assert "likely fit DATA -o RUN" in refused(capsys, "fit", stored / "t.csv")


def test_the_help_says_what_it_is(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["fit", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "--continue RUN --minutes 5 lengthens a finished fit" in told
