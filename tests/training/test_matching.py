"""Constants that make the draws round as often as the training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import likely
from likely.data import Warp
from likely.likelihoods import Atoms, Columns, Gaussian, Listed, Resolutions, Warped
from likely.training import match_shares
from likely.training.validate import validate

KNOTS = [(-0.5, -1.5), (40.5, 0.0), (99.5, 1.5)]
AXIS = Warp([KNOTS], [False])
DRAWS = 4000


def round_ones(offset: float) -> tuple[Resolutions, Tensor]:
    """A likelihood of tens and others, and parameters of draws whose tens are too many or too few."""
    law = Resolutions((1,), AXIS, 2, 1.0, [((1, 0.7), (10, 0.3))], 0.0, 99.0)
    parameters = 0.3 * torch.randn(DRAWS, law.parameter_shape.numel())
    parameters[:, -2:] += offset
    return law, parameters


def share(law: Resolutions | Atoms | Columns, parameters: Tensor) -> float:
    return float((law(parameters).sample()[:, -1] % 10 == 0).double().mean())


def test_the_share_of_tens_is_that_of_the_rows() -> None:
    rows = torch.cat([torch.full((400, 1), 20.0), torch.full((600, 1), 17.0)]).double()
    for offset in (-2.0, 2.0):
        law, parameters = round_ones(offset)
        law.match_shares(parameters, rows, torch.ones_like(rows), torch.ones(DRAWS, 1))
        assert abs(share(law, parameters) - 0.4) < 0.03


def test_missing_cells_do_not_count_and_weights_do() -> None:
    rows = torch.cat([torch.full((400, 1), 20.0), torch.full((600, 1), 17.0)]).double()
    law, parameters = round_ones(0.0)
    counted = torch.ones_like(rows)
    counted[:200], counted[200:400] = 0.0, 6.0
    law.match_shares(parameters, rows, counted, torch.ones(DRAWS, 1))
    assert abs(share(law, parameters) - 1200 / 1800) < 0.03


def test_columns_of_resolutions_are_matched_each_by_the_draws_that_count() -> None:
    law = Resolutions((2,), Warp([KNOTS] * 2, [False] * 2), 2, 1.0, [((1, 0.7), (10, 0.3))] * 2, 0.0, 99.0)
    parameters, drawn = 0.3 * torch.randn(DRAWS, law.parameter_shape.numel()), torch.ones(DRAWS, 2)
    parameters.unflatten(1, (-1, 2))[::2, -2:, 1] += 2.0
    drawn[::2, 1] = 0.0
    rows = torch.tensor([[20.0, 17.0]] * 4 + [[17.0, 17.0]] * 4 + [[17.0, 20.0]] * 2).double()
    law.match_shares(parameters, rows, torch.ones_like(rows), drawn)
    tens = (law(parameters).sample() % 10 == 0).double()
    assert abs(float(tens[:, 0].mean()) - 0.4) < 0.03
    assert abs(float(tens[1::2, 1].mean()) - 0.2) < 0.03


def test_what_is_at_an_atom_is_told_apart_and_columns_pass_it_on() -> None:
    base = round_ones(1.0)[0]
    law = Columns([(Gaussian((1,)), [0]), (Atoms(base, [(50.0,)]), [1])])
    rows = torch.zeros(1000, 2, dtype=torch.float64)
    rows[:500, 1], rows[500:600, 1], rows[600:, 1] = 50.0, 30.0, 31.0
    assert law.matches_shares
    numbers = 0.3 * torch.randn(DRAWS, law.parameter_shape.numel())
    law.match_shares(numbers, rows, torch.ones_like(rows), torch.ones(DRAWS, 2))
    drawn = law(numbers).sample()[:, 1]
    off = drawn[drawn != 50]
    assert abs(float((off % 10 == 0).double().mean()) - 100 / 500) < 0.03


def test_laws_without_classes_have_nothing_to_set() -> None:
    law = Warped((1,), AXIS, 2, 1.0, 0.0, 99.0)
    assert not law.matches_shares
    law.match_shares(torch.randn(5, law.parameter_shape.numel()), torch.zeros(3, 1), torch.ones(3, 1), torch.ones(5, 1))


def test_the_bound_that_is_told_is_that_of_the_constants_too_and_modes_stay_as_they_were() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"dose": rng.choice([1.0, 2.0, 5.0], 200, p=[0.7, 0.2, 0.1]), "level": rng.normal(size=200)})
    run = likely.fit(frame, latent=2, width=8, steps=5, progress=False)
    assert run.model.p_x_z.matches_shares
    rows = run.encoded(run.division.rows(run.training_source(), "validation"))
    assert run.best == validate(run.model, rows, run.config.seed).elbo
    assert run.best != run.history[["val_elbo", "val_elbo_average"]].max(axis=None)
    longer = run.continue_training(steps=2)
    assert longer.best == validate(longer.model, rows, run.config.seed).elbo
    run.model.train()
    run.model.decoder.eval()
    before = [part.training for part in run.model.modules()]
    match_shares(run.model, rows, 0)
    assert [part.training for part in run.model.modules()] == before


def test_drawn_rows_of_a_fit_end_in_zero_as_often_as_the_training_rows() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=600)
    dose = np.round(50 + 20 * z + rng.normal(0, 8, 600))
    dose = np.where(rng.random(600) < 0.5 / (1 + np.exp(-2 * z)), 10 * np.round(dose / 10), dose)
    frame = pd.DataFrame({"dose": dose, "level": z.round(4)})
    run = likely.fit(frame, latent=2, steps=150, progress=False)
    drawn, train = run.sample(5000, seed=0), frame.iloc[run.division.train]
    assert abs(float((drawn["dose"] % 10 == 0).mean()) - float((train["dose"] % 10 == 0).mean())) < 0.03


def listed() -> tuple[Listed, Tensor]:
    """A likelihood of three numbers, and parameters of draws."""
    law = Listed((1,), AXIS, [(1.0, 20.0, 90.0)], 2, 0.01)
    return law, torch.randn(DRAWS, law.parameter_shape.numel())


def test_listed_numbers_are_drawn_as_often_as_the_rows_hold_them() -> None:
    law, parameters = listed()
    rows = torch.tensor([1.0] * 50 + [20.0] * 300 + [90.0] * 150 + [7.0] * 40).double().unsqueeze(1)
    law.match_shares(parameters, rows, torch.ones_like(rows), torch.ones(DRAWS, 1))
    drawn = law(parameters).sample()
    for number, wanted in (1.0, 0.1), (20.0, 0.6), (90.0, 0.3):
        assert abs(float((drawn == number).double().mean()) - wanted) < 0.03
    assert torch.allclose(law(parameters).probs.mean((0, 1)) / 0.99, torch.tensor([0.1, 0.6, 0.3]), atol=0.002)


def test_listed_columns_are_matched_each_by_itself_and_by_the_draws_that_count() -> None:
    law = Listed((2,), Warp([KNOTS] * 2, [False] * 2), [(1.0, 20.0, 90.0), (1.0, 20.0)], 2)
    parameters, drawn = torch.randn(DRAWS, law.parameter_shape.numel()), torch.ones(DRAWS, 2)
    drawn[::2, 0] = 0.0
    rows = torch.tensor([[1.0, 20.0]] * 2 + [[20.0, 20.0]] * 5 + [[90.0, 1.0]] * 3).double()
    law.match_shares(parameters, rows, torch.ones_like(rows), drawn)
    found = law(parameters).probs
    torch.testing.assert_close(found[1::2, 0].mean(0), torch.tensor([0.2, 0.5, 0.3]).to(found), rtol=0, atol=1e-3)
    torch.testing.assert_close(found[:, 1, :2].mean(0), torch.tensor([0.3, 0.7]).to(found), rtol=0, atol=1e-3)


def test_listed_numbers_with_missing_cells_stay_as_they_are_and_constants_are_loaded() -> None:
    law, parameters = listed()
    rows = torch.tensor([[1.0], [20.0]]).double()
    law.match_shares(parameters, rows, torch.ones_like(rows), torch.zeros(DRAWS, 1))
    assert not law.offset.any()
    law.match_shares(parameters, rows, torch.ones_like(rows), torch.ones(DRAWS, 1))
    again, fresh = listed()[0], listed()[0]
    again.load_state_dict(law.state_dict())
    assert torch.equal(again(parameters).probs, law(parameters).probs)
    assert not torch.equal(fresh(parameters).probs, law(parameters).probs)
