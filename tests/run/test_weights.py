"""A row of weight w counts as w rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.cli import main
from likely.data import Batch, ResidentRows, Rows, infer_schema
from likely.evaluation import fit_baselines
from likely.training.validate import validate

SPLIT = ["train"] * 40 + ["val"] * 10 + ["test"] * 10


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    w = rng.integers(1, 5, 60)
    return pd.DataFrame({"x": rng.normal(size=60), "w": w, "town": rng.choice(["Bath", "York"], 60)})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    out = tmp_path_factory.mktemp("weights") / "run"
    return likely.fit(table(), weight="w", split=SPLIT, latent=1, width=8, steps=3, out=out)


def test_the_average_of_a_batch_is_that_of_repeated_rows() -> None:
    w, values = torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64), torch.randn(3)
    weighted = Batch(torch.zeros(3, 1), weights=w).average(values)
    repeated = Batch(torch.zeros(6, 1)).average(values.repeat_interleave(w.long()))
    torch.testing.assert_close(weighted, repeated)


def test_the_column_is_no_part_of_x_and_weighs_training_validation_and_evaluation(run: likely.Run) -> None:
    data = table()
    assert [column.name for column in run.schema.modelled] == ["x", "town"]
    test = data.iloc[50:]
    found = run.assess(samples=5, anneal=0)
    each, w = run.score(test, samples=5)["log_px"], test["w"]
    assert found.ledger["iwae"].nats == pytest.approx(np.average(each, weights=w), abs=1e-4)
    copies = run.evaluate(test.loc[test.index.repeat(w)].drop(columns="w"), samples=5, anneal=0)
    for name in ("iwae", "elbo", "kl"):
        assert found.ledger[name].nats == pytest.approx(copies[name].nats, abs=1e-4)
        assert found.ledger[name].se == pytest.approx(copies[name].se, rel=1e-3)
    rows = run.encoded(Rows(data.iloc[40:50]))
    again = run.encoded(Rows(data.iloc[40:50].loc[lambda part: part.index.repeat(part["w"])].drop(columns="w")))
    assert validate(run.model, rows, 0) == pytest.approx(validate(run.model, again, 0), abs=1e-5)
    loaded = likely.load(run.directory or "")
    assert loaded.encoded(Rows(test)).weights is not None
    assert loaded.encoded(Rows(test.drop(columns="w"))).weights is None


def test_baselines_are_those_of_repeated_rows() -> None:
    schema = infer_schema(Rows(np.random.default_rng(0).normal(size=(40, 2))), "array")
    x, w = torch.randn(40, 2, dtype=torch.float64), torch.randint(1, 4, (40,))
    new = ResidentRows(torch.randn(5, 2, dtype=torch.float64))
    weighted, repeated = (
        fit_baselines(schema, rows, latent=1).score(new)
        for rows in (ResidentRows(x, weights=w.double()), ResidentRows(x.repeat_interleave(w, 0)))
    )
    for one, other in zip(weighted, repeated, strict=True):
        np.testing.assert_allclose(one.nats, other.nats, rtol=0, atol=1e-9)


def test_fractions_are_drawn_in_proportion() -> None:
    x, w = torch.arange(1000.0).unsqueeze(1), torch.rand(1000, dtype=torch.float64) + 0.1
    drawn = ResidentRows(x, weights=w).counted(0)
    assert drawn.weights is None
    times = torch.bincount(drawn.stored().values[:, 0].long(), minlength=1000)
    assert (times - w / w.mean()).abs().max() <= 1
    same = ResidentRows(x, weights=torch.full((1000,), 0.5, dtype=torch.float64)).counted(0)
    torch.testing.assert_close(same.stored().values, x)


def test_an_array_takes_one_weight_a_row() -> None:
    x, w = np.random.default_rng(0).normal(size=(60, 3)), np.linspace(0.5, 2, 60)
    fitted = likely.fit(x, weight=w, split=SPLIT, latent=1, width=8, steps=3)
    each = fitted.score(x[50:], samples=5)["log_px"]
    found = fitted.evaluate(samples=5, anneal=0)["iwae"].nats
    assert found == pytest.approx(np.average(each, weights=w[50:]), abs=1e-4)
    again = fitted.evaluate(x[50:], given={"sample_weight": w[50:]}, samples=5, anneal=0)["iwae"].nats
    assert again == pytest.approx(found, abs=1e-6)
    with pytest.raises(likely.InputError, match="expected one sample_weight for each of 10 rows"):
        fitted.evaluate(x[50:], given={"sample_weight": w})


def test_an_npz_file_has_them_beside_its_array(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(60, 3)), rng.integers(1, 4, 60)
    rows = {"train": slice(40), "val": slice(40, 50), "test": slice(50, None)}
    parts = {f"{name}_{part}": of[rows[part]] for name, of in (("x", x), ("counts", w)) for part in rows}
    np.savez(tmp_path / "d.npz", **parts)
    words = ["-o", str(tmp_path / "r"), "--set", "steps=3", "--latent", "1"]
    assert main(["fit", str(tmp_path / "d.npz"), *words, "--weight", "count"]) == 2
    assert "no weight 'count' beside the array (what came beside it: counts)" in capsys.readouterr().err
    assert main(["fit", str(tmp_path / "d.npz"), *words, "--weight", "counts"]) == 0
    assert "each row counts as 'counts' says" in capsys.readouterr().err
    told = likely.fit(x, weight=w, split=SPLIT, latent=1, steps=3)
    loaded = likely.load(tmp_path / "r")
    wanted = told.evaluate(samples=5, anneal=0)["iwae"].nats
    assert loaded.evaluate(samples=5, anneal=0)["iwae"].nats == pytest.approx(wanted, abs=1e-6)
    new = tmp_path / "new.npz"
    np.savez(new, x=x[50:], counts=w[50:])
    assert loaded.evaluate(new, samples=5, anneal=0)["iwae"].nats == pytest.approx(wanted, abs=1e-6)
    assert main(["score", str(tmp_path / "r"), str(new)]) == 0
    begun = likely.fit(tmp_path / "d.npz", init=loaded, steps=1)
    assert begun.encoded(begun.rows_of(new)[0]).weights is not None
    np.savez(new, x=x[50:], counts=-w[50:])
    assert main(["evaluate", str(tmp_path / "r"), str(new)]) == 2
    assert "weights 'counts', row 0" in capsys.readouterr().err
    np.savez(tmp_path / "d.npz", **{**parts, "counts_test": w[:10]})
    with pytest.raises(likely.DataError, match="has changed since the fit"):
        likely.load(tmp_path / "r").evaluate(samples=5, anneal=0)
    np.savez(new, x=x, sample_weight=w)
    assert main(["inspect", str(new)]) == 0
    assert "--weight sample_weight counts rows by it" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("change", "weight", "says"),
    [
        ({}, "ww", "did you mean 'w'"),
        ({"w": 0}, "w", "row 0: 0 is not a number above 0"),
        ({"w": np.nan}, "w", "not a number above 0"),
        ({}, [1.0] * 60, "of a table name the column"),
    ],
)
def test_what_is_no_weight_is_refused(change: dict[str, float], weight: object, says: str) -> None:
    with pytest.raises(likely.InputError, match=says):
        likely.fit(table().assign(**change), weight=weight, steps=1)


@pytest.mark.parametrize(("row", "part"), [(44, "validation"), (55, "test")])
def test_what_is_no_weight_is_refused_at_the_fit_in_held_out_rows_too(row: int, part: str) -> None:
    frame = table()
    frame.loc[row, "w"] = -1
    with pytest.raises(likely.DataError, match=f"{part} rows: weights 'w', row {row}: -1 is not a number above 0"):
        likely.fit(frame, weight="w", split=SPLIT, latent=1, width=8, steps=1)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    words = ["--weight", "w", "--set", "steps=3", "--latent", "1"]
    assert main(["fit", str(tmp_path / "t.csv"), "-o", str(tmp_path / "r"), *words]) == 0
    assert "column 'w' is left out: the weights" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "t.csv"), "--weight", "w"]) == 0
