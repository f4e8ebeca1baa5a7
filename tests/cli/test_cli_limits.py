"""`--limits` of `fit` and `inspect`, and what it means to later commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from likely.cli import main
from refusals import STEPS, Capture, pictures, refused, table


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    made = table().assign(a=lambda x: x["a"].abs(), day=[f"2024-01-{i % 28 + 1:02d}" for i in range(40)])
    made.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_limits_are_law_in_every_later_command(rows: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["--limits", "a=0:", "--limits", "day=2023-12-31:2024-12-31"]
    assert main(["fit", str(rows), "-o", str(tmp_path / "r"), *words, *STEPS]) == 0
    text = (tmp_path / "r" / "schema.json").read_text()
    assert "Infinity" not in text
    limits = {column["name"]: column["limits"] for column in json.loads(text)["columns"]}
    assert limits == {"a": [0.0, None], "n": None, "s": None, "day": [-1.0, 365.0]}
    table().head(3).assign(a=[0.5, -0.25, 1.0], day="2024-01-05").to_csv(tmp_path / "new.csv", index=False)
    said = refused(capsys, "score", tmp_path / "r", tmp_path / "new.csv")
    assert "column 'a': row 1 holds -0.25, beyond its declared limits: at least 0" in said
    table().head(3).assign(a=0.5, day="2025-01-05").to_csv(tmp_path / "new.csv", index=False)
    said = refused(capsys, "encode", tmp_path / "r", tmp_path / "new.csv")
    assert "row 0 holds 2025-01-05, beyond its declared limits: from 2023-12-31 to 2024-12-31" in said


def test_inspect_shows_limits_and_json_has_them(rows: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["inspect", str(rows), "--limits", "a=:10"]) == 0
    assert "at most 10 by declaration" in capsys.readouterr().out
    assert main(["inspect", str(rows), "--limits", "a=:10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["schema"]["columns"][0]
    assert found["limits"] == [None, 10.0]


@pytest.mark.parametrize("words", [["0:255"], ["x=0:255"]])
def test_levels_of_an_array_are_limited_without_a_name(words: list[str], tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "p.npy", pictures(40) // 16)
    assert main(["inspect", str(tmp_path / "p.npy"), "--limits", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["schema"]["columns"][0]
    assert (found["low"], found["high"], found["hard"]) == (0.0, 255.0, True)


def test_what_cannot_be_meant_ends_with_a_line(rows: Path, tmp_path: Path, capsys: Capture) -> None:
    for words, said in {
        ("a=0:0.5",): "beyond its declared limits: from 0 to 0.5",
        ("0:1",): "limits are of a column, COLUMN=LOW:HIGH",
        ("a=0:", "a=:9"): "--limits takes one LOW:HIGH for each column",
        ("a=0:", "9"): "--limits takes NAME=VALUE, got '9'",
        ("s=0:1",): "limits are for numbers and dates",
    }.items():
        options = [text for word in words for text in ("--limits", word)]
        assert said in refused(capsys, "fit", rows, "-o", tmp_path / "r", *options)
        assert not (tmp_path / "r").exists()
    assert "--set limits: this is no option" in refused(capsys, "fit", rows, "-o", tmp_path / "r", "--set", "limits=1")
