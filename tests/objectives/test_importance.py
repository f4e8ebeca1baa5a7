from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from likely.data import Batch
from likely.distributions import DiagonalNormal, LatentDistribution
from likely.errors import ConfigError
from likely.models import VAE, Terms
from likely.objectives import IWAE, MIWAE, Objective
from likely.posteriors import Posterior
from linear_gaussian import LinearGaussian
from maximising import at, binary, gradients, small


def test_importance_bounds_rise_with_k_and_stay_below_the_evidence() -> None:
    exact = LinearGaussian(8, 3)
    x = exact.sample(2000)
    model, truth = exact.vae(shift=0.3, widen=1.3), exact.log_px(x)
    off = {k: (IWAE(k)(model, Batch(x))[0] - truth).detach() for k in (1, 5, 50)}
    assert off[1].mean() < off[5].mean() < off[50].mean() < 4 * off[50].std() / math.sqrt(len(x))
    assert off[1].mean().item() == pytest.approx(-exact.gap(0.3, 1.3), abs=4 * off[1].std().item() / math.sqrt(2000))
    several = (MIWAE((4, 5))(model, Batch(x))[0] - truth).detach()
    assert abs(several.mean() - off[5].mean()) < 4 * off[5].std() / math.sqrt(len(x))


@pytest.mark.parametrize("gradient", ["plain", "stl", "dreg"])
def test_the_value_is_the_plain_bound_whatever_the_gradient(gradient: str) -> None:
    model, batch = small(), Batch(binary())
    value, terms = at(2, IWAE(6, gradient), model, batch, 0.7)  # type: ignore[arg-type]
    log_w = terms.log_px_z + 0.7 * (terms.log_pz - terms.log_qz_x)
    torch.testing.assert_close(value, log_w.exp().mean(0).log())


@pytest.mark.parametrize("objective", [IWAE(1, "stl"), IWAE(7, "stl"), IWAE(7, "dreg"), MIWAE((2, 4), "dreg")])
def test_the_encoder_rests_where_q_is_exact(objective: Objective) -> None:
    exact = LinearGaussian(6, 2)
    model, batch = exact.vae(), Batch(exact.sample(20))
    found, plain = (gradients(0, one, model, batch) for one in (objective, IWAE(7)))
    assert found["encoder.weight"].abs().max() < 1e-11
    assert found["encoder.bias"].abs().max() < 1e-11
    assert plain["encoder.bias"].abs().max() > 1e-3


class Shifted(Posterior):
    """A posterior that learns something itself."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.event_shape, self.parameter_shape = torch.Size((dim,)), torch.Size((2 * dim,))
        self.shift = nn.Parameter(torch.zeros(dim))

    def forward(self, parameters: Tensor) -> LatentDistribution:
        mean, log_std = parameters.chunk(2, -1)
        return DiagonalNormal(mean + self.shift, log_std)


def test_what_the_posterior_itself_learns_is_held_too() -> None:
    exact = LinearGaussian(6, 2)
    model, batch = exact.vae(), Batch(exact.sample(20))
    model.q_z_x = Shifted(2).double()
    assert gradients(0, IWAE(4, "dreg"), model, batch)["q_z_x.shift"].abs().max() < 1e-11
    assert gradients(0, IWAE(4), model, batch)["q_z_x.shift"].abs().max() > 1e-3
    assert model.q_z_x.shift.requires_grad


def test_without_q_held_the_error_says_what_to_do() -> None:
    terms = small().terms(Batch(binary()))
    with pytest.raises(ConfigError, match="use the plain gradient"):
        _ = Terms(terms.draws, terms.log_px_z, terms.q, terms.p).log_qz_x_held


class Table(nn.Module):
    """An encoder that keeps Q's parameters of every row apart: gradients of one pass are independent draws."""

    def __init__(self, row: Tensor, times: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(row.detach().expand(times, -1).clone())

    def forward(self, _: Tensor) -> Tensor:
        return self.rows


def repeated(exact: LinearGaussian, times: int) -> tuple[VAE, Batch]:
    """One row many times, each with its own Q, which is off the exact one."""
    model, x = exact.vae(shift=0.15, widen=1.15), exact.sample(1)
    model.encoder = Table(model.encoder(x), times)
    return model, Batch(x.expand(times, -1))


@pytest.mark.parametrize("kl_weight", [1.0, 0.4])
@pytest.mark.parametrize("make", [lambda g: IWAE(8, g), lambda g: MIWAE((2, 4), g)])
def test_dreg_agrees_with_the_plain_gradient_in_expectation_and_varies_less(
    make: Callable[[str], Objective], kl_weight: float
) -> None:
    times = 20_000
    model, batch = repeated(LinearGaussian(4, 2), times)
    plain, dreg = (gradients(seed, make(g), model, batch, kl_weight) for seed, g in ((1, "plain"), (2, "dreg")))
    one, two = plain["encoder.rows"] * times, dreg["encoder.rows"] * times
    error = ((one.var(0) + two.var(0)) / times).sqrt()
    assert bool(((one.mean(0) - two.mean(0)).abs() < 4 * error).all())
    assert bool((two.mean(0).abs() > 8 * error).any()), "a test of nothing: the gradient is lost in noise"
    if kl_weight == 1:
        assert bool((two.var(0) < 0.7 * one.var(0)).all())
    same = gradients(2, make("plain"), model, batch, kl_weight)
    for name in ("decoder.weight", "decoder.bias"):
        torch.testing.assert_close(dreg[name], same[name])


def test_sticking_the_landing_is_unbiased_for_one_sample_and_biased_for_several() -> None:
    times = 20_000
    model, batch = repeated(LinearGaussian(4, 2), times)
    off = {}
    for k in (1, 8):
        plain, stl = (gradients(s, IWAE(k, g), model, batch)["encoder.rows"] for s, g in ((1, "plain"), (2, "stl")))
        error = ((plain.var(0) + stl.var(0)) / times).sqrt()
        off[k] = ((plain.mean(0) - stl.mean(0)).abs() / error).max().item()
    assert off[1] < 4
    assert off[8] > 8
