"""Imputations against closed forms, and what they leave as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.data import ResidentRows
from likely.errors import ConfigError
from likely.tasks.impute import ImputeOptions, impute
from linear_gaussian import Linear, Oblique

ROWS, DIMS, LATENT = 60, 5, 2


def closed(exact: Linear, x: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of every cell given the observed ones, by the joint normal law of the cells."""
    whole = exact.w @ exact.w.T + exact.sigma**2 * torch.eye(exact.dims, dtype=torch.float64)
    mean, deviation = exact.b.expand(len(x), -1).clone(), whole.diagonal().sqrt().expand(len(x), -1).clone()
    for row, cells in enumerate(seen):
        gain = torch.linalg.solve(whole[cells][:, cells], whole[cells]).T
        mean[row] += gain @ (x[row] - exact.b)[cells]
        deviation[row] = (whole - gain @ whole[cells]).diagonal().clamp_min(0).sqrt()
    return mean, deviation


def incomplete(share: float = 0.4, rows: int = ROWS) -> tuple[Oblique, torch.Tensor, torch.Tensor]:
    exact = Oblique(DIMS, LATENT)
    x = exact.sample(rows)
    return exact, x, torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) > share


@pytest.mark.parametrize(("shift", "widen"), [(0.0, 1.0), (0.1, 1.3)])
def test_means_and_deviations_are_those_of_the_closed_form(shift: float, widen: float) -> None:
    exact, x, seen = incomplete()
    rows = ResidentRows(torch.where(seen, x, 0.0), observed=seen)
    found = impute(exact.vae_with_missing(shift, widen), rows, ImputeOptions(samples=4000, deviation=True))
    mean, deviation = closed(exact, x, seen)
    errors = deviation / found.ess.sqrt().unsqueeze(1)
    assert ((found.value - mean).abs() / errors)[~seen].max() < 4
    torch.testing.assert_close(found.deviation[~seen], deviation[~seen], rtol=0.1, atol=0)


def test_intervals_of_many_imputations_cover_what_they_say() -> None:
    exact, x, seen = incomplete(rows=400)
    rows = ResidentRows(torch.where(seen, x, 0.0), observed=seen)
    found = impute(exact.vae_with_missing(0.05, 1.2), rows, ImputeOptions(draws=200, samples=500))
    low, high = (found.draws.quantile(q, 0) for q in (0.05, 0.95))
    covered = ((low <= x) & (x <= high))[~seen].double()
    assert 0.88 < covered.mean() < 0.92
    mean, deviation = closed(exact, x, seen)
    centred = ((found.draws.mean(0) - mean) / deviation)[~seen]
    assert centred.mean().abs() < 4 * (1 / 200 / len(centred)) ** 0.5 + 0.02
    together = (found.draws - mean) / deviation
    pair = (~seen[:, 0] & ~seen[:, 1]).nonzero().squeeze(1)
    ours = (together[:, pair, 0] * together[:, pair, 1]).mean(0)
    whole = exact.w @ exact.w.T + exact.sigma**2 * torch.eye(DIMS, dtype=torch.float64)
    for row, correlation in zip(pair[:10], ours[:10], strict=False):
        cells = seen[row]
        left = whole - whole[:, cells] @ torch.linalg.solve(whole[cells][:, cells], whole[cells])
        expected = left[0, 1] / (left[0, 0] * left[1, 1]).sqrt()
        assert abs(correlation - expected) < 4 * (1 / 200) ** 0.5 * 1.4


def test_weights_that_few_draws_carry_are_given_more() -> None:
    exact, x, seen = incomplete()
    rows = ResidentRows(torch.where(seen, x, 0.0), observed=seen)
    poor = exact.vae_with_missing(2.0, 0.8)
    once = impute(poor, rows, ImputeOptions(samples=3200))
    found = impute(poor, rows, ImputeOptions(samples=50))
    assert (found.ess >= 10).double().mean() > (once.ess >= 10).double().mean() - 0.2
    assert found.ess.min() > 1


def table(rows: int = 300) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    a = draw.normal(size=rows)
    return pd.DataFrame(
        {
            "price": (100 + 20 * a).round(2),
            "rooms": np.round(3 + a).astype(int),
            "town": pd.Categorical(np.where(a > 0, "Bath", "York")),
            "sold": a + 0.3 * draw.normal(size=rows) > 0,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(100 + 30 * a).astype(int), "D"),
            "note": [f"row {i} of a long list" for i in range(rows)],
            "gain": np.where(a > 1, np.round(1000 * np.abs(a)), 0).astype(int),
        }
    )


@pytest.fixture(scope="module")
def run() -> likely.Run:
    rows = table()
    return likely.fit(rows.mask(np.random.default_rng(5).random(rows.shape) < 0.15), steps=300, width=32)


@pytest.fixture(scope="module")
def rows_to_fill() -> pd.DataFrame:
    rows = table().head(60).astype({"rooms": "Int64", "sold": "boolean", "gain": "Int64"})
    masked = rows.mask(np.random.default_rng(1).random(rows.shape) < 0.3)
    masked.index = [f"r{i}" for i in range(60)]
    masked.iloc[5] = None
    return masked.assign(other=1.5)


@pytest.mark.filterwarnings("ignore:.*effective draws")
def test_missing_cells_are_filled_and_nothing_else_is_touched(run: likely.Run, rows_to_fill: pd.DataFrame) -> None:
    filled = run.impute(rows_to_fill)
    assert filled.columns.tolist() == rows_to_fill.columns.tolist()
    assert filled.index.equals(rows_to_fill.index)
    assert filled.dtypes.tolist() == rows_to_fill.dtypes.tolist()
    modelled = [c.name for c in run.schema.modelled]
    assert "note" not in modelled
    assert not filled[modelled].isna().any(axis=None)
    pd.testing.assert_series_equal(filled["note"], rows_to_fill["note"])
    for name in modelled:
        kept = rows_to_fill[name].notna()
        pd.testing.assert_series_equal(filled.loc[kept, name], rows_to_fill.loc[kept, name])
    truth = table().head(60).set_index(rows_to_fill.index)
    gap = rows_to_fill["town"].isna() & rows_to_fill["price"].notna()
    assert (filled["town"] == truth["town"])[gap].mean() > 0.8
    gap = rows_to_fill["price"].isna() & rows_to_fill["rooms"].notna()
    assert np.corrcoef(filled["price"][gap], truth["price"][gap])[0, 1] > 0.8


@pytest.mark.filterwarnings("ignore:.*effective draws")
@pytest.mark.filterwarnings("ignore:cells are missing")
def test_a_column_that_rows_to_fill_made_floats_is_whole_numbers_again() -> None:
    run = likely.fit(table()[["price", "rooms"]], steps=20)
    rows = table()[["price", "rooms"]].head(40)
    rows["rooms"] = rows["rooms"].astype(float).where(np.arange(40) % 3 > 0)
    assert run.impute(rows)["rooms"].dtype == "int64"


@pytest.mark.filterwarnings("ignore:.*effective draws")
def test_modes_deviations_and_draws(
    run: likely.Run, rows_to_fill: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled, deviation = run.impute(rows_to_fill, deviation=True)
    missing = rows_to_fill[deviation.columns].isna()
    assert (deviation.notna() == missing).all(axis=None)
    assert ((deviation["town"].dropna() >= 0) & (deviation["town"].dropna() <= 0.5)).all()
    assert deviation["price"].loc["r5"] > deviation["price"].drop("r5").median()
    with monkeypatch.context() as patch:
        patch.setattr("likely.tasks.impute.MAX_SAMPLES", 200)
        modes = run.impute(rows_to_fill, mode=True, samples=100)
    none = rows_to_fill["gain"].isna() & (filled["price"] < 90)
    assert (modes["gain"][none] == 0).mean() > 0.9
    draws = run.impute(rows_to_fill, draws=40, samples=100)
    assert len(draws) == 40
    spread = pd.concat([one["price"] for one in draws], axis=1).std(axis=1)[missing["price"]]
    assert abs(np.log(spread / deviation["price"][missing["price"]])).median() < 0.2
    first, again = (run.impute(rows_to_fill, draws=2, seed=4)[1] for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_rows_without_rows_to_fill_come_back_as_they_are(run: likely.Run) -> None:
    rows = table().head(5)
    pd.testing.assert_frame_equal(run.impute(rows), rows)
    pd.testing.assert_frame_equal(run.impute(rows, draws=1)[0], rows)
    filled, deviation = run.impute(rows, deviation=True)
    assert deviation.isna().all(axis=None)
    assert filled is not rows


def test_arrays_and_tensors_come_back_as_they_came() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(80, 3)) @ np.array([[1.0, 0.5, 0], [0, 1, 0.5], [0, 0, 1]])
    x[draw.random(x.shape) < 0.2] = np.nan
    run = likely.fit(x, steps=20)
    filled = run.impute(x)
    assert not np.isnan(filled).any()
    np.testing.assert_array_equal(filled[~np.isnan(x)], x[~np.isnan(x)])
    made, deviation = run.impute(torch.from_numpy(x), deviation=True)
    assert isinstance(made, torch.Tensor)
    assert deviation.isnan().equal(~torch.from_numpy(np.isnan(x)))
    pictures = draw.normal(size=(60, 3, 3)).astype(np.float32)
    pictures[:, 1, 1] = np.nan
    grey = likely.fit(pictures, steps=3)
    assert grey.impute(pictures, samples=5).dtype == np.float32


def test_what_makes_no_sense_together_is_refused(run: likely.Run) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        run.impute(table(), draws=0)
    with pytest.raises(ConfigError, match="or for modes"):
        run.impute(table(), draws=2, mode=True)
