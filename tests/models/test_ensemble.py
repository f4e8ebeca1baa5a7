"""An ensemble is the equal mixture of its members."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from likely import likelihoods, networks, posteriors, priors
from likely.data import Batch, ResidentRows
from likely.distributions.members import member_of
from likely.errors import ConfigError
from likely.evaluation import AnnealingPath, anneal, evidence
from likely.models import VAE, Ensemble
from linear_gaussian import LinearGaussian

ROWS, DIMS, LATENT, MEMBERS = 40, 4, 2, 3


def exact() -> list[LinearGaussian]:
    """Members that differ in where they are."""
    made = [LinearGaussian(DIMS, LATENT) for _ in range(MEMBERS)]
    for number, one in enumerate(made):
        one.b = one.b + 0.7 * number
    return made


def rows() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.cat([one.sample(ROWS) for one in exact()])[::MEMBERS]


def ensemble(*, missing: bool = False) -> Ensemble:
    return Ensemble([one.vae_with_missing() if missing else one.vae() for one in exact()]).double()


def truth(x: torch.Tensor, observed: torch.Tensor | None = None) -> np.ndarray:
    each = torch.stack([one.log_px(x, observed) for one in exact()])
    return np.asarray((each.logsumexp(0) - math.log(MEMBERS)).numpy())


def test_its_evidence_is_that_of_the_mixture() -> None:
    x = rows()
    found = evidence(ensemble(), ResidentRows(x), samples=4000, prior_sampling=True)
    assert np.all(np.abs(found.terms["iwae"] - truth(x)) < 5 * found.se_mc["iwae"] + 1e-6)
    assert np.all(found.se_mc["iwae"] < 0.1)
    close = found.se_mc["prior_sampling"] < 0.3
    assert close.sum() > ROWS / 4
    errors = (found.terms["prior_sampling"] - truth(x))[close]
    assert np.all(np.abs(errors) < 6 * found.se_mc["prior_sampling"][close])


def test_its_elbo_is_the_mean_of_the_members() -> None:
    x = rows()
    each = np.mean([evidence(one.vae(), ResidentRows(x), samples=500).terms["elbo"] for one in exact()], 0)
    found = evidence(ensemble(), ResidentRows(x), samples=8000)
    assert np.all(np.abs(found.terms["elbo"] - each) < 5 * found.se_mc["elbo"] + 0.1)
    assert abs((found.terms["elbo"] - each).mean()) < 0.05


def test_of_rows_with_missing_cells_it_is_that_of_the_observed_cells() -> None:
    x, draw = rows(), torch.Generator().manual_seed(1)
    observed = torch.rand(x.shape, generator=draw) > 0.5
    encoded = ResidentRows(torch.where(observed, x, 0.0), observed=observed)
    found = evidence(ensemble(missing=True), encoded, samples=4000)
    assert np.all(np.abs(found.terms["iwae"] - truth(x, observed)) < 5 * found.se_mc["iwae"] + 1e-6)


def test_annealing_finds_the_mixture_too() -> None:
    x = rows()[:12]
    betas = tuple(float(beta) for beta in np.linspace(0, 1, 17))
    schedule = AnnealingPath(betas, (0.3,) * len(betas), chains=64, leapfrog_steps=3)
    found = anneal(ensemble(), ResidentRows(x), schedule, seed=0)
    assert np.all(np.abs(found.log_px - truth(x)) < 5 * found.se_mc + 1e-3)


def test_the_terms_are_those_of_the_parts_and_each_code_is_read_by_its_member() -> None:
    model, batch = ensemble(), Batch(rows())
    terms = model.terms(batch, 50)
    assert terms.z.shape == (50, len(batch), 1 + LATENT)
    torch.testing.assert_close(terms.log_px_z + terms.log_pz, model.log_joint(batch, terms.z))
    torch.testing.assert_close(model.posterior(batch).log_prob(terms.z), terms.log_qz_x)
    chosen = member_of(terms.z, MEMBERS)
    assert torch.bincount(chosen.flatten()).float().std() < 0.1 * chosen.numel() / MEMBERS
    law = model.likelihood(terms.z)
    for number, member in enumerate(model.members):
        alone = member.likelihood(terms.z[..., 1:])
        torch.testing.assert_close(law.mean[chosen == number], alone.mean[chosen == number])


def test_members_learn_apart() -> None:
    model, batch = ensemble(), Batch(rows())
    (-model.members[1].terms(batch).log_weight.mean()).backward()
    touched = [any(w.grad is not None for w in member.parameters()) for member in model.members]
    assert touched == [False, True, False]


def member(likelihood: likelihoods.Likelihood, posterior: posteriors.Posterior, prior: priors.Prior) -> VAE:
    outputs = posterior.parameter_shape.numel()
    decoder = networks.ResidualMLP(prior.event_shape[0], likelihood.parameter_shape.numel(), 8)
    return VAE(prior, likelihood, posterior, networks.ResidualMLP(DIMS, outputs, 8), decoder)


def test_what_members_cannot_share_is_refused() -> None:
    shared = likelihoods.Gaussian((DIMS,), "shared")
    with pytest.raises(ConfigError, match="parameter of its own"):
        Ensemble([member(shared, posteriors.Normal(2), priors.StandardNormal(2)) for _ in range(2)])
    predicted = likelihoods.Gaussian((DIMS,))
    sphere = posteriors.VonMisesFisher(3), priors.Hypersphere(3)
    with pytest.raises(ConfigError, match="real numbers"):
        Ensemble([member(predicted, *sphere) for _ in range(2)])
