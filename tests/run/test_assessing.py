from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from sklearn.datasets import load_digits

import likely
from likely.cli import main
from likely.errors import ConfigError, RunError
from likely.evaluation import Baseline, LogPxEstimate, against
from likely.run.checksums import write_with_checksum

DIGITS = load_digits().images
NARROW: dict[str, Any] = {"width": 32, "blocks": 1}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assessed")
    np.save(folder / "digits.npy", DIGITS)
    likely.fit(folder / "digits.npy", out=folder / "run", steps=300, latent=3, **NARROW)
    return folder


def test_every_term_is_given_and_they_add_up_whatever_the_order_of_the_rows(stored: Path) -> None:
    run = likely.load(stored / "run")
    found = run.assess(samples=100, anneal=20, calibrate=True)
    ledger, estimate = found.ledger, found.log_px_estimate
    assert isinstance(estimate, LogPxEstimate)
    assert ledger["ais"].rows == 20
    assert ledger["iwae"].rows == ledger.rows == 179
    assert ledger["ais_gap"].nats == pytest.approx(ledger["approximation"].nats + ledger["amortisation"].nats)
    assert ledger["ais_gain"].nats > -4 * ledger["ais_gain"].se_mc
    assert ledger.annealing["pinch"] <= 0.5
    assert ledger.calibration["rows"] == 100
    assert ledger.calibration["upper"] - ledger.calibration["lower"] == pytest.approx(ledger.calibration["pinch"])
    assert set(ledger.verdicts) == {"iwae", "ais"}
    again = likely.load(stored / "run").assess(samples=100, anneal=20)
    np.testing.assert_array_equal(again.log_px_estimate.log_px, estimate.log_px)
    frame = found.frame()
    assert len(frame) == 179
    assert frame["ais"].notna().sum() == 20
    np.testing.assert_allclose(frame["ais"].to_numpy()[estimate.indices], estimate.log_px)
    part = frame.loc[estimate.indices]
    np.testing.assert_allclose(part["ais"] - part["elbo"], part["approximation"] + part["amortisation"], atol=1e-3)
    json.dumps(ledger.to_dict(), allow_nan=False)
    order = np.random.default_rng(0).permutation(179)
    mixed = run.assess(DIGITS[run.division.test][order], samples=10, anneal=20).frame()
    np.testing.assert_allclose(mixed["ais"], frame["ais"].to_numpy()[order], atol=0.05)


def test_baselines_are_kept_and_outlast_the_training_rows(stored: Path, tmp_path: Path) -> None:
    run = likely.load(stored / "run")
    first = run.assess(DIGITS[:50], samples=10, anneal=0)
    assert (stored / "run" / "baselines.safetensors").exists()
    names = [line["name"] for line in first.ledger.baselines]
    assert names[:4] == ["marginals", "gaussian", "gaussian_mixture", "ppca"]
    assert {"gzip", "xz", "png", "webp"} <= set(names)
    assert "ppca" in first.frame()
    line = first.ledger.baselines[1]
    assert line["difference"] == pytest.approx(first.ledger["iwae"].nats - line["nats"])
    (stored / "digits.npy").rename(tmp_path / "away.npy")
    try:
        later = likely.load(stored / "run").assess(DIGITS[:50], samples=10, anneal=0)
    finally:
        (tmp_path / "away.npy").rename(stored / "digits.npy")
    assert later.ledger.baselines == first.ledger.baselines
    assert later.diagnosis.fit.verdict == "not judged"
    kept = (stored / "run" / "baselines.safetensors").read_bytes()
    (stored / "run" / "baselines.safetensors").write_bytes(kept[:100])
    with pytest.raises(RunError, match="baselines"):
        likely.load(stored / "run").evaluate(DIGITS[:50], samples=10, anneal=0)
    (stored / "run" / "baselines.safetensors").write_bytes(kept)


def test_a_table_is_compared_on_the_axis_of_its_model_and_earlier_baselines_are_fitted_anew(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal(200)
    frame = pd.DataFrame({"a": np.exp(z).round(2), "b": (np.exp(z) + 0.1 * rng.standard_normal(200)).round(2)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    run = likely.fit(tmp_path / "t.csv", out=tmp_path / "run", steps=2, **NARROW)
    found = run.assess(samples=10, anneal=0)
    names = [line["name"] for line in found.ledger.baselines]
    assert "gaussian_mixture_warped" in names
    assert "gaussian_mixture_warped" in found.frame()
    best = min(found.baselines, key=lambda base: base.bits_per_dim)
    assert best.name == "gaussian_mixture_warped"
    assert "GAUSSIAN MIXTURE WARPED" in found.ledger.headline
    assert "chosen by validation rows" in best.kind
    again = likely.load(tmp_path / "run").assess(samples=10, anneal=0)
    assert again.ledger.baselines == found.ledger.baselines
    path = tmp_path / "run" / "baselines.safetensors"
    tensors, source = load_file(path), safe_open(path, "pt").metadata()["of"]
    earlier = {name: part for name, part in tensors.items() if name != "version" and "warped" not in name}
    kinds = json.loads(bytes(tensors["kinds"].tolist()))
    del kinds["gaussian_mixture_warped"]
    earlier["kinds"] = torch.tensor(list(json.dumps(kinds).encode()), dtype=torch.uint8)
    write_with_checksum(path, earlier, source)
    (tmp_path / "t.csv").rename(tmp_path / "away.csv")
    without = likely.load(tmp_path / "run").assess(frame, samples=10, anneal=0)
    assert "gaussian_mixture" in without.frame()
    assert "gaussian_mixture_warped" not in without.frame()
    (tmp_path / "away.csv").rename(tmp_path / "t.csv")
    assert likely.load(tmp_path / "run").assess(samples=10, anneal=0).ledger.baselines == found.ledger.baselines


def test_a_flow_trained_as_long_as_the_model_is_compared_on_request_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal(200)
    frame = pd.DataFrame({"a": np.round(9 * z), "b": (z**2 + 0.1 * rng.standard_normal(200)).round(2)})
    run = likely.fit(frame, out=tmp_path / "run", steps=2, **NARROW)
    found = run.assess(samples=10, anneal=0, rivals=True)
    line = next(line for line in found.ledger.baselines if line["name"] == "neural_spline_flow")
    assert line["kind"].startswith("lower bound: ")
    assert np.isfinite(line["difference"])
    assert found.frame()["neural_spline_flow"].mean() == pytest.approx(line["nats"])
    assert "neural_spline_flow" not in run.assess(samples=10, anneal=0).frame()
    assert (tmp_path / "run" / "rivals.safetensors").exists()
    again = likely.load(tmp_path / "run").assess(frame.iloc[run.division.test], samples=10, anneal=0, rivals=True)
    np.testing.assert_array_equal(again.frame()["neural_spline_flow"], found.frame()["neural_spline_flow"])
    longer = likely.load(tmp_path / "run").continue_training(frame, steps=2, out=tmp_path / "run", overwrite=True)
    assert not (tmp_path / "run" / "rivals.safetensors").exists()
    assert longer.evaluate(samples=10, anneal=0, rivals=True).baselines
    words = pd.DataFrame({"word": rng.choice(list("abc"), 200), "z": z})
    likely.fit(words, out=tmp_path / "words", steps=2, **NARROW)
    test = tmp_path / "words.csv"
    words[:20].to_csv(test, index=False)
    assert main(["evaluate", str(tmp_path / "words"), str(test), "--rivals"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "rivals cannot be fitted: they need numeric columns, and 'word' is categorical" in told
    assert main(["evaluate", "--help"]) == 0
    assert "--rivals" in capsys.readouterr().out


def test_a_flow_that_is_best_is_named_as_a_bound(stored: Path) -> None:
    found = likely.load(stored / "run").assess(DIGITS[:20], samples=10, anneal=0)
    best = Baseline("neural_spline_flow", found.evidence.terms["iwae"] + 100, 0.1, "", bound=True)
    text = against(found.evidence, [*found.baselines, best], found.log_px_estimate).text
    assert text.startswith("THE MODEL DOES NOT BEAT NEURAL SPLINE FLOW (BY ITS LOWER BOUND)")


def test_a_model_that_its_baselines_beat_says_so_first(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    likely.fit(stored / "digits.npy", out=tmp_path / "run", steps=1, **NARROW)
    assert main(["evaluate", str(tmp_path / "run"), "--samples", "10", "--anneal", "0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("THE MODEL DOES NOT BEAT GAUSSIAN MIXTURE")
    assert "Not annealed: no rows were asked for (--anneal)." in out


def test_rows_and_baselines_in_other_measures_are_not_compared() -> None:
    run = likely.fit(DIGITS.astype(float), steps=2, likelihood="gaussian:1", **NARROW)
    found = run.evaluate(samples=5, anneal=0)
    assert not found.baselines
    assert "another base measure" in found.headline
    rng = np.random.default_rng(0)
    columns = {
        "grid": rng.normal(size=200).round(1),
        "real": rng.normal(size=200),
        "kind": rng.choice(list("abc"), 200),
    }
    mixed = pd.DataFrame(columns)
    assert likely.fit(mixed, steps=2, **NARROW).evaluate(samples=5, anneal=0).baselines
    told = likely.fit(mixed, steps=2, likelihood="gaussian", **NARROW).evaluate(samples=5, anneal=0)
    assert told.measure == "mixed"
    assert not told.baselines


def test_rows_of_the_fit_are_no_test_of_over_fitting(stored: Path) -> None:
    run = likely.load(stored / "run")
    seen = run.assess(stored / "digits.npy", samples=5, anneal=0)
    assert seen.diagnosis.fit.verdict == "not judged"
    assert not any("chose nothing" in sentence for sentence in seen.diagnosis.sentences)
    fresh = run.assess(samples=5, anneal=0)
    assert any("chose nothing" in sentence for sentence in fresh.diagnosis.sentences)


def test_a_frame_of_values_has_the_rows_own_index() -> None:
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=120)}, index=np.arange(120) * 10)
    run = likely.fit(frame, steps=2, **NARROW)
    assert run.assess(frame, samples=5, anneal=0).frame().index.tolist() == frame.index.tolist()


def test_values_of_each_row_go_to_a_file(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, annealed in (("rows.csv", 5), ("rows.parquet", 0)):
        words = ["evaluate", stored / "run", "--samples", 10, "--anneal", annealed, "-o", stored / name, "--json"]
        assert main([str(word) for word in words]) == 0
        document = json.loads(capsys.readouterr().out)
        assert not annealed or document["ais"]["rows"] == annealed
        frame = pd.read_csv(stored / name) if name.endswith("csv") else pd.read_parquet(stored / name)
        assert len(frame) == 179
        assert frame["iwae"].mean() == pytest.approx(document["iwae"]["nats"])
        assert main([str(word) for word in words]) == 2
        assert "exists" in capsys.readouterr().err


def test_codes_are_exact_and_many_codes_say_why_nothing_is_annealed() -> None:
    few = likely.fit(DIGITS[:300], steps=5, prior="categorical:2:4", **NARROW).evaluate(samples=500)
    assert few.verdicts["exact"] == "exact"
    assert few["exact"].nats >= few["iwae"].nats - 1e-3
    assert few["exact_gap"].kind.startswith("D[Q(z|x)||P(z|x)]: exact")
    many = likely.fit(DIGITS[:300], steps=5, prior="categorical:10:4", **NARROW).evaluate(samples=5)
    assert "discrete codes" in many.annealing["reason"]


@pytest.mark.parametrize("prior", ["flow:1:coupling", "vamp:8", "ladder:2", "sphere"])
def test_every_prior_goes_through_the_same_command(prior: str) -> None:
    found = likely.fit(DIGITS[:300], steps=30, latent=3, prior=prior, **NARROW).evaluate(samples=20, anneal=10)
    assert found["ais"].rows == 10
    assert np.isfinite(found["ais"].nats)
    assert 0.3 < found.annealing["acceptance"] <= 1


def test_precise_pinches_harder() -> None:
    torch.manual_seed(0)
    run = likely.fit(DIGITS[:300], steps=100, latent=2, **NARROW)
    found = run.evaluate(samples=20, anneal=10, precise=True)
    assert found.annealing["pinch"] <= 0.1
    assert found.annealing["chains"] == 32


def test_rows_to_anneal_are_not_fewer_than_none(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="must be at least 0"):
        likely.load(stored / "run").evaluate(anneal=-1)
    assert main(["evaluate", str(stored / "run"), "--anneal", "-1"]) == 2
    assert "must be at least 0" in capsys.readouterr().err
