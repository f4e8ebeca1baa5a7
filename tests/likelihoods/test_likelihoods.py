"""One dict of constructors: every likelihood starts near its marginal optimum, and all its parameters learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from families import ERRORS, score_errors
from likely.errors import ConfigError
from likely.likelihoods import (
    Bernoulli,
    Beta,
    Columns,
    DiscretisedLogisticMixture,
    Gamma,
    Gaussian,
    Laplace,
    Likelihood,
    Logistic,
    Mixture,
    NegativeBinomial,
    Poisson,
    StudentT,
    Truncated,
    ZeroInflated,
)
from rooms import EVENT, LIKELIHOODS

ROWS, DRAWS = 1500, 30_000


def drawn(likelihood: Likelihood, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Parameters that say nothing special, and rows drawn with them."""
    torch.manual_seed(seed)
    truth = torch.randn(likelihood.parameter_shape.numel())
    return truth, likelihood(truth).sample(torch.Size((ROWS,)))


def nats(likelihood: Likelihood, parameters: Tensor, rows: Tensor) -> Tensor:
    """Mean log-probability per cell."""
    return likelihood(parameters).log_prob(rows).mean()


def units(row: Tensor) -> Iterator[tuple[list[int], Tensor]]:
    """The place of each cell, and a row that is one there and zero elsewhere."""
    for place in torch.ones_like(row).nonzero().tolist():
        one = torch.zeros_like(row)
        one[tuple(place)] = 1
        yield place, one


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_shapes(name: str) -> None:
    likelihood = LIKELIHOODS[name]()
    assert likelihood.parameter_shape[:-1] == likelihood.event_shape or isinstance(likelihood, Columns)
    assert likelihood.measure in ("mass", "density", "mixed")
    size = likelihood.parameter_shape.numel()
    for prefix in ((), (5,), (3, 4)):
        law = likelihood(torch.randn(*prefix, size))
        x = law.sample()
        assert x.shape == (*prefix, *likelihood.event_shape)
        assert law.log_prob(x).shape == law.cdf(x).shape == x.shape
        assert law.mean.shape == law.mode.shape == x.shape
        assert law.sample(torch.Size((2,))).shape == (2, *x.shape)
        assert torch.isfinite(law.log_prob(x)).all()
        assert ((law.cdf(x) >= 0) & (law.cdf(x) <= 1 + 1e-6)).all()
    law = likelihood(torch.randn(3, 4, size))  # (sample, batch): every sample's law scores the batch's rows
    rows = likelihood(torch.randn(4, size)).sample()
    spread = law.log_prob(rows)
    assert spread.shape == (3, 4, *likelihood.event_shape)
    torch.testing.assert_close(spread, law.log_prob(rows.expand(3, *rows.shape)))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_mean_score_of_draws_is_zero_and_a_small_error_is_caught(name: str) -> None:
    """In the decoder's outputs: change of units, bounds, normalisation and draws at once. 2% of scale, 5% of odds."""
    likelihood = LIKELIHOODS[name]()
    raw = 0.5 * torch.randn(likelihood.parameter_shape.numel(), dtype=torch.float64)
    draws = likelihood(raw).sample(torch.Size((DRAWS,)))
    assert (score_errors(likelihood, [raw], draws) < ERRORS).all()
    direction = torch.randn(len(raw)).sign()
    step = torch.full((1,), 0.02 if likelihood.measure == "density" else 0.05, dtype=torch.float64)
    assert score_errors(lambda s: likelihood(raw + s * direction), [step], draws) > ERRORS


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_cdf_and_log_probability_agree_on_every_cell_alone(name: str) -> None:
    """Steps of the cdf are masses, slopes are densities, and P(X <= the greatest) = 1.

    A cell's law does not depend on the cells after it, whose places hold anything: what is normalised cell by cell is
    normalised over the observed cells, whatever is missing.
    """
    likelihood = LIKELIHOODS[name]()
    law = likelihood(0.5 * torch.randn(200, likelihood.parameter_shape.numel(), dtype=torch.float64))
    x = law.sample().double()
    log_prob, cdf = law.log_prob(x), law.cdf(x)
    torch.testing.assert_close(law.cdf(torch.full_like(x, 1e9)), torch.ones_like(x), rtol=0, atol=1e-6)
    if likelihood.measure == "mass":
        below = [law.cdf(x - one)[..., *place] for place, one in units(x[0])]
        torch.testing.assert_close(cdf - torch.stack(below, -1).view(x.shape), log_prob.exp(), rtol=1e-6, atol=1e-7)
    else:
        h = 1e-6 * x.std(0)
        slope, flat = (law.cdf(x + h) - law.cdf(x - h)) / (2 * h), log_prob < 3
        if likelihood.measure == "mixed":
            held = law.held(x)  # type: ignore[attr-defined]
            jump = (law.cdf(x) - law.cdf(x - 1e-9))[held]
            torch.testing.assert_close(jump, log_prob.exp()[held], rtol=1e-6, atol=1e-6)
            flat = flat & ~held
        torch.testing.assert_close(slope[flat], log_prob.exp()[flat], rtol=1e-4, atol=1e-6)
    other = x.roll(1, 0)
    for cell in range(x[0].numel()):
        mixed = torch.cat([x.flatten(1)[:, : cell + 1], other.flatten(1)[:, cell + 1 :]], 1).view(x.shape)
        torch.testing.assert_close(law.log_prob(mixed).flatten(1)[:, cell], log_prob.flatten(1)[:, cell])


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_initial_is_near_the_marginal_optimum(name: str) -> None:
    likelihood = LIKELIHOODS[name]()
    truth, rows = drawn(likelihood)
    start = likelihood.initial(rows)
    assert start.shape == (likelihood.parameter_shape.numel(),)
    assert start.dtype == torch.float32
    parameters = [nn.Parameter(start.clone()), *likelihood.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=0.05)
    with torch.no_grad():
        first = float(nats(likelihood, start, rows))
        if not list(likelihood.parameters()):
            assert first > float(nats(likelihood, truth, rows)) - 0.1
    best = first
    for _ in range(80):
        optimiser.zero_grad()
        loss = -nats(likelihood, parameters[0], rows)
        loss.backward()
        optimiser.step()
        best = max(best, -float(loss.detach()))
    # A scale of the likelihood's own is learned with the weights, not started.
    assert list(likelihood.parameters()) or first > best - 0.1


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_every_parameter_learns(name: str) -> None:
    likelihood = LIKELIHOODS[name]()
    _, rows = drawn(likelihood)
    network = nn.Linear(2, likelihood.parameter_shape.numel())
    with torch.no_grad():
        network.bias.copy_(likelihood.initial(rows))
    loss = -likelihood(network(torch.randn(ROWS, 2))).log_prob(rows).flatten(1).sum(-1).mean()
    loss.backward()
    assert torch.isfinite(loss)
    for parameter in [network.weight, network.bias, *likelihood.parameters()]:
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
        assert (parameter.grad != 0).float().mean() > 0.9


def test_initial_of_constant_cells_is_finite() -> None:
    for name, value in (("student", 5.0), ("mixture", 5.0), ("truncated", 0.0), ("coupled", 0.0), ("beta", 0.5)):
        likelihood = LIKELIHOODS[name]()
        rows = torch.full((40, *likelihood.event_shape), value, dtype=torch.float64)
        start = likelihood.initial(rows)
        assert torch.isfinite(start).all(), name
        assert torch.isfinite(nats(likelihood, start, rows)), name


def test_data_units_count_the_change_of_variables() -> None:
    for family in (Laplace, Logistic, StudentT):
        small, big = family(EVENT, 5.0, 3.0), family(EVENT, 5e3, 3e3)
        parameters, rows = drawn(small)
        expected = small(parameters).log_prob(rows) - math.log(1e3)
        torch.testing.assert_close(big(parameters).log_prob(1e3 * rows), expected, rtol=1e-4, atol=1e-4)


def test_a_fixed_sigma_is_in_data_units() -> None:
    parameters, rows = drawn(LIKELIHOODS["gaussian:2"]())
    expected = torch.distributions.Normal(5 + 3 * parameters.view(EVENT), 2.0).log_prob(rows.float())
    torch.testing.assert_close(LIKELIHOODS["gaussian:2"]()(parameters).log_prob(rows).float(), expected)


def test_a_table_of_many_families() -> None:
    inflated, mixture = ZeroInflated(NegativeBinomial((1,))), Mixture((1,), 4)
    families = [Bernoulli((2,)), Gamma((2,)), Beta((2,)), Laplace((2,)), Poisson((2,))]
    groups: list[tuple[Likelihood, list[int]]] = [(one, [2 * i, 2 * i + 1]) for i, one in enumerate(families)]
    groups += [(inflated, [11]), (mixture, [10])]
    table = Columns(groups)
    truth = 0.3 * torch.randn(table.parameter_shape.numel())
    rows = table(truth).sample(torch.Size((200,)))
    start = table.initial(rows).requires_grad_()
    loss = -table(start).log_prob(rows).sum(-1).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert start.grad is not None
    assert torch.isfinite(start.grad).all()
    assert table.measure == "mixed"


@pytest.mark.parametrize("make", [Poisson, NegativeBinomial, lambda event: ZeroInflated(Poisson(event))])
def test_means_of_counts_are_in_proportion_to_the_exposure(make: Callable[[tuple[int]], Likelihood]) -> None:
    likelihood, exposure = make((2,)), torch.tensor([[0.5], [1.0], [4.0]])
    parameters = torch.randn(3, likelihood.parameter_shape.numel())
    plain, exposed = likelihood(parameters), likelihood(parameters, exposure.log())
    torch.testing.assert_close(exposed.mean, plain.mean * exposure, check_dtype=False)


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(ConfigError, match=r"H, W, 3"):
        DiscretisedLogisticMixture((2, 3, 4), coupled=True)
    with pytest.raises(ConfigError, match="'predict'"):
        Gaussian(EVENT, "predict")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="positive"):
        Mixture(EVENT, 0)
    with pytest.raises(ConfigError, match="below"):
        Truncated(EVENT, 1.0, 0.0)
