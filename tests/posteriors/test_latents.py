"""Priors and posteriors: one dict of constructors each; a new one enters it and meets every test of the room."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import scipy.stats
import torch
from safetensors.torch import save
from torch import Tensor, nn

from likely.data import Batch, ResidentRows
from likely.distributions import LatentMixture
from likely.evaluation import evidence, ledger
from likely.likelihoods import Gaussian
from likely.models import VAE
from likely.objectives import ELBO, Loss
from likely.posteriors import Posterior
from likely.priors import FromPosterior, Prior
from likely.training.validate import validate
from references import references
from rooms import CELLS, LAWS, POSTERIORS, PRIORS, ROWS, law_of, space_of, started, stir

DRAWS = 40_000
# Family-wise false alarm 1e-3 over fewer than 100 checks.
P_VALUE = 1e-5


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("prefix", [(), (7,), (4, 3)])
def test_shapes(name: str, prefix: tuple[int, ...]) -> None:
    law = LAWS[name]()
    event = (*law.batch_shape, *law.event_shape)
    z = law.rsample(torch.Size(prefix))
    assert law.log_prob(z).shape == z.shape[:-1]
    assert z.shape == law.sample(torch.Size(prefix)).shape == (*prefix, *event)
    noise = torch.randn(*prefix, *law.batch_shape, law.noise_size, dtype=torch.float64)
    draws = law.sample_with_log_prob(noise=noise)
    assert torch.equal(draws.z, law.from_noise(noise))
    assert draws.z.shape == z.shape
    torch.testing.assert_close(draws.log_prob, law.log_prob(draws.z))
    assert law.sample_with_log_prob(3).z.shape == (3, *event)
    assert law.mean.shape == law.variance.shape == event
    wide = law.expand((5, *law.batch_shape)) if not law.batch_shape else law.expand((5, law.batch_shape[0]))
    assert wide.log_prob(wide.sample(torch.Size(prefix))).shape == (*prefix, *wide.batch_shape)
    if law.batch_shape:
        torch.testing.assert_close(law.at(torch.tensor([1])).log_prob(z[..., 1:, :]), law.log_prob(z)[..., 1:])


@pytest.mark.parametrize("name", LAWS)
def test_the_centre_is_a_point_of_the_space(name: str) -> None:
    law = LAWS[name]()
    centre, draws = law.centre, law.sample(torch.Size((500,)))
    assert centre.shape == law.mean.shape
    assert law.log_prob(centre).isfinite().all()
    if law.convex:
        torch.testing.assert_close(centre, law.mean)
        return
    torch.testing.assert_close(centre.square().sum(-1), draws[0].square().sum(-1))  # as many groups, or length 1
    assert (law.mean.square().sum(-1) < 0.99 * centre.square().sum(-1)).all()
    if not isinstance(law, LatentMixture):
        assert (law.log_prob(centre) >= law.log_prob(draws) - 1e-9).all()


@pytest.mark.parametrize("name", ["P: mixture", "Q: mixture", "mixture on a sphere", "mixture of codes"])
def test_the_mode_of_a_mixture_is_the_best_of_its_components(name: str) -> None:
    law = LAWS[name]()
    assert isinstance(law, LatentMixture)
    each = law.components.mode.movedim(-2, 0)
    density, best = law.log_prob(each), law.log_prob(law.mode)
    torch.testing.assert_close(best, density.amax(0))
    assert (density.amin(0) < best).all()


@pytest.mark.parametrize("name", POSTERIORS)
def test_the_density_of_a_draw_has_the_slope_of_the_density_there(name: str) -> None:
    posterior = stir(POSTERIORS[name]())
    parameters = torch.randn(4, *posterior.parameter_shape, dtype=torch.float64, requires_grad=True)
    law = posterior(parameters)
    draws = law.sample_with_log_prob(3)
    weights = [parameters, *posterior.parameters()]
    both = draws.log_prob, law.log_prob(draws.z)
    drawn, fresh = (torch.autograd.grad(each.sum(), weights, retain_graph=True) for each in both)
    torch.testing.assert_close(drawn, fresh)


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


@pytest.mark.parametrize("name", [name for name in LAWS if space_of(name) == "real"])
def test_draws_follow_the_slope_of_the_log_probability(name: str) -> None:
    """Stein's identity, E[(z − m) · ∂ log p(z)/∂z] = −latent: 2% of scale are 4% of it, and caught."""
    law = LAWS[name]()
    z = law.sample(torch.Size((DRAWS,))).detach()

    def off(z: Tensor) -> Tensor:
        z = z.clone().requires_grad_()
        slope = torch.autograd.grad(law.log_prob(z).sum(), z)[0]
        found = ((z - z.mean(0)) * slope).sum(-1).detach() + z.shape[-1]
        return found.mean(0).abs() / (found.std(0) / DRAWS**0.5)

    assert (off(z) < 4).all()
    assert (off(z.mean(0) + 1.02 * (z - z.mean(0))) > 4).all()


LEARNED = [name for name in (*(f"P: {n}" for n in PRIORS), *(f"Q: {n}" for n in POSTERIORS)) if "codes" not in name]


@pytest.mark.parametrize("name", [name for name in LEARNED if LAWS[name]().has_rsample])
def test_the_reparameterised_gradient_is_the_score_function_gradient(name: str) -> None:
    room, key = name[0], name[3:]
    module = stir((PRIORS if room == "P" else POSTERIORS)[key]())
    if isinstance(module, Prior | FromPosterior):
        started(module, torch.randn(ROWS, CELLS, dtype=torch.float64)).eval()
        weights, made = list(module.parameters()), partial(law_of, module)
    else:
        inputs = (0.7 * torch.randn(1, *module.parameter_shape, dtype=torch.float64)).requires_grad_()
        weights, made = [inputs, *module.parameters()], partial(module, inputs)
    if not weights:
        return
    blocks, found = 40, []
    for _ in range(blocks):
        law = made()
        z = law.rsample(torch.Size((1000,)))
        path = torch.autograd.grad(torch.sin(z + z.roll(1, -1)).sum(-1).mean(), weights, allow_unused=True)
        law = made()
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
        started(p, start)
    return VAE(
        p, Gaussian((CELLS,), 1.0), q, nn.Linear(CELLS, q.parameter_shape.numel()), nn.Linear(p.event_shape[0], CELLS)
    )


def same_space(prior: Prior | FromPosterior, posterior: Posterior) -> bool:
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
    value, terms = Loss(model, ELBO(samples=2))(Batch(x[:8], rows=torch.arange(8)))
    value.backward()
    closed = (prior, posterior) in CLOSED
    assert terms.kl_kind == ("closed form" if closed else "sampled")
    assert torch.isfinite(value)
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
    model.eval()
    found = evidence(model, ResidentRows(x[:6]), samples=50, prior_sampling=True, max_numbers=900)
    entries = ledger(found, dims=CELLS, split="", measure="density", seed=0, seconds=0, versions={})
    assert entries["kl"].kind.endswith(terms.kl_kind)
    assert (entries["kl"].samples is None) == (entries["kl"].se_mc == 0) == closed
    assert entries["elbo"].nats == pytest.approx(entries["reconstruction"].nats - entries["kl"].nats)
    one = validate(model, ResidentRows(x[:6]), 0)[0]  # of one sample a row, where the ledger has 50
    assert abs(one - entries["elbo"].nats) < 6 * 51**0.5 * entries["elbo"].se_mc
    model.eval().prior()
    state = model.state_dict()
    assert len(save(state)) > 0  # refuses tensors that share memory
    other = build(prior, posterior)
    other.load_state_dict(copy.deepcopy(state))
    again = evidence(other, ResidentRows(x[:6]), samples=50, prior_sampling=True, max_numbers=900)
    for name, values in found.terms.items():
        assert values == pytest.approx(again.terms[name], abs=1e-6), name
