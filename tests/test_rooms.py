"""Every public class enters the dict of its room, and what every member of a room survives."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from extreme import EXTREME
from families import DENSITIES, MASSES, make, t
from likely.data import Batch
from likely.distributions import DiagonalNormal, LatentDistribution, LocationScale, Univariate
from likely.errors import ConfigError
from likely.likelihoods import Likelihood
from likely.models import VAE, Integrated
from likely.networks import Standardise
from likely.objectives import Loss
from likely.posteriors import Normal, Posterior
from likely.priors import FromPosterior, Prior, StandardNormal
from rooms import (
    CELLS,
    DIM,
    LAWS,
    LIKELIHOODS,
    OBJECTIVES,
    POSTERIORS,
    PRIORS,
    ROWS,
    encode,
    encode_codes,
    law_of,
    places,
    rows_of,
    space_of,
    started,
    stir,
)

CONTRACTS = {LatentDistribution, LocationScale, Univariate, Loss}  # torch's Distribution has no abstract classes
CELL_LAWS = [
    *(make(name) for name in (*DENSITIES, *MASSES)),
    *(law(t(0, 0, 0), t(0, 0, 0)) for law, _ in EXTREME.values()),
]
ROOMS: dict[str, Callable[[], Iterable[Any]]] = {
    "priors": lambda: (one() for one in PRIORS.values()),
    "posteriors": lambda: (one() for one in POSTERIORS.values()),
    "likelihoods": lambda: (one() for one in LIKELIHOODS.values()),
    "objectives": lambda: (one for one, _, _ in OBJECTIVES.values()),
    "distributions": lambda: [*(one() for one in LAWS.values()), *CELL_LAWS],
}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_class_is_in_the_dict_of_its_room(room: str) -> None:
    module = importlib.import_module(f"likely.{room}")
    public = {value for name in module.__all__ if inspect.isclass(value := getattr(module, name))}
    final = {one for one in public - CONTRACTS if not inspect.isabstract(one)}
    met = {type(one) for one in ROOMS[room]()}
    assert {one.__name__ for one in final - met} == set()


MODULES: dict[str, Callable[[], Prior | FromPosterior | Posterior | Likelihood]] = {
    **{f"P(z): {name}": make for name, make in PRIORS.items()},
    **{f"Q(z|x): {name}": make for name, make in POSTERIORS.items()},
    **{f"P(x|z): {name}": make for name, make in LIKELIHOODS.items()},
}


def log_probs(module: nn.Module, name: str) -> Tensor:
    """Of fixed values."""
    torch.manual_seed(5)
    if isinstance(module, Prior | FromPosterior):
        z = places(space_of(name), 7, *module.event_shape).double()
        found: Tensor = law_of(module.eval(), encode_codes if "codes" in name else encode).log_prob(z)
    elif isinstance(module, Posterior):
        z = places(space_of(name), 7, *module.event_shape).double()
        found = module.eval()(torch.randn(7, *module.parameter_shape).double()).log_prob(z)
    else:
        assert isinstance(module, Likelihood)
        found = module(torch.randn(module.parameter_shape.numel())).log_prob(rows_of(module, 7))
    return found


@pytest.mark.parametrize("name", MODULES)
def test_state_survives_and_no_tensor_is_stored_twice(name: str) -> None:
    one, other = MODULES[name](), MODULES[name]()
    if isinstance(one, FromPosterior):
        one.initialise(torch.randn(ROWS, CELLS))
    stir(one)
    other.double()
    expected, state = log_probs(one, name), one.state_dict()
    stored = load(save({key: value.clone() for key, value in state.items()}))
    places = [value.untyped_storage().data_ptr() for value in state.values() if value.numel()]
    assert len(places) == len(set(places))
    learned = [value for key, value in state.items() if key in dict(one.named_parameters())]
    for i, value in enumerate(learned):
        assert not any(value.shape == same.shape and torch.equal(value, same) for same in learned[:i])
    if list(one.parameters()):
        assert not torch.equal(
            log_probs(other, name) if not isinstance(one, Prior | FromPosterior) else torch.zeros(()), expected
        )
    other.load_state_dict(stored)
    torch.testing.assert_close(log_probs(other, name), expected, rtol=0, atol=0)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_learns_by_every_objective(likelihood: str, objective: str) -> None:
    """One step: the value is finite, every parameter receives a gradient, and the optimiser may follow it."""
    torch.manual_seed(1)
    p_x_z = LIKELIHOODS[likelihood]()
    rows = rows_of(p_x_z, 8)
    cells = p_x_z.event_shape.numel()
    flat = rows.flatten(1).double()
    encoder = nn.Sequential(Standardise(flat.mean(), flat.std() + 1e-3, cells), nn.Linear(cells, 4))
    model = VAE(StandardNormal(2), p_x_z, Normal(2), encoder, nn.Linear(2, p_x_z.parameter_shape.numel()))
    value, _ = Loss(model, OBJECTIVES[objective][0])(Batch(rows), 0.5)
    value.backward()
    assert value.isfinite()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name
    torch.optim.SGD(model.parameters(), 1e-6).step()
    assert Loss(model, OBJECTIVES[objective][0])(Batch(rows), 0.5)[0].isfinite()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_learns_where_z_is_integrated_out(likelihood: str) -> None:
    torch.manual_seed(1)
    p_x_z = LIKELIHOODS[likelihood]()
    rows = rows_of(p_x_z, 8)
    model = Integrated(StandardNormal(2), p_x_z, nn.Linear(2, p_x_z.parameter_shape.numel()), 16)
    value, _ = Loss(model, OBJECTIVES["elbo"][0])(Batch(rows))
    value.backward()
    assert value.isfinite()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


# Of these the KL has parts, Q has a density, or samples of z are moved.
NEED_NORMALS = {"free-bits", "iwae-stl", "iwae-dreg", "miwae-dreg", "beta-tc", "beta-tc-1", "mmd", "info-vae"}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_learns_where_z_is_integrated_out_or_says_why_not(objective: str) -> None:
    torch.manual_seed(1)
    p_x_z = LIKELIHOODS["bernoulli"]()
    model = Integrated(StandardNormal(2), p_x_z, nn.Linear(2, p_x_z.parameter_shape.numel()), 16)
    loss, batch = Loss(model, OBJECTIVES[objective][0]), Batch(rows_of(p_x_z, 8))
    if objective in NEED_NORMALS:
        with pytest.raises(ConfigError):
            loss(batch, 0.5)
        return
    value, _ = loss(batch, 0.5)
    value.backward()
    assert value.isfinite()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def wild(shape: torch.Size, dtype: torch.dtype, size: float) -> Tensor:
    """Network outputs of this size: all of one sign, alternating, and any which way."""
    one = torch.ones(shape)
    alternating = (-1.0) ** torch.arange(shape.numel()).view(shape)
    signs = torch.stack([one, -one, alternating, *torch.randn(5, *shape).sign()])
    return (size * signs).to(dtype).requires_grad_()


def assert_finite(value: Tensor, inputs: list[Tensor]) -> None:
    assert value.isfinite().all()
    if not value.requires_grad:
        return
    for found in torch.autograd.grad(value.sum(), inputs, allow_unused=True, retain_graph=True):
        assert found is None or found.isfinite().all()


# The values at the ends of what a likelihood is asked about; of reals, a million scales away.
ENDS: dict[str, tuple[float, ...]] = {
    "bernoulli": (0, 1),
    "categorical": (0, 3),
    "discretised logistic": (0, 13, 31),
    "discretised logistic mixture": (0, 13, 31),
    "coupled": (0, 13, 31),
    "warped, positive": (1e-6, 4, 1e6),
    "lognormal": (1e-6, 4, 1e6),
    "gamma": (1e-6, 4, 1e6),
    "beta": (1e-9, 0.5, 1 - 1e-9),
    "beta on an interval": (-2 + 1e-9, 0, 7 - 1e-9),
    "poisson": (0, 3, 1e6),
    "negative binomial": (0, 3, 1e6),
    "zero-inflated poisson": (0, 3, 1e6),
    "zero-inflated nb": (0, 3, 1e6),
    "truncated": (0, 4, 8),
    "truncated below": (2, 4, 1e6),
    "warped counts": (0, 5, 3e6),
    "warped, cut": (2, 5, 20),
    "warped levels, cut": (2, 5, 20),
    "resolutions": (0, 5, 31),
    "listed": (0, 5, 20),
    "spikes of a grid": (0, 5, 31),
    "columns of masses": (0, 1),
    "columns of densities": (1e-6, 0.5, 1 - 1e-6),
}


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0.0, 30.0, 100.0])
def test_a_wild_decoder_gives_finite_numbers(name: str, dtype: torch.dtype, size: float) -> None:
    likelihood = LIKELIHOODS[name]()
    raw = wild(torch.Size((likelihood.parameter_shape.numel(),)), dtype, size)
    law = likelihood(raw)
    for value in (*ENDS.get(name, (-3e6, 5.0, 3e6)), *rows_of(likelihood, 2)):
        x = torch.as_tensor(value, dtype=torch.float64).expand(likelihood.event_shape)
        assert_finite(law.log_prob(x), [raw, *likelihood.parameters()])
        assert law.cdf(x).isfinite().all()
    drawn = law.sample()
    assert not drawn.isnan().any()


@pytest.mark.parametrize("name", POSTERIORS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0.0, 30.0, 100.0])
def test_a_wild_encoder_gives_finite_numbers(name: str, dtype: torch.dtype, size: float) -> None:
    posterior = stir(POSTERIORS[name]()).to(dtype)
    raw = wild(posterior.parameter_shape, dtype, size)
    inputs = [raw, *posterior.parameters()]
    law = posterior(raw)
    z = law.rsample(torch.Size((6,)))
    assert_finite(z, inputs)
    assert_finite(law.log_prob(z), inputs)
    for place in (z.detach().clone(), torch.zeros_like(z), torch.full_like(z, 100.0)):
        assert_finite(posterior(raw).log_prob(place), inputs)


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0.0, 5.0, 30.0])
def test_a_wild_prior_gives_finite_numbers(name: str, dtype: torch.dtype, size: float) -> None:
    """Its weights moved by `size`, and z as far away as a posterior can put it."""
    prior = started(PRIORS[name](), torch.randn(ROWS, CELLS))
    prior.to(dtype)
    with torch.no_grad():
        for weight in prior.parameters():
            weight.add_(size * torch.randn_like(weight).sign())

    def q(x: Tensor) -> LatentDistribution:
        if "codes" in name:
            return encode_codes(x)
        mean = x[..., :DIM].to(dtype)
        return DiagonalNormal(mean, torch.full_like(mean, -0.7))

    for law in (law_of(prior.train(), q, torch.arange(4)), law_of(prior.eval(), q)):
        for far in (0.0, 1.0, 100.0, -300.0):
            z = places(space_of(name), 6, 4, *prior.event_shape).to(dtype)
            z = (z + far if space_of(name) == "real" else z).requires_grad_()
            assert_finite(law.log_prob(z), [z, *prior.parameters()])
    z = law_of(prior.eval(), q).rsample(torch.Size((9,)))
    assert_finite(z, list(prior.parameters()) if z.requires_grad else [z.requires_grad_()])
