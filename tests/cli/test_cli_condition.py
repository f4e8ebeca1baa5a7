"""`--condition` at fit and `--given` at every later verb."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from likely.cli import main
from refusals import STEPS, Capture, pictures, refused, table


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("condition")
    table().assign(h=range(40), one=1, id=[f"r{i}" for i in range(40)]).to_csv(made / "t.csv", index=False)
    np.savez(made / "d.npz", x=pictures(40), y=np.arange(40) % 3)
    np.save(made / "d.npy", pictures(40))
    words = ["--column", "id=ignore", "--condition", "s", "--condition", "h", *STEPS]
    assert main(["fit", str(made / "t.csv"), "-o", str(made / "table"), *words]) == 0
    assert main(["fit", str(made / "d.npz"), "-o", str(made / "digits"), "--condition", "label", *STEPS]) == 0
    assert main(["fit", str(made / "d.npy"), "-o", str(made / "plain"), *STEPS]) == 0
    return made


def ran(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def test_a_fit_says_what_is_given_and_how_to_go_on(fitted: Path, capsys: Capture, tmp_path: Path) -> None:
    capsys.readouterr()
    ran("fit", fitted / "d.npz", "-o", tmp_path / "r", "--condition", "label", *STEPS)
    out = capsys.readouterr().out
    assert "of P(x|y), given: label" in out
    assert "-n 100 --given label=0\n" in out


def test_the_values_that_a_fit_suggests_for_conditions_are_taken(capsys: Capture, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, n, f = rng.normal(size=40), rng.integers(0, 9, 40), np.arange(40) % 3 == 0
    pd.DataFrame({"x": x, "n": n, "f": f}).to_csv(tmp_path / "t.csv", index=False)
    conditions = ["--condition", "n", "--condition", "f"]
    ran("fit", tmp_path / "t.csv", "-o", tmp_path / "r", *conditions, *STEPS)
    said = capsys.readouterr().out.split(" -n 100 ")[1].splitlines()[0]
    assert said == "--given n=4 --given f=0"
    ran("sample", tmp_path / "r", "-n", 2, *said.split())


def test_inspect_shows_conditions(fitted: Path, capsys: Capture) -> None:
    capsys.readouterr()
    ran("inspect", fitted / "t.csv", "--condition", "s", "--column", "id=ignore")
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("s "))
    assert line.split()[1] == "condition"
    assert line.endswith("categorical: 2 different strings")
    ran("inspect", fitted / "d.npz", "--condition", "label", "--json")
    last = json.loads(capsys.readouterr().out)["schema"]["columns"][-1]
    assert (last["name"], last["condition"], last["categories"]) == ("label", True, [0, 1, 2])


def test_samples_hold_what_was_given_in_its_place(fitted: Path, capsys: Capture, tmp_path: Path) -> None:
    capsys.readouterr()
    ran("sample", fitted / "table", "-n", 4, "--given", "s=y", "--given", "h=12", "-o", tmp_path / "s.csv")
    drawn = pd.read_csv(tmp_path / "s.csv")
    assert drawn.columns.tolist() == ["a", "n", "s", "h", "one"]
    assert (drawn["s"] == "y").all()
    assert (drawn["h"] == 12).all()
    ran("sample", fitted / "digits", "-n", 4, "--given", "label=2", "-o", tmp_path / "s.npy")
    assert np.load(tmp_path / "s.npy").shape == (4, 4, 4)


def test_the_ledger_is_of_the_conditional_law(fitted: Path, capsys: Capture) -> None:
    capsys.readouterr()
    ran("evaluate", fitted / "digits", "--samples", 5, "--anneal", 2)
    out = capsys.readouterr().out
    assert "log P(X|y) - D[Q(z|X,y)||P(z|X,y)]" in out
    assert "given: label (y; P(z) does not depend on it)" in out
    assert "lower bound on log P(x|y)" in out
    assert "P(x)" not in out.replace("of P(x), without y", "")
    ran("evaluate", fitted / "digits", "--samples", 5, "--anneal", 0, "--json")
    assert json.loads(capsys.readouterr().out)["given"] == ["label"]


def test_every_verb_takes_rows_without_labels_and_a_given_one(fitted: Path, tmp_path: Path) -> None:
    words = ("--given", "label=1")
    ran("evaluate", fitted / "digits", fitted / "d.npy", "--samples", 5, "--anneal", 0, *words)
    for verb in ("score", "encode", "reconstruct"):
        ran(verb, fitted / "digits", fitted / "d.npy", "-o", tmp_path / f"{verb}.npy", *words)
        assert len(np.load(tmp_path / f"{verb}.npy")) == 40


FITS: dict[str, tuple[str, list[str], str]] = {
    "no such column": ("t.csv", ["--condition", "t"], "no column 't'"),
    "near": ("t.csv", ["--condition", "ones"], "did you mean 'one'?"),
    "ignored": ("t.csv", ["--condition", "s", "--column", "s=ignore"], "cannot be ignored and be a condition"),
    "constant": ("t.csv", ["--condition", "one"], "it is always 1 in the training rows"),
    "a name of each row": ("t.csv", ["--condition", "id"], "an identifier; --column id=categorical overrides"),
    "no labels": ("d.npy", ["--condition", "label"], "came without labels"),
    "a cell": ("d.npz", ["--condition", "x3"], "its condition can be 'label'"),
    "kind of a label that is none": ("d.npz", ["--column", "label=real"], "make it a condition, or leave it out"),
    "as a setting": ("t.csv", ["--set", "condition=s"], "no option of the configuration"),
}


@pytest.mark.parametrize("case", FITS)
def test_a_fit_that_cannot_be_is_refused(case: str, fitted: Path, capsys: Capture, tmp_path: Path) -> None:
    data, words, expected = FITS[case]
    assert expected in refused(capsys, "fit", fitted / data, "-o", tmp_path / "r", *words, *STEPS)
    assert not (tmp_path / "r").exists()


def test_nothing_left_or_missing_is_refused(capsys: Capture, tmp_path: Path) -> None:
    frame = table()
    frame[["s"]].to_csv(tmp_path / "s.csv", index=False)
    assert "no column is left" in refused(capsys, "fit", tmp_path / "s.csv", "-o", tmp_path / "r", "--condition", "s")
    frame.loc[3:5, "s"] = None
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert "P(x|y) needs every one" in refused(
        capsys, "fit", tmp_path / "t.csv", "-o", tmp_path / "r", "--condition", "s"
    )


GIVEN: dict[str, tuple[str, list[str], str]] = {
    "nothing": ("table", [], "say --given s=VALUE ('x', 'y'), --given h=VALUE (0 to 39)"),
    "one of two": ("table", ["s=x"], "no value is given: say --given h=VALUE"),
    "unseen": ("table", ["s=z", "h=3"], "'z' was not seen in training, so P(x|y) knows nothing of it; known: 'x', 'y'"),
    "unseen label": ("digits", ["label=7"], "'7' was not seen"),
    "modelled, impossible": ("table", ["s=x", "h=3", "a>1", "a<0"], "exclude each other"),
    "near": ("digits", ["lable=1"], "did you mean 'label'?"),
    "no number": ("table", ["s=x", "h=tall"], "'tall' is not a finite number"),
    "no whole number": ("table", ["s=x", "h=2.5"], "'h' is an integer (int64), got 2.5"),
    "no value": ("table", ["s=", "h=3"], "a condition is COLUMN=VALUE"),
    "twice": ("digits", ["label=1", "label=2"], "give it one value, by ="),
    "unconditional": ("plain", ["label=1"], "fit with --condition label"),
}


@pytest.mark.parametrize("case", GIVEN)
def test_a_sample_that_cannot_be_is_refused(case: str, fitted: Path, capsys: Capture) -> None:
    name, given, expected = GIVEN[case]
    words = [word for value in given for word in ("--given", value)]
    assert expected in refused(capsys, "sample", fitted / name, "-n", 3, *words)


def test_rows_without_their_condition_are_refused(fitted: Path, capsys: Capture, tmp_path: Path) -> None:
    assert "say --given label=VALUE (0, 1, 2)" in refused(capsys, "score", fitted / "digits", fitted / "d.npy")
    table().to_csv(tmp_path / "t.csv", index=False)
    assert "column 'one' is missing" in refused(capsys, "score", fitted / "table", tmp_path / "t.csv")
    frame = table().assign(one=1, h=3)
    frame.loc[7, "s"] = None
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert "condition 's', row 7: the value is missing" in refused(
        capsys, "encode", fitted / "table", tmp_path / "t.csv"
    )


def test_a_date_may_be_a_condition(capsys: Capture, tmp_path: Path) -> None:
    days = (pd.Timestamp("2020-01-31") + pd.to_timedelta(np.arange(40), "D")).strftime("%d.%m.%Y")
    table().assign(day=days).to_csv(tmp_path / "t.csv", index=False)
    assert main(["fit", str(tmp_path / "t.csv"), "-o", str(tmp_path / "r"), "--condition", "day", *STEPS]) == 0
    found = re.search(r"--given day=(\d\d\.02\.2020)", capsys.readouterr().out)
    assert found is not None
    assert main(["sample", str(tmp_path / "r"), "-n", "2", "--given", f"day={found[1]}"]) == 0
    assert [line.rpartition(",")[2] for line in capsys.readouterr().out.split()] == ["day", found[1], found[1]]
