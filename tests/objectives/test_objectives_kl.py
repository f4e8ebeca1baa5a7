from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from likely.data import Batch
from likely.distributions import DiagonalNormal
from likely.models import VAE, Terms
from likely.objectives import ELBO, MMD, BetaTC, Capacity, FreeBits
from likely.objectives.aggregate import squared_mmd
from maximising import at, binary, gradients, small


def test_a_kl_under_its_floor_gets_no_gradient() -> None:
    class Reconstruction(ELBO):
        def __call__(self, model: VAE, batch: Batch, *_: Any) -> tuple[Tensor, Terms]:
            terms = model.terms(batch)
            return terms.log_px_z.mean(0), terms

    model, batch = small(), Batch(binary())
    expected, terms = at(0, Reconstruction(), model, batch)
    wanted = gradients(0, Reconstruction(), model, batch)
    for objective, floor in ((FreeBits(50.0), 100.0), (FreeBits(50.0, "total"), 50.0)):
        torch.testing.assert_close(at(0, objective, model, batch, 0.5)[0], expected - 0.5 * floor)
        for name, grad in gradients(0, objective, model, batch).items():
            assert torch.equal(grad, wanted[name])
    means = 0.5 * (terms.q.mean.square() + terms.q.variance - 1 - terms.q.variance.log()).mean(0)
    middle = means.mean().item()
    expected_mean = expected.mean() - means.clamp(min=middle).sum()
    torch.testing.assert_close(at(0, FreeBits(middle), model, batch)[0].mean(), expected_mean)


def test_capacity_asks_for_a_kl_that_warm_up_raises() -> None:
    model, batch = small(), Batch(binary())
    value, terms = at(0, Capacity(4.0, gamma=7.0), model, batch, 0.5)
    torch.testing.assert_close(value, terms.log_px_z.mean(0) - 7 * (terms.kl - 2).abs())


def test_the_parts_of_the_kl_sum_to_it_and_are_right_with_exact_weights() -> None:
    means, log_std = torch.tensor([[-1.0], [0.5], [2.0]]).double(), torch.tensor([[-1.0], [-0.5], [0.0]]).double()
    q, p = DiagonalNormal(means, log_std), DiagonalNormal(torch.zeros(1).double(), torch.zeros(1).double())
    draws = q.sample_with_log_prob(20_000)
    terms = Terms(draws, draws.z.new_zeros(draws.z.shape[:2]), q, p)
    information, correlation, dimensions = BetaTC(1.0, dataset_size=1).decompose(
        terms
    )  # N = 1: Q(z) of the whole batch
    torch.testing.assert_close(information + correlation + dimensions, terms.log_qz_x - terms.log_pz)
    assert correlation.abs().max() < 1e-12  # one dimension

    grid = torch.linspace(-12, 12, 20_001).double().unsqueeze(-1)
    each = DiagonalNormal(means.unsqueeze(1), log_std.unsqueeze(1)).log_prob(grid)
    mixed = each.logsumexp(0) - math.log(3)
    for part, integrand in (
        (information, (each.exp() * (each - mixed)).mean(0)),
        (dimensions, mixed.exp() * (mixed - p.log_prob(grid))),
    ):
        truth = torch.trapezoid(integrand, grid.squeeze(-1)).item()
        per_draw = part.mean(1)
        assert per_draw.mean().item() == pytest.approx(truth, abs=4 * per_draw.std().item() / math.sqrt(len(draws.z)))

    wide = small().terms(Batch(binary()), 5)
    parts = BetaTC(6.0, dataset_size=60_000).decompose(wide)
    torch.testing.assert_close(sum(parts), wide.log_qz_x - wide.log_pz)


def test_one_row_holds_no_information_and_its_dimensions_are_independent() -> None:
    terms = small().terms(Batch(binary(1)), 5)
    information, correlation, dimensions = BetaTC(6.0, dataset_size=1).decompose(terms)
    nothing = torch.zeros_like(dimensions)
    torch.testing.assert_close(information, nothing)
    torch.testing.assert_close(correlation, nothing)
    torch.testing.assert_close(dimensions, terms.log_qz_x - terms.log_pz)


def test_the_discrepancy_is_zero_for_equal_samples_and_positive_otherwise() -> None:
    a, b = torch.randn(100, 3).double(), torch.randn(100, 3).double()
    scales = MMD(1.0).scales
    assert squared_mmd(a, a, scales).item() == 0
    assert 0 < squared_mmd(a, b, scales) < squared_mmd(a, b + 0.5, scales) < squared_mmd(a, b + 2, scales)
    torch.testing.assert_close(squared_mmd(a, b, scales), squared_mmd(b, a, scales))
    one = squared_mmd(torch.zeros(1, 1), torch.full((1, 1), 3.0), (0.5,))
    assert one.item() == pytest.approx(2 - 2 * 1 / (1 + 9))
    a, b = a[:10], b[:20]
    each = [squared_mmd(a, b, (scale,)) for scale in (0.5, 2.0)]
    torch.testing.assert_close(squared_mmd(a, b, (0.5, 2.0)), (each[0] + each[1]) / 2)
