"""Cells add up to the terms they are parts of, and a cell that is not observed is in none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.evaluation import cell_marginals, cell_reconstructions, evidence, fit_baselines


@pytest.fixture(scope="module")
def run() -> likely.Run:
    rng = np.random.default_rng(0)
    size = rng.normal(size=300)
    frame = pd.DataFrame(
        {
            "real": size,
            "grid": (size + rng.normal(size=300)).round(1),
            "town": np.where(size > 0, "Bath", "York"),
            "count": rng.poisson(3, 300),
            "noise": rng.normal(size=300),
        }
    )
    return likely.fit(frame, steps=150, latent=2, width=32)


def test_cells_add_up_to_the_reconstruction_term(run: likely.Run) -> None:
    rows = run.encoded(run.division.rows(run.training_source(), "test"))
    found = evidence(run.model, rows, samples=30, seed=3)
    cells = cell_reconstructions(run.model, rows, samples=30, seed=3)
    np.testing.assert_allclose(cells.sum(1), found.terms["reconstruction"], atol=1e-5)


def test_cells_add_up_to_the_marginals(run: likely.Run) -> None:
    train, rows = (run.encoded(run.division.rows(run.training_source(), kind)) for kind in ("train", "test"))
    laws = fit_baselines(run.schema, train, latent=2)
    marginals = next(base for base in laws.score(rows) if base.name == "marginals")
    alone = cell_marginals(laws, rows)
    np.testing.assert_allclose(alone.sum(1), marginals.nats, atol=1e-9)
    gain = (cell_reconstructions(run.model, rows) - alone).mean(0)
    assert gain[2] > 0.1
    assert gain[4] < gain[2]


def test_a_cell_that_is_not_observed_is_nan_and_changes_no_other(run: likely.Run) -> None:
    train, rows = (run.encoded(run.division.rows(run.training_source(), kind)) for kind in ("train", "test"))
    observed = torch.ones(rows.stored().values.shape, dtype=torch.bool)
    observed[:4, 1] = False
    laws = fit_baselines(run.schema, train, latent=2)
    whole, incomplete = (cell_marginals(laws, part) for part in (rows, dataclasses.replace(rows, observed=observed)))
    assert np.isnan(incomplete[:4, 1]).all()
    assert np.isnan(incomplete).sum() == 4
    np.testing.assert_array_equal(incomplete[observed.numpy()], whole[observed.numpy()])
