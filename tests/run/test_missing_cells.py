"""Every verb on tables and arrays with missing cells."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.cli import main
from likely.data import ResidentRows
from likely.errors import RunError
from likely.report.collect import collect
from likely.run.directory import demand_new_run_folder
from quick import quick_reports
from small import ROWS, fitted, table

SEEN = ["real", "grid", "count", "town"]


def incomplete(share: float = 0.4) -> pd.DataFrame:
    """A table without a complete row: each row misses one cell at least."""
    rng = np.random.default_rng(1)
    mask = rng.random((ROWS, 4)) < share
    mask[np.arange(ROWS), rng.integers(0, 4, ROWS)] = True
    mask[3] = True
    return table().mask(mask)


@pytest.mark.parametrize("options", [{}, {"prior": "vamp:5"}, {"prior": "exemplar:5:2"}, {"prior": "ladder:2"}])
def test_a_table_without_a_complete_row_goes_through_every_verb(
    tmp_path: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = incomplete()
    assert data.isna().any(axis=1).all()
    run = fitted(tmp_path, data, **options)
    train = run.encoded(run.division.rows(run.training_source(), "train"))
    missing, rows = int((train.cells < 4).sum()), len(train)
    cells = int(4 * rows - train.cells.sum())
    assert sum("cells" in notice for notice in run.notices) == 1
    assert f"{cells} of {4 * rows} cells" in run.notices[-1]
    assert f"in {missing} of {rows} training rows" in run.notices[-1]
    if options:
        return
    assert not run.reconstruct(data).isna().any(axis=None)
    assert not run.encode(data).isna().any(axis=None)
    assert not run.sample(50).isna().any(axis=None)
    ledger = run.evaluate(samples=5, anneal=0)
    test = run.encoded(run.rows_of()[0])
    assert ledger.cells == pytest.approx(float(test.cells.double().mean()))
    bits = -ledger["iwae"].nats / (ledger.cells * np.log(2))
    assert ledger["iwae"].bits_per_dim == pytest.approx(bits)
    assert "no mixture of Gaussians" in next(line["kind"] for line in ledger.baselines if line["name"] == "marginals")
    quick_reports(monkeypatch)
    shown = collect(run)
    assert shown.real.isna().any(axis=None)
    assert shown.sampled.isna().any(axis=None)
    assert not shown.samples.isna().any(axis=None)


def test_samples_have_the_holes_of_training_rows_where_they_are_asked_for(tmp_path: Path) -> None:
    data = incomplete()
    run = fitted(tmp_path, data)
    loaded, drawn, whole = likely.load(tmp_path / "run"), run.sample(400, with_missing=True), run.sample(400)
    pd.testing.assert_frame_equal(loaded.sample(400, with_missing=True), drawn)
    train = run.encoded(run.division.rows(run.training_source(), "train"))
    assert train.observed is not None
    patterns = {tuple(mask) for mask in train.observed.tolist()}
    assert {tuple(mask) for mask in drawn[SEEN].notna().to_numpy().tolist()} <= patterns
    share = (~train.observed).double().mean(0).numpy()
    np.testing.assert_allclose(drawn[SEEN].isna().mean(), share, atol=4 * 0.5 / np.sqrt(400))
    known = drawn["real"].notna()
    np.testing.assert_array_equal(drawn["real"][known], whole["real"][known])
    (tmp_path / "run" / "missing.safetensors").write_bytes(b"no")
    with pytest.raises(RunError, match=r"missing\.safetensors is damaged"):
        likely.load(tmp_path / "run")


def test_a_run_whose_patterns_lie_under_their_earlier_name_may_be_replaced(tmp_path: Path) -> None:
    fitted(tmp_path, incomplete())
    (tmp_path / "run" / "missing.safetensors").rename(tmp_path / "run" / "holes.safetensors")
    demand_new_run_folder(tmp_path / "run", overwrite=True)


def test_complete_training_rows_leave_no_pattern_and_new_holes_are_told_of(tmp_path: Path) -> None:
    run = fitted(tmp_path)
    assert run.patterns is None
    assert not (tmp_path / "run" / "missing.safetensors").exists()
    assert not run.sample(20, with_missing=True).isna().any(axis=None)
    new = table().head(5)
    new.loc[2, "real"] = np.nan
    with pytest.warns(UserWarning, match="missing in real, where no training row"):
        scores = run.score(new, samples=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = run.score(table().head(5), samples=3)
    assert np.isfinite(scores["log_px"]).all()
    other = [0, 1, 3, 4]
    pd.testing.assert_frame_equal(scores.iloc[other], whole.iloc[other], check_exact=True)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_arrays_and_pictures_with_missing_cells(tmp_path: Path, network: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 4, 4)) + rng.normal(size=(ROWS, 1, 1))
    x[rng.random(x.shape) < 0.3] = np.nan
    run = likely.fit(x, out=tmp_path / "run", latent=2, width=16, network=network, steps=3)
    assert run.schema.columns[0].missing > 0
    assert np.isfinite(run.score(x, samples=3)["log_px"]).all()
    assert np.isfinite(run.reconstruct(x)).all()
    assert 0.1 < np.isnan(run.sample(100, with_missing=True)).mean() < 0.5
    ledger = run.evaluate(samples=3, anneal=0)
    assert 8 < ledger.cells < 14
    assert ledger.dims == 16


def test_the_command_line_samples_with_missing_cells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    incomplete().to_csv(tmp_path / "t.csv", index=False)
    assert main(["fit", str(tmp_path / "t.csv"), "-o", str(tmp_path / "run"), "--set", "steps=3"]) == 0
    assert "cells" in capsys.readouterr().err
    for words, some in ((["--with-missing"], True), (["--with-holes"], True), ([], False)):
        assert (
            main(["sample", str(tmp_path / "run"), "-n", "50", *words, "-o", str(tmp_path / "s.csv"), "--overwrite"])
            == 0
        )
        assert pd.read_csv(tmp_path / "s.csv").isna().any(axis=None) == some
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--anneal", "0", "--samples", "3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cells"] < document["dims"] == 4
    assert main(["evaluate", str(tmp_path / "run"), "--anneal", "0", "--samples", "3"]) == 0
    assert "observed in the mean" in " ".join(capsys.readouterr().out.split())


def test_a_tensor_with_nan_trains_as_its_rows_with_a_mask() -> None:
    x = torch.randn(80, 4)
    observed = torch.rand(80, 4) > 0.3
    found = []
    mean = torch.where(observed, x, torch.nan).nanmean(0)
    for data in (torch.where(observed, x, torch.nan), ResidentRows(torch.where(observed, x, mean), observed=observed)):
        torch.manual_seed(0)
        model = likely.VAE(
            likely.priors.StandardNormal(2), likely.likelihoods.Gaussian((4,)), likely.posteriors.Normal(2),
            likely.networks.ResidualMLP(4, 4, 8), likely.networks.ResidualMLP(2, 8, 8),
        )  # fmt: skip
        found.append(likely.train(model, data, config=likely.config.TrainingConfig(steps=5)).best)
    assert found[0] == found[1]
    assert np.isfinite(found[0])


def test_the_report_compares_rows_with_missing_cells_with_rows_with_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_reports(monkeypatch)
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["a", "b"])
    run = likely.fit(rows.mask(np.random.default_rng(1).random(rows.shape) < 0.4), steps=5)
    findings = collect(run)
    assert abs(findings.sampled.isna().mean().mean() - 0.4) < 0.1
    assert not findings.samples.isna().any(axis=None)
