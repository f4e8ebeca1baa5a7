"""The randomised probability integral transform: uniform for the true model, and its deviations told apart."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from likely import likelihoods
from likely.data import ResidentRows
from likely.evaluation import calibrations, dependence, uniforms
from likely.evaluation.diagnosis import pit
from likely.evaluation.sampling import copy_keys, random_subset
from likely.models import VAE
from likely.posteriors import Normal
from likely.priors import StandardNormal
from linear_gaussian import LinearGaussian
from rooms import LIKELIHOODS
from schemas import schema_of
from spiked import WithAtom

ROWS, DIMS, LATENT = 1500, 8, 3
P_VALUE = 1e-4


def pooled(model: VAE, x: Tensor) -> pit.Calibration:
    return calibrations(schema_of(DIMS), uniforms(model, ResidentRows(x)))[0]


def test_uniform_and_independent_for_the_true_model() -> None:
    exact = LinearGaussian(DIMS, LATENT)
    found = uniforms(exact.vae(), ResidentRows(exact.sample(ROWS)))
    assert found.effective == pytest.approx(50, abs=1e-3)
    one = calibrations(schema_of(DIMS), found)[0]
    assert one.verdict == ""
    assert one.numbers == ROWS * DIMS
    assert one.p_value > P_VALUE
    assert abs(one.shift) < 4 * one.shift_se
    assert abs(one.spread - 1) < 4 * one.spread_se
    assert one.histogram.sum() == pytest.approx(1)
    assert scipy.stats.chisquare(one.histogram * one.numbers).pvalue > P_VALUE
    largest, limit = dependence(found.u)
    assert largest < limit


@pytest.mark.parametrize(("factor", "verdict"), [(1.2, "too wide"), (0.8, "too narrow")])
def test_a_deviation_that_is_wrong_by_a_fifth_is_found(factor: float, verdict: str) -> None:
    true, wrong = LinearGaussian(DIMS, LATENT), LinearGaussian(DIMS, LATENT, 0.5 * factor)
    found = pooled(wrong.vae(), true.sample(ROWS))
    assert found.verdict == verdict
    assert found.p_value < 1e-8
    assert (found.spread < 1) == (factor > 1)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_spread_and_shift_are_those_of_the_rows_where_z_says_nothing(factor: float) -> None:
    model = blind(likelihoods.Gaussian((DIMS,), 2.0))
    bias = model.decoder.bias
    assert isinstance(bias, Tensor)
    found = pooled(model, bias.detach() + 0.8 + 2 * factor * torch.randn(ROWS, DIMS, dtype=torch.float64))
    assert found.spread == pytest.approx(factor, abs=4 * found.spread_se)
    assert found.shift == pytest.approx(0.4, abs=4 * found.shift_se)
    assert 0.9 < found.spread_se / (factor / (2 * ROWS * DIMS) ** 0.5) < 1.8


def test_a_shift_is_found_and_its_direction() -> None:
    exact = LinearGaussian(DIMS, LATENT)
    found = pooled(exact.vae(), exact.sample(ROWS) + 0.25)
    assert found.verdict == "shifted: the values are higher"


def test_importance_weights_make_up_for_a_wrong_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = LinearGaussian(DIMS, LATENT, 0.5)
    model, x = exact.vae(shift=0.3, widen=1.3), exact.sample(4000)
    assert pooled(model, x).p_value > P_VALUE
    monkeypatch.setattr(pit, "DRAWS", 1)
    assert pooled(model, x).p_value < 1e-8


def blind(likelihood: likelihoods.Likelihood, weight: float = 0.0) -> VAE:
    """A decoder that hardly reads z, and Q = P."""
    cells = likelihood.event_shape.numel()
    encoder, decoder = nn.Linear(cells, 4), nn.Linear(2, likelihood.parameter_shape.numel())
    with torch.no_grad():
        encoder.weight.zero_()
        encoder.bias.zero_()
        decoder.weight.normal_().mul_(weight)
        decoder.bias.normal_().mul_(0.5)
    model = VAE(StandardNormal(2), likelihood, Normal(2), nn.Sequential(nn.Flatten(), encoder), decoder)
    return model.double()


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_uniform_for_rows_simulated_from_every_likelihood(name: str) -> None:
    torch.manual_seed(4)
    model = blind(LIKELIHOODS[name](), 0.25)
    with torch.no_grad():
        x = model.likelihood(torch.randn(ROWS, 2, dtype=torch.float64)).sample().double()
    found = uniforms(model, ResidentRows(x))
    assert found.effective > 10
    each = found.u.reshape(-1)
    assert ((each >= 0) & (each <= 1)).all()
    assert scipy.stats.kstest(each, "uniform").pvalue > P_VALUE
    largest, limit = dependence(found.u)
    assert largest < limit
    for u in found.u.T:
        assert scipy.stats.kstest(u, "uniform").pvalue > P_VALUE / 12


def test_an_atom_of_a_density_lies_between_what_is_below_it_and_what_is_up_to_it() -> None:
    torch.manual_seed(4)
    model = blind(likelihoods.Columns([(WithAtom(), [0, 2]), (likelihoods.Poisson((1,)), [1])]), 0.25)
    with torch.no_grad():
        x = model.likelihood(torch.randn(ROWS, 2, dtype=torch.float64)).sample().double()
    assert 0.2 < (x[:, 0] == 0).double().mean() < 0.8
    schema = schema_of(3, kinds=("real", "count", "real"), cells_alike=False)
    found = uniforms(model, ResidentRows(x))
    for u in found.u.T:
        assert scipy.stats.kstest(u, "uniform").pvalue > P_VALUE
    assert [c.verdict for c in calibrations(schema, found)] == ["", "", ""]
    model.p_x_z.families[0].share = 0.6
    assert [bool(c.verdict) for c in calibrations(schema, uniforms(model, ResidentRows(x)))] == [True, False, True]


@pytest.mark.parametrize("name", ["bernoulli", "categorical", "poisson", "discretised logistic", "negative binomial"])
def test_masses_that_are_too_sure_are_found(name: str) -> None:
    """Rows from a law whose parameters are nearer to each other, or wider, than the model's."""
    torch.manual_seed(4)
    model = blind(LIKELIHOODS[name](), 0.0)
    with torch.no_grad():
        x = model.likelihood(torch.zeros(ROWS, 2, dtype=torch.float64)).sample().double()
        last = model.decoder.bias
        assert isinstance(last, Tensor)
        last.copy_(3 * last if name in ("bernoulli", "categorical") else last + 0.3)
    assert calibrations(schema_of(2, 3), uniforms(model, ResidentRows(x)))[0].verdict


def test_columns_are_judged_one_by_one_and_by_their_own_measure() -> None:
    torch.manual_seed(4)
    groups = [
        (likelihoods.Gaussian((2,), 1.0), [0, 2]),
        (likelihoods.Poisson((1,)), [1]),
        (likelihoods.Categorical((1,), 3), [3]),
    ]
    model = blind(likelihoods.Columns(groups))
    with torch.no_grad():
        x = model.likelihood(torch.zeros(ROWS, 2, dtype=torch.float64)).sample()
    schema = schema_of(4, kinds=("real", "grid", "real", "categorical"), cells_alike=False)
    assert [c.verdict for c in calibrations(schema, uniforms(model, ResidentRows(x)))] == ["", "", "", ""]
    x[:, 2] = x[:, 2].mean() + 1.3 * (x[:, 2] - x[:, 2].mean())
    x[:, 3] = torch.randint(0, 2, (ROWS,)).double() * 2
    found = calibrations(schema, uniforms(model, ResidentRows(x)))
    assert [c.name for c in found] == ["c0", "c1", "c2", "c3"]
    assert [c.verdict for c in found] == ["", "", "too narrow", "probabilities are off"]


def test_dependence_is_found_where_z_is_not_read() -> None:
    exact = LinearGaussian(DIMS, LATENT)
    model = blind(likelihoods.Gaussian((DIMS,), 1.0))
    largest, limit = dependence(uniforms(model, ResidentRows(exact.sample(300))).u)
    assert largest > 1.3 * limit
    passed = 0
    for _ in range(200):
        largest, limit = dependence(np.random.default_rng(passed).uniform(size=(100, 40)))
        passed += largest < limit
    assert passed == 200


def test_the_numbers_of_a_row_do_not_depend_on_the_others_or_on_torch() -> None:
    exact = LinearGaussian(DIMS, LATENT)
    model, x = exact.vae(0.2, 1.1), exact.sample(120)
    before = torch.random.get_rng_state().clone()
    whole = uniforms(model, ResidentRows(x)).u
    order = torch.randperm(120, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(uniforms(model, ResidentRows(x[order])).u, whole[order.numpy()], atol=1e-6)
    np.testing.assert_allclose(uniforms(model, ResidentRows(x[7:8])).u, whole[7:8], atol=1e-6)
    assert torch.equal(before, torch.random.get_rng_state())
    assert abs(uniforms(model, ResidentRows(x), seed=1).u - whole).max() > 0.01


def test_equal_rows_get_noise_of_their_own() -> None:
    model = blind(likelihoods.Bernoulli((4,)))
    with torch.no_grad():
        found = uniforms(model, ResidentRows(torch.ones(2000, 4).double())).u
        below = model.likelihood(torch.zeros(1, 2, dtype=torch.float64)).cdf(torch.zeros(1, 4))[0].numpy()
    for u, low in zip(found.T, below, strict=True):
        assert scipy.stats.kstest((u - low) / (1 - low), "uniform").pvalue > P_VALUE


def test_a_part_of_the_rows_is_chosen_by_what_they_are() -> None:
    values = torch.randint(0, 4, (5000, 2)).double()
    keys = copy_keys(ResidentRows(values), 3)
    assert len(keys.unique()) == 5000
    order = torch.randperm(5000)
    assert torch.equal(copy_keys(ResidentRows(values[order]), 3).sort().values, keys.sort().values)
    part = random_subset(ResidentRows(values), 2000, 3)
    assert len(part) == 2000
    counts = torch.bincount((part.stored().values @ torch.tensor([4.0, 1.0]).double()).long(), minlength=16)
    expected = torch.bincount((values @ torch.tensor([4.0, 1.0]).double()).long(), minlength=16) * 0.4
    assert (((counts - expected) / (0.6 * expected).sqrt()).abs() < 4.5).all()
    again = random_subset(ResidentRows(values[order]), 2000, 3)
    assert torch.equal(again.stored().values.sort(0).values, part.stored().values.sort(0).values)
    pixels = ResidentRows(torch.randint(0, 256, (300, 2, 2)).to(torch.uint8), "static", 255.0)
    assert random_subset(pixels, 20, 3).binarize is None
