"""Arrays and pictures from fit to draws and files: in the values and the units that came."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import likely
from likely import likelihoods, networks, posteriors, priors
from likely.cli import main
from likely.data import ResidentRows
from likely.data.pictures import pictures_in_file_units, pictures_in_unit_range
from likely.report.collect import collect
from quick import quick_reports

ROWS = 40
SMALL: dict[str, Any] = {"latent": 2, "width": 16, "steps": 20}


def blobs(top: int, dtype: str = "uint16") -> np.ndarray:
    """Soft blobs from 0 to the top, `(rows, 6, 5)`."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:6, 0:5]
    centre = rng.uniform(1, 4, (ROWS, 2, 1, 1))
    return np.round(top * np.exp(-((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / 4)).astype(dtype)


def glyphs(dtype: str = "uint8", low: float = 0, high: float = 255) -> np.ndarray:
    return np.where(blobs(100) > 50, high, low).astype(dtype)


def folder(path: Path, rows: np.ndarray, mode: str | None = None) -> Path:
    path.mkdir()
    for i, row in enumerate(rows):
        image = Image.fromarray(row)
        (image.convert(mode) if mode else image).save(path / f"{i:02d}.png")
    return path


@pytest.mark.parametrize("rows", [blobs(16), glyphs("int64"), blobs(4095)], ids=["digits", "glyphs", "deep"])
def test_the_type_that_holds_values_changes_no_number(rows: np.ndarray) -> None:
    runs = {dtype: likely.fit(rows.astype(dtype), **SMALL) for dtype in ("int64", "uint16", "float32", "float64")}
    if rows.max() < 256:
        runs["uint8"] = likely.fit(rows.astype("uint8"), **SMALL)
    first = runs["int64"]
    for dtype, run in runs.items():
        assert run.history["val_elbo"].tolist() == first.history["val_elbo"].tolist()
        scores = [one.score(rows.astype(kind), samples=5) for one, kind in ((run, dtype), (first, "int64"))]
        pd.testing.assert_frame_equal(*scores, check_exact=True)
        drawn = run.sample(9)
        assert drawn.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(drawn.astype("int64"), first.sample(9))


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("uint8", 0, 255), ("float64", -1, 1), ("float32", 0.25, 0.75), ("bool", 0, 1)]
)
def test_two_values_in_every_verb(dtype: str, low: float, high: float, tmp_path: Path) -> None:
    rows = glyphs(dtype, low, high)
    run = likely.fit(rows, out=tmp_path / "run", **SMALL)
    loaded = likely.load(tmp_path / "run")
    ends = {low, high}
    assert run.notices[:1] == (
        f"every cell is {low} or {high}: any other value is an error; --column x=levels says otherwise",
    )
    assert set(np.unique(loaded.sample(30)).tolist()) == ends
    bits = likely.fit((rows == high).astype("uint8"), **SMALL)
    pd.testing.assert_frame_equal(loaded.score(rows), bits.score((rows == high).astype("uint8")), check_exact=True)
    for means, shares in (
        (loaded.reconstruct(rows), bits.reconstruct((rows == high).astype("uint8"))),
        (loaded.sample(30, mean=True), bits.sample(30, mean=True)),
    ):
        np.testing.assert_allclose(means, low + (high - low) * shares, rtol=1e-5)
    assert set(np.unique(pictures_in_unit_range(run.schema, rows)).tolist()) == {0, 1}
    assert likely.fit(rows, column={"x": "real"}, **SMALL).schema.columns[0].kind == "real"


def test_holes_of_two_values_are_filled_with_them() -> None:
    rows = glyphs("float64", -1, 1)
    incomplete = np.where(np.random.default_rng(1).random(rows.shape) < 0.2, np.nan, rows)
    run = likely.fit(incomplete, **SMALL)
    filled, deviation = run.impute(incomplete, samples=20, deviation=True)
    missing = np.isnan(incomplete)
    assert set(np.unique(filled).tolist()) == {-1, 1}
    np.testing.assert_array_equal(filled[~missing], rows[~missing])
    assert np.isnan(deviation[~missing]).all()
    assert 0.5 < np.nanmax(deviation) <= 1 + 1e-9  # of ±1 at even odds it is 1
    assert set(np.unique(run.impute(incomplete, samples=20, draws=2)).tolist()) == {-1, 1}


def test_the_report_shows_glyphs_white_on_black(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_reports(monkeypatch)
    rows = glyphs()
    found = collect(likely.fit(rows, **SMALL))
    for shown in (found.originals, found.least_likely, found.samples):
        assert set(np.unique(shown).tolist()) == {0, 1}
    assert 0.3 < np.asarray(found.reconstructions).max() <= 1
    bits = [line for line in found.baselines if line["name"] == "png"]
    assert bits


@pytest.mark.parametrize("top", [4095, 999])
def test_deep_pictures_keep_their_units(top: int, tmp_path: Path) -> None:
    rows = blobs(top)
    source = folder(tmp_path / "deep", rows)
    assert main(["fit", str(source), "-o", str(tmp_path / "run"), "--set", "steps=20"]) == 0
    run = likely.load(tmp_path / "run")
    column = run.schema.columns[0]
    assert (column.kind, column.per_unit, column.dtype) == ("levels", 1, "uint16")
    assert 0.8 * top < (column.high or 0) <= top
    drawn = run.sample(50)
    assert drawn.dtype == np.uint16
    assert top / 2 < drawn.max() <= (column.high or 0)
    assert np.abs(run.reconstruct(source) - rows).mean() < top / 4
    assert main(["sample", str(tmp_path / "run"), "-n", "7", "-o", str(tmp_path / "drawn")]) == 0
    for i, expected in enumerate(run.sample(7)):
        with Image.open(tmp_path / "drawn" / f"{i:05d}.png") as file:
            assert file.mode == "I;16"
            np.testing.assert_array_equal(np.asarray(file), expected)
    assert np.isfinite(run.score(tmp_path / "drawn", samples=5)["log_px"]).all()
    assert 0.8 < pictures_in_unit_range(run.schema, rows).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 1), (90, 200)])
def test_files_of_two_values_look_as_they_came(low: int, high: int, tmp_path: Path) -> None:
    source = folder(tmp_path / "masks", glyphs("uint8", low, high))
    assert main(["fit", str(source), "-o", str(tmp_path / "run"), "--set", "steps=5"]) == 0
    assert main(["sample", str(tmp_path / "run"), "-n", "9", "-o", str(tmp_path / "drawn")]) == 0
    written = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "drawn").iterdir())])
    np.testing.assert_array_equal(written, likely.load(tmp_path / "run").sample(9))
    assert set(np.unique(written).tolist()) == {low, high}


def test_one_bit_files_are_binary(tmp_path: Path) -> None:
    run = likely.fit(folder(tmp_path / "bits", glyphs() > 0), **SMALL)
    assert run.schema.columns[0].kind == "binary"
    assert set(np.unique(pictures_in_file_units(run.schema, run.sample(9))).tolist()) == {0, 255}


def test_levels_of_arrays_are_scaled_in_files() -> None:
    run = likely.fit(blobs(16, "uint8"), **SMALL)
    drawn = run.sample(9)
    np.testing.assert_array_equal(pictures_in_file_units(run.schema, drawn), np.round(drawn.astype(float) * 255 / 16))


def test_later_pictures_are_laid_on_the_same_background(tmp_path: Path) -> None:
    rows = np.stack([np.full((ROWS, 6, 5), 200), blobs(255)], -1).astype(np.uint8)
    source = tmp_path / "clear"
    source.mkdir()
    for i, row in enumerate(rows):
        Image.fromarray(row, "LA").save(source / f"{i:02d}.png")
    words = ["fit", str(source), "-o", str(tmp_path / "run"), "--set", "steps=5", "--background", "black"]
    assert main(words) == 0
    run = likely.load(tmp_path / "run")
    assert run.schema.background == (0, 0, 0)
    assert any("were laid on 0,0,0" in notice for notice in run.notices)
    read = np.asarray(run.rows_of(source)[0].values)
    np.testing.assert_allclose(read, rows[..., 0] * (rows[..., 1] / 255), atol=1)
    assert run.evaluate(samples=3, anneal=0).rows == ROWS // 10
    white = likely.fit(source, **SMALL)
    assert white.schema.background is None
    assert np.asarray(white.rows_of(source)[0].values).min() >= 199


def test_what_is_taken_is_told_and_can_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", glyphs())
    assert main(["inspect", str(tmp_path / "x.npy")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "0 or 255" in told
    assert "every cell is 0 or 255: any other value is an error; --column x=levels says otherwise" in told
    assert main(["inspect", str(tmp_path / "x.npy"), "--column", "x=levels", "--json"]) == 0
    column = json.loads(capsys.readouterr().out)["columns"][0]
    assert (column["kind"], column["reason"]) == ("levels", "as requested: 8 bits, 0 to 255")
    assert main(["fit", str(tmp_path / "x.npy"), "-o", str(tmp_path / "r"), "--background", "whit"]) == 2
    assert "'whit' is no colour" in capsys.readouterr().err


@pytest.mark.parametrize("top", [16, 4095, 65535])
def test_the_masses_of_levels_sum_to_one_less_the_reserve(top: int) -> None:
    run = likely.fit(blobs(top, "int64"), **(SMALL | {"steps": 1}))
    column = run.schema.columns[0]
    assert (column.kind, column.reserve) == ("levels", 1 / (run.schema.rows + 1))
    every = torch.arange(column.low or 0, (column.high or 0) + 1, dtype=torch.float64)[:, None, None].expand(-1, 6, 5)
    with torch.no_grad():
        inside = run.model.likelihood(torch.zeros(1, 2)).log_prob(every).double().exp().sum(0)
    np.testing.assert_allclose(inside, 1 - column.reserve, atol=5e-5)


def test_training_on_values_without_mass_is_refused_before_the_first_step() -> None:
    rows = torch.from_numpy(np.abs(np.random.default_rng(0).normal(size=(ROWS, 3)))).float()
    rows[17, 2] = -0.5
    vae = likely.VAE(
        priors.StandardNormal(2), likelihoods.Gamma((3,)), posteriors.Normal(2),
        networks.ResidualMLP(3, 4, 8), networks.ResidualMLP(2, 6, 8),
    )  # fmt: skip
    before = [weight.clone() for weight in vae.parameters()]
    held = rows[rows.min(1).values > 0]
    with pytest.raises(
        likely.DataError, match=r"train rows: row 17, cell \(2,\) is -0\.5, which Gamma gives no density"
    ):
        likely.train(vae, rows, validation=held)
    with pytest.raises(likely.DataError, match=r"validation rows: row 56, cell \(2,\) is -0\.5"):
        likely.train(vae, held, validation=rows)
    assert all(torch.equal(one, other) for one, other in zip(before, vae.parameters(), strict=True))
    seen = torch.ones_like(rows, dtype=torch.bool)
    seen[17, 2] = False
    assert (
        likely.train(
            vae, ResidentRows(rows, observed=seen), validation=held, config=likely.config.TrainingConfig(steps=2)
        ).steps
        == 2
    )


@pytest.mark.parametrize(("top", "value"), [(1.0, "0.0625"), (16.0, "2")])
def test_greys_are_no_bernoulli_draws(top: float, value: str) -> None:
    greys = torch.from_numpy(blobs(16, "float32") / 16 * top).flatten(1)
    greys[0, 0] = float(value)
    vae = likely.VAE(
        priors.StandardNormal(2), likelihoods.Bernoulli((30,)), posteriors.Normal(2),
        networks.ResidualMLP(30, 4, 8), networks.ResidualMLP(2, 30, 8),
    )  # fmt: skip
    with pytest.raises(
        likely.DataError, match=rf"train rows: row 0, cell \(0,\) is {value}, which Bernoulli gives no mass"
    ):
        likely.train(vae, greys, validation=(greys > 0).float())
    with pytest.raises(likely.ConfigError, match="bernoulli needs binary values; 'x' is levels"):
        likely.fit(greys.numpy().reshape(-1, 6, 5), likelihood="bernoulli", **SMALL)


@pytest.mark.parametrize("values", [256, 2, 17])
def test_a_fit_holds_bytes_twice_at_most(values: int) -> None:
    rows = np.random.default_rng(0).integers(0, values, (2000, 64, 64), dtype=np.uint8)
    options: dict[str, Any] = {"latent": 2, "width": 8, "steps": 1, "batch_size": 64}
    likely.fit(rows[:20], **options)
    tracemalloc.start()
    likely.fit(rows, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.1 * rows.nbytes  # a copy of what was given, and nine tenths encoded
