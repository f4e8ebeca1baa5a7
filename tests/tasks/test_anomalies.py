"""Contributions and tails against closed forms, and the verb's promises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

import likely
from likely.cli import main
from likely.data import ResidentRows
from likely.errors import ConfigError, DataError
from likely.run.home import Home
from likely.tasks.anomalies import contributions, tails
from linear_gaussian import Linear, Oblique

ROWS, DIMS, LATENT, SAMPLES = 30, 5, 2, 4000


def observed(share: float) -> torch.Tensor:
    return torch.rand(ROWS, DIMS, generator=torch.Generator().manual_seed(1)) > share


def closed(exact: Linear, x: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """E_{P(z|x)}[−log P(x_j|z)], the deviation of −log P(x_j|z), and D[P(z|x)‖P(z)]."""
    masked = exact.w * seen.unsqueeze(-1).to(exact.w)
    precision = torch.eye(exact.latent, dtype=torch.float64) + masked.mT @ exact.w / exact.sigma**2
    covariance = torch.linalg.inv(precision)
    residual = torch.where(seen, x - exact.b, 0.0)
    mean = (covariance @ (exact.w.T @ residual.unsqueeze(-1)) / exact.sigma**2).squeeze(-1)
    left, spread = x - exact.b - mean @ exact.w.T, ((exact.w @ covariance) * exact.w).sum(-1)
    cells = (left.square() + spread) / (2 * exact.sigma**2) + 0.5 * np.log(2 * np.pi * exact.sigma**2)
    deviation = (2 * spread.square() + 4 * left.square() * spread).sqrt() / (2 * exact.sigma**2)
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    code = 0.5 * (trace + mean.square().sum(-1) - exact.latent + torch.logdet(precision))
    return cells.masked_fill(~seen, torch.nan), deviation, code


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize(("shift", "widen"), [(0.0, 1.0), (0.1, 1.3)])
def test_contributions_are_those_of_the_closed_form(share: float, shift: float, widen: float) -> None:
    exact = Oblique(DIMS, LATENT)
    x, seen = exact.sample(ROWS), observed(share)
    cells, deviation, code = closed(exact, x, seen)
    rows = ResidentRows(torch.where(seen, x, 0.0), observed=seen)
    found = contributions(exact.vae_with_missing(shift, widen), rows, samples=SAMPLES)
    errors = deviation.numpy() / np.sqrt(found.ess)[:, None]
    assert np.nanmax(np.abs(found.cells - cells.numpy()) / errors) < 4
    assert np.array_equal(np.isnan(found.cells), ~seen.numpy())
    log_px = exact.log_px(x, seen).numpy()
    np.testing.assert_allclose(found.log_px, log_px, atol=0.1)
    spread = np.sqrt(np.nansum(deviation.numpy(), 1) ** 2 / found.ess)
    assert (np.abs(found.code - code.numpy()) < 4 * spread + 0.1).all()
    np.testing.assert_allclose(np.nansum(found.cells, 1) + found.code, -found.log_px, atol=1e-9)


def test_tails_are_those_of_the_closed_form_whatever_the_mask() -> None:
    exact = Oblique(DIMS, LATENT)
    x, seen = exact.sample(ROWS) * 1.3, observed(0.4)
    log_px = exact.log_px(x, seen).numpy()
    covariance = exact.w @ exact.w.T + exact.sigma**2 * torch.eye(DIMS, dtype=torch.float64)
    truth = []
    for row, cells in zip(x - exact.b, seen, strict=True):
        distance = row[cells] @ torch.linalg.solve(covariance[cells][:, cells], row[cells])
        truth.append(scipy.stats.chi2.sf(float(distance), int(cells.sum())) if cells.any() else 1.0)
    rows = ResidentRows(torch.where(seen, x, 0.0), observed=seen)
    tail, depth = tails(exact.vae_with_missing(), rows, log_px, samples=5)
    p = np.array(truth)
    assert (np.abs(tail - p) < 4 * np.sqrt(p * (1 - p) / 200) + 2 / 200).all()
    some = seen.any(1).numpy()
    assert np.corrcoef(depth[some], -scipy.stats.norm.ppf(np.clip(p[some], 1e-6, 1 - 1e-6)))[0, 1] > 0.9


def frame(rows: int, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    a = draw.normal(size=rows)
    return pd.DataFrame({"a": a, "b": a + 0.3 * draw.normal(size=rows), "c": draw.choice(["x", "y", "z"], rows)})


@pytest.fixture(scope="module")
def run() -> likely.Run:
    return likely.fit(frame(1200), steps=200, width=32)


def test_a_row_out_of_the_ordinary_ranks_first_and_its_columns_say_why(run: likely.Run) -> None:
    rows = frame(50, 1)
    rows.index = [f"row {i}" for i in range(50)]
    rows.loc["row 7", ["a", "b"]] = [2.0, -2.0]
    found = run.anomalies(rows)
    assert found.index[0] == "row 7"
    assert found["rank"].tolist() == list(range(1, 51))
    assert sorted(found.index) == sorted(rows.index)
    usual = found.iloc[1:].mean(numeric_only=True)
    assert (found.iloc[0][["a", "b", "code"]] - usual[["a", "b", "code"]]).max() > 3
    assert abs(found.iloc[0]["c"] - usual["c"]) < 0.5
    assert "anomaly" not in found
    np.testing.assert_allclose(found[["a", "b", "c", "code"]].sum(axis=1), found["score"])
    scores = run.score(rows)["log_px"]
    np.testing.assert_allclose(found["score"], -scores[found.index], atol=1e-4)
    assert found["score"].is_monotonic_decreasing


def test_false_alarms_are_as_rare_as_was_asked(run: likely.Run) -> None:
    fresh = frame(1500, 2)
    found = run.anomalies(fresh, false_alarms=0.1, samples=20)
    expected = 0.1 + 4 * np.sqrt(0.1 * 0.9 * (1 / 120 + 1 / 1500))
    assert 0.01 < found["anomaly"].mean() < expected
    assert ((found["p_value"] <= 0.1) == found["anomaly"]).all()
    assert found["p_value"].is_monotonic_increasing


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0])
def test_a_rate_that_is_none_is_refused(run: likely.Run, rate: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        run.anomalies(frame(3), false_alarms=rate)


@pytest.mark.filterwarnings("ignore:cells are missing")
def test_the_p_value_of_a_complete_row_does_not_know_what_others_miss(run: likely.Run) -> None:
    rows = frame(12, 3)
    alone = run.anomalies(rows, samples=20).sort_index()
    incomplete = pd.concat([rows, rows.head(2).assign(**{rows.columns[0]: np.nan})], ignore_index=True)
    beside = run.anomalies(incomplete, samples=20).sort_index()
    np.testing.assert_array_equal(beside["p_value"][:12], alone["p_value"])
    assert beside["p_value"][12:].between(0, 1).all()
    assert "tail" in beside
    assert "tail" not in alone


def test_a_rate_that_the_test_rows_cannot_vouch_for_is_refused(run: likely.Run) -> None:
    with pytest.raises(DataError, match=r"at least 199 rows .* has 120 test row.s.; ask for .* least 0\.00826"):
        run.anomalies(frame(3), false_alarms=0.005)
    alone = replace(run, home=Home())
    assert "p_value" not in alone.anomalies(frame(3))
    with pytest.raises(DataError, match="they are gone"):
        alone.anomalies(frame(3), false_alarms=0.1)


def test_rows_with_missing_cells_are_ranked_among_their_like() -> None:
    rows = frame(600).mask(np.random.default_rng(3).random((600, 3)) < 0.3)
    run = likely.fit(rows, steps=150, width=32)
    asked = frame(40, 5)
    asked.loc[3, ["a", "b"]] = [2.0, -2.0]
    asked.loc[10:, "a"] = np.nan
    asked.loc[20:, "c"] = None
    found = run.anomalies(asked, false_alarms=0.2)
    assert found.index[0] == 3
    assert found["tail"].is_monotonic_increasing
    assert found.loc[25, ["a", "c"]].isna().all()
    np.testing.assert_allclose(found[["a", "b", "c", "code"]].sum(axis=1), found["score"])
    few = found["b"].notna() & found["a"].isna()
    assert few.head(20).any()


def test_arrays_and_conditions_are_taken(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pictures = draw.integers(0, 2, (60, 3, 3)).astype(np.uint8)
    found = likely.fit(pictures, steps=3).anomalies(pictures[:5], samples=10)
    assert [f"x{i}" in found for i in (0, 8, 9)] == [True, True, False]
    table = frame(200).assign(code=draw.normal(size=200))
    run = likely.fit(table, condition="c", steps=3, out=tmp_path / "run")
    found = run.anomalies(table.drop(columns="c").head(5), given={"c": "x"}, samples=10)
    assert {"code", "code (column)"} <= set(found.columns)
    np.testing.assert_allclose(found[["a", "b", "code (column)", "code"]].sum(axis=1), found["score"])


def test_a_row_of_a_conditional_run_has_its_tail_whatever_its_neighbours(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    group = rng.choice(["near", "far"], 300)
    a = rng.normal(size=300) + np.where(group == "far", 40.0, 0.0)
    frame = pd.DataFrame({"a": a, "b": a + rng.normal(size=300), "group": group})
    frame.loc[::7, "b"] = np.nan
    likely.fit(frame, condition="group", out=tmp_path / "run", steps=150, latent=2)
    run = likely.load(tmp_path / "run")
    incomplete = frame[frame["b"].isna()]
    near, far = incomplete[incomplete["group"] == "near"], incomplete[incomplete["group"] == "far"]
    alone = run.anomalies(near.iloc[:1])
    for others in (near, far):
        among = run.anomalies(pd.concat([near.iloc[:1], others.iloc[1:]])).loc[alone.index]
        assert among["tail"].item() == alone["tail"].item()
        assert among["depth"].item() == pytest.approx(alone["depth"].item(), abs=1e-6)


def test_marks_are_printed_where_a_rate_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["a", "b"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    likely.fit(tmp_path / "t.csv", out=tmp_path / "run", steps=30, latent=1)
    pd.DataFrame({"a": [900.0, 0.1], "b": [-900.0, 0.2]}).to_csv(tmp_path / "new.csv", index=False)
    words = ["anomalies", str(tmp_path / "run"), str(tmp_path / "new.csv"), "--false-alarms", "0.1"]
    assert main(words) == 0
    out = capsys.readouterr().out.splitlines()
    assert "anomaly" in out[0]
    marks = ["yes" in line for line in out[1:3]]
    assert marks == [True, False]
