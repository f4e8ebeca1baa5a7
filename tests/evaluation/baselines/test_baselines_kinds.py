"""Baselines of listed numbers, resolutions, atoms, reserves and limits: normalised, with the closed form's masses."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

from likely.data import Column, EncodedRows, Kind, ResidentRows, Schema
from likely.evaluation import Baselines, compress, fit_baselines
from likely.evaluation.baselines.cells import NumericCells
from likely.evaluation.baselines.chain import Chain

LAWS = ("marginals", "gaussian", "gaussian_mixture", "ppca")
STEPS = ((1, 0.2), (5, 0.3), (10, 0.5))
FROUDE = (0.125, 0.15, 0.2, 0.45)
ROWS = 120


def made(name: str, kind: Kind, values: np.ndarray, **other: Any) -> Column:
    """A column of numbers, with the moments of its values."""
    return Column(name, "float64", kind, "", float(values.mean()), float(values.std()), **other)


def table(*columns: Column) -> Schema:
    return Schema("table", (len(columns),), columns, ROWS, cells_alike=False)


def encoded(values: np.ndarray, observed: np.ndarray | None = None) -> EncodedRows:
    mask = None if observed is None else torch.as_tensor(observed)
    return ResidentRows(torch.as_tensor(np.asarray(values, dtype=np.float64)), observed=mask)


def nats(baselines: Baselines, rows: EncodedRows) -> dict[str, np.ndarray]:
    return {base.name: base.nats for base in baselines.score(rows) if base.nats is not None}


def totals(baselines: Baselines, *events: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Σ P(x) over all combinations of values, each with its weight."""
    rows = np.array(list(itertools.product(*(values for values, _ in events))))
    weights = np.array([math.prod(row) for row in itertools.product(*(weights for _, weights in events))])
    return {name: float((np.exp(found) * weights).sum()) for name, found in nats(baselines, encoded(rows)).items()}


def counted(*values: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array(values), np.ones(len(values))


def line(low: float, high: float, *atoms: float, cells: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Middles of cells for a density, small ones around the atoms, and the atoms."""
    ends = [low, *itertools.chain(*((atom - 0.04, atom + 0.04) for atom in atoms)), high]
    edges = np.concatenate([np.linspace(a, b, cells + 1)[:-1] for a, b in itertools.pairwise(ends)] + [[high]])
    return np.r_[(edges[1:] + edges[:-1]) / 2, atoms], np.r_[np.diff(edges), np.ones(len(atoms))]


def recorded(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Integers, of which half are rounded to tens and three tenths to fives."""
    step = rng.choice([1, 5, 10], len(values), p=[0.2, 0.3, 0.5])
    return np.round(values / step) * step


def test_listed_numbers_and_levels_of_several_steps_sum_to_one(rng: np.random.Generator) -> None:
    z = rng.standard_normal(ROWS)
    froude = np.array(FROUDE)[np.digitize(z + rng.standard_normal(ROWS), [-1, 0, 1])]
    level = recorded(rng, 25 + 9 * z).clip(3, 47)
    level[:2] = [3, 47]
    flag = (z > 0).astype(float)
    schema = table(
        made("froude", "listed", froude, categories=FROUDE, reserve=1 / (ROWS + 1)),
        made("level", "levels", level, low=3.0, high=47.0, per_unit=1, reserve=1 / (ROWS + 1), resolutions=STEPS),
        made("flag", "categorical", flag, categories=("no", "yes"), reserve=1 / (ROWS + 1)),
    )
    baselines = fit_baselines(schema, encoded(np.stack([froude, level, flag], 1)), latent=1)
    found = totals(baselines, counted(*FROUDE, 0.3), counted(*range(3 - 200, 48 + 200)), counted(-1, 0, 1))
    assert found == pytest.approx(dict.fromkeys(LAWS, 1 - 1 / (ROWS + 1) / 201), abs=1e-9)
    assert baselines.measure == "mass"


def test_counts_and_positive_grids_keep_a_reserve_below_their_ends(rng: np.random.Generator) -> None:
    z = rng.standard_normal(ROWS)
    count, price = recorded(rng, np.exp(1 + z)), recorded(rng, np.exp(2 + 0.7 * z)).clip(1) / 4
    schema = table(
        made("count", "count", count, low=0.0, high=count.max(), per_unit=1, reserve=0.01, resolutions=STEPS),
        made("price", "positive", price, low=0.25, high=price.max(), per_unit=4, reserve=0.02, resolutions=STEPS),
    )
    baselines = fit_baselines(schema, encoded(np.stack([count, price], 1)), latent=1)
    found = totals(baselines, counted(*range(-99, 120)), counted(*np.arange(-98, 220) / 4))
    lost = 1 - (1 - 0.01 / 100) * (1 - 0.02 / 100)
    assert found == pytest.approx(dict.fromkeys(LAWS, 1 - lost), abs=1e-8)
    ends = nats(baselines, encoded(np.array([[-3.0, 5.0], [0.0, 5.0], [-1.0, 5.0]])))
    for name in LAWS:
        assert ends[name][0] - ends[name][2] == pytest.approx(-math.log(6), abs=1e-9)
        assert np.isfinite(ends[name]).all()


def test_an_unbounded_grid_of_several_steps_and_a_density_with_atoms_sum_to_one(rng: np.random.Generator) -> None:
    z = rng.standard_normal(ROWS)
    rain = np.where(z + rng.standard_normal(ROWS) < 0.3, 0.0, 2 + z)
    rain[::9] = 3.5
    grid = recorded(rng, 8 * z) / 2
    schema = table(
        made("rain", "real", rain, atoms=(0.0, 3.5)), made("grid", "grid", grid, per_unit=2, resolutions=STEPS)
    )
    baselines = fit_baselines(schema, encoded(np.stack([rain, grid], 1)), latent=1)
    found = totals(baselines, line(-4, 10, 0.0, 3.5), counted(*np.arange(-60, 61) / 2))
    assert found == pytest.approx(dict.fromkeys(LAWS, 1.0), abs=1e-4)
    assert baselines.measure == "mixed"
    for name in LAWS:
        assert "several steps" in baselines.kinds[name]
        assert "repeat exactly" in baselines.kinds[name]


def test_an_atom_has_its_smoothed_frequency_whatever_the_other_cells_are(rng: np.random.Generator) -> None:
    z = rng.standard_normal(ROWS)
    rain = np.where(z < 0.3, 0.0, 5 + z)
    schema = table(made("rain", "real", rain, atoms=(0.0,)), made("other", "real", z))
    baselines = fit_baselines(schema, encoded(np.stack([rain, z], 1)), latent=1)
    share = (np.count_nonzero(rain == 0) + 0.5) / (ROWS + 1)
    rows = np.array([[0.0, 0.7], [6.0, 0.7]])
    alone = np.array([[True, False], [True, False]])
    for name, found in nats(baselines, encoded(rows, alone)).items():
        assert found[0] == pytest.approx(math.log(share), abs=1e-12), name
        assert found[1] != found[0]
    beside = rain[rain != 0]
    law = scipy.stats.norm(beside.mean(), beside.std())
    assert nats(baselines, encoded(rows, alone))["gaussian"][1] == pytest.approx(
        math.log1p(-share) + law.logpdf(6.0), abs=0.1
    )
    arrays = {name: array.copy() for name, array in baselines.to_arrays().items()}
    again = nats(Baselines.from_arrays(Schema.from_dict(schema.to_dict()), arrays), encoded(rows))
    for name, found in nats(baselines, encoded(rows)).items():
        np.testing.assert_array_equal(found, again[name])


def test_what_lies_beside_an_atom_is_told_by_the_cells_before(rng: np.random.Generator) -> None:
    rows = 4000
    z = rng.standard_normal(rows)
    rain = np.where(rng.random(rows) < 0.6, 0.0, 5 + 2 * z + 0.1 * rng.standard_normal(rows))
    schema = table(made("z", "real", z), made("rain", "real", rain, atoms=(0.0,)))
    values = np.stack([z, rain], 1)
    baselines = fit_baselines(schema, encoded(values[:2000]), latent=1)
    found = nats(baselines, encoded(values[2000:]))
    assert (found["gaussian"] - found["marginals"]).mean() > -0.05
    dry = rain[2000:] == 0
    entropy = math.log(0.6) * dry + (math.log(0.4) + scipy.stats.norm(5, math.hypot(2, 0.1)).logpdf(rain[2000:])) * ~dry
    truth = entropy + scipy.stats.norm.logpdf(z[2000:])
    assert (found["gaussian"] - truth).mean() > -0.1


@pytest.mark.parametrize(
    ("kind", "other", "limits"),
    [
        ("grid", {"per_unit": 2, "resolutions": STEPS}, (-11.0, 40.0)),
        ("grid", {"per_unit": 2}, (-20.0, 15.0)),
        ("count", {"per_unit": 1, "reserve": 0.05, "resolutions": STEPS}, (0.0, 30.0)),
        ("count", {"per_unit": 1, "reserve": 0.05}, (-7.0, 30.0)),
        ("levels", {"per_unit": 1, "reserve": 0.05, "resolutions": STEPS}, (-14.0, 22.0)),
        ("real", {}, (-10.0, 16.0)),
        ("real", {"atoms": (0.0, 10.0)}, (-10.0, 16.0)),
    ],
)
def test_declared_limits_are_law_and_nothing_is_lost(
    rng: np.random.Generator, kind: Kind, other: dict[str, Any], limits: tuple[float, float]
) -> None:
    z = rng.standard_normal(ROWS)
    step = 1 / other.get("per_unit", 1)
    x = (recorded(rng, 6 * z / step) * step).clip(0 if kind == "count" else -10, 15)
    if kind == "real":
        x = np.where(rng.random(ROWS) < 0.3 * ("atoms" in other), rng.choice([0.0, 10.0], ROWS), 9 * np.tanh(z / 2))
    column = made("x", kind, x, low=float(x.min()), high=float(x.max()), limits=limits, **other)
    schema = table(made("z", "grid", np.round(2 * z), per_unit=1), column)
    baselines = fit_baselines(schema, encoded(np.stack([np.round(2 * z), x], 1)), latent=1)
    if kind == "real":
        event = line(*limits, *column.atoms, cells=240)
    else:
        event = counted(*np.arange(limits[0], limits[1] + step / 2, step))
    given = counted(*range(-20, 21))
    assert totals(baselines, given, event) == pytest.approx(
        dict.fromkeys(LAWS, 1.0), abs=1e-4 if kind == "real" else 1e-8
    )
    beyond = np.array([[0.0, limits[0] - step], [0.0, limits[1] + step]])
    assert all((found == -np.inf).all() for found in nats(baselines, encoded(beyond)).values())


def test_masses_of_what_is_observed_sum_to_one(rng: np.random.Generator) -> None:
    z = rng.standard_normal(ROWS)
    listed = np.array([1.0, 2.0, 7.0])[np.digitize(z, [-0.5, 0.5])]
    level = np.round(z * 3 + 10).clip(5, 15)
    level[:2] = [5, 15]
    schema = table(
        made("a", "listed", listed, categories=(1, 2, 7)),
        made("b", "levels", level, low=5.0, high=15.0, per_unit=1, resolutions=((1, 0.5), (5, 0.5))),
        made("c", "grid", np.round(z), per_unit=1),
    )
    values, observed = np.stack([listed, level, np.round(z)], 1), rng.random((ROWS, 3)) > 0.3
    baselines = fit_baselines(schema, encoded(values, observed), latent=1)
    events = (np.array([1.0, 2.0, 7.0]), np.arange(5.0, 16.0), np.arange(-30.0, 31.0))
    for mask in itertools.product([True, False], repeat=3):
        rows = np.array(list(itertools.product(*(e if m else [0.0] for e, m in zip(events, mask, strict=True)))))
        for base in baselines.score(encoded(rows, np.tile(mask, (len(rows), 1)))):
            assert base.nats is not None
            assert np.exp(base.nats).sum() == pytest.approx(1, abs=1e-9)


def chain(*columns: Column, covariance: list[list[float]]) -> Chain:
    """A normal law of mean 0, in data units."""
    cells = NumericCells.of(table(*columns), lambda _: True)
    size = len(columns)
    return Chain.of(
        cells,
        torch.ones(1, dtype=torch.float64),
        torch.zeros((1, size), dtype=torch.float64),
        torch.tensor([covariance], dtype=torch.float64),
    )


def score(law: Chain, *x: float) -> float:
    return float(law.log_prob(law.cells.read(torch.tensor([x], dtype=torch.float64))))


def test_a_listed_number_has_the_mass_up_to_the_middles_given_the_cells_before() -> None:
    real = Column("a", "float64", "real", "")
    listed = Column("b", "float64", "listed", "", categories=FROUDE, reserve=0.01)
    law = chain(real, listed, covariance=[[1.0, 0.6], [0.6, 1.0]])
    given = scipy.stats.norm(0.6 * 0.5, 0.8)
    for number, low, high in ((0.125, -np.inf, 0.1375), (0.2, 0.175, 0.325), (0.45, 0.325, np.inf)):
        exact = scipy.stats.norm.logpdf(0.5) + math.log(0.99) + math.log(given.cdf(high) - given.cdf(low))
        assert score(law, 0.5, number) == pytest.approx(exact, abs=1e-12)
        assert score(law, 0.5, number * (1 + 1e-12)) == pytest.approx(exact, abs=1e-9)
    assert score(law, 0.5, 0.2001) == pytest.approx(scipy.stats.norm.logpdf(0.5) + math.log(0.01), abs=1e-12)
    turned = chain(listed, real, covariance=[[1.0, 0.6], [0.6, 1.0]])
    unseen = math.log(0.01) + scipy.stats.norm(0.6 * 3.0, 0.8).logpdf(0.5)
    assert score(turned, 3.0, 0.5) == pytest.approx(unseen, abs=1e-12)


def test_a_value_has_the_mass_of_its_cell_in_each_step_that_divides_it() -> None:
    law = scipy.stats.norm(0, 10)

    def mass(x: float, width: float) -> float:
        return float(law.cdf(x + width / 2) - law.cdf(x - width / 2))

    grid = chain(Column("a", "float64", "grid", "", per_unit=10, resolutions=STEPS), covariance=[[100.0]])
    assert score(grid, 2.0) == pytest.approx(math.log(0.2 * mass(2, 0.1) + 0.3 * mass(2, 0.5) + 0.5 * mass(2, 1)))
    assert score(grid, 2.5) == pytest.approx(math.log(0.2 * mass(2.5, 0.1) + 0.3 * mass(2.5, 0.5)))
    assert score(grid, -2.3) == pytest.approx(math.log(0.2 * mass(2.3, 0.1)))
    column = Column("a", "int64", "levels", "", low=-12.0, high=13.0, per_unit=1, resolutions=STEPS, reserve=0.02)
    levels = chain(column, covariance=[[100.0]])
    ends = 0.2 * mass(10, 1) + 0.3 * law.sf(7.5) + 0.5 * law.sf(5)
    assert score(levels, 10) == pytest.approx(math.log(0.98 * ends))
    assert score(levels, -12) == pytest.approx(math.log(0.98 * 0.2 * law.cdf(-11.5)))
    assert score(levels, 15) == pytest.approx(math.log(0.01 / 6))
    count = chain(Column("a", "int64", "count", "", per_unit=1, resolutions=STEPS, reserve=0.02), covariance=[[100.0]])
    assert score(count, 0) == pytest.approx(
        math.log(0.98 * (0.2 * law.cdf(0.5) + 0.3 * law.cdf(2.5) + 0.5 * law.cdf(5)))
    )
    assert score(count, -1) == pytest.approx(math.log(0.01))


def test_limits_divide_by_the_mass_between_them_given_the_cells_before() -> None:
    real = Column("a", "float64", "real", "")
    grid = Column("b", "float64", "grid", "", per_unit=2, limits=(-1.0, 40.0))
    law = chain(real, grid, covariance=[[1.0, 0.6], [0.6, 1.0]])
    given = scipy.stats.norm(0.6 * -30, 0.8)
    exact = (
        scipy.stats.norm.logpdf(-30)
        + given.logsf(-1.25)
        + math.log1p(-math.exp(given.logsf(-0.75) - given.logsf(-1.25)))
    )
    exact -= given.logsf(-1.25)
    assert score(law, -30, -1) == pytest.approx(exact, rel=1e-9)


def test_a_gaussian_with_resolutions_gains_what_the_digit_law_says(rng: np.random.Generator) -> None:
    rows = 2000
    z = rng.standard_normal((rows, 2))
    x = 50 * np.stack([z[:, 0], 0.8 * z[:, 0] + 0.6 * z[:, 1]], 1)
    tens = rng.random((rows, 2)) < 0.95
    x = np.where(tens, np.round(x / 10) * 10, np.round(x))
    steps = ((1, 0.05), (10, 0.95))
    found = []
    for resolutions in ((), steps):
        columns = (made(n, "grid", x[:, i], per_unit=1, resolutions=resolutions) for i, n in enumerate("ab"))
        baselines = fit_baselines(table(*columns), encoded(x[:1000]), latent=1)
        found.append(nats(baselines, encoded(x[1000:])))
    gain = np.log(0.05 + 0.95 * 10 * (x[1000:] % 10 == 0)).sum(1)
    for name in ("gaussian", "ppca"):
        assert (found[1][name] - found[0][name]).mean() == pytest.approx(gain.mean(), abs=0.02), name
    assert gain.mean() > 3.5
    law, deviation = scipy.stats.norm(0, 50), 50 * math.sqrt(1 - 0.8**2)
    alone = np.log([0.05 * (law.cdf(v + 0.5) - law.cdf(v - 0.5)) for v in x[1000:].ravel()])  # one step
    coarse = np.log([0.95 * (law.cdf(v + 5) - law.cdf(v - 5)) for v in x[1000:].ravel()])
    truth = np.where(x[1000:].ravel() % 10 == 0, np.logaddexp(alone, coarse), alone).reshape(-1, 2).sum(1)
    assert (found[1]["marginals"] - truth).mean() > -0.05
    assert (found[1]["gaussian_mixture"] - truth).mean() == pytest.approx(-math.log(deviation / 50), abs=0.06)


def test_listed_numbers_are_compressed_by_their_places(rng: np.random.Generator) -> None:
    x = np.array(FROUDE)[rng.integers(0, 4, 500)]
    schema = table(made("froude", "listed", x, categories=FROUDE))
    wide = compress(schema, encoded(x[:, None]))
    places = table(made("place", "count", x, per_unit=1))
    narrow = compress(places, encoded(np.searchsorted(FROUDE, x)[:, None] + 1.0))
    assert [base.bits_per_dim for base in wide] == [base.bits_per_dim for base in narrow]
    assert {base.name for base in wide} == {"gzip", "xz"}
