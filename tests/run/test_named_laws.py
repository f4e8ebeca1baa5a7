"""Columns of few numbers, and of atoms, under a likelihood told by name: every number is scored as it is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.run.run import Run

SMALL = {"latent": 1, "width": 8, "steps": 20, "progress": False}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    k = np.r_[np.arange(9), 10, rng.poisson(3, 190).clip(0, 8)]
    slope = rng.choice([0.01, 0.02, 0.03, 0.05], 200)
    return pd.DataFrame({"k": k, "slope": slope, "rain": np.where(rng.random(200) < 0.3, 0, rng.normal(0, 0.05, 200))})


@pytest.fixture(scope="module")
def gaussian() -> Run:
    return likely.fit(frame(), likelihood="gaussian", **SMALL)


def test_counts_never_met_have_their_own_poisson_masses() -> None:
    run = likely.fit(frame()[["k"]], likelihood="poisson", **SMALL)
    assert run.schema.columns[0].kind == "levels"
    assert run.schema.columns[0].reason == "integers from 0 to 10"
    rows = pd.DataFrame({"k": [0, 9, 14]})
    law = run.model.likelihood(torch.zeros(1, 1, device=run.config.device))
    rate = float(law.mean.detach())
    asked = torch.tensor([[0.0], [9.0], [14.0]], dtype=torch.float64)
    hand = [k * math.log(rate) - rate - math.lgamma(k + 1) for k in (0, 9, 14)]
    np.testing.assert_allclose(law.log_prob(asked).flatten().detach().numpy(), hand, rtol=1e-4)
    nats = run.score(rows).log_px
    assert nats[0] > nats[1] > nats[2] + 1


def test_no_number_has_a_mass_where_all_have_densities(gaussian: Run) -> None:
    assert [column.kind for column in gaussian.schema.columns] == ["levels", "grid", "real"]
    assert not any(column.atoms or column.categories for column in gaussian.schema.columns)
    assert gaussian.measure == "density"
    assert (
        gaussian.score(frame().head(1).assign(k=[9])).log_px[0]
        > gaussian.score(frame().head(1).assign(k=[14])).log_px[0] + 1
    )


@pytest.mark.parametrize("word", ["slope=0.02", "slope>=0.02", "k=3", "rain<=0"])
def test_no_event_is_more_probable_than_1(gaussian: Run, word: str) -> None:
    given = gaussian.sample(50, given=[word]).attrs["given"]
    assert given["probability"] <= 1


def test_recorded_numbers_are_as_probable_as_they_are_drawn(gaussian: Run) -> None:
    drawn = gaussian.sample(4000, beyond_range=True).slope
    for word, holds in (("slope=0.02", drawn.round(2) == 0.02), ("slope>=0.02", drawn > 0.015)):
        share = holds.mean()
        told = gaussian.sample(10, given=[word]).attrs["given"]["probability"]
        assert abs(told - share) < 5 * math.sqrt(share * (1 - share) / len(drawn))


def test_a_single_number_of_a_density_is_drawn_by_weights(gaussian: Run) -> None:
    drawn = gaussian.sample(50, given=["rain=0"])
    assert (drawn.rain == 0).all()
    assert drawn.attrs["given"]["effective_draws"] > 1


def test_draws_of_few_integers_keep_to_their_range(gaussian: Run) -> None:
    drawn = gaussian.sample(1000)
    assert drawn.k.between(0, 10).all()
    assert drawn.slope.between(0.01 - 0.005, 0.05 + 0.005).all()


def test_columns_that_the_likelihood_does_not_fit_keep_their_own_law() -> None:
    run = likely.fit(frame(), likelihood="poisson", **SMALL)
    kinds = [(column.kind, column.atoms) for column in run.schema.columns]
    assert kinds == [("levels", ()), ("listed", ()), ("real", (0.0,))]


def test_told_listed_numbers_are_refused_where_the_likelihood_has_none() -> None:
    with pytest.raises(likely.ConfigError, match=r"listed numbers; give --column k=levels"):
        likely.fit(frame(), likelihood="gaussian", column={"k": "listed"}, **SMALL)
    run = likely.fit(frame()[["k"]], likelihood="warped", column={"k": "listed"}, **SMALL)
    assert run.schema.columns[0].kind == "listed"
