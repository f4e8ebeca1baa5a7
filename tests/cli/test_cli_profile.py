"""`fit --profile`: a table before training, and what cannot be profiled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from likely.cli import main
from likely.training.profile import WORDS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profiled") / "t.csv"
    rng = np.random.default_rng(0)
    pd.DataFrame(rng.normal(size=(100, 2)) @ rng.normal(size=(2, 3)), columns=list("abc")).to_csv(path, index=False)
    return path


def test_a_fit_prints_where_the_time_of_a_step_goes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["fit", str(data), "-o", str(run), "--profile", "--json", "--set", "steps=5"]) == 0
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert lines[0].startswith("a training step of ")
    assert [line.strip().rpartition(" ")[0].strip() for line in lines[1 : 1 + len(WORDS)]] == list(WORDS.values())
    assert len(lines) == 2 + len(WORDS)
    told = json.loads(printed.out)["profile"]
    assert list(told["shares"]) == list(WORDS)
    assert f"{told['share_of_matrix_product']:.0%}" in lines[-1]
    assert main(["fit", "--continue", str(run), "--profile", "--epochs", "1"]) == 2
    assert "--profile" in capsys.readouterr().err
    assert main(["fit", "--continue", str(run), "--set", "steps=2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["profile"] == told


def test_a_model_in_closed_form_has_no_steps_to_profile(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["fit", str(data), "-o", str(run), "--profile", "--model", "normals"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "fitted by EM" in lines[0]
    assert not run.exists()
