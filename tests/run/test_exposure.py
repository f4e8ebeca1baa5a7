"""Counts in proportion to an exposure that is part of the row: P(x | exposure)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import likely
from likely.cli import main
from likely.data import ResidentRows
from likely.evaluation import evidence

ROWS, RATES = 600, np.array([[0.5, 4.0], [6.0, 1.0]])


def policies(rows: int = ROWS, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Two kinds of rows with known rates, and log P(a, b | years) of each row."""
    rng = np.random.default_rng(seed)
    kind, years = rng.integers(0, 2, rows), np.exp(rng.normal(0.0, 1.0, rows)).round(3) + 0.001
    x = rng.poisson(RATES[kind] * years[:, None])
    truth = np.logaddexp.reduce(
        [np.log(0.5) + stats.poisson.logpmf(x, rate * years[:, None]).sum(1) for rate in RATES], axis=0
    )
    return pd.DataFrame({"a": x[:, 0], "years": years, "b": x[:, 1]}), truth


COUNT = {"a": "count", "b": "count"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    out = tmp_path_factory.mktemp("exposure") / "run"
    likely.fit(
        policies()[0], exposure="years", column=COUNT, likelihood="poisson", latent=1, width=64, steps=600, out=out
    )
    return likely.load(out)


def test_log_p_is_that_of_the_known_rates_and_worse_without_the_exposure(run: likely.Run) -> None:
    new, truth = policies(400, 1)
    found = run.score(new, samples=200)["log_px"].to_numpy()
    assert np.mean(truth - found) < 0.1
    assert np.abs(truth - found).mean() < 0.25
    without = likely.fit(policies()[0], column=COUNT | {"years": "ignore"}, latent=1, width=64, steps=600)
    assert np.mean(found - without.score(new, samples=200)["log_px"]) > 0.5


@pytest.mark.parametrize("years", [0.2, 1.0, 3.0])
def test_p_given_the_exposure_is_normalised_and_its_mean_is_in_proportion(run: likely.Run, years: float) -> None:
    most = 20 + int(10 * years)
    grid = np.stack(np.meshgrid(np.arange(most), np.arange(most), indexing="ij"), -1).reshape(-1, 2)
    x = ResidentRows(torch.tensor(grid, dtype=torch.float64), covariates=torch.full((len(grid), 1), years).double())
    mass = np.exp(evidence(run.model, x, samples=300).terms["iwae"])
    assert mass.sum() == pytest.approx(1, abs=0.02)
    mean = (mass[:, None] * grid).sum(0) / years
    np.testing.assert_allclose(mean, RATES.mean(0), rtol=0.15)


def test_rates_are_exactly_in_proportion_and_nothing_else_depends_on_the_exposure() -> None:
    data = policies(100)[0].assign(town=["Bath", "York"] * 50, age=np.arange(100) % 60 + 20.0)
    fitted = likely.fit(data, exposure="years", column=COUNT, latent=2, steps=20)
    assert [c.kind for c in fitted.schema.columns] == ["count", "positive", "count", "categorical", "levels"]
    z = torch.randn(5, 2)
    one, ten = (fitted.model.likelihood(z, torch.full((5, 1), e).double()) for e in (1.0, 10.0))
    at = torch.tensor([[3.0, 2.0, 1.0, 30.0]], dtype=torch.float64).expand(5, 4)
    torch.testing.assert_close(ten.mean[:, :2], 10 * one.mean[:, :2])
    torch.testing.assert_close(ten.log_prob(at)[:, 2:], one.log_prob(at)[:, 2:], rtol=0, atol=0)
    assert "counts are in proportion to years: a, b; age are not" in str(fitted.notices)


def test_draws_take_the_exposure_from_what_is_given_or_from_the_training_rows(run: likely.Run) -> None:
    drawn, data = run.sample(2000), policies()[0]
    assert drawn.columns.tolist() == ["a", "years", "b"]
    assert drawn.dtypes.equals(data.dtypes)
    assert set(drawn["years"]) <= set(data["years"].iloc[run.division.train])
    assert stats.ks_2samp(drawn["years"], data["years"]).pvalue > 1e-3
    assert drawn["a"].sum() / drawn["years"].sum() == pytest.approx(RATES[:, 0].mean(), rel=0.15)
    many = run.sample(500, given={"years": 50.0})
    assert many["a"].mean() == pytest.approx(50 * RATES[:, 0].mean(), rel=0.15)
    assert (many["years"] == 50).all()
    assert "range" not in many.attrs
    pd.testing.assert_frame_equal(run.sample(20, seed=3), run.sample(20, seed=3))


def test_missing_counts_are_filled_in_proportion(run: likely.Run) -> None:
    with pytest.warns(UserWarning, match="missing in b"):
        filled = run.impute(pd.DataFrame({"a": [30, 60], "b": [np.nan] * 2, "years": [5.0, 10.0]}), seed=1)
    np.testing.assert_allclose(filled["b"], [5, 10], rtol=0.4)


def test_an_array_of_counts_with_one_exposure_a_row(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    depth = np.exp(rng.normal(5, 1, 200))
    x = rng.poisson(depth[:, None] * rng.dirichlet(np.ones(6), 200))
    x[:, 5] = rng.random(200) < 0.02
    fitted = likely.fit(x, exposure=depth, steps=10, out=tmp_path / "run")
    assert [column.kind for column in fitted.schema.columns] == ["count"] * 6 + ["positive"]
    given = {"exposure": depth}
    again = likely.load(tmp_path / "run")
    np.testing.assert_array_equal(again.encode(x, given=given), fitted.encode(x, given=given))
    assert fitted.evaluate(samples=5, anneal=0).rows == 20
    assert again.sample(7).shape == (7, 6)
    with pytest.raises(likely.DataError, match="no value is given"):
        again.score(x)
    pictures = rng.poisson(np.exp(rng.normal(3, 1, 60))[:, None, None] * np.ones((60, 4, 4)))
    seen = likely.fit(pictures, exposure=pictures.sum((1, 2)) + 1, steps=10)
    assert seen.schema.cells_alike
    assert seen.sample(3).shape == (3, 4, 4)


@pytest.mark.parametrize("likelihood", ["zero-inflated:poisson", "zero-inflated:negative-binomial"])
@pytest.mark.parametrize("posterior", ["normal", "ladder:2"])
def test_every_law_of_counts_and_a_ladder_take_it(likelihood: str, posterior: str) -> None:
    data = policies(100)[0]
    options = {"column": COUNT, "likelihood": likelihood, "posterior": posterior, "latent": 2, "steps": 10}
    fitted = likely.fit(data, exposure="years", **options)
    assert np.isfinite(fitted.score(data, samples=5)["log_px"]).all()
    pair = likely.fit(data, exposure="years", members=2, column=COUNT, latent=2, steps=10)
    assert np.isfinite(pair.score(data, samples=5)["log_px"]).all()


def test_beside_a_condition_the_exposure_stays_apart() -> None:
    data = policies(100)[0].assign(town=["Bath", "York"] * 50)
    fitted = likely.fit(data, exposure="years", condition="town", column=COUNT, steps=10)
    assert set(fitted.sample(20, given={"town": "Bath"})["town"]) == {"Bath"}
    assert fitted.model.condition is not None


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ({}, {"exposure": "yaers"}, "did you mean 'years'"),
        ({"years": 0.0}, {}, "0.0 is not a number above 0"),
        ({"years": np.nan}, {}, "not a number above 0"),
        ({"a": 0.5, "b": 0.5}, {"column": {}}, "no column is one"),
        ({}, {"condition": "years"}, "choose one"),
        ({}, {"likelihood": "gaussian"}, "takes no exposure"),
        ({}, {"exposure": [1.0] * 60}, "of a table name the column"),
    ],
)
def test_what_is_no_exposure_is_refused(change: dict[str, float], options: dict[str, object], says: str) -> None:
    data = policies(60)[0].assign(**change)
    with pytest.raises(likely.InputError, match=says):
        likely.fit(data, **{"exposure": "years", "column": COUNT, "steps": 1} | options)


def test_other_rows_need_an_exposure_above_0(run: likely.Run) -> None:
    with pytest.raises(likely.DataError, match=r"exposure 'years', row 1: -2 is not above 0"):
        run.score(pd.DataFrame({"a": [1, 2], "b": [1, 2], "years": [1.0, -2.0]}))
    with pytest.raises(likely.InputError, match="--given years=VALUE"):
        run.score(pd.DataFrame({"a": [1, 2], "b": [1, 2]}))
    run.score(pd.DataFrame({"a": [1, 2], "b": [1, 2]}), given={"years": 2.0}, samples=2)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policies(80)[0].to_csv(tmp_path / "p.csv", index=False)
    words = ["--exposure", "years", "--column", "a=count", "--column", "b=count"]
    assert main(["inspect", str(tmp_path / "p.csv"), *words]) == 0
    assert "the exposure" in capsys.readouterr().out
    assert main(["fit", str(tmp_path / "p.csv"), "-o", str(tmp_path / "r"), "--set", "steps=5", *words]) == 0
    assert main(["sample", str(tmp_path / "r"), "-n", "5", "--given", "years=2.5"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split(",")[1] == "2.5"
    assert main(["evaluate", str(tmp_path / "r"), "--samples", "5", "--anneal", "0"]) == 0
