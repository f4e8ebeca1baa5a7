"""Q optimised row by row: the gap's two parts against their closed forms, and what may not be touched."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from likely import priors
from likely.data import Batch, ResidentRows
from likely.errors import ConfigError
from likely.evaluation import GAP_KINDS, Optimised, evidence, gap_split, optimised
from likely.likelihoods import Gaussian
from likely.models import VAE, HierarchicalVAE, Model, frozen
from likely.networks import Ladder, ResidualMLP
from linear_gaussian import LinearGaussian, Oblique
from rooms import CELLS, POSTERIORS, space_of, stir

ROWS, SAMPLES = 50, 1000
SIZES = [(6, 2), (20, 10)]
MOVES = [(0.3, 1.3), (-0.5, 0.5), (0.1, 2.0)]


def mean_error(errors: np.ndarray) -> float:
    return float(np.sqrt(np.square(errors).sum()) / len(errors))


def assert_amortisation(found: Optimised, truth: float) -> None:
    assert found.amortisation.mean() == pytest.approx(truth, abs=4 * mean_error(found.amortisation_se_mc) + 0.01)


@pytest.mark.parametrize(("dims", "latent"), SIZES)
@pytest.mark.parametrize(("shift", "widen"), MOVES)
def test_the_amortisation_gap_of_a_perturbed_encoder(dims: int, latent: int, shift: float, widen: float) -> None:
    exact = LinearGaussian(dims, latent)
    x = exact.sample(ROWS)
    found = optimised(exact.vae(shift, widen), ResidentRows(x), samples=SAMPLES)
    assert found.moved.all()
    assert_amortisation(found, exact.gap(shift, widen))
    # Q* is P(z|x) here: what is left of the gap is what the optimiser misses.
    split = gap_split(exact.log_px(x).numpy(), np.zeros(ROWS), found)
    assert abs(split.approximation.mean()) < 4 * mean_error(split.approximation_se_mc) + 0.001


@pytest.mark.parametrize(("dims", "latent"), SIZES)
def test_an_exact_encoder_has_no_gap_of_either_kind(dims: int, latent: int) -> None:
    exact, oblique = LinearGaussian(dims, latent), Oblique(dims, latent)
    for model, x in ((exact.vae(), exact.sample(ROWS)), (oblique.vae(full=True), oblique.sample(ROWS))):
        found = optimised(model, ResidentRows(x), samples=100)
        assert abs(found.amortisation.mean()) < 4 * mean_error(found.amortisation_se_mc) + 1e-4
        assert np.abs(found.amortisation).max() < 2e-3


@pytest.mark.parametrize(("dims", "latent"), SIZES)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(("shift", "widen"), [(0.0, 1.0), (0.2, 1.4)])
def test_the_two_parts_where_the_columns_are_not_orthogonal(
    dims: int, latent: int, full: bool, shift: float, widen: float
) -> None:
    oblique = Oblique(dims, latent)
    x = oblique.sample(ROWS)
    truth, approximation = oblique.log_px(x).numpy(), 0.0 if full else oblique.approximation
    found = optimised(oblique.vae(full, shift, widen), ResidentRows(x), samples=SAMPLES)
    assert_amortisation(found, oblique.amortisation(shift, widen))
    split = gap_split(truth, np.zeros(ROWS), found)
    np.testing.assert_allclose(split.approximation + split.amortisation, split.total, atol=1e-9)
    for part, errors, value in (
        (split.approximation, split.approximation_se_mc, approximation),
        (split.total, split.total_se_mc, approximation + oblique.amortisation(shift, widen)),
    ):
        assert part.mean() == pytest.approx(value, abs=4 * mean_error(errors) + 0.01)
    assert set(GAP_KINDS) == {"total", "approximation", "amortisation"}


def test_the_errors_are_those_of_repetition() -> None:
    exact = LinearGaussian(6, 2)
    model, rows = exact.vae(0.3, 1.3), ResidentRows(exact.sample(ROWS))
    found = [optimised(model, rows, samples=50, steps=20, seed=seed) for seed in range(20)]
    for name in ("elbo", "encoded_elbo", "amortisation"):
        spread = np.stack([getattr(one, name) for one in found]).std(0, ddof=1)
        claimed = np.stack([getattr(one, f"{name}_se_mc") for one in found])
        assert np.sqrt((spread**2).mean()) == pytest.approx(np.sqrt((claimed**2).mean()), rel=0.15)


def test_the_measuring_noise_is_that_of_the_evidence() -> None:
    exact = LinearGaussian(6, 2)
    model, rows = exact.vae(0.3, 1.3), ResidentRows(exact.sample(7))
    found, ledger = optimised(model, rows, samples=40, steps=5, seed=3), evidence(model, rows, samples=40, seed=3)
    np.testing.assert_allclose(found.encoded_elbo, ledger.terms["elbo"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.encoded_elbo_se_mc, ledger.se_mc["elbo"], rtol=1e-9)
    np.testing.assert_array_equal(found.keys, ledger.keys)
    np.testing.assert_allclose(found.elbo - found.encoded_elbo, found.amortisation, atol=1e-9)


def test_a_row_counts_for_itself_alone() -> None:
    exact = LinearGaussian(6, 2)
    model, x = exact.vae(0.3, 1.3), exact.sample(70)
    x[3] = 1e200
    ticks = []
    whole = optimised(
        model, ResidentRows(x), samples=20, steps=40, progress=lambda done, rows: ticks.append((done, rows))
    )
    assert ticks == [(50, 70), (70, 70)]
    order = torch.randperm(70)
    other = optimised(model, ResidentRows(x[order]), samples=20, steps=40)
    alone = optimised(model, ResidentRows(x[5:6]), samples=20, steps=40)
    for name in ("elbo", "amortisation", "amortisation_se_mc"):
        np.testing.assert_allclose(getattr(other, name), getattr(whole, name)[order.numpy()], rtol=0, atol=1e-7)
        np.testing.assert_allclose(getattr(alone, name), getattr(whole, name)[5:6], rtol=0, atol=1e-7)
    hopeless = np.arange(70) == 3
    assert (np.isnan(whole.amortisation) == hopeless).all()
    assert not whole.moved[3]


def test_nothing_is_touched() -> None:
    exact = LinearGaussian(6, 2)
    model, rows = exact.vae(0.3, 1.3), ResidentRows(exact.sample(5))
    model.decoder.bias.requires_grad_(False)
    model.encoder.weight.grad = torch.ones_like(model.encoder.weight)
    before, generator = [weight.clone() for weight in model.parameters()], torch.random.get_rng_state().clone()
    with torch.no_grad():
        found = optimised(model, rows, samples=10, steps=20)
    assert found.moved.all()
    assert torch.equal(generator, torch.random.get_rng_state())
    for old, (name, weight) in zip(before, model.named_parameters(), strict=True):
        assert torch.equal(old, weight)
        assert weight.requires_grad == (name != "decoder.bias")
        assert weight.grad is None or (name == "encoder.weight" and bool((weight.grad == 1).all()))
    with frozen(model):
        assert not any(weight.requires_grad for weight in model.parameters())
        with pytest.raises(ConfigError), frozen(model.encoder):
            model.features(rows.stored().values)
    assert model.encoder.weight.requires_grad
    assert not model.decoder.bias.requires_grad


def test_the_start_is_kept_where_nothing_better_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = LinearGaussian(6, 2)
    model, rows = exact.vae(0.3, 1.3), ResidentRows(exact.sample(5))
    assert (optimised(model, rows, samples=20, steps=0).amortisation == 0).all()
    monkeypatch.setattr(sys.modules["likely.evaluation.ascent"], "RATE", 1e3)
    lost = optimised(model, rows, samples=20, steps=2)
    assert not lost.moved.any()
    assert (lost.amortisation == 0).all()
    assert (lost.amortisation_se_mc == 0).all()


class Joined(nn.Module):
    """A linear encoder of x, and of y where it is given."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        made: Tensor = self.layer(x if y is None else torch.cat([x, y], -1))
        return made


def model_of(name: str) -> Model:
    """A stirred model whose encoder was never trained."""
    y, likelihood = int(name == "conditional"), Gaussian((CELLS,), 0.7)
    if name == "hierarchy":
        model: Model = HierarchicalVAE(likelihood, Ladder(Joined(CELLS, 8), ResidualMLP(8, CELLS, 8, 1), (1, 2), 8))
    else:
        q = POSTERIORS["normal" if y else name]()
        latent = int(q.event_shape[0])
        prior = {
            "real": priors.StandardNormal(latent),
            "sphere": priors.Hypersphere(latent),
            "codes": priors.Categorical(2, 4),
        }
        encoder, decoder = Joined(CELLS + y, q.parameter_shape.numel()), ResidualMLP(latent + y, CELLS, 8, 1)
        condition = nn.Identity() if y else None
        model = VAE(prior[space_of(name)], likelihood, q, encoder, decoder, condition)
    stir(model)
    return model


@pytest.mark.parametrize("name", [*(name for name in POSTERIORS if name != "categorical"), "hierarchy", "conditional"])
def test_every_posterior_gains_and_stays_below_the_evidence(name: str) -> None:
    model, rows, y = model_of(name), 8, name == "conditional"
    covariates = torch.randn(rows, 1, dtype=torch.float64) if y else None
    drawn = model.likelihood(model.prior().sample(torch.Size((rows,))), covariates).sample()
    x = ResidentRows(drawn, covariates=covariates)
    batch = x.evaluation_batch(torch.arange(rows))
    noise = torch.randn(3, rows, model.posterior(batch).noise_size, dtype=torch.float64)
    apart = model.posterior_from(model.encoded(batch)).from_noise(noise)
    torch.testing.assert_close(apart, model.posterior(batch).from_noise(noise))
    found = optimised(model, x, samples=200, steps=60)
    assert found.moved.mean() > 0.8
    assert np.median(found.amortisation / found.amortisation_se_mc) > 4
    simple = evidence(model, x, samples=10_000, prior_sampling=True)
    above = found.elbo - simple.terms["prior_sampling"]
    assert (above < 4 * np.hypot(found.elbo_se_mc, simple.se_mc["prior_sampling"]) + 0.01).all()
    assert np.median(found.amortisation / (found.amortisation - above)) > 0.5


def test_codes_are_refused() -> None:
    with pytest.raises(ConfigError, match="the gap is not split for a latent of codes"):
        optimised(model_of("categorical"), ResidentRows(torch.randn(3, CELLS, dtype=torch.float64)))


def test_any_numbers_are_a_member_of_the_family_with_a_gradient() -> None:
    model = model_of("hierarchy")
    encoded = model.encoded(Batch(torch.randn(3, CELLS, dtype=torch.float64))).detach().requires_grad_()
    with frozen(model):
        model.posterior_from(encoded).rsample(torch.Size((5,))).sum().backward()
    assert encoded.grad is not None
    assert encoded.grad.abs().min() > 0
    assert all(weight.grad is None for weight in model.parameters())
