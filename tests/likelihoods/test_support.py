"""Every law gives its distinct events a total of one, and anything else nothing: by family, and by the form of x."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

from extreme import coupled
from families import DENSITIES, MASSES, both, law_of, make, t, unit_grid, warped
from likely.assembly import resolve
from likely.config import Config
from likely.data import Column, Kind, Rows, Schema, Warp, infer_schema
from likely.data.encode import fill
from likely.distributions import Bernoulli, Categorical, DiscretisedLogistic, Mixture
from likely.distributions.coupled import CoupledLogisticMixture, Grid
from likely.distributions.levels import Levels
from likely.distributions.rescaled import Frame
from likely.likelihoods import Categorical as CategoricalLikelihood
from likely.likelihoods import Resolutions, Warped

EXACT = 1e-6
OFF = t(0.3, -0.3, 7.1, 1e4 + 0.1, -1e4 - 0.1, 1e9 + 0.3)  # on no grid of the families
FAR = 3000
NODES = [torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(24)]


def one(total: Tensor) -> None:
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=EXACT)


def nothing(family: Callable[..., Distribution], values: tuple[Tensor, ...], x: Tensor) -> None:
    """log P(x) = −∞, and no gradient is lost by it."""
    wide = [value.clone().requires_grad_() for value in values]
    found = family(*wide).log_prob(x)
    assert found.isneginf().all(), x[~found.isneginf()]
    for gradient in torch.autograd.grad(found.sum(), wide):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", MASSES)
def test_masses_of_all_events_sum_to_one(name: str) -> None:
    law, support = make(name), MASSES[name].support
    step = float(support.diff().min()) if len(support) > 1 else 1.0
    below, above = support[0] - step * torch.arange(1, FAR), support[-1] + step * torch.arange(1, FAR)
    one(law.log_prob(both(torch.cat([below, support, above, OFF]))).exp().sum(0))
    nothing(MASSES[name].family, MASSES[name].values, both(OFF))


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_are_zero_outside_their_support(name: str) -> None:
    found, away = law_of(name), t(1e-9, 1e-3, 1, 1e6)
    for x in (found.low - away, found.high + away):
        if x.isfinite().all():
            nothing(found.family, found.values, both(x))


def discretised(loc: Tensor, log_scale: Tensor, grid: Levels) -> DiscretisedLogistic:
    return DiscretisedLogistic(loc, log_scale, Frame(t(3.0), t(2.5)), grid.step, grid.low, grid.high, grid.reserve)


RESERVED: dict[str, Callable[[Levels], Distribution]] = {
    "discretised logistic": lambda grid: discretised(t(0.3, -1.0), t(0.2, -0.7), grid),
    "mixture": lambda grid: Mixture(
        t(0.2, 1.0, -0.5, 0.0).view(2, 2), discretised(t(0.3, -1.0, 1.0, 0.0).view(2, 2), t(0.2), grid)
    ),
    "warped": lambda grid: warped(t(0.0, 1.0).view(2, 1), t(0.3, -1.0).view(2, 1), t(0.2, -0.7).view(2, 1), grid),
}


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize(("low", "high"), [(0, 16), (0, math.inf), (-math.inf, 16), (-math.inf, math.inf), (4, 4)])
def test_a_reserve_goes_to_the_sides_that_have_an_end(name: str, low: float, high: float) -> None:
    eps, law = 0.1, RESERVED[name](unit_grid(low, high, 0.1))
    every = torch.arange(-FAR, FAR + 1, dtype=torch.float64)
    mass = law.log_prob(both(every)).exp()
    assert law.log_prob(both(OFF)).isneginf().all()
    torch.testing.assert_close(law.cdf(both(every)), law.cdf(both(every[:1] - 1)) + mass.cumsum(0), rtol=0, atol=1e-9)
    torch.testing.assert_close(law.cdf(both(every + 0.9)), law.cdf(both(every)), rtol=0, atol=1e-12)
    one(mass.sum(0) + law.cdf(both(every[:1] - 1))[0] + 1 - law.cdf(both(every[-1:]))[0])
    sides = math.isfinite(low) + math.isfinite(high)
    for end, way in ((low, -1), (high, 1)):
        if math.isfinite(end):
            d = torch.arange(1, 20, dtype=torch.float64)
            wanted = eps / sides / (d * (d + 1))
            torch.testing.assert_close(law.log_prob(both(end + way * d)).exp(), both(wanted))
    assert float(law.cdf(both(t(1e300))).min()) == pytest.approx(1)
    assert float(law.cdf(both(t(-1e300))).max()) == pytest.approx(0, abs=1e-12)


def test_limits_that_are_law_leave_nothing_outside() -> None:
    for law in (RESERVED["warped"](unit_grid(0, 255)), RESERVED["mixture"](unit_grid(0, 255))):
        assert law.log_prob(both(t(-1, -5, 256, 300))).isneginf().all()


def test_a_number_of_any_type_is_on_the_grid_that_it_was_rounded_to() -> None:
    for dtype in (torch.float32, torch.float64):
        levels = Levels(t(1 / 255)[0], t(0.0)[0], t(1.0)[0])
        x = (torch.arange(256, dtype=torch.float64) / 255).to(dtype)
        assert levels.holds(x).all()
        assert not levels.holds(x + 0.01 / 255).any()
    cents = Levels(t(0.01)[0], t(-math.inf)[0], t(math.inf)[0])
    x = torch.round(torch.logspace(-2, 10, 500, dtype=torch.float64) * 100) / 100
    assert cents.holds(x).all()
    assert not cents.holds(x[x < 1e6] + 0.001).any()
    assert torch.equal(cents.last(x), torch.round(x / 0.01) * 0.01)
    assert Levels(t(1.0)[0], t(0.0)[0], t(255.0)[0]).holds(torch.arange(256, dtype=torch.uint8)).all()


def test_where_values_mean_nothing_the_answers_are_known() -> None:
    assert Bernoulli(t(0.7)).log_prob(t(0.3, 255, -1, math.inf, math.nan)).isneginf().all()
    law = Categorical(t(0.2, 1.0, -0.5), 0.1)
    assert law.log_prob(t(1.5, -0.5, 3, -2, 1e300, math.nan)).isneginf().all()
    assert float(law.log_prob(t(-1.0)).exp()) == pytest.approx(0.1)
    wanted = [0, 0.1, 0.1, *(0.1 + 0.9 * torch.softmax(t(0.2, 1.0, -0.5), 0).cumsum(0)[[0, 0, 1, 2]]).tolist()]
    torch.testing.assert_close(law.cdf(t(-1.1, -1, -0.5, 0, 0.9, 1, 1e300)), t(*wanted))


def test_numbers_as_codes_keep_the_reserve_by_distance() -> None:
    made = CategoricalLikelihood((2,), [3, 2], 0.1, numbers=True)
    law = made(t(0.2, 1.0, -0.5, 2.0, 0.3, 0.0))
    every = torch.arange(-FAR, FAR, dtype=torch.float64)
    x = both(every)
    one(law.log_prob(x).exp().sum(0) + law.cdf(both(t(-FAR - 1.0)))[0] + 1 - law.cdf(both(t(FAR - 1.0)))[0])
    torch.testing.assert_close(law.log_prob(t(3.0, 2.0)).exp(), t(0.025, 0.025))
    assert law.log_prob(both(OFF)).isneginf().all()
    assert law.expand(torch.Size((4, 2))).log_prob(t(3.0, 2.0)).shape == (4, 2)


@pytest.mark.parametrize("reserve", [None, 0.1])
def test_a_channel_off_its_support_leaves_the_others_a_number(reserve: float | None) -> None:
    kept = None if reserve is None else t(reserve)[0]
    base = coupled(t(0.3, -0.2, 0.1), t(0.1, 0.2, 0.0))
    grid = Grid(base.grid.frame, base.grid.step, base.grid.low, base.grid.high, kept)
    parts = [part.clone().requires_grad_() for part in (base.log_weights, base.loc, base.log_scale, base.coefficients)]
    for place in range(3):
        law, x = CoupledLogisticMixture(*parts, grid), t(3.0, 5.0, 16.0)
        x[place] = 4.5
        found = law.log_prob(x.view(1, 1, 3))
        assert found[0, 0].isneginf().tolist() == [channel == place for channel in range(3)]
        assert law.cdf(x.view(1, 1, 3)).isfinite().all()
        for gradient in torch.autograd.grad(found.sum(), parts):
            assert gradient.isfinite().all()
    law = CoupledLogisticMixture(*parts, grid)
    assert bool(law.log_prob(t(17.0, 5.0, 3.0).view(1, 1, 3)).isfinite().all()) == (reserve is not None)


# As the data choose the laws.


def frame(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    normal = rng.normal(size=rows)
    held = np.where(rng.random(rows) < 0.4, 0.0, normal)
    return pd.DataFrame(
        {
            "truth": normal > 0,
            "town": rng.choice(["Bath", "York", "Hull"], rows),
            "zero_one": rng.integers(0, 2, rows),
            "grade": pd.Categorical(rng.choice(["a", "b"], rows), categories=["a", "b", "c"], ordered=True),
            "always": 7,
            "levels": rng.integers(3, 90, rows),
            "few": rng.choice([1.0, 2.5, 4.0], rows),
            "count": rng.poisson(np.exp(normal + 5)),
            "grid": (50 * normal).round(1),
            "heaped": np.where(rng.random(rows) < 0.8, (500 * normal).round(-1), (500 * normal).round()),
            "paid": np.exp(1.3 * normal + 2).round(1) + 0.1,
            "amount": np.exp(2 * normal + 1),
            "real": normal,
            "held": held,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), "D"),
        }
    )


ARRAYS: dict[str, np.ndarray] = {
    "two values": np.random.default_rng(0).integers(0, 2, (60, 2, 2)).astype(np.uint8),
    "greys": np.random.default_rng(0).integers(0, 256, (60, 2, 2)).astype(np.uint8),
    "glyphs": 255 * np.random.default_rng(0).integers(0, 2, (60, 2, 2)).astype(np.uint8),
    "few levels": np.random.default_rng(0).integers(0, 17, (60, 2, 2)).astype(np.float64),
    "sixteenths": np.random.default_rng(0).integers(0, 17, (60, 2, 2)) / 16,
    "integers": np.random.default_rng(0).integers(-900, 900, (60, 2, 2)),
    "reals": np.random.default_rng(0).normal(size=(60, 2, 2)),
}


def law_by_default(schema: Schema) -> Distribution:
    torch.manual_seed(2)
    likelihood = resolve(Config(), schema).build().p_x_z
    law: Distribution = likelihood(0.5 * torch.randn(likelihood.parameter_shape.numel(), dtype=torch.float64))
    return law


def asked(schema: Schema, place: int | None) -> Callable[[Tensor], Tensor]:
    """Rows that hold these values, in one column of a table or in all cells of an array."""
    if place is None:
        return lambda x: x.view(-1, *[1] * len(schema.event_shape)).expand(-1, *schema.event_shape)
    usual = torch.tensor([fill(column) for column in schema.modelled], dtype=torch.float64)

    def rows(x: Tensor) -> Tensor:
        made = usual.repeat(len(x), 1)
        made[:, place] = x
        return made

    return rows


def quadrature(density: Callable[[Tensor], Tensor], edges: Tensor) -> Tensor:
    """∫ of a density that is smooth between the edges, by Gauss's rule, 24 nodes a piece."""
    width, middle = edges.diff() / 2, (edges[1:] + edges[:-1]) / 2
    x = middle[:, None] + width[:, None] * NODES[0]
    return (density(x.flatten()).view(*x.shape, -1) * (width[:, None] * NODES[1]).unsqueeze(-1)).sum((0, 1))


def check(column: Column, log_prob: Callable[[Tensor], Tensor], cdf: Callable[[Tensor], Tensor]) -> None:
    """`log_prob` and `cdf` of values `(n,)` give `(n, cells)`."""
    if column.coded or column.kind == "binary":
        most = len(column.categories) or 2
        least = -1 if column.coded else 0
        one(log_prob(torch.arange(least, most).double()).exp().sum(0))
        assert log_prob(t(0.5, most, -2, 1e6)).isneginf().all()
    elif column.kind == "listed":
        never = max(column.categories) + 1.0
        one(log_prob(t(*column.categories, never)).exp().sum(0))
    elif column.measure == "mass":
        per_unit = column.per_unit or 1
        low, high = (round(float(end or 0) * per_unit) for end in (column.low, column.high))
        every = torch.arange(low - FAR, high + FAR).double() / per_unit
        beyond = cdf(every[:1] - 1 / per_unit)[0] + 1 - cdf(every[-1:])[0]
        one(log_prob(every).exp().sum(0) + beyond)
        assert log_prob(every[::7] + 0.3 / per_unit).isneginf().all()
    else:
        knots = torch.tensor([x for x, _ in column.knots], dtype=torch.float64)
        spread = torch.logspace(-12, 9, 400, dtype=torch.float64)
        fine = torch.linspace(float(column.low or 0), float(column.high or 0), 400, dtype=torch.float64)
        edges = torch.cat([-spread, t(0.0), spread, fine, knots, t(*column.atoms)]).unique()
        total = quadrature(lambda x: log_prob(x).exp(), edges) + cdf(edges[:1])[0] + 1 - cdf(edges[-1:])[0]
        one(total + (log_prob(t(*column.atoms)).exp().sum(0) if column.atoms else 0.0))


def test_the_columns_are_of_every_kind() -> None:
    columns = infer_schema(Rows(frame()), "table").columns
    assert {column.kind for column in columns} | {"identifier", "text", "ignore"} == set(Kind)
    assert {column.measure for column in columns} == {"mass", "density", "mixed"}
    assert {column.measure for column in columns if column.kind == "positive"} == {"mass", "density"}
    assert any(len(column.resolutions) > 1 for column in columns)


@pytest.mark.parametrize("name", frame().columns)
def test_the_law_that_a_column_gets_sums_to_one(name: str) -> None:
    schema = infer_schema(Rows(frame()), "table")
    law = law_by_default(schema)
    place = [column.name for column in schema.modelled].index(name)
    rows = asked(schema, place)
    check(
        schema.modelled[place],
        lambda x: law.log_prob(rows(x))[:, place : place + 1],
        lambda x: law.cdf(rows(x))[:, place : place + 1],
    )


@pytest.mark.parametrize("name", ARRAYS)
def test_the_law_that_an_array_gets_sums_to_one(name: str) -> None:
    schema = infer_schema(Rows(ARRAYS[name]), "array")
    law, rows = law_by_default(schema), asked(schema, None)
    check(schema.columns[0], lambda x: law.log_prob(rows(x)).flatten(1), lambda x: law.cdf(rows(x)).flatten(1))


@pytest.mark.parametrize(("low", "high"), [(20, 980), (1, 999), (13, 987), (0, math.inf)])
def test_limits_that_are_no_multiples_of_a_resolution_leave_a_total_of_one(low: float, high: float) -> None:
    axis = Warp([[(0.5, -2.0), (500.5, 0.0), (1000.5, 2.0)]], [False])
    ends = t(low), t(high)
    law = Resolutions((1,), axis, 2, t(1.0), [((1, 0.1), (25, 0.9))], *ends, 0.0, ends)
    parameters = torch.zeros(1, law.parameter_shape.numel(), dtype=torch.float64)
    x = torch.arange(-100, 6000, dtype=torch.float64).unsqueeze(-1)
    one(law(parameters).log_prob(x).exp().sum())
    nearest = t(25.0 * math.ceil(low / 25) - 1).unsqueeze(-1)
    assert law(parameters).cdf(nearest) < 0.2


@pytest.mark.parametrize("low", [-0.01, 0.0, 0.01, 0.03])
def test_a_limit_at_or_below_the_end_of_a_logarithmic_axis_cuts_nothing_more(low: float) -> None:
    axis = Warp([[(0.005, -1.5), (1.005, 0.0), (10.005, 2.0)]], [True])
    ends = t(low), t(10.0)
    law = Warped((1,), axis, 2, t(0.01), t(max(low, 0.01)), t(10.0), 0.0, ends)
    parameters = torch.zeros(1, law.parameter_shape.numel(), dtype=torch.float64)
    one(law(parameters).log_prob(torch.arange(-5, 1100, dtype=torch.float64).unsqueeze(-1) / 100).exp().sum())
