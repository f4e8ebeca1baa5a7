from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from PIL import Image
from sklearn.datasets import load_digits

from likely.cli import main
from likely.cli.app import application
from quick import quick_reports

STEPS = ["--set", "steps=40"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("commands")
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    frame = pd.DataFrame({"a": a.round(2), "n": rng.integers(0, 9, 200), "s": np.where(a > 0, " up", "down")})
    frame.to_csv(made / "t.csv", index=False)
    frame.to_parquet(made / "t.parquet", index=False)
    x, y = load_digits().images[:180], np.arange(180)
    np.savez(made / "d.npz", x_train=x[:150], x_test=x[150:], y_train=y[:150], y_test=y[150:])
    for i in range(60):
        folder = made / "pics" / ("train" if i < 50 else "test") / ("even" if i % 2 == 0 else "odd")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((rng.random((6, 5, 3)) * 255).astype("uint8")).save(folder / f"{i:03d}.png")
    assert main(["fit", str(made / "t.csv"), "-o", str(made / "table"), *STEPS]) == 0
    assert main(["fit", str(made / "d.npz"), "-o", str(made / "digits"), *STEPS]) == 0
    assert main(["fit", str(made / "pics"), "-o", str(made / "colour"), *STEPS]) == 0
    return made


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_evaluate_prints_the_identity_and_every_term(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", folder / "table", "--samples", 20, "--anneal", 2) == 0
    out = capsys.readouterr().out
    assert "log P(X) - D[Q(z|X)||P(z|X)]" in out
    for name in ("reconstruction", "kl", "elbo", "iwae", "gap", "prior_sampling", "unweighted"):
        assert f"\n{name} " in out


def test_json_is_one_document_on_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", folder / "digits", "--samples", 10, "--anneal", 0, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rows"] == 30
    assert document["split"] == "test"
    assert run("score", folder / "table", folder / "t.csv", "--samples", 5, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 200
    assert run("inspect", folder / "t.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["schema"]["columns"][2]["kind"] == "categorical"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_come_out_as_they_went_in(folder: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"s.{suffix}"
    assert run("sample", folder / "table", "-n", 12, "-o", out) == 0
    drawn = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    assert drawn.columns.tolist() == ["a", "n", "s"]
    assert len(drawn) == 12
    assert set(drawn["s"]) <= {" up", "down"}
    scores = tmp_path / f"scores.{suffix}"
    assert run("score", folder / "table", folder / f"t.{suffix}", "--samples", 5, "-o", scores) == 0
    read = pd.read_csv(scores) if suffix == "csv" else pd.read_parquet(scores)
    assert read.columns.tolist() == ["row", "log_px", "se_mc", "elbo", "low", "high", "ess", "stable"]
    assert len(read) == 200
    again = tmp_path / f"again.{suffix}"
    assert run("reconstruct", folder / "table", folder / f"t.{suffix}", "-o", again) == 0
    assert run("encode", folder / "table", folder / f"t.{suffix}", "-o", tmp_path / f"z.{suffix}") == 0


def test_tables_are_printed_without_an_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sample", folder / "table", "-n", 3) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a,n,s"
    assert len(lines) == 4


def test_pictures_come_out_as_a_grid_as_files_or_as_an_array(folder: Path, tmp_path: Path) -> None:
    assert run("sample", folder / "colour", "-n", 7, "-o", tmp_path / "grid.png") == 0
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.mode == "RGB"
    assert run("sample", folder / "colour", "-n", 7, "-o", tmp_path / "files") == 0
    files = sorted((tmp_path / "files").iterdir())
    assert len(files) == 7
    with Image.open(files[0]) as picture:
        assert picture.size == (5, 6)
    assert run("reconstruct", folder / "digits", folder / "d.npz", "-o", tmp_path / "r.npy") == 0
    assert np.load(tmp_path / "r.npy").shape == (30, 8, 8)
    assert run("encode", folder / "digits", folder / "d.npz", "-o", tmp_path / "z.csv") == 0
    assert len(pd.read_csv(tmp_path / "z.csv")) == 30


def test_pictures_are_not_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sample", folder / "colour", "-n", 2) == 2
    assert "add -o" in capsys.readouterr().err


def test_report_is_written_into_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_reports(monkeypatch)
    assert run("report", folder / "colour") == 0
    assert (folder / "colour" / "report.html").read_text().startswith("<!doctype html>")


def test_every_command_has_help_and_every_option_a_text() -> None:
    commands = typer.main.get_command(application()).commands  # type: ignore[attr-defined]
    assert set(commands) >= {"fit", "inspect", "evaluate", "sample", "score", "encode", "reconstruct", "report", "demo"}
    for command in commands.values():
        assert command.help
        for parameter in command.params:
            assert parameter.help, f"{command.name} {parameter.name}"


@pytest.mark.parametrize("device", ["toaster", "cuda:7"])
def test_a_device_that_is_not_here_is_refused(folder: Path, device: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("score", folder / "table", folder / "t.csv", "--device", device) == 2
    assert "try --device cpu" in capsys.readouterr().err
    assert run("score", folder / "table", folder / "t.csv", "--device", "cpu", "--samples", 2) == 0


def test_a_hole_is_written_as_the_training_rows_write_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80).round(2), "s": rng.choice([" x", " y"], 80)})
    frame.loc[::3, "s"] = " ?"
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert run("fit", tmp_path / "t.csv", "-o", tmp_path / "run", *STEPS) == 0
    capsys.readouterr()
    assert run("sample", tmp_path / "run", "-n", 60, "--with-missing") == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert {line.rpartition(",")[2] for line in lines} == {" x", " y", " ?"}
    assert run("sample", tmp_path / "run", "-n", 60, "--with-missing", "-o", tmp_path / "s.parquet") == 0
    assert pd.read_parquet(tmp_path / "s.parquet")["s"].isna().any()
