"""Priors and posteriors: one dict of constructors each; a new one enters it and meets every test of the room."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from references import references
from safetensors.torch import save
from torch import Tensor, nn

from likely import posteriors, priors
from likely.data import Batch, EncodedRows
from likely.distributions import DiagonalNormal, LatentDistribution, LatentMixture, OneHot, VonMisesFisher
from likely.evaluation import evidence, ledger
from likely.likelihoods import Gaussian
from likely.models import VAE
from likely.objectives import ELBO, loss
from likely.posteriors import Posterior
from likely.priors import Prior
from likely.training.validate import validate

DIM, CELLS, ROWS, DRAWS = 3, 5, 40, 40_000
GROUPS, CLASSES = 2, 4
# Family-wise false alarm 1e-3 over fewer than 100 checks.
P_VALUE = 1e-5

PRIORS: dict[str, Callable[[], Prior]] = {
    "standard normal": lambda: priors.StandardNormal(DIM),
    "diagonal normal": lambda: priors.DiagonalNormal(DIM),
    "mixture": lambda: priors.Mixture(DIM, 4),
    "vamp": lambda: priors.Vamp(DIM, (CELLS,), 6),
    "exemplar": lambda: priors.Exemplar(DIM, ROWS, 4),
    "flow, coupling": lambda: priors.Flow(DIM, 2, hidden=(16,)),
    "flow, spline": lambda: priors.Flow(DIM, 1, "spline", hidden=(16,)),
    "flow, autoregressive": lambda: priors.Flow(DIM, 2, "autoregressive", hidden=(16,)),
    "flow of one dimension": lambda: priors.Flow(1, 2, "autoregressive"),
    "hypersphere": lambda: priors.Hypersphere(DIM),
    "circle": lambda: priors.Hypersphere(2),
    "categorical": lambda: priors.Categorical(GROUPS, CLASSES),
    "vamp of codes": lambda: priors.Vamp(GROUPS * CLASSES, (CELLS,), 6),
}
POSTERIORS: dict[str, Callable[[], Posterior]] = {
    "normal": lambda: posteriors.Normal(DIM),
    "full normal": lambda: posteriors.FullNormal(DIM),
    "mixture": lambda: posteriors.Mixture(DIM, 3),
    "flow, iaf": lambda: posteriors.Flow(DIM, 2, context=4, hidden=(16,)),
    "flow, coupling": lambda: posteriors.Flow(DIM, 2, "coupling", context=4, hidden=(16,)),
    "von Mises-Fisher": lambda: posteriors.VonMisesFisher(DIM),
    "von Mises": lambda: posteriors.VonMisesFisher(2),
    "categorical": lambda: posteriors.Categorical(GROUPS, CLASSES),
}


def stir(module: nn.Module) -> nn.Module:
    """Away from the start, where every law is nearly the standard normal; in float64."""
    module.double()
    size = 0.1 if isinstance(module, priors.Flow | posteriors.Flow) else 0.3
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(size * torch.randn_like(weight))
    return module


def encode(values: Tensor) -> DiagonalNormal:
    return DiagonalNormal(0.5 * values[..., :DIM].double(), torch.full_like(values[..., :DIM].double(), -0.7))


def prior_law(name: str) -> LatentDistribution:
    prior = PRIORS[name]()
    prior.initialise(torch.randn(ROWS, CELLS))
    stir(prior)
    law: LatentDistribution = prior.eval()(encode)
    return law


def posterior_law(name: str, rows: int = 2, training: bool = False) -> LatentDistribution:
    posterior = POSTERIORS[name]().train(training)
    stir(posterior)
    law: LatentDistribution = posterior(0.7 * torch.randn(rows, *posterior.parameter_shape, dtype=torch.float64))
    return law


LAWS: dict[str, Callable[[], LatentDistribution]] = {
    **{f"P: {name}": (lambda name=name: prior_law(name)) for name in PRIORS if name != "vamp of codes"},  # type: ignore[misc]
    **{f"Q: {name}": (lambda name=name: posterior_law(name)) for name in POSTERIORS},  # type: ignore[misc]
    "Q: categorical, relaxed": lambda: posterior_law("categorical", training=True),
    "mixture on a sphere": lambda: LatentMixture(
        torch.randn(4).double(),
        VonMisesFisher(F.normalize(torch.randn(4, DIM).double(), dim=-1), torch.tensor([0.5, 2.0, 4.0, 8.0]).double()),
    ),
    "mixture of codes": lambda: LatentMixture(
        torch.randn(3).double(), OneHot(torch.randn(3, GROUPS, CLASSES).double())
    ),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("prefix", [(), (7,), (4, 3)])
def test_shapes(name: str, prefix: tuple[int, ...]) -> None:
    law = LAWS[name]()
    event = (*law.batch_shape, *law.event_shape)
    z = law.rsample(torch.Size(prefix))
    assert z.shape == law.sample(torch.Size(prefix)).shape == (*prefix, *event)
    assert law.log_prob(z).shape == z.shape[:-1]
    torch.testing.assert_close(law.log_prob(z.clone()), law.log_prob(z))
    noise = torch.randn(*prefix, *law.batch_shape, law.noise_size, dtype=torch.float64)
    assert law.from_noise(noise).shape == z.shape
    assert law.mean.shape == law.variance.shape == event
    wide = law.expand((5, *law.batch_shape)) if not law.batch_shape else law.expand((5, law.batch_shape[0]))
    assert wide.log_prob(wide.sample(torch.Size(prefix))).shape == (*prefix, *wide.batch_shape)
    if law.batch_shape:
        torch.testing.assert_close(law.at(torch.tensor([1])).log_prob(z[..., 1:, :]), law.log_prob(z)[..., 1:])


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("how", ["sample", "rsample", "from_noise"])
def test_draws_fit_log_probabilities(name: str, how: str) -> None:
    """E over draws of r(z)/p(z) is 1 for every normalised r within the support: wrong scales and shifts show."""
    law = LAWS[name]()
    with torch.no_grad():
        if how == "from_noise":
            z = law.from_noise(torch.randn(DRAWS, *law.batch_shape, law.noise_size, dtype=torch.float64))
        else:
            z = getattr(law, how)(torch.Size((DRAWS,)))
        centre, spread = z.mean(0), z.std(0)
        torch.testing.assert_close(law.mean, centre, rtol=0, atol=0.3)
        torch.testing.assert_close(law.variance, spread.square(), rtol=0.5, atol=0)
        for other in references(law, z):
            ratio = (other - law.log_prob(z.clone())).exp()
            error = ratio.std(0) / DRAWS**0.5
            assert ((ratio.mean(0) - 1).abs() < 4 * error).all(), (ratio.mean(0), error)
            assert (error < 0.05).all()


@pytest.mark.parametrize("name", LAWS)
def test_the_density_integrates_to_the_marginal_of_the_draws(name: str) -> None:
    """Kolmogorov-Smirnov of z_0: the draws of `sample` and of `from_noise` against each other, independently made."""
    law = LAWS[name]()
    with torch.no_grad():
        made = law.from_noise(torch.randn(DRAWS, *law.batch_shape, law.noise_size, dtype=torch.float64))
        for a, b in zip(law.sample(torch.Size((DRAWS,))).flatten(1).T, made.flatten(1).T, strict=True):
            assert scipy.stats.ks_2samp(a.numpy(), b.numpy()).pvalue > P_VALUE


@pytest.mark.parametrize("name", POSTERIORS)
def test_the_reparameterised_gradient_is_the_score_function_gradient(name: str) -> None:
    posterior = stir(POSTERIORS[name]())
    parameters = (0.7 * torch.randn(1, *posterior.parameter_shape, dtype=torch.float64)).requires_grad_()
    weights = [parameters, *posterior.parameters()]
    blocks, found = 40, []
    for _ in range(blocks):
        law = posterior(parameters)
        z = law.rsample(torch.Size((1000,)))
        path = torch.autograd.grad(torch.sin(z + z.roll(1, -1)).sum(-1).mean(), weights, allow_unused=True)
        law = posterior(parameters)
        z = law.sample(torch.Size((1000,))).detach()
        f = torch.sin(z + z.roll(1, -1)).sum(-1)
        score = torch.autograd.grad(((f - f.mean()) * law.log_prob(z)).mean() * 1000 / 999, weights)
        found.append(torch.cat([((0 if a is None else a) - b).flatten() for a, b in zip(path, score, strict=True)]))
    difference = torch.stack(found)
    standardised = difference.mean(0) / (difference.std(0) / blocks**0.5).clamp_min(1e-12)
    # 4 standard errors for one number; for hundreds at once, by Student's t with 39 degrees of freedom.
    assert standardised.abs().max() < scipy.stats.t.isf(P_VALUE / len(standardised), blocks - 1)


def build(prior: str, posterior: str, start: Tensor | None = None) -> VAE:
    p, q = PRIORS[prior](), POSTERIORS[posterior]()
    if start is not None:
        p.initialise(start)
    return VAE(
        p, Gaussian((CELLS,), 1.0), q, nn.Linear(CELLS, q.parameter_shape.numel()), nn.Linear(p.event_shape[0], CELLS)
    )


def same_space(prior: Prior, posterior: Posterior) -> bool:
    return prior.space in (None, posterior.space) and prior.event_shape == posterior.event_shape


PAIRS = [(p, q) for p in PRIORS for q in POSTERIORS if same_space(PRIORS[p](), POSTERIORS[q]())]
CLOSED = {
    *((p, q) for p in ("standard normal", "diagonal normal") for q in ("normal", "full normal")),
    ("hypersphere", "von Mises-Fisher"),
    ("circle", "von Mises"),
    ("categorical", "categorical"),
}


@pytest.mark.parametrize(("prior", "posterior"), PAIRS)
def test_every_pair_learns_evaluates_and_survives_saving(prior: str, posterior: str) -> None:
    x = torch.randn(ROWS, CELLS)
    model = build(prior, posterior, x)
    value, terms = loss(model, Batch(x[:8], rows=torch.arange(8)), ELBO(samples=2))
    value.backward()
    closed = (prior, posterior) in CLOSED
    assert terms.kl_kind == ("closed form" if closed else "sampled")
    assert torch.isfinite(value)
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
    model.eval()
    found = evidence(model, EncodedRows(x[:6]), samples=50, prior_sampling=True, cells=900)
    entries = ledger(found, dims=CELLS, split="", measure="density", seed=0, seconds=0, versions={})
    assert entries["kl"].kind.endswith(terms.kl_kind)
    assert (entries["kl"].samples is None) == (entries["kl"].se_mc == 0) == closed
    assert entries["elbo"].nats == pytest.approx(entries["reconstruction"].nats - entries["kl"].nats)
    one = validate(model, EncodedRows(x[:6]), 0)[0]  # of one sample a row, where the ledger has 50
    assert abs(one - entries["elbo"].nats) < 6 * 51**0.5 * entries["elbo"].se_mc
    model.eval().prior()
    state = model.state_dict()
    assert len(save(state)) > 0  # refuses tensors that share memory
    other = build(prior, posterior)
    other.load_state_dict(copy.deepcopy(state))
    again = evidence(other, EncodedRows(x[:6]), samples=50, prior_sampling=True, cells=900)
    for name, values in found.terms.items():
        assert values == pytest.approx(again.terms[name], abs=1e-6), name
