"""Rows that Q(z|x) serves badly: what other z make of them, against the closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from likely import priors
from likely.data import ResidentRows
from likely.evaluation import enumerated, evidence
from likely.evaluation.proposals import Mixture, ProposalRule, SeenRows, effective_enough
from likely.likelihoods import Gaussian
from likely.models import VAE, HierarchicalVAE, Model
from likely.networks import Ladder, ResidualMLP
from likely.tasks.anomalies import contributions
from likely.tasks.draws import draws_again, posterior_draws
from linear_gaussian import LinearGaussian, Oblique
from rooms import CELLS, POSTERIORS, space_of, stir

SAMPLES = 100
OPTIMISE = ProposalRule(optimise=True)


def misled(dims: int = 6, latent: int = 2) -> tuple[LinearGaussian, VAE, ResidentRows]:
    """A model whose encoder is far off, and rows."""
    exact = LinearGaussian(dims, latent)
    return exact, exact.vae(shift=4.0, widen=0.2), ResidentRows(exact.sample(30))


def test_rows_that_the_encoder_misses_get_their_log_px() -> None:
    exact, model, rows = misled()
    truth = exact.log_px(rows.stored().values).numpy()
    plain = evidence(model, rows, samples=SAMPLES)
    assert (plain.terms["iwae"] < truth - 1).all()  # what is mended
    found = evidence(model, rows, samples=SAMPLES, rule=OPTIMISE)
    off, error = found.terms["iwae"] - truth, found.se_mc["iwae"]
    assert np.abs(off).max() < 4 * error.max()
    assert error.max() < 0.3
    assert found.ess.min() > 20
    for name in ("elbo", "kl", "reconstruction"):  # Q's own, from its own samples
        np.testing.assert_array_equal(found.terms[name], plain.terms[name])
    np.testing.assert_allclose(found.terms["gap"], found.terms["iwae"] - found.terms["elbo"])


def test_the_estimate_of_px_is_unbiased() -> None:
    exact, model, rows = misled()
    one = rows.take(torch.zeros(1, dtype=torch.int64))
    truth = float(exact.log_px(one.stored().values))
    ((_, mixture),) = OPTIMISE.improved(model, one, samples=10, seed=0)
    found = [
        next(posterior_draws(model, one, samples=10, seed=seed, mixture=mixture)).log_px_estimate[0]
        for seed in range(1, 201)
    ]
    ratio = np.exp(np.array(found) - truth)
    assert ratio.std() < 1
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(ratio))


def test_anchors_are_a_start() -> None:
    """An encoder's output for a training row is as good a start as the row is near."""
    exact, model, rows = misled()
    good = exact.vae()
    seen = SeenRows.of(good, rows)
    assert seen.encoded.shape == (30, 4)
    truth = exact.log_px(rows.stored().values).numpy()
    found = evidence(model, rows, samples=SAMPLES, rule=ProposalRule(seen, optimise=True))
    assert np.abs(found.terms["iwae"] - truth).max() < 4 * found.se_mc["iwae"].max()


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    _, model, rows = misled()
    rule = ProposalRule(SeenRows.of(model, rows), optimise=True)
    whole = evidence(model, rows, samples=SAMPLES, rule=rule)
    some = torch.tensor([17, 3])
    alone = evidence(model, rows.take(some), samples=SAMPLES, rule=rule)
    np.testing.assert_allclose(alone.terms["iwae"], whole.terms["iwae"][some.numpy()], atol=1e-6)


def test_rows_that_are_well_served_stay_as_they_are() -> None:
    exact = LinearGaussian(6, 2)
    rows = ResidentRows(exact.sample(30))
    plain, ruled = (evidence(exact.vae(), rows, samples=SAMPLES, rule=rule) for rule in (None, OPTIMISE))
    for name, values in plain.terms.items():
        np.testing.assert_array_equal(ruled.terms[name], values)


def test_cells_that_never_were_missing() -> None:
    """Q of an encoder that takes the fill of a missing cell for a value; draws of P(z) keep the weights bounded."""
    oblique = Oblique(4, 2)
    x = oblique.sample(100)
    observed = torch.ones(100, 4, dtype=torch.bool)
    observed[:50, 0] = False
    rows = ResidentRows(torch.where(observed, x, 0.0), observed=observed)
    truth = oblique.log_px(x, observed).numpy()
    model = oblique.vae(full=True)
    seen = SeenRows.of(model, rows.take(torch.arange(50, 100)))
    plain, ruled = (evidence(model, rows, samples=500, rule=rule) for rule in (None, ProposalRule(seen)))
    off = np.abs(ruled.terms["iwae"] - truth)[:50]
    assert off.mean() < np.abs(plain.terms["iwae"] - truth)[:50].mean()
    assert (off < np.maximum(0.1, 3 * ruled.se_mc["iwae"][:50])).mean() >= 0.95
    np.testing.assert_array_equal(ruled.terms["iwae"][50:], plain.terms["iwae"][50:])
    missed = SeenRows.of(model, rows)  # rows that miss it too were among the training rows
    nothing = evidence(model, rows, samples=500, rule=ProposalRule(missed))
    np.testing.assert_array_equal(nothing.terms["iwae"], plain.terms["iwae"])


def test_rows_beyond_the_training_rows_need_more_effective_draws() -> None:
    exact = LinearGaussian(6, 2)
    x = exact.sample(40)
    x[0, 3] = 30.0
    model, rows = exact.vae(0.0, 3.0), ResidentRows(x)  # a fifth of the draws are effective
    seen = SeenRows.of(model, rows.take(torch.arange(1, 40)))
    assert seen.beyond(rows.evaluation_batch(torch.arange(40))).nonzero().tolist() == [[0]]
    ((index, mixture),) = ProposalRule(seen, optimise=True).improved(model, rows, samples=100, seed=0)
    assert index.tolist() == [0]
    assert mixture.encoded.shape == (11, 1, 4)
    assert not list(ProposalRule(seen).improved(model, rows, samples=100, seed=0))
    assert not list(ProposalRule(seen, optimise=True).improved(exact.vae(), rows, samples=100, seed=0))


def test_the_number_of_samples_does_not_choose_the_rows() -> None:
    _, model, rows = misled()
    chosen = [
        [index.tolist() for index, _ in OPTIMISE.improved(model, rows, samples=k, seed=0)] for k in (10, 100, 5000)
    ]
    assert chosen[0] == chosen[1] == chosen[2]


def test_rows_that_are_kept_by_a_pilot_have_a_bound() -> None:
    """Kept by the weights that are averaged, rows of a Q this wide would have log P(x) 0.09 too high in the mean."""
    exact = LinearGaussian(6, 1)
    model, rows = exact.vae(0.0, 14.0), ResidentRows(exact.sample(2000))
    truth = exact.log_px(rows.stored().values).numpy()
    plain = evidence(model, rows, samples=100).terms["iwae"]
    poor = np.concatenate(
        [index.numpy() for index, _ in ProposalRule(None, optimise=True).improved(model, rows, samples=100, seed=0)]
    )
    kept = np.setdiff1d(np.arange(2000), poor)
    assert 500 < len(kept) < 1500
    ratio = np.exp(plain[kept] - truth[kept])
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(kept))


def test_conditions_beyond_those_of_the_training_rows() -> None:
    rows = ResidentRows(torch.zeros(4, 1), covariates=torch.tensor([[0.0], [1.0], [2.0], [9.0]]))
    seen = SeenRows(torch.zeros(0, 2), *(torch.tensor([0.0]) for _ in range(2)), torch.tensor([True]), *y_range(2.0))
    assert seen.beyond(rows.evaluation_batch(torch.arange(4))).tolist() == [False, False, False, True]


def y_range(high: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([0.0]), torch.tensor([high])


def test_a_missing_cell_is_not_beyond() -> None:
    values = torch.tensor([[0.0, 1.0], [2.0, 3.0], [1.0, 0.0], [1.0, 0.5]], dtype=torch.float64)
    rows = ResidentRows(values, observed=torch.tensor([[True, True], [True, False], [True, True], [True, True]]))
    seen = SeenRows.of(LinearGaussian(2, 1).vae(), rows)
    assert seen.high.tolist() == [2.0, 1.0]
    assert seen.complete.tolist() == [True, False]
    assert not seen.beyond(rows.evaluation_batch(torch.arange(4))).any()


def test_of_few_rows_with_many_cells_each_is_beyond_somewhere_so_none_counts_as_beyond() -> None:
    exact = LinearGaussian(6, 2)
    seen = SeenRows.of(exact.vae(), ResidentRows(exact.sample(11)))
    assert not seen.beyond(ResidentRows(100 * exact.sample(5)).evaluation_batch(torch.arange(5))).any()


def test_contributions_are_of_the_same_weights() -> None:
    exact, model, rows = misled()
    found = contributions(model, rows, samples=SAMPLES, rule=OPTIMISE)
    measured = evidence(model, rows, samples=SAMPLES, rule=OPTIMISE)
    np.testing.assert_allclose(found.log_px, measured.terms["iwae"], atol=1e-6)
    np.testing.assert_allclose(found.cells.sum(1) + found.code, -found.log_px)
    right = contributions(exact.vae(), rows, samples=2000)
    assert np.abs(found.cells - right.cells).max() < 0.5
    assert np.abs(found.code - right.code).max() < 0.5


def test_draws_are_tried_again_in_their_order() -> None:
    _, model, rows = misled()
    poor = torch.ones(30, dtype=torch.float64)
    tries = list(draws_again(model, rows, OPTIMISE, lambda: poor, samples=200, seed=0))
    assert [(each.samples, len(each.index), each.last) for each in tries] == [
        (200, 30, False),
        (800, 30, False),
        (3200, 30, True),
    ]
    assert all(each.mixture is not None and each.mixture.encoded.shape[:2] == (6, 30) for each in tries)
    good = LinearGaussian(6, 2).vae()
    assert not list(draws_again(good, rows, OPTIMISE, lambda: 50 * poor, samples=200, seed=0))


def models() -> dict[str, Model]:
    torch.manual_seed(0)
    made: dict[str, Model] = {}
    for name, posterior in POSTERIORS.items():
        q = posterior()
        latent, space = q.event_shape[0], space_of(name)
        prior = {
            "real": priors.StandardNormal,
            "sphere": priors.Hypersphere,
            "codes": lambda n: priors.Categorical(2, n // 2),
        }[space](latent)
        encoder, decoder = ResidualMLP(CELLS, q.parameter_shape.numel(), 8), ResidualMLP(latent, CELLS, 8)
        made[name] = VAE(prior, Gaussian((CELLS,), 1.0), q, encoder, decoder)
    made["hierarchy"] = HierarchicalVAE(
        Gaussian((CELLS,), 1.0), Ladder(ResidualMLP(CELLS, 8, 8), ResidualMLP(8, CELLS, 8), (2, 2), 8)
    )
    return {name: stir(model) for name, model in made.items() if isinstance(model, Model)}


@pytest.mark.parametrize("name", [*POSTERIORS, "hierarchy"])
def test_every_family_agrees_with_its_own_plain_estimate(name: str) -> None:
    model = models()[name]
    rows = ResidentRows(torch.randn(5, CELLS, dtype=torch.float64))
    index = torch.arange(5)
    encoded = torch.empty(0, 5, 0) if name == "categorical" else model.encoded(rows.evaluation_batch(index))[None]
    shares = (0.5, 0.5) if name == "categorical" else (0.4, 0.3, 0.3)
    plain = evidence(model, rows, samples=10_000, prior_sampling=True)
    mixture = Mixture(shares, encoded.detach())
    log_px = torch.cat(
        [
            draws.log_px_estimate[: draws.chunk.count]
            for draws in posterior_draws(model, rows, samples=1000, mixture=mixture)
        ]
    ).numpy()
    truth = enumerated(model, rows) if name == "categorical" else plain.terms["prior_sampling"]
    assert np.abs(log_px - truth).max() < 0.5
    ruled = evidence(model, rows, samples=20, rule=OPTIMISE)
    assert np.isfinite(ruled.terms["iwae"]).all()


def test_what_counts_as_enough() -> None:
    ess = torch.tensor([9.9, 10.0, 99.0, 100.0, float("nan")])
    assert effective_enough(ess, 100).tolist() == [False, True, True, True, False]
    assert effective_enough(ess, 1000).tolist() == [False, False, False, True, False]
    assert not effective_enough(torch.ones(1), 1).any()


def test_codes_are_not_optimised() -> None:
    torch.manual_seed(0)
    q = POSTERIORS["categorical"]()
    model = stir(
        VAE(
            priors.Categorical(2, 4),
            Gaussian((CELLS,), 1.0),
            q,
            nn.Linear(CELLS, q.parameter_shape.numel()),
            nn.Linear(q.event_shape[0], CELLS),
        )
    )
    assert isinstance(model, VAE)
    rows = ResidentRows(5 * torch.randn(10, CELLS, dtype=torch.float64))
    plain, ruled = (evidence(model, rows, samples=50, rule=rule) for rule in (None, OPTIMISE))
    np.testing.assert_array_equal(ruled.terms["iwae"], plain.terms["iwae"])
