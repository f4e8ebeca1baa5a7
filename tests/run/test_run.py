from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

import likely
from quick import quick_reports

NARROW: dict[str, Any] = {"width": 32, "blocks": 1}
TERMS = ["reconstruction", "kl", "elbo", "iwae", "gap", "prior_sampling", "unweighted"]


def table(rows: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(size=rows)
    return pd.DataFrame(
        {
            "price": np.round(20 + 5 * size + rng.normal(size=rows), 2),
            "rooms": rng.poisson(np.exp(0.4 * size) + 1).astype("int64"),
            "area": 1e5 + 300 * size + rng.normal(size=rows),
            "town": np.where(size + rng.normal(size=rows) > 0, "Bath", "York"),
            "sold": rng.random(rows) < 0.4,
        }
    )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return table().set_axis(range(1000, 1150))


@pytest.fixture(scope="module")
def run(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    return likely.fit(frame, out=tmp_path_factory.mktemp("table") / "run", steps=100, **NARROW)


def test_a_frame_goes_in_and_frames_come_out(frame: pd.DataFrame, run: likely.Run) -> None:
    drawn = run.sample(20)
    assert list(drawn.columns) == list(frame.columns)
    assert (drawn.dtypes == frame.dtypes).all()
    assert set(drawn["town"]) <= {"Bath", "York"}
    np.testing.assert_array_equal(drawn["price"], drawn["price"].round(2))
    scores = run.score(frame)
    assert scores.columns.tolist() == ["log_px", "se_mc", "elbo", "low", "high", "ess", "stable"]
    assert scores.index.equals(frame.index)
    again = run.reconstruct(frame)
    assert (again.dtypes == frame.dtypes).all()
    assert again.index.equals(frame.index)
    assert run.encode(frame).columns.tolist() == [f"z{i}" for i in range(run.model.latent)]
    assert run.measure == "mixed"


def test_a_loaded_run_scores_bit_for_bit(frame: pd.DataFrame, run: likely.Run) -> None:
    assert run.directory is not None
    loaded = likely.load(run.directory)
    pd.testing.assert_frame_equal(run.score(frame), loaded.score(frame), check_exact=True)
    pd.testing.assert_frame_equal(run.sample(30, seed=4), loaded.sample(30, seed=4), check_exact=True)
    assert {path.name for path in run.directory.iterdir()} == {
        "checkpoints",
        "config.json",
        "schema.json",
        "rows.safetensors",
        "seen.safetensors",
        "weights.safetensors",
        "history.csv",
        "run.json",
    }


def test_scores_do_not_depend_on_order_or_company(frame: pd.DataFrame, run: likely.Run) -> None:
    whole = run.score(frame)
    turned = run.score(frame.iloc[::-1])
    pd.testing.assert_frame_equal(whole, turned.iloc[::-1], atol=1e-5, rtol=0)
    pd.testing.assert_frame_equal(whole.iloc[[7]], run.score(frame.iloc[[7]]), atol=1e-5, rtol=0)


def test_the_same_seed_gives_the_same_run(frame: pd.DataFrame) -> None:
    first, second = (likely.fit(frame, steps=40, seed=3, **NARROW) for _ in range(2))
    pd.testing.assert_frame_equal(first.score(frame), second.score(frame), check_exact=True)


def test_rescaling_a_real_column_changes_log_px_by_the_log_determinant() -> None:
    x = np.random.default_rng(1).normal(size=(200, 2)) * np.pi
    first = likely.fit(x, steps=80, **NARROW).score(x)["log_px"]
    second = likely.fit(x * 1000, steps=80, **NARROW).score(x * 1000)["log_px"]
    assert (first - second).mean() == pytest.approx(2 * np.log(1000), abs=0.05)


def test_arrays_and_tensors_come_back_as_such() -> None:
    images = load_digits().images[:200]
    run = likely.fit(images, steps=20, **NARROW)
    assert run.sample(5).shape == (5, 8, 8)
    assert run.sample(5).dtype == images.dtype
    assert isinstance(run.encode(images), np.ndarray)
    as_tensor = torch.from_numpy(images)
    again = likely.fit(as_tensor, steps=20, **NARROW)
    assert isinstance(again.sample(5), torch.Tensor)
    assert isinstance(again.reconstruct(as_tensor), torch.Tensor)
    assert isinstance(again.encode(as_tensor), torch.Tensor)


def test_the_ledger_holds_every_term_and_adds_up(tmp_path: Path) -> None:
    images = load_digits().images[:300]
    np.save(tmp_path / "digits.npy", images)
    likely.fit(tmp_path / "digits.npy", out=tmp_path / "run", steps=100)
    found = likely.load(tmp_path / "run").evaluate(samples=100, anneal=5)
    assert list(found.entries) == [*TERMS, "ais", "ais_gain", "ais_gap", "approximation", "amortisation"]
    assert found.split == "test"
    assert found.rows == 30
    assert found["elbo"].nats == pytest.approx(found["reconstruction"].nats - found["kl"].nats)
    assert found["gap"].nats == pytest.approx(found["iwae"].nats - found["elbo"].nats)
    assert found["iwae"].bits_per_dim == pytest.approx(-found["iwae"].nats / 64 / np.log(2))
    assert found["prior_sampling"].nats < found["iwae"].nats
    document = json.loads(json.dumps(found.to_dict()))
    assert {"rows", "dims", "split", "measure", "seed", "seconds", "versions", *TERMS} <= set(document)
    assert set(document["iwae"]) == {"nats", "se", "se_mc", "bits_per_dim", "kind", "samples", "rows"}


def test_a_source_that_changed_or_went_away_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    table().to_csv(path, index=False)
    likely.fit(path, out=tmp_path / "run", steps=20, **NARROW)
    table(149).to_csv(path, index=False)
    with pytest.raises(likely.DataError, match="has changed since the fit"):
        likely.load(tmp_path / "run").evaluate(samples=5, anneal=0)
    path.unlink()
    with pytest.raises(likely.DataError, match="is gone"):
        likely.load(tmp_path / "run").evaluate(samples=5, anneal=0)
    assert likely.load(tmp_path / "run").evaluate(table(), samples=5, anneal=0).rows == 150


def test_unseen_values_have_a_stated_mass_and_do_not_stop_scoring(frame: pd.DataFrame, run: likely.Run) -> None:
    odd = frame.head(3).copy()
    odd["town"] = ["Bath", "Oz", "York"]
    odd.loc[odd.index[2], "rooms"] = 900
    scores = run.score(odd)["log_px"]
    assert np.isfinite(scores).all()
    known = run.score(frame.head(3))["log_px"]
    assert scores.iloc[1] < known.iloc[1] - 2
    assert scores.iloc[2] < known.iloc[2] - 2  # a number that is not listed is one event


@pytest.mark.parametrize("how", ["dynamic", "static", "threshold"])
def test_binarised_pictures(how: str, tmp_path: Path) -> None:
    images = (load_digits().images[:200] * 15).astype(np.uint8)
    run = likely.fit(images, out=tmp_path / how, steps=20, binarize=how, **NARROW)
    assert run.schema.modelled[0].kind == "binary"
    assert set(np.unique(run.sample(10))) <= {0, 1}
    loaded = likely.load(tmp_path / how)
    pd.testing.assert_frame_equal(run.score(images), loaded.score(images), check_exact=True)


@pytest.mark.parametrize("likelihood", ["gaussian:1", "gaussian:shared", "gaussian:column", "gaussian:predicted"])
def test_every_gaussian(likelihood: str, tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(150, 3))
    run = likely.fit(x, out=tmp_path / "r", steps=20, likelihood=likelihood, **NARROW)
    assert run.measure == "density"
    pd.testing.assert_frame_equal(run.score(x), likely.load(tmp_path / "r").score(x), check_exact=True)


def test_the_textbook_gaussian_is_squared_error_plus_its_constant() -> None:
    likelihood = likely.likelihoods.Gaussian((3,), 2.0)
    mean, x = torch.randn(5, 3), torch.randn(5, 3)
    expected = -(x - mean).square() / 8 - np.log(2 * np.sqrt(2 * np.pi))
    torch.testing.assert_close(likelihood(mean).log_prob(x), expected)


def test_options_are_checked() -> None:
    x = np.random.default_rng(1).normal(size=(50, 3))
    with pytest.raises(likely.ConfigError, match="did you mean 'latent'"):
        likely.fit(x, latnt=3)
    with pytest.raises(likely.ConfigError, match="did you mean 'gaussian'"):
        likely.fit(x, likelihood="gausian")
    with pytest.raises(likely.ConfigError, match="one budget"):
        likely.fit(x, epochs=1, minutes=1.0)
    with pytest.raises(likely.ConfigError, match="bernoulli needs binary"):
        likely.fit(x, likelihood="bernoulli")


def test_minutes_become_a_step_count_that_is_stored(tmp_path: Path) -> None:
    run = likely.fit(table(), out=tmp_path / "run", minutes=0.05)
    stored = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert stored["minutes"] is None
    assert stored["steps"] == run.facts["steps"] > 0


def test_the_report_is_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_reports(monkeypatch)
    run = likely.fit(table(), out=tmp_path / "run", steps=40, **NARROW)
    page = run.report().read_text()
    assert page.startswith("<!doctype html>")
    assert f'value="{run.evaluate(samples=20, anneal=0)["elbo"].nats!r}"' in page
    with pytest.raises(likely.OutputError, match="exists already"):
        run.report()
