"""What is said of training with relaxed codes, whose objective is no bound on log P(x)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import likely
from quick import quick_reports


@pytest.mark.parametrize("objective", ["elbo", "iwae:3"])
def test_a_fit_of_relaxed_codes_calls_no_number_of_training_a_bound(
    objective: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_reports(monkeypatch)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((80, 4)) < 0.5)
    run = likely.fit(
        tmp_path / "x.npy", out=tmp_path / "run", posterior="categorical:2:3", objective=objective, steps=6
    )
    assert "no bound on log P(x) while z is relaxed" in run.aim
    assert run.history["train_elbo"].isna().all()
    assert np.isfinite(run.history[["objective", "reconstruction", "kl", "val_elbo"]]).all(axis=None)
    page = likely.load(tmp_path / "run").report().read_text()
    assert "On training rows z is relaxed, which gives no ELBO" in page
    assert "on the training rows; validation rows" not in page
