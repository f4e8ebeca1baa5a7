"""A mixture of normals: what is known of missing coordinates, against dense algebra, and what EM learns."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from likely.models.given import MANY_ROWS, Masks

COMPONENTS, DIM = 3, 5


def mixture() -> tuple[Tensor, Tensor]:
    """Means and covariances."""
    generator = torch.Generator().manual_seed(2)
    root = torch.randn(COMPONENTS, DIM, 2 * DIM, generator=generator, dtype=torch.float64)
    return torch.randn(COMPONENTS, DIM, generator=generator, dtype=torch.float64), root @ root.mT / DIM


@pytest.mark.parametrize("alike", [False, True])
def test_normals_given_some_coordinates_are_those_of_dense_algebra(alike: bool) -> None:
    means, covariances = mixture()
    generator = torch.Generator().manual_seed(3)
    y = torch.randn(40, DIM, generator=generator, dtype=torch.float64)
    known = torch.rand(40, DIM, generator=generator) < 0.6
    known[0], known[1] = False, True
    if alike:
        known[2:] = known[2]  # more rows than are taken with others
        assert len(known) - 2 > MANY_ROWS
    met = []
    for given in Masks(y, known).given(means, covariances):
        for place, row in enumerate(given.rows.tolist()):
            met.append(row)
            o, m = known[row].nonzero().squeeze(1), (~known[row]).nonzero().squeeze(1)
            for k in range(COMPONENTS):
                block = covariances[k][o][:, o]
                solved = torch.linalg.solve(block, y[row, o] - means[k, o])
                expected = means[k, m] + covariances[k][m][:, o] @ solved
                torch.testing.assert_close(given.away[place, k, m], expected - means[k, m])
                torch.testing.assert_close(given.away[place, k, o], y[row, o] - means[k, o])
                log_p = MultivariateNormal(means[k, o], block).log_prob(y[row, o]) if len(o) else torch.zeros(())
                assert math.isclose(float(given.log_density[place, k]), float(log_p), abs_tol=1e-8)
                left = covariances[k][m][:, m] - covariances[k][m][:, o] @ torch.linalg.solve(
                    block, covariances[k][o][:, m]
                )
                order = given.missing[given.mask[place]]
                assert sorted(order.tolist()) == m.tolist()
                torch.testing.assert_close(
                    given.spread[given.mask[place], k], left[order.argsort().argsort()][:, order.argsort().argsort()]
                )
    assert sorted(met) == list(range(40))
