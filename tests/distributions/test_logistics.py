"""The mixture of logistics: its gradients, which are written down, against differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from likely.distributions import log_mixture as logarithms
from likely.distributions.log_mixture import log_mixture
from likely.distributions.logistics import OPEN, Logistics

SHAPE = (2, 5, 3, 4)


def parameters() -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    logits, loc, log_scale = torch.randn(3, *SHAPE, dtype=torch.float64, generator=draw).unbind(0)
    return tuple(one.clone().requires_grad_() for one in (logits.log_softmax(-1), loc, 0.5 * log_scale - 1))  # type: ignore[return-value]


def edges() -> tuple[Tensor, Tensor, Tensor]:
    """Cells, the first of which reaches to minus infinity and the last to infinity."""
    draw = torch.Generator().manual_seed(1)
    lower, width = torch.randn(5, 3, 1, generator=draw).double(), 0.2 * torch.rand(5, 3, 1, generator=draw).double()
    upper = lower + width
    lower[0], upper[-1] = -OPEN, OPEN
    width[0] = width[-1] = OPEN
    return lower, upper, width


def test_gradients_of_masses_are_those_of_the_formula() -> None:
    assert torch.autograd.gradcheck(lambda *given: log_mixture(given, edges()), parameters())


def test_gradients_of_densities_are_those_of_the_formula() -> None:
    places = edges()[0][1:]
    given = tuple(one[:, 1:].detach().requires_grad_() for one in parameters())
    assert torch.autograd.gradcheck(lambda *parts: log_mixture(parts, (places,)), given)


def test_weights_on_an_axis_of_their_own_take_gradients_of_their_own() -> None:
    log_weights, loc, log_scale = parameters()
    wide = log_weights.unsqueeze(-2).expand(2, 5, 3, 2, 4).clone().detach().requires_grad_()
    two = tuple(edge.expand(5, 3, 2).unsqueeze(-1) for edge in edges())
    assert torch.autograd.gradcheck(
        lambda w, m, s: log_mixture((w, m.unsqueeze(-2), s.unsqueeze(-2)), two), (wide, loc, log_scale)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_masses_are_differences_of_the_distribution_function(dtype: torch.dtype) -> None:
    mixture = Logistics(*(one.detach().to(dtype) for one in parameters()))
    lower, upper, width = (edge.squeeze(-1) for edge in edges())
    expected = (mixture.below(upper) - mixture.below(lower)).log()
    torch.testing.assert_close(mixture.log_mass(lower, upper, width), expected, rtol=1e-4, atol=1e-5)


def far(dtype: torch.dtype) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Mixtures of narrow and wide components, and cells up to thousands of deviations away from each."""
    draw = torch.Generator().manual_seed(2)
    logits, loc, log_scale = torch.randn(3, 40, 1, 3, 4, dtype=torch.float64, generator=draw).unbind(0)
    lower = 20 * torch.randn(9, 3, 1, dtype=torch.float64, generator=draw)
    width = 10 ** (2 * torch.randn(9, 3, 1, dtype=torch.float64, generator=draw) - 3)
    given = (4 * logits).log_softmax(-1), loc, 1.5 * log_scale - 3
    return tuple(one.to(dtype) for one in given), tuple(one.to(dtype) for one in (lower, lower + width, width))


def by_logarithms(parameters: tuple[Tensor, ...], edges: tuple[Tensor, ...]) -> Tensor:
    log_weights, loc, log_scale = parameters
    a, b = ((edge - loc) / log_scale.exp() for edge in (edges[0], edges[min(1, len(edges) - 1)]))
    parts = log_weights - torch.nn.functional.softplus(a) - torch.nn.functional.softplus(-b)
    inner = (-torch.expm1(-edges[2] / log_scale.exp())).log() if len(edges) > 1 else -log_scale
    return (parts + inner).logsumexp(-1)


@pytest.mark.parametrize("edges_each", [1, 3])
def test_thousands_of_nats_away_the_logarithm_is_exact(edges_each: int) -> None:
    parameters, edges = far(torch.float64)
    expected = by_logarithms(parameters, edges[:edges_each])
    assert expected.min() < -1000
    torch.testing.assert_close(log_mixture(parameters, edges[:edges_each]), expected, rtol=1e-10, atol=1e-10)
    parameters, edges = far(torch.float32)
    torch.testing.assert_close(log_mixture(parameters, edges[:edges_each]), expected.float(), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("closest", [False, True])
@pytest.mark.parametrize("edges_each", [1, 3])
def test_parts_without_gradients_give_what_the_whole_gives(
    edges_each: int, closest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters, edges = far(torch.float64)
    if closest:
        parameters = tuple(one.movedim(0, -1).contiguous().movedim(-1, 0) for one in parameters)
    expected = log_mixture(parameters, edges[:edges_each])
    monkeypatch.setattr(logarithms, "MAX_IN_CACHE", 100)
    with torch.no_grad():
        found = log_mixture(parameters, edges[:edges_each])
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert (found.stride(0) == 1) == closest
