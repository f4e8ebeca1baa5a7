"""A mixture of normals: what is known of missing coordinates, against dense algebra, and what EM learns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

import likely
from likely.data import Rows
from likely.errors import ConfigError
from likely.models.given import MANY_ROWS, Masks
from likely.tasks.impute import ImputeOptions, impute
from likely.training import em

COMPONENTS, DIM = 3, 5


def mixture() -> tuple[Tensor, Tensor]:
    """Means and covariances."""
    generator = torch.Generator().manual_seed(2)
    root = torch.randn(COMPONENTS, DIM, 2 * DIM, generator=generator, dtype=torch.float64)
    return torch.randn(COMPONENTS, DIM, generator=generator, dtype=torch.float64), root @ root.mT / DIM


@pytest.mark.parametrize("alike", [False, True])
def test_normals_given_some_coordinates_are_those_of_dense_algebra(alike: bool) -> None:
    means, covariances = mixture()
    generator = torch.Generator().manual_seed(3)
    y = torch.randn(40, DIM, generator=generator, dtype=torch.float64)
    known = torch.rand(40, DIM, generator=generator) < 0.6
    known[0], known[1] = False, True
    if alike:
        known[2:] = known[2]  # more rows than are taken with others
        assert len(known) - 2 > MANY_ROWS
    met = []
    for given in Masks(y, known).given(means, covariances):
        for place, row in enumerate(given.rows.tolist()):
            met.append(row)
            o, m = known[row].nonzero().squeeze(1), (~known[row]).nonzero().squeeze(1)
            for k in range(COMPONENTS):
                block = covariances[k][o][:, o]
                solved = torch.linalg.solve(block, y[row, o] - means[k, o])
                expected = means[k, m] + covariances[k][m][:, o] @ solved
                torch.testing.assert_close(given.away[place, k, m], expected - means[k, m])
                torch.testing.assert_close(given.away[place, k, o], y[row, o] - means[k, o])
                log_p = MultivariateNormal(means[k, o], block).log_prob(y[row, o]) if len(o) else torch.zeros(())
                assert math.isclose(float(given.log_density[place, k]), float(log_p), abs_tol=1e-8)
                left = covariances[k][m][:, m] - covariances[k][m][:, o] @ torch.linalg.solve(
                    block, covariances[k][o][:, m]
                )
                order = given.missing[given.mask[place]]
                assert sorted(order.tolist()) == m.tolist()
                torch.testing.assert_close(
                    given.spread[given.mask[place], k], left[order.argsort().argsort()][:, order.argsort().argsort()]
                )
    assert sorted(met) == list(range(40))


def tall(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(rows, 2))
    x = pd.DataFrame(np.tanh(z @ rng.normal(size=(2, 4))) + 0.1 * rng.normal(size=(rows, 4)), columns=list("abcd"))
    return x.mask(rng.random(x.shape) < 0.2)


@pytest.mark.parametrize("stop", [1, 18, 40])
def test_em_that_is_interrupted_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stop: int) -> None:
    steps, real = 0, em._stepped

    def interrupted(*arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == stop:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(em, "_stepped", interrupted)
    run = likely.fit(tall(), model="normals:9", out=tmp_path / "run", progress=False)
    monkeypatch.undo()
    assert run.facts["interrupted"]
    filled = run.impute(tall())
    assert np.isfinite(filled.to_numpy()).all()
    pd.testing.assert_frame_equal(likely.load(tmp_path / "run").impute(tall()), filled)
    assert run.steps == stop - 1


def test_normals_say_what_is_maximised_and_are_no_members_of_an_ensemble() -> None:
    assert "by EM" in likely.fit(tall(), model="normals:3", steps=1, progress=False).aim
    with pytest.raises(ConfigError, match="ensemble's members"):
        likely.fit(tall(), model="normals:9", members=2, progress=False)


def test_means_in_closed_form_tell_no_effective_sample_size() -> None:
    run = likely.fit(tall(), model="normals:3", steps=2, progress=False)
    rows = run.encoded(Rows(tall().iloc[:5]), None)
    assert impute(run.model, rows, ImputeOptions()).ess.isnan().all()
    assert impute(run.model, rows, ImputeOptions(draws=1)).ess.isfinite().all()
