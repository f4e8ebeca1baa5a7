"""Divisions from the command line to the files of a part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import likely
from likely.cli import main

STEPS = ["--set", "steps=5", "--latent", "1"]


def run(*words: object) -> int:
    return main([str(word) for word in words])


def visits(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "patient": [f"p{i:02d}" for i in rng.integers(0, 20, rows)],
            "code": [f"c{i}" for i in rng.integers(0, 5, rows)],
            "x": rng.normal(size=rows).round(3),
            "y": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("splits")
    visits().to_csv(made / "v.csv", index=False)
    visits().to_parquet(made / "v.parquet", index=False)
    for kind in ("csv", "parquet"):
        words = ("fit", made / f"v.{kind}", "-o", made / kind, "--split", "group:patient", *STEPS)
        assert run(*words) == 0
    return made


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_parts_are_the_data_as_they_were(folder: Path, tmp_path: Path, kind: str) -> None:
    read, parts = pd.read_parquet(folder / "v.parquet"), []
    for part in ("train", "val", "test"):
        out = tmp_path / f"{part}.{kind}"
        assert run("split", folder / kind, "--part", part, "-o", out) == 0
        parts.append(pd.read_csv(out) if kind == "csv" else pd.read_parquet(out))
    groups = [set(part["patient"]) for part in parts]
    assert not groups[0] & groups[2]
    both = pd.concat(parts).sort_values(["x", "y"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(both, read.sort_values(["x", "y"]).reset_index(drop=True))
    fitted = likely.load(folder / kind)
    pd.testing.assert_frame_equal(fitted.split("test"), read.iloc[fitted.division.test])
    assert fitted.facts["split"] == "group:patient"
    assert next(c for c in fitted.schema.columns if c.name == "patient").reason == "its groups divide the rows"


def test_values_of_rows_carry_the_number_that_the_row_has_in_its_source(folder: Path, tmp_path: Path) -> None:
    fitted = likely.load(folder / "csv")
    assert run("evaluate", folder / "csv", "--samples", 5, "--anneal", 0, "-o", tmp_path / "e.csv") == 0
    found = pd.read_csv(tmp_path / "e.csv")
    assert found["row"].tolist() == fitted.division.test.tolist()
    assert run("score", folder / "csv", folder / "v.csv", "--samples", 5, "-o", tmp_path / "s.parquet") == 0
    scores = pd.read_parquet(tmp_path / "s.parquet")
    assert scores["row"].tolist() == list(range(120))
    np.testing.assert_allclose(found["iwae"], scores["log_px"].iloc[found["row"]], atol=1e-4)


def test_what_no_part_is_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("split", folder / "csv", "--part", "dev") == 2
    assert "part must be train, val or test" in capsys.readouterr().err
    assert run("inspect", folder / "v.csv", "--split", "group:patien") == 2
    assert "did you mean 'patient'" in capsys.readouterr().err


def test_parts_of_data_in_memory(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    fitted = likely.fit(x, steps=3, out=tmp_path / "run")
    np.testing.assert_array_equal(fitted.split("val"), x[fitted.division.validation])
    with pytest.raises(likely.DataError, match=r"run\.division\.test"):
        likely.load(tmp_path / "run").split("test")


def test_labels_go_beside_arrays(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(40, 3, 3)), np.arange(40) % 4
    np.savez(tmp_path / "d.npz", x=x, y=y)
    assert run("fit", tmp_path / "d.npz", "-o", tmp_path / "run", "--split", "group:label", *STEPS) == 0
    assert run("split", tmp_path / "run", "--part", "val", "-o", tmp_path / "val.npz") == 0
    rows = likely.load(tmp_path / "run").division.validation
    with np.load(tmp_path / "val.npz") as made:
        np.testing.assert_array_equal(made["x"], x[rows])
        np.testing.assert_array_equal(made["y"], y[rows])


def test_a_column_of_groups_that_is_told_stays() -> None:
    found = likely.inspect(visits(), split="group:patient", column={"patient": "categorical"})
    assert found.schema.columns[0].kind == "categorical"
    with pytest.raises(likely.DataError, match="whose groups divide the rows"):
        likely.inspect(visits()[["patient"]], split="group:patient")


def test_equal_rows_in_several_parts_are_told() -> None:
    data = visits()
    data.loc[100:119] = data.loc[0:19].to_numpy()
    words = ["train"] * 90 + ["val"] * 15 + ["test"] * 15
    assert "15 of 15 test rows and 5 of 15 validation rows are equal to training rows" in str(
        likely.inspect(data, split=words).notices
    )
    assert "equal to training rows" not in str(likely.inspect(visits(), split=words).notices)
    other = data.assign(number=np.random.default_rng(0).permutation(120))
    left = likely.inspect(other, split=words, column={"number": "ignore"})
    assert "15 of 15 test rows" in str(left.notices)
    x = np.random.default_rng(0).integers(0, 256, (40, 4, 4))
    x[35:] = x[:5]
    told = likely.inspect(x, split=["train"] * 30 + ["val"] * 5 + ["test"] * 5).notices
    assert any(notice.startswith("5 of 5 test rows are equal") for notice in told)
