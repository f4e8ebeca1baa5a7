"""Latents that are unit vectors or codes, against scipy, quadrature and the enumeration of every code."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import RelaxedOneHotCategorical, kl_divergence

from likely import posteriors, priors
from likely.data import Batch, ResidentRows
from likely.distributions import OneHot, RelaxedOneHot, UniformSphere, VonMisesFisher
from likely.distributions.angle import invert
from likely.distributions.bessel import log_area, log_mean_exp
from likely.errors import ConfigError
from likely.evaluation import evidence
from likely.likelihoods import Gaussian
from likely.models import VAE
from likely.objectives import ELBO, IWAE, MIWAE, MMD, BetaTC, FreeBits, Loss, Objective

DIMS = (2, 3, 4, 9, 20, 43, 64, 200)
KAPPAS = (1e-6, 1e-2, 0.7, 4.0, 25.0, 300.0, 1e4, 1e5)
GROUPS, CLASSES, CELLS = 2, 3, 4


def bessel(dim: int, kappa: float) -> tuple[float, float]:
    """log M and A from scipy: by the hypergeometric series where I_ν would underflow, else by scaled I_ν."""
    nu = dim / 2 - 1
    if kappa < 30:
        m, rising = scipy.special.hyp0f1([nu + 1, nu + 2], kappa**2 / 4)
        return math.log(m), kappa / dim * rising / m
    low, high = scipy.special.ive([nu, nu + 1], kappa)
    return math.lgamma(nu + 1) + nu * math.log(2 / kappa) + math.log(low) + kappa, high / low


@pytest.mark.parametrize("dim", DIMS)
def test_the_constant_and_the_mean_cosine_are_those_of_bessel_functions(dim: int) -> None:
    kappa = torch.tensor(KAPPAS, dtype=torch.float64, requires_grad=True)
    log_m, cosine = log_mean_exp(dim, kappa)
    expected = np.array([bessel(dim, k) for k in KAPPAS])
    np.testing.assert_allclose(log_m.detach(), expected[:, 0], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(cosine.detach(), expected[:, 1], rtol=1e-11)
    first = torch.autograd.grad(log_m.sum(), kappa, retain_graph=True)[0]
    second = torch.autograd.grad(cosine.sum(), kappa)[0]
    torch.testing.assert_close(first, cosine.detach(), rtol=1e-12, atol=0)
    # A' = 1 − A² − (dim − 1) A/κ, which itself cancels for large κ.
    riccati = 1 - expected[:, 1] ** 2 - (dim - 1) * expected[:, 1] / np.array(KAPPAS)
    np.testing.assert_allclose(second, riccati, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(second[-1], (dim - 1) / 2 / KAPPAS[-1] ** 2, rtol=3 * dim / KAPPAS[-1])


@pytest.mark.parametrize("dim", [2, 3, 8, 30])
@pytest.mark.parametrize("kappa", [0.01, 2.0, 60.0])
def test_the_von_mises_fisher_law_is_scipys(dim: int, kappa: float) -> None:
    mean = F.normalize(torch.randn(dim).double(), dim=-1)
    ours, theirs = VonMisesFisher(mean, torch.tensor(kappa).double()), scipy.stats.vonmises_fisher(mean.numpy(), kappa)
    z = ours.sample(torch.Size((50,)))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(50).double())
    np.testing.assert_allclose(ours.log_prob(z), theirs.logpdf(z.numpy()), rtol=1e-8, atol=1e-8)
    assert float(ours.entropy()) == pytest.approx(float(theirs.entropy()), abs=1e-8)
    uniform = UniformSphere(torch.zeros(dim).double())
    kl = float(kl_divergence(ours, uniform))
    assert kl == pytest.approx(float(uniform.entropy() - ours.entropy()), abs=1e-9)
    # The radial component has P(cos θ) of this integral.
    _check_angle(dim, kappa, (z @ mean).clamp(-1, 1).arccos())


def _check_angle(dim: int, kappa: float, theta: Tensor) -> None:
    def density(t: float) -> float:
        return math.exp(kappa * (math.cos(t) - 1)) * math.sin(t) ** (dim - 2)

    grid = np.linspace(0, math.pi, 4001)
    whole = scipy.integrate.cumulative_simpson([density(t) for t in grid], x=grid, initial=0)
    spread = scipy.stats.kstest(theta.numpy(), lambda t: np.interp(t, grid, whole / whole[-1]))
    assert spread.pvalue > 1e-5


@pytest.mark.parametrize("dim", [2, 3, 5, 40, 200])
@pytest.mark.parametrize("kappa", [1e-6, 0.5, 10.0, 200.0, 1e5])
def test_the_angle_inverts_its_distribution_function_and_follows_kappa(dim: int, kappa: float) -> None:
    noise = torch.tensor([-8.0, -4.0, -1.5, -0.1, 0.0, 0.6, 2.5, 5.0, 7.5], dtype=torch.float64)
    u, k = torch.special.ndtr(noise)[None], torch.tensor([kappa], dtype=torch.float64)
    theta, slope = invert(dim, k, u)
    log_m, _ = log_mean_exp(dim, k)
    # ∫ exp(κ (cos t − 1)) sin^{dim−2} t dt over [0, π], from the closed form of the constant.
    across = log_area(dim - 1) if dim > 2 else math.log(2)
    shift = float(log_m) + log_area(dim) - across - kappa

    def density(t: float) -> float:
        return math.exp(-2 * kappa * math.sin(t / 2) ** 2 + (dim - 2) * math.log(math.sin(t)) - shift if t > 0 else 0.0)

    total, edge = 0.0, 0.0
    for place, expected in zip(theta[0].tolist(), u[0].tolist(), strict=True):
        total += scipy.integrate.quad(density, max(edge, 1e-300), place, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
        edge = place
        assert total == pytest.approx(expected, abs=3e-11 * max(1.0, kappa**0.25))
    step = 1e-4 * k + 1e-5
    moved = (invert(dim, k + 2 * step, u)[0] - theta) / (2 * step)
    between = invert(dim, k + step, u)[1]
    torch.testing.assert_close(moved[:, 1:-1], between[:, 1:-1], rtol=1e-4, atol=1e-6 * float(slope.abs().max()))


def test_a_mean_direction_in_either_half_and_on_the_axis_is_reached() -> None:
    means = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0.6, 0, -0.8], [-0.6, 0.8, 0]]).double()
    law = VonMisesFisher(means.requires_grad_(), torch.full((5,), 1e5).double())
    z = law.from_noise(torch.randn(20, 5, 3).double())
    assert (z - means).norm(dim=-1).max() < 0.03
    gradient = torch.autograd.grad(z.sum(), means)[0]
    assert gradient.abs().max() < 20 * 10


def test_concentrated_laws_keep_their_digits_in_float32() -> None:
    """The mean of log q over draws is minus the entropy, whose rounding by κ μᵀz would be 0.01 nats here."""
    law = VonMisesFisher(F.normalize(torch.randn(8), dim=-1), torch.tensor(1e5))
    found = law.log_prob(law.sample(torch.Size((40_000,)))).double()
    assert abs(found.mean() + law.entropy()) < 4 * found.std() / 200
    exact = VonMisesFisher(law.loc.double() / law.loc.double().norm(), law.concentration.double())
    z = law.sample(torch.Size((100,)))
    torch.testing.assert_close(
        law.log_prob(z).double(), exact.log_prob(F.normalize(z.double(), dim=-1)), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("raw", [-100.0, -30.0, 0.0, 30.0, 100.0])
@pytest.mark.parametrize("make", [lambda: posteriors.VonMisesFisher(2), lambda: posteriors.VonMisesFisher(50)])
@pytest.mark.parametrize("size", [0.0, 1e-20, 1e18])
def test_extreme_parameters_of_the_sphere(raw: float, make: Callable[[], posteriors.Posterior], size: float) -> None:
    posterior = make()
    dim = posterior.event_shape[0]
    parameters = torch.cat([size * torch.randn(3, dim), torch.full((3, 1), raw)], -1).requires_grad_()
    law = posterior(parameters)
    z = law.rsample(torch.Size((5,)))
    kl = kl_divergence(law, priors.Hypersphere(dim)())
    assert z.isfinite().all()
    assert (z.norm(dim=-1) - 1).abs().max() < 1e-6
    for value in (z.sum(), law.log_prob(z).sum(), kl.sum()):
        assert value.isfinite()
        assert torch.autograd.grad(value, parameters, retain_graph=True)[0].isfinite().all()
    assert (kl > -1e-6).all()


@pytest.mark.parametrize("spread", [0.0, 3.0, 100.0])
def test_extreme_logits(spread: float) -> None:
    raw = (spread * torch.tensor([[[1.0, -1, 0], [-1, -1, 1]]])).requires_grad_()
    for law in (OneHot(raw), RelaxedOneHot(raw, 0.5)):
        z = law.rsample(torch.Size((200,)))
        kl = kl_divergence(law, type(law)(torch.zeros(1, 2, 3), *([0.5] if isinstance(law, RelaxedOneHot) else [])))
        for value in (law.log_prob(z).sum(), kl.sum()):
            assert value.isfinite()
            assert torch.autograd.grad(value, raw, retain_graph=True)[0].isfinite().all()
    posterior = posteriors.Categorical(2, 3)
    law = posterior(raw.flatten(-2))
    z = law.rsample(torch.Size((10_000,)))
    assert (z > torch.finfo(z.dtype).tiny).all()  # nothing underflows within the posterior's bounds
    assert torch.autograd.grad(law.log_prob(z).mean() + z.square().mean(), raw)[0].isfinite().all()


def test_the_relaxed_density_is_torchs_and_codes_have_no_other_mass() -> None:
    logits = torch.randn(5, GROUPS, CLASSES).double()
    law = RelaxedOneHot(logits, 0.6)
    z = law.sample(torch.Size((7,)))
    theirs = RelaxedOneHotCategorical(torch.tensor(0.6).double(), logits=logits)
    torch.testing.assert_close(law.log_prob(z), theirs.log_prob(z.unflatten(-1, (GROUPS, CLASSES))).sum(-1))
    exact = OneHot(logits)
    assert (exact.log_prob(z) == -math.inf).all()
    assert (exact.log_prob(torch.zeros(5, GROUPS * CLASSES)) == -math.inf).all()
    assert exact.log_prob(every_code()[:, None].double()).exp().sum(0).tolist() == pytest.approx([1.0] * 5)


def every_code() -> Tensor:
    """All codes: `(9, 6)`."""
    eye = torch.eye(CLASSES)
    return torch.cat([eye.repeat_interleave(CLASSES, 0), eye.repeat(CLASSES, 1)], -1)


def model_of_codes(groups: int = GROUPS) -> VAE:
    p, q = priors.Categorical(groups, CLASSES), posteriors.Categorical(groups, CLASSES, temperature=0.5)
    model = VAE(
        p, Gaussian((CELLS,), 0.8), q, nn.Linear(CELLS, groups * CLASSES), nn.Linear(groups * CLASSES, CELLS)
    ).double()
    with torch.no_grad():
        p.logits.add_(0.5 * torch.randn_like(p.logits))
    return model


def test_evaluation_of_codes_is_that_of_every_code_enumerated() -> None:
    model, x = model_of_codes(), 0.5 * torch.randn(6, CELLS).double()
    found = evidence(model, ResidentRows(x), samples=3000, prior_sampling=True)
    batch, z = Batch(x), every_code()[:, None].expand(-1, 6, -1).double()
    q, joint = model.posterior(batch).log_prob(z), model.log_joint(batch, z)
    exact = {"iwae": joint.logsumexp(0), "prior_sampling": joint.logsumexp(0), "elbo": (q.exp() * (joint - q)).sum(0)}
    for name, value in exact.items():
        error = np.abs(found.terms[name] - value.detach().numpy())
        assert (error < 4.5 * found.se_mc[name]).all(), name
        assert (found.se_mc[name] < 0.2).all()
    assert found.kl_kind == "closed form"
    divergence = (q.exp() * (q - model.prior().log_prob(z))).sum(0)
    assert found.terms["kl"] == pytest.approx(divergence.detach().numpy(), abs=1e-12)


def test_an_exact_posterior_leaves_no_gap() -> None:
    model, x = model_of_codes(groups=1), torch.randn(1, CELLS).double()
    z = torch.eye(CLASSES).double()[:, None]
    joint = model.eval().log_joint(Batch(x), z).detach()
    with torch.no_grad():
        assert isinstance(model.encoder, nn.Linear)
        model.encoder.weight.zero_()
        model.encoder.bias.copy_((joint - joint.max()).squeeze(-1).clamp_min(-10) + 5)
    found = evidence(model, ResidentRows(x), samples=200)
    assert found.terms["iwae"] == pytest.approx(joint.logsumexp(0).numpy(), abs=1e-3)
    assert found.se_mc["iwae"] < 1e-3
    assert abs(found.terms["elbo"] - found.terms["iwae"]) < 4 * found.se_mc["elbo"] + 1e-3


def test_importance_weighting_in_training_bounds_the_relaxed_evidence() -> None:
    """Two estimates of ∫ P(x|z) p(z) dz, p the Concrete law of the prior's temperature, agree."""
    model, x = model_of_codes(), 0.5 * torch.randn(4, CELLS).double()
    model.train()
    batch = Batch(x)
    with torch.no_grad():
        p, q = model.prior(), model.posterior(batch)
        assert isinstance(p, RelaxedOneHot)
        assert isinstance(q, RelaxedOneHot)
        simple = model.log_px_z(batch, p.sample(torch.Size((40_000,)))[:, None]).exp()
        weights = model.terms(batch, 40_000).log_weight.exp()
    difference = simple.mean(0) - weights.mean(0)
    error = torch.sqrt((simple.var(0) + weights.var(0)) / 40_000)
    assert (difference.abs() < 4.5 * error).all()
    assert (error < 0.05 * simple.mean(0)).all()


@pytest.mark.parametrize(
    "objective",
    [ELBO(kl="sampled"), IWAE(4), IWAE(4, "stl"), IWAE(4, "dreg"), MIWAE((2, 3)), MMD(1.0), FreeBits(0.01, "total")],
    ids=lambda made: type(made).__name__ + str(getattr(made, "gradient", "")),
)
@pytest.mark.parametrize("space", ["sphere", "codes"])
def test_objectives_train_on_other_spaces(objective: Objective, space: str) -> None:
    x = torch.randn(16, CELLS)
    if space == "codes":
        model = model_of_codes().float()
    else:
        encoder, decoder = nn.Linear(CELLS, 4), nn.Linear(3, CELLS)
        model = VAE(priors.Hypersphere(3), Gaussian((CELLS,), 0.8), posteriors.VonMisesFisher(3), encoder, decoder)
    value, _ = Loss(model, objective)(Batch(x))
    value.backward()
    assert value.isfinite()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().sum() > 0 or isinstance(objective, MMD), name
    with pytest.raises(ConfigError, match="diagonal normal"):
        Loss(model, BetaTC(2.0, 100))(Batch(x))


def test_codes_are_relaxed_in_training_alone() -> None:
    model = model_of_codes()
    batch = Batch(torch.randn(3, CELLS).double())
    assert model.train().terms(batch).z.unique().numel() > 2
    assert model.eval().terms(batch).z.unique().tolist() == [0, 1]


@pytest.mark.parametrize(
    ("prior", "posterior", "words"),
    [
        (priors.StandardNormal(3), posteriors.VonMisesFisher(3), "real vectors.*unit vectors.*take prior Hypersphere"),
        (priors.Hypersphere(3), posteriors.Normal(3), "take prior .*StandardNormal.*take posterior VonMisesFisher"),
        (priors.Exemplar(6, 4), posteriors.Categorical(2, 3), "one-hot codes.*take prior Categorical, Vamp"),
        (priors.Categorical(2, 3), posteriors.Flow(6), "with prior Categorical take posterior Categorical"),
        (priors.Categorical(2, 3), posteriors.Categorical(3, 2), "2 groups of 3 classes.*3 groups of 2 classes"),
        (priors.Vamp(3, (CELLS,)), posteriors.VonMisesFisher(4), "3 numbers.*4 numbers"),
    ],
)
def test_parts_of_different_spaces_are_refused(
    prior: priors.Prior | priors.FromPosterior, posterior: posteriors.Posterior, words: str
) -> None:
    latent = int(prior.event_shape[0])
    encoder, decoder = nn.Linear(CELLS, posterior.parameter_shape.numel()), nn.Linear(latent, CELLS)
    with pytest.raises(ConfigError, match=words) as caught:
        VAE(prior, Gaussian((CELLS,), 1.0), posterior, encoder, decoder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: priors.Hypersphere(1),
        lambda: posteriors.VonMisesFisher(1),
        lambda: priors.Categorical(0, 3),
        lambda: posteriors.Categorical(2, 1),
        lambda: posteriors.Categorical(2, 3, temperature=0.0),
    ],
)
def test_sizes_that_cannot_be(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(ConfigError, match="got"):
        make()
