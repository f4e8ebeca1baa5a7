"""Rows with missing cells: log P(x) is that of the marginal law of what is observed, in closed form here."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from likely.data import Batch, EncodedRows, ResidentRows
from likely.data.batch import completed
from likely.evaluation import anneal, bidirectional, evidence, ledger, optimised, simulate, tune
from likely.evaluation.sampling import random_subset
from linear_gaussian import LinearGaussian, Oblique

FACTS = {"dims": 8, "split": "", "measure": "density", "seed": 0, "seconds": 0.0, "versions": {}}


def with_missing(exact: Oblique | LinearGaussian, rows: int, share: float = 0.5) -> EncodedRows:
    """Missing cells are filled with 9, so that using them is seen; the first row has no value, the second all."""
    x, observed = exact.sample(rows), torch.rand(rows, exact.dims) > share
    observed[0], observed[1] = False, True
    return ResidentRows(torch.where(observed, x, 9.0), observed=observed)


def truth_of(exact: Oblique | LinearGaussian, rows: EncodedRows) -> np.ndarray:
    return exact.log_px(rows.stored().values, rows.observed).numpy()


def test_with_the_exact_posterior_of_each_mask_all_estimates_are_the_marginal_evidence() -> None:
    exact = Oblique(8, 3)
    rows = with_missing(exact, 60)
    found, truth = evidence(exact.vae_with_missing(), rows, samples=200), truth_of(exact, rows)
    np.testing.assert_allclose(found.terms["iwae"], truth, atol=1e-5)
    assert np.all(np.abs(found.terms["elbo"] - truth) < 5 * found.se_mc["elbo"] + 1e-6)
    assert np.all(found.terms["kl"] >= 0)


def test_bounds_rise_to_the_marginal_evidence_and_annealing_reaches_it() -> None:
    exact = Oblique(8, 3)
    rows = with_missing(exact, 60)
    model, truth = exact.vae_with_missing(shift=0.3, widen=1.3), truth_of(exact, rows)
    found = evidence(model, rows, samples=500)
    assert found.terms["elbo"].mean() < found.terms["iwae"].mean()
    away = (found.terms["iwae"] - truth) / np.maximum(found.se_mc["iwae"], 1e-3)
    assert np.abs(away).max() < 5
    judged = tune(model, rows)
    annealed = anneal(model, rows, judged.path)
    assert judged.width < 0.5
    assert np.abs(annealed.log_px - truth).max() < 0.5
    assert abs((annealed.log_px - truth).mean()) < 4 * np.sqrt(np.sum(annealed.se_mc**2)) / 60 + 0.01


def test_a_row_without_any_value_has_log_p_zero() -> None:
    exact = Oblique(8, 3)
    rows = ResidentRows(torch.full((3, 8), 9.0, dtype=torch.float64), observed=torch.zeros(3, 8, dtype=torch.bool))
    found = evidence(exact.vae_with_missing(), rows, samples=50, prior_sampling=True)
    assert (found.terms["reconstruction"] == 0).all()
    for name in ("prior_sampling", "unweighted", "kl", "elbo", "iwae"):
        np.testing.assert_allclose(found.terms[name], 0, atol=1e-12)
    wrong = evidence(exact.vae_with_missing(0.5, 1.5), rows, samples=50, prior_sampling=True)
    assert (wrong.terms["kl"] > 0.1).all()
    assert (wrong.terms["elbo"] == -wrong.terms["kl"]).all()
    np.testing.assert_allclose(wrong.terms["prior_sampling"], 0, atol=1e-12)
    assert np.isnan(ledger(wrong, **FACTS)["iwae"].bits_per_dim)


def test_rows_simulated_with_missing_cells_are_bounded_from_below_and_above() -> None:
    exact = Oblique(8, 3)
    model, like = exact.vae_with_missing(0.2, 1.2), with_missing(exact, 40)
    made = simulate(model, like, 200, seed=1)
    assert made.rows.observed is not None
    assert like.observed is not None
    masks = {tuple(mask) for mask in like.observed.tolist()}
    assert {tuple(mask) for mask in made.rows.observed.tolist()} == masks
    assert (made.rows.stored().values[~made.rows.observed] == 9).all()
    found = bidirectional(model, made, tune(model, like).path)
    truth = truth_of(exact, made.rows)
    for bound in (found.lower, found.upper):
        error = (bound - truth).std() / np.sqrt(200)
        assert abs((bound - truth).mean()) < 4 * error + 0.05


def test_the_best_q_of_a_row_is_the_posterior_of_what_is_observed() -> None:
    exact = Oblique(8, 3)
    rows = with_missing(exact, 20)
    found = optimised(exact.vae_with_missing(0.3, 1.2), rows, samples=100)
    assert np.all(np.abs(found.elbo - truth_of(exact, rows)) < 5 * found.elbo_se_mc + 0.01)
    assert (found.amortisation > 0.1).all()


def test_a_row_with_missing_cells_does_not_depend_on_batch_chunk_or_order() -> None:
    exact = Oblique(8, 3)
    rows, model = with_missing(exact, 120), exact.vae_with_missing(0.2, 1.1)
    whole, order = evidence(model, rows, samples=64), torch.randperm(120)
    other = evidence(model, rows.take(order), samples=64, max_numbers=600)
    alone = evidence(model, rows.take(torch.tensor([5])), samples=64)
    for name in ("elbo", "iwae", "unweighted"):
        np.testing.assert_allclose(other.terms[name], whole.terms[name][order.numpy()], rtol=0, atol=1e-9)
        np.testing.assert_allclose(alone.terms[name], whole.terms[name][5:6], rtol=0, atol=1e-9)
    few, again = random_subset(rows, 30, 0), random_subset(rows.take(order), 30, 0)
    assert {tuple(row) for row in few.stored().values.tolist()} == {
        tuple(row) for row in again.stored().values.tolist()
    }


def test_the_marginal_law_of_every_mask_is_normalised() -> None:
    exact = LinearGaussian(3, 1)
    model, grid = exact.vae_with_missing(), torch.linspace(-9, 9, 61, dtype=torch.float64)
    for mask in itertools.product([True, False], repeat=3):
        seen = torch.tensor(mask)
        if not seen.any():
            continue
        places = torch.cartesian_prod(*[grid] * int(seen.sum())).view(-1, int(seen.sum()))
        x = torch.full((len(places), 3), 4.0, dtype=torch.float64)
        x[:, seen] = places
        log_px = _exact_by_one_sample(model, Batch(x, seen.expand(len(x), 3)))
        assert float(log_px.exp().sum() * 0.3 ** int(seen.sum())) == pytest.approx(1, abs=1e-3)


def _exact_by_one_sample(model: torch.nn.Module, batch: Batch) -> Tensor:
    """log P(x, z)/P(z|x) is log P(x) at any z."""
    with torch.no_grad():
        found: Tensor = model.terms(batch, 1).log_weight[0]
    return found


def test_bits_per_dim_count_observed_cells() -> None:
    exact = Oblique(8, 3)
    rows, model = with_missing(exact, 50), exact.vae_with_missing()
    found = evidence(model, rows, samples=50)
    assert rows.observed is not None
    made, cells = ledger(found, **FACTS), int(rows.observed.sum())
    assert found.cells.sum() == cells
    assert (made.dims, made.cells) == (8, cells / 50)
    assert made["iwae"].bits_per_dim == pytest.approx(-found.terms["iwae"].sum() / cells / np.log(2))
    complete = ledger(evidence(model, ResidentRows(rows.stored().values[1:2]), samples=50), **FACTS)
    assert complete.cells == 8


def test_holes_are_completed_by_observed_values_in_turn() -> None:
    x = torch.tensor([[1.0, 9], [2, 9], [9, 9], [3, 9], [9, 9], [9, 9], [9, 9]])
    observed = torch.tensor([[1, 0], [1, 0], [0, 0], [1, 0], [0, 0], [0, 0], [0, 0]]).bool()
    made = completed(x, observed)
    assert made[:, 0].tolist() == [1, 2, 1, 3, 2, 3, 1]
    assert made[:, 1].tolist() == [9] * 7
    assert completed(x, None) is x
