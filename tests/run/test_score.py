"""Scores of ordinary rows, of rows far outside, and of rows that miss cells for the first time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save

import likely
from likely.errors import RunError
from resigned import signed
from small import fitted, table

COLUMNS = ["log_px", "se_mc", "elbo", "low", "high", "ess", "stable"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    return fitted(tmp_path_factory.mktemp("score"), table())


def test_an_interval_and_what_the_draws_are_worth(run: likely.Run) -> None:
    scores = run.score(table())
    assert scores.columns.tolist() == COLUMNS
    np.testing.assert_allclose(scores["low"], scores["log_px"] - 2 * scores["se_mc"])
    np.testing.assert_allclose(scores["high"], scores["log_px"] + 3 * scores["se_mc"])
    assert scores["stable"].tolist() == (scores["ess"] >= 10).tolist()


def test_a_row_far_outside_scores_no_less_than_by_the_encoder_alone(run: likely.Run) -> None:
    far = table().iloc[:5].assign(real=[1e3, -1e3, 300.0, -300.0, 100.0])
    rows = run.encoded(likely.data.Rows(far))
    alone = likely.evaluation.evidence(run.model, rows, samples=100)
    scores = run.score(far)
    assert run.seen is not None
    assert run.seen.beyond(rows.evaluation_batch(torch.arange(5))).all()
    assert (scores["log_px"] > alone.terms["iwae"] - 3 * alone.se_mc["iwae"]).all()
    np.testing.assert_array_equal(scores["elbo"], alone.terms["elbo"])
    pd.testing.assert_frame_equal(run.score(far.iloc[[2]]), scores.iloc[[2]])
    by_column = run.anomalies(far).sort_index()
    np.testing.assert_allclose(-by_column["score"], scores["log_px"], atol=1e-6)


def test_a_run_knows_what_its_training_rows_were_like(run: likely.Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run.save(folder)
    again = likely.load(folder)
    assert run.seen is not None
    assert again.seen is not None
    for name, tensor in vars(run.seen).items():
        assert torch.equal(getattr(again.seen, name), tensor)
    assert again.seen.complete.all()


@pytest.mark.parametrize("name", ["encoded", "low", "complete"])
def test_numbers_that_do_not_fit_the_run_are_refused(run: likely.Run, tmp_path: Path, name: str) -> None:
    run.save(tmp_path / "run")
    path = tmp_path / "run" / "seen.safetensors"
    tensors = load_file(path)
    path.write_bytes(save({**tensors, name: tensors[name][..., :-1].contiguous()}))
    signed(tmp_path / "run")
    with pytest.raises(RunError, match=r"seen\.safetensors does not fit the run's model and schema"):
        likely.load(tmp_path / "run")
    tensors.pop(name)
    path.write_bytes(save(tensors))
    signed(tmp_path / "run")
    with pytest.raises(RunError, match="does not fit"):
        likely.load(tmp_path / "run")
