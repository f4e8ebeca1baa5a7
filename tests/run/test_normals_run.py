"""Mixtures of normals as runs: fitted by EM, stored, loaded, used by every verb that draws z."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.errors import ConfigError, RunError, UnsuitedError
from likely.models import Normals

ROWS = 400


def numbers(seed: int = 0, rows: int = ROWS) -> np.ndarray:
    """Four numbers of two factors."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 2))
    return z @ np.array([[1.0, 0.5, -0.5, 0.0], [0.0, 0.8, 0.6, 1.0]]) + 0.3 * rng.normal(size=(rows, 4))


def people() -> pd.DataFrame:
    """Numbers, a grid, a category, two values and a date, all by one number."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=ROWS)
    return pd.DataFrame(
        {
            "real": z + 0.3 * rng.normal(size=ROWS),
            "count": np.round(5 + 2 * z + 0.5 * rng.normal(size=ROWS)).clip(0).astype(int),
            "town": np.where(z > 0.5, "Bath", np.where(z < -0.5, "York", "Ely")),
            "yes": z + 0.3 * rng.normal(size=ROWS) > 0,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(100 + 30 * z), unit="D"),
        }
    )


def test_conditional_means_are_nearly_the_best_that_there_are() -> None:
    x = numbers(rows=2000)
    gone = np.random.default_rng(2).random(x.shape) < 0.3
    holed = np.where(gone, np.nan, x)
    run = likely.fit(holed, model="normals", seed=0, progress=False)
    made = run.impute(holed)
    covariance, best = np.cov(numbers(5, 100_000).T), np.zeros_like(x)
    for i, missing in enumerate(gone):
        o = ~missing
        if missing.any() and o.any():
            best[i, missing] = covariance[np.ix_(missing, o)] @ np.linalg.solve(covariance[np.ix_(o, o)], x[i, o])
    error, least = np.square(made - x)[gone].mean(), np.square(best - x)[gone].mean()
    assert error < 1.08 * least
    np.testing.assert_array_equal(made[~gone], x[~gone])


def test_intervals_cover_what_they_say() -> None:
    x = numbers(rows=1000)
    gone = np.random.default_rng(3).random(x.shape) < 0.3
    run = likely.fit(np.where(gone, np.nan, x), model="normals", seed=0, progress=False)
    drawn = np.stack(run.impute(np.where(gone, np.nan, x), draws=99))
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    assert 0.87 < ((low <= x) & (x <= high))[gone].mean() < 0.93


def test_every_kind_of_column_is_filled_and_a_stored_run_fills_alike(tmp_path: Path) -> None:
    whole = people()
    holed = whole.mask(np.random.default_rng(4).random(whole.shape) < 0.2)
    run = likely.fit(holed, model="normals", seed=0, progress=False, out=tmp_path / "run")
    assert isinstance(run.model, Normals)
    assert run.config.model.prior is None
    filled = run.impute(holed)
    assert not filled.isna().any(axis=None)
    gone = holed.isna() & ~holed[["real", "count"]].isna().all(axis=1).to_numpy()[:, None]
    assert (filled["town"] == whole["town"])[gone["town"]].mean() > 0.6
    assert np.corrcoef(filled["count"].astype(float)[gone["count"]], whole["count"][gone["count"]])[0, 1] > 0.8
    assert ((filled["day"] - whole["day"]).dt.days.abs()[gone["day"]]).mean() < 20
    loaded = likely.load(tmp_path / "run")
    pd.testing.assert_frame_equal(loaded.impute(holed), filled)
    first, second = loaded.impute(holed, draws=2)
    assert not first.equals(second)
    assert first["count"].max() <= whole["count"].max()


def test_verbs_that_draw_z() -> None:
    x = numbers()
    run = likely.fit(x, model="normals:3", seed=0, progress=False)
    scores = run.score(x[:20], samples=50)
    assert np.isfinite(scores["log_px"]).all()
    assert (scores["log_px"] >= scores["elbo"] - 1e-6).all()
    drawn = run.sample(2000, seed=1)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(x.T), atol=0.3)
    found = run.anomalies(x[:30], samples=50)
    assert found["score"].between(0, 40).all()
    assert found["score"].std() > 0.1
    codes = run.encode(x[:5])
    assert codes.shape == (5, 4)
    np.testing.assert_allclose(run.reconstruct(x[:5]), x[:5], atol=0.3)
    with pytest.raises(RunError, match="fit again"):
        run.continue_training(steps=5)


def test_log_px_is_that_of_the_mixture() -> None:
    """By quadrature of one column: masses and densities aside, L_K rises to log P(x), which integrates to one."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 1)) * np.array([[1.0]]) + np.where(rng.random((300, 1)) < 0.5, 3.0, 0.0)
    run = likely.fit(np.hstack([x, x + rng.normal(size=(300, 1))]), model="normals:3", seed=0, progress=False)
    places = np.linspace(-8, 12, 400)
    grid = np.column_stack([places, np.full(400, np.nan)])
    density = np.exp(run.score(grid, samples=200)["log_px"].to_numpy())
    assert abs(np.trapezoid(density, places) - 1) < 0.03


def test_q_is_the_posterior_under_normal_noise() -> None:
    x = numbers()
    run = likely.fit(
        np.where(np.random.default_rng(6).random(x.shape) < 0.3, np.nan, x), model="normals:3", progress=False
    )
    model = run.model.double()
    assert isinstance(model, Normals)
    batch = run.encoded(run.rows_of(np.where(np.arange(4) == 1, np.nan, x[:6]))[0]).evaluation_batch(torch.arange(6))
    q = model.posterior(batch)
    y, _ = model.located(batch)
    o = torch.tensor([0, 2, 3])
    noisy = (model.covariances + torch.diag(model.noise))[:, o][:, :, o]
    gain = model.covariances[:, :, o] @ torch.linalg.inv(noisy)
    means = model.means + (gain @ (y[:, None, o] - model.means[:, o]).unsqueeze(-1)).squeeze(-1)
    spread = model.covariances - gain @ model.covariances[:, o]
    components = q.components  # type: ignore[attr-defined]
    torch.testing.assert_close(components.mean, means, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        components.variance, spread.diagonal(dim1=-2, dim2=-1).expand(6, -1, -1), atol=1e-4, rtol=1e-3
    )
    shares = q.logits.exp().split(model.sizes, -1)  # type: ignore[attr-defined]
    for share in shares:
        torch.testing.assert_close(share.sum(-1), torch.full((6,), 1 / len(model.sizes), dtype=torch.float64))


def test_what_it_is_not_for_is_refused() -> None:
    many = pd.DataFrame({"name": [f"n{i % 130}" for i in range(520)], "x": np.arange(520.0)})
    with pytest.raises(UnsuitedError, match="at most 128 numbers and categories"):
        likely.fit(many, model="normals", column={"name": "categorical"}, progress=False)
    with pytest.raises(UnsuitedError, match="for tables"):
        likely.fit(people(), model="normals", condition="town", progress=False)
    with pytest.raises(ConfigError, match="leave prior"):
        likely.fit(numbers(), model="normals", prior="mixture", progress=False)
    with pytest.raises(ConfigError, match="leave latent out"):
        likely.fit(numbers(), model="normals", latent=9, progress=False)
