"""Draws within the range of the training rows: against truncated joint laws, and what is told of the rest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

import likely
from likely.data import Column, ResidentRows
from likely.data.events import Event
from likely.errors import DataError, InputError
from likely.tasks.condition import conditional
from likely.tasks.impute import ImputeOptions, impute
from likely.tasks.ranges import Range, demand_reachable, rows_within
from linear_gaussian import Oblique

DIMS, LATENT, N = 4, 2, 20_000
WIDE = 1e6


def joint() -> tuple[Oblique, torch.Tensor]:
    exact = Oblique(DIMS, LATENT)
    return exact, exact.w @ exact.w.T + exact.sigma**2 * torch.eye(DIMS, dtype=torch.float64)


def ends(low: float, high: float, place: int = 0) -> tuple[Column, ...]:
    """Reals: one that is bound on one side or two, the others as good as free."""
    column = Column("free", "float64", "real", "", low=-WIDE, high=WIDE)
    bound = replace(column, name="bound", low=low, high=high)
    return tuple(bound if i == place else column for i in range(DIMS))


def range_of(columns: tuple[Column, ...]) -> Range:
    return Range(columns, tuple(range(len(columns))))


def by_quadrature(exact: Oblique, whole: torch.Tensor, box: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """P(both first cells lie in the box), and mean and covariance of all cells given that; `box` is (2, 2)."""
    cut = slice(0, 2)
    sides = [np.linspace(low, high, 801) for low, high in box]
    middle = np.stack(np.meshgrid(*[(s[1:] + s[:-1]) / 2 for s in sides], indexing="ij"), -1)
    law = scipy.stats.multivariate_normal(exact.b[cut].numpy(), whole[cut, cut].numpy())
    weight = law.pdf(middle) * np.prod([s[1] - s[0] for s in sides])
    share, weight = weight.sum(), weight / weight.sum()
    off = middle - exact.b[cut].numpy()
    mean = np.einsum("ij,ijk->k", weight, off)
    second = np.einsum("ij,ijk,ijl->kl", weight, off, off) - np.outer(mean, mean)
    gain = torch.linalg.solve(whole[cut, cut], whole[cut]).T.numpy()
    left = whole.numpy() - gain @ whole[cut].numpy()
    return float(share), exact.b.numpy() + gain @ mean, left + gain @ second @ gain.T


@pytest.fixture(scope="module")
def bounded() -> tuple[likely.Run, np.ndarray]:
    """A run whose model is known in closed form, and whose first two columns have a narrow range."""
    exact, whole = joint()
    sd = whole.diagonal().sqrt().numpy()
    box = np.stack([exact.b.numpy() - [0.3, 2.0, 9, 9] * sd, exact.b.numpy() + [1.5, 0.4, 9, 9] * sd], 1)
    rows = pd.DataFrame(np.random.default_rng(0).uniform(box[:, 0], box[:, 1], (60, DIMS)), columns=list("abcd"))
    run = likely.fit(rows, steps=1)
    columns = [replace(c, low=low, high=high) for c, (low, high) in zip(run.schema.columns, box.tolist(), strict=True)]
    schema = replace(run.schema, columns=tuple(columns))
    return replace(run, schema=schema, model=exact.vae_with_missing()), box


def test_samples_are_those_of_the_truncated_joint_law(bounded: tuple[likely.Run, np.ndarray]) -> None:
    run, box = bounded
    exact, whole = joint()
    drawn = run.sample(N)
    x = drawn.to_numpy()
    assert ((x >= box[:, 0]) & (x <= box[:, 1])).all()
    share, mean, covariance = by_quadrature(exact, whole, box[:2])
    error = np.sqrt(covariance.diagonal() / N)
    assert (np.abs(x.mean(0) - mean) < 4 * error).all()
    assert np.abs(exact.b.numpy() - mean)[2:].min() > 40 * error[2:].max()  # what clamping would leave as it was
    product = (x - mean)[:, 0] * (x - mean)[:, 2]
    assert abs(product.mean() - covariance[0, 2]) < 4 * product.std() / math.sqrt(N)
    told = drawn.attrs["range"]
    assert abs(told["outside"] - (1 - share)) < 4 * math.sqrt(share * (1 - share) / told["rows"])
    assert round(told["rows"] * (1 - told["outside"])) >= N


def test_samples_beyond_the_range_are_those_of_the_model(bounded: tuple[likely.Run, np.ndarray]) -> None:
    run, box = bounded
    exact, whole = joint()
    drawn = run.sample(N, beyond_range=True)
    assert (np.abs(drawn.mean() - exact.b.numpy()) < 4 * whole.diagonal().sqrt().numpy() / math.sqrt(N)).all()
    assert "range" not in drawn.attrs
    inside = ((drawn >= box[:, 0]) & (drawn <= box[:, 1])).all(axis=1)
    pd.testing.assert_frame_equal(run.sample(N)[inside], drawn[inside])
    pd.testing.assert_frame_equal(run.sample(50, seed=3), run.sample(50, seed=3))


def test_events_outrank_the_range_of_their_column_alone(bounded: tuple[likely.Run, np.ndarray]) -> None:
    run, box = bounded
    exact, whole = joint()
    found = run.sample(500, given=[f"a>{box[0, 1]}"])
    assert found["a"].min() > box[0, 1]
    assert found["b"].between(*box[1]).all()
    share, rows = by_quadrature(exact, whole, np.stack([box[0] + [box[0, 1] - box[0, 0], 9], box[1]]))[0], found.attrs
    inside = share / scipy.stats.norm.sf(1.5)
    error = math.sqrt(inside * (1 - inside) / rows["range"]["rows"])
    assert abs(1 - rows["range"]["outside"] - inside) < 4 * error
    assert not run.sample(500, given=[f"a>{box[0, 1]}"], beyond_range=True)["b"].between(*box[1]).all()


@pytest.mark.parametrize("deviations", [0.5, 3.3])
def test_rows_given_an_event_and_the_range_keep_their_law(deviations: float) -> None:
    exact, whole = joint()
    sd = whole.diagonal().sqrt()
    bound = float(exact.b[1] + deviations * sd[1])
    high = float(exact.b[0] - 0.2 * sd[0])
    found = conditional(
        exact.vae_with_missing(), [Event(1, low=bound)], N, None, like=exact.b, within=range_of(ends(-WIDE, high))
    )
    x = found.values.numpy()
    assert (found.effective is None) == (deviations < 3)
    assert x[:, 1].min() >= bound
    assert x[:, 0].max() <= high
    far = 8 * sd.numpy() + np.abs(exact.b.numpy())
    share, mean, covariance = by_quadrature(exact, whole, np.array([[-far[0], high], [bound, far[1]]]))
    assert found.tally is not None
    inside = float(found.tally.inside.sum() / found.tally.tried.sum())
    expected = share / scipy.stats.norm.sf(deviations)
    effective = N if found.effective is None else found.effective * expected
    count = 1 / (1 / N + 1 / effective)
    assert abs(inside - expected) < 4 * math.sqrt(expected * (1 - expected) / count)
    assert (np.abs(x.mean(0) - mean) < 4 * np.sqrt(covariance.diagonal() / count)).all()
    assert abs(found.probability - scipy.stats.norm.sf(deviations)) < 4 * found.se


def test_imputed_draws_are_those_of_the_truncated_law_given_what_is_observed() -> None:
    exact, whole = joint()
    draws, samples, missing, seen = 40, 800, [0, 2], [1, 3]
    low, high = float(exact.b[0] - 0.4), float(exact.b[0] + 1.0)
    gain = torch.linalg.solve(whole[seen][:, seen], whole[seen][:, missing]).T
    left = (whole[missing][:, missing] - gain @ whole[seen][:, missing]).numpy()
    x = exact.sample(400)
    centre, sd = (exact.b[missing] + (x - exact.b)[:, seen] @ gain.T).numpy(), math.sqrt(left[0, 0])
    chance = np.diff(scipy.stats.norm.cdf([[low], [high]], centre[:, 0], sd), axis=0)[0]
    x, centre, chance = (part[chance > 0.1] for part in (x, centre, chance))
    observed = torch.tensor([i in seen for i in range(DIMS)]).expand(len(x), -1)
    unlike = tuple(replace(c, high=-WIDE + 1) if i == 1 else c for i, c in enumerate(ends(low, high)))
    found = impute(
        exact.vae_with_missing(),
        ResidentRows(torch.where(observed, x, 0.0), observed=observed),
        ImputeOptions(draws=draws, samples=samples),
        within=range_of(unlike),  # no observed cell of the second column lies in it, and none is drawn
    )
    law = scipy.stats.truncnorm((low - centre[:, 0]) / sd, (high - centre[:, 0]) / sd, loc=centre[:, 0], scale=sd)
    slope = left[0, 1] / left[0, 0]
    beside = centre[:, 1] + slope * (law.mean() - centre[:, 0])
    spread = np.sqrt(left[1, 1] - slope * left[0, 1] + slope**2 * law.var())
    a, b = found.draws[..., 0].numpy(), found.draws[..., 2].numpy()
    assert low <= a.min()
    assert a.max() <= high
    assert found.tally is not None
    inside = chance * found.tally.tried.numpy()
    assert abs(found.tally.inside.sum() - inside.sum()) < 4 * math.sqrt((inside * (1 - chance)).sum() * 2)
    effective = 1 / (1 / draws + 1 / (samples * chance))  # draws of a row share its draws of z
    for made, mean, deviation in ((a, law.mean(), law.std()), (b, beside, spread)):
        standard = (made.mean(0) - mean) / deviation * np.sqrt(effective)
        assert abs(standard.mean()) < 4 / math.sqrt(len(x))
        assert abs(standard.std() - 1) < 4 / math.sqrt(2 * len(x))
    assert np.abs(beside - centre[:, 1]).mean() > 0.05


def test_a_cell_on_a_grid_lies_within_half_a_step_of_the_ends() -> None:
    column = Column("n", "int64", "count", "", low=0.0, high=5.0, per_unit=1)
    x = torch.tensor([[-0.51], [-0.5], [0.0], [5.5], [5.51], [6.0]], dtype=torch.float64)
    assert Range((column,), (0,)).beyond(x).squeeze(1).tolist() == [True, False, False, False, True, True]


def test_rows_within_the_range_are_not_touched_and_nothing_is_drawn() -> None:
    x = torch.randn(50, DIMS, dtype=torch.float64)

    def never(_: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    kept, tally = rows_within(x, never, range_of(ends(-WIDE, WIDE)))
    assert torch.equal(kept, x)
    assert tally.tried.tolist() == tally.inside.tolist() == [50]


def test_what_hardly_ever_lies_within_the_range_is_refused_by_name() -> None:
    x = torch.randn(3, DIMS, dtype=torch.float64)
    within = range_of(ends(30.0, 40.0, place=2))
    _, tally = rows_within(
        x, lambda rows: torch.randn(len(rows), DIMS, dtype=torch.float64), within, group=torch.tensor([0, 1, 1])
    )
    assert tally.hopeless.tolist() == [True, True]
    assert 1000 <= int(tally.tried[1]) < 10_000
    with pytest.raises(
        DataError, match=r"row 0: 0 of .* within .*'bound' is outside most often \(30 to 40\).*--beyond"
    ):
        demand_reachable(within, tally, lambda group: f"row {group}: ")


@pytest.mark.parametrize(("share", "refused"), [(0.012, False), (0.001, True)])
def test_a_range_is_refused_only_where_one_in_a_hundred_is_excluded(share: float, *, refused: bool) -> None:
    within, told = Range((Column("a", "float64", "real", "", low=0.0, high=share),), (0,)), []
    for seed in range(60):
        source = torch.Generator().manual_seed(seed)

        def again(rows: torch.Tensor, source: torch.Generator = source) -> torch.Tensor:
            return torch.rand(len(rows), 1, generator=source, dtype=torch.float64)

        kept, tally = rows_within(again(torch.arange(50)), again, within)
        told.append(bool(tally.hopeless.any()))
        assert refused or bool((kept <= share).all())
    assert sum(told) == (60 if refused else 0)


@pytest.mark.filterwarnings("ignore:cells are missing")
def test_a_rare_range_is_reached_and_a_hopeless_one_ends_with_a_line(bounded: tuple[likely.Run, np.ndarray]) -> None:
    run, _ = bounded
    exact, whole = joint()
    high = float(exact.b[0] - scipy.stats.norm.isf(0.03) * whole[0, 0].sqrt())
    first, *rest = run.schema.columns
    wide = [replace(column, low=-WIDE, high=WIDE) for column in rest]
    rare = replace(run, schema=replace(run.schema, columns=(replace(first, low=-WIDE, high=high), *wide)))
    drawn = rare.sample(300)
    assert drawn["a"].max() <= high
    assert abs(drawn.attrs["range"]["outside"] - 0.97) < 0.01
    rare = replace(run, schema=replace(run.schema, columns=(replace(first, low=-WIDE, high=-5.5), *wide)))
    with pytest.raises(InputError, match="column 'a' is outside most often") as refused:
        rare.sample(300)
    assert "\n" not in str(refused.value)
    rows = pd.DataFrame({"a": [0.0, np.nan], "b": 0.0, "c": 0.0, "d": [np.nan, 0.0]}, index=["north", "south"])
    with pytest.raises(InputError, match=r"row south: .*column 'a' is outside most often"):
        rare.impute(rows, draws=3)
    assert rare.impute(rows, draws=3, beyond_range=True)[0].notna().all(axis=None)
    assert rare.impute(rows.head(1), draws=2)[1].attrs["range"] == {"outside": 0.0, "rows": 2}


def test_no_amount_is_below_zero_and_no_share_beyond_one() -> None:
    draw = np.random.default_rng(5)
    amount = np.where(draw.random(600) < 0.3, 0, np.exp(draw.normal(4, 2, 600))).round(2)
    rows = pd.DataFrame({"amount": amount, "p": draw.uniform(0, 1, 600), "day": pd.Timestamp("2024-01-01")})
    rows["day"] += pd.to_timedelta(draw.integers(0, 300, 600), "D")
    run = likely.fit(rows, steps=60)
    drawn, free = run.sample(20_000), run.sample(20_000, beyond_range=True)
    train = run.division.rows(run.training_source(), "train").values
    outside = pd.Series(False, index=free.index)
    for name in rows:
        assert drawn[name].between(train[name].min(), train[name].max()).all()
        outside |= ~free[name].between(train[name].min(), train[name].max())
    assert 0 < outside.mean() < 0.2
    told = drawn.attrs["range"]
    assert round(told["outside"] * told["rows"]) >= outside.sum()
    assert told["outside"] == pytest.approx(outside.mean(), abs=4 * math.sqrt(outside.mean() / 20_000))
