"""The mixture of Gaussians on the model's axis: normalised, and chosen by validation rows."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

from likely.data import Column, ResidentRows, Rows, Schema, SchemaOptions, encode, infer_schema
from likely.evaluation.baselines import fitted as fitting
from likely.evaluation.baselines import warped
from likely.evaluation.baselines.cells import NumericCells
from likely.evaluation.baselines.chain import Chain
from likely.evaluation.baselines.fitted import WARPED, Baselines, fit_baselines

ROWS = 300


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warped, "COUNTS", (1, 2, 4))
    monkeypatch.setattr(warped, "MAX_POINTS", 1000)


def scores(baselines: Baselines, frame: pd.DataFrame) -> np.ndarray:
    found = {one.name: one.nats for one in baselines.score(encode(baselines.schema, frame))}
    assert found[WARPED] is not None
    return np.asarray(found[WARPED])


def fitted(frame: pd.DataFrame, validation: pd.DataFrame | None = None) -> Baselines:
    schema = infer_schema(Rows(frame), "table")
    held = None if validation is None else encode(schema, validation)
    return fit_baselines(schema, encode(schema, frame), latent=1, validation=held)


def product(**columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(list(itertools.product(*columns.values())), columns=list(columns))


def together(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    z = rng.standard_normal(ROWS)
    return z, 0.8 * z + 0.6 * rng.standard_normal(ROWS)


def test_masses_of_counts_with_a_spike_and_listed_numbers_sum_to_one(rng: np.random.Generator) -> None:
    z, other = together(rng)
    count = np.where(z < -0.3, 0, np.round(20 * np.exp(z))).astype(int)
    listed = np.array([1.0, 2.0, 7.0])[np.digitize(other, [-0.5, 0.5])]
    baselines = fitted(pd.DataFrame({"count": count, "listed": listed}))
    one, two = baselines.schema.columns
    assert (one.kind, one.spikes, two.kind) == ("count", (0.0,), "listed")
    every = product(count=np.arange(-200, 8000), listed=np.array([1.0, 2.0, 7.0, 9.0]))
    lost = one.reserve / 201
    assert np.exp(scores(baselines, every)).sum() == pytest.approx(1 - lost, abs=1e-6)


def test_masses_of_grids_of_several_steps_and_of_an_axis_of_logarithms_sum_to_one(rng: np.random.Generator) -> None:
    z, other = together(rng)
    step = rng.choice([1, 5, 10], ROWS, p=[0.2, 0.3, 0.5])
    grid = np.round(25 * z / step) * step - 100.0
    price = np.round(np.exp(1 + other), 1).clip(0.1)
    for name, values, every in (
        ("grid", grid, np.arange(-600.0, 400)),
        ("price", price, np.arange(-2000, 20_000) / 10),
    ):
        frame, options = (
            pd.DataFrame({name: values}),
            SchemaOptions(kinds={"price": "positive"} if name == "price" else {}),
        )
        schema = infer_schema(Rows(frame), "table", options)
        assert schema.columns[0].resolutions or schema.columns[0].kind == "positive"
        baselines = fit_baselines(schema, encode(schema, frame), latent=1)
        assert np.exp(scores(baselines, pd.DataFrame({name: every}))).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("atom", [False, True])
def test_the_density_of_an_axis_of_logarithms_integrates_to_one_with_what_it_keeps_below_zero(
    rng: np.random.Generator, *, atom: bool
) -> None:
    x = np.exp(rng.standard_normal(ROWS)) + 0.01 * rng.random(ROWS)
    x = np.where((rng.random(ROWS) < 0.4) & atom, 2.5, x)
    schema = infer_schema(Rows(pd.DataFrame({"x": x})), "table", SchemaOptions(kinds={"x": "positive"}))
    column = schema.columns[0]
    assert column.atoms == ((2.5,) if atom else ())
    baselines = fit_baselines(schema, encode(schema, pd.DataFrame({"x": x})), latent=1)
    edges = np.r_[-np.exp(np.linspace(18, -18, 4000)), np.exp(np.linspace(-30, 18, 40_000))]
    middle = (edges[1:] + edges[:-1]) / 2
    p = np.exp(scores(baselines, pd.DataFrame({"x": middle}))) * np.diff(edges)
    held = float(np.exp(scores(baselines, pd.DataFrame({"x": [2.5]})))[0]) if atom else 0.0
    assert p.sum() + held == pytest.approx(1, abs=2e-3)
    assert p[middle < 0].sum() == pytest.approx(column.reserve, rel=0.05)
    if atom:
        assert held == pytest.approx((x == 2.5).mean(), abs=0.05)


def straight(column: Column) -> Column:
    return replace(column, knots=((column.mean, 0.0), (column.mean + column.scale, 1.0)))


def test_a_chain_on_a_straight_axis_is_that_of_standardised_values(rng: np.random.Generator) -> None:
    z, other = together(rng)
    frame = pd.DataFrame({"real": 3 + 2 * z, "grid": np.round(10 * other), "flag": np.where(z + other > 0, "a", "b")})
    bent = infer_schema(Rows(frame), "table")
    columns = tuple(straight(column) if column.numeric else column for column in bent.columns)
    schema = replace(bent, columns=columns)
    cells = NumericCells.of(schema, lambda _: True)
    weights, means = torch.tensor([0.3, 0.7]).double(), torch.randn(2, 3).double()
    factors = torch.randn(2, 3, 3).double()
    covariances = factors @ factors.mT + 0.3 * torch.eye(3)
    rows = encode(schema, frame)
    values = torch.cat([rows.stored().values, rows.stored().values * 50])  # far out as well
    raw, moved = (Chain.of(one, weights, means, covariances) for one in (cells, cells.on_axis(schema)))
    torch.testing.assert_close(moved.log_prob(moved.seen(values)), raw.log_prob(raw.seen(values)), rtol=1e-9, atol=1e-9)


def test_validation_rows_choose_it(rng: np.random.Generator) -> None:
    group = rng.integers(0, 2, (ROWS, 1))
    train = pd.DataFrame(rng.normal(0, 0.1, (ROWS, 2)) + group * [1.0, 2.0], columns=list("ab"))
    apart = pd.DataFrame(rng.normal(0, 0.1, (80, 2)) + rng.integers(0, 2, (80, 1)) * [1.0, 2.0], columns=list("ab"))
    spread = pd.DataFrame(rng.normal(0.5, 1.0, (80, 2)) * [1, 2], columns=list("ab"))
    words = [fitted(train, rows).kinds[WARPED] for rows in (apart, spread, None)]
    assert "1 component" not in words[0]
    assert "1 component" in words[1]
    assert all("chosen by validation rows" in one for one in words[:2])
    assert "chosen by training rows held out" in words[2]


def test_a_component_has_its_own_share_of_a_spike(rng: np.random.Generator) -> None:
    wet = rng.random(2000) < 0.5
    other = np.round(np.where(wet, 5, -5) + rng.standard_normal(2000), 2)
    rain = np.where(wet, np.round(10 * np.exp(0.5 * rng.standard_normal(2000)), 1), 0.0)
    frame = pd.DataFrame({"other": other, "rain": rain})
    baselines = fitted(frame[:1000], frame[1000:1200])
    assert baselines.schema.columns[1].spikes == (0.0,)
    found = scores(baselines, frame[1200:])
    exact = scipy.stats.norm.logpdf(np.where(wet, other - 5, other + 5)) + math.log(0.5) + math.log(0.01)
    exact += np.where(wet, scipy.stats.lognorm(0.5, scale=10).logpdf(rain.clip(0.1)) + math.log(0.1), 0.0)
    assert (exact[1200:] - found).mean() == pytest.approx(0, abs=0.2)
    shares = baselines.gaussians[WARPED].log_pi
    assert shares is not None
    assert ((shares[:, 1, 0].exp() < 0.1) | (shares[:, 1, 0].exp() > 0.8)).all()


def test_what_is_observed_has_its_marginal(rng: np.random.Generator) -> None:
    z, other = together(rng)
    frame = pd.DataFrame({"a": np.round(20 * z), "b": np.where(other < 0, 0.0, np.round(20 * other))})
    baselines = fitted(frame)
    schema = baselines.schema
    assert schema.columns[1].spikes == (0.0,)
    every = product(a=np.arange(-140.0, 140), b=np.arange(-50.0, 150))
    p = np.exp(scores(baselines, every)).reshape(280, 200)
    for place, axis in ((0, 1), (1, 0)):
        values = encode(schema, every).stored().values
        mask = torch.zeros_like(values, dtype=torch.bool)
        mask[:, place] = True
        found = {one.name: one.nats for one in baselines.score(ResidentRows(values, observed=mask))}[WARPED]
        assert found is not None
        marginal = np.exp(found).reshape(280, 200)
        np.testing.assert_allclose(marginal[:, 0] if axis else marginal[0], p.sum(axis), atol=1e-3)


def test_it_comes_back_from_arrays_and_those_of_earlier_versions_are_not_complete(rng: np.random.Generator) -> None:
    z, other = together(rng)
    frame = pd.DataFrame({"a": np.where(z < 0, 0, np.round(30 * z)), "b": other})
    baselines = fitted(frame)
    arrays = {name: array.copy() for name, array in baselines.to_arrays().items()}
    again = Baselines.from_arrays(Schema.from_dict(baselines.schema.to_dict()), arrays)
    np.testing.assert_array_equal(scores(again, frame), scores(baselines, frame))
    assert again.complete
    del arrays["version"]
    assert not Baselines.from_arrays(baselines.schema, arrays).complete


def test_it_is_left_out_with_a_reason_where_cells_are_many_and_silently_without_knots(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MAX_WARPED_CELLS", 1)
    z, other = together(rng)
    baselines = fitted(pd.DataFrame({"a": z, "b": other}))
    assert WARPED not in baselines.gaussians
    assert "no mixture on the model's axis is fitted to 2 numeric cells" in baselines.kinds["marginals"]
    flags = fitted(pd.DataFrame({"a": np.where(z < 0, "p", "q"), "b": np.where(other < 0, "p", "q")}))
    assert WARPED not in flags.kinds
    assert "axis" not in flags.kinds["marginals"]


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_few_rows_are_enough(rows: int, rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"a": rng.standard_normal(ROWS), "b": rng.integers(0, 90, ROWS)})
    schema = infer_schema(Rows(frame), "table")
    baselines = fit_baselines(schema, encode(schema, frame[:rows]), latent=1, validation=encode(schema, frame[:1]))
    assert np.isfinite(scores(baselines, frame[:50])).all()
