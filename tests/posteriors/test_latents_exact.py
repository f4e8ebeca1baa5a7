"""Priors and posteriors against closed forms and definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, kl_divergence

from likely import posteriors, priors
from likely.data import Batch, ResidentRows
from likely.distributions import DiagonalNormal, LatentMixture
from likely.evaluation import evidence, ledger
from likely.likelihoods import Gaussian
from likely.models import VAE


def encode(values: Tensor) -> DiagonalNormal:
    return DiagonalNormal(0.5 * values[..., :2].double(), 0.1 * values[..., 1:].double())


def mixture() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    shapes = ((3,), (3, 2), (3, 2))
    logits, mean, log_std = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
    return logits.requires_grad_(), mean, 0.3 * log_std


def test_full_normal_equals_torch() -> None:
    q = posteriors.FullNormal(4)(torch.randn(3, 14, dtype=torch.float64))
    factor = torch.diag_embed(q.log_std.exp()) @ (torch.eye(4, dtype=torch.float64) + q.lower)
    other = MultivariateNormal(q.mean, scale_tril=factor)
    z = torch.randn(5, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(q.log_prob(z), other.log_prob(z))
    torch.testing.assert_close(q.variance, other.variance)
    torch.testing.assert_close(q.entropy(), other.entropy())
    mean, log_std = torch.randn(2, 4, dtype=torch.float64)
    p = DiagonalNormal(mean, log_std)
    closed = kl_divergence(other, MultivariateNormal(mean, torch.diag((2 * log_std).exp())))
    torch.testing.assert_close(kl_divergence(q, p), closed)


def test_densities_are_not_rounded_under_autocast() -> None:
    for posterior in (posteriors.FullNormal(3), posteriors.Flow(3, context=4), posteriors.Mixture(3)):
        parameters, noise = torch.randn(5, *posterior.parameter_shape), torch.randn(2, 5, 4)
        q = posterior(parameters)
        noise = noise[..., : q.noise_size]
        z = q.from_noise(noise)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(posterior(parameters).from_noise(noise), z)
            assert torch.equal(posterior(parameters).log_prob(z), posterior(parameters).log_prob(z.clone()))


@pytest.mark.parametrize("rows", [None, 4])
def test_gradient_in_the_logits_equals_the_closed_form(rows: int | None) -> None:
    logits, mean, log_std = mixture()
    moment = (mean.sum(-1).square() + (2 * log_std).exp().sum(-1)) @ torch.softmax(logits, 0)
    exact = torch.autograd.grad(moment, logits)[0]
    found = []
    for _ in range(30):
        lead = () if rows is None else (rows,)
        parts = DiagonalNormal(mean.expand(*lead, 3, 2), log_std.expand(*lead, 3, 2))
        z = LatentMixture(logits.expand(*lead, 3), parts).rsample(torch.Size((20_000,)))
        found.append(torch.autograd.grad(z.sum(-1).square().mean(), logits)[0])
    every = torch.stack(found)
    error = every.std(0) / 30**0.5
    assert (error < 0.01 * exact.abs().max()).all()
    assert ((every.mean(0) - exact).abs() < 4 * error).all()


def test_components_are_chosen_as_often_as_they_weigh_and_spread_over_samples() -> None:
    logits, mean, log_std = mixture()
    law = LatentMixture(logits.detach(), DiagonalNormal(100 * mean.round(decimals=1), log_std))
    weights, count = torch.softmax(logits, 0), 200_000
    for z in (law.sample(torch.Size((count,))), law.from_noise(torch.randn(count, 3, dtype=torch.float64))):
        share = torch.cdist(z, 100 * mean.round(decimals=1)).argmin(-1).bincount(minlength=3) / count
        assert ((share - weights).abs() < 4 * (weights * (1 - weights) / count).sqrt()).all()
    equal = LatentMixture(
        torch.zeros(50, 4), DiagonalNormal(1000 * torch.arange(4.0)[:, None].expand(50, 4, 1), torch.zeros(1))
    )
    places = (equal.rsample(torch.Size((4,))) / 1000).round().squeeze(-1)
    assert torch.equal(places.sort(0).values, torch.arange(4.0)[:, None].expand(4, 50))
    assert len(places.T.unique(dim=0)) > 10


def test_a_narrow_far_mixture_loses_no_digits() -> None:
    mean, z = torch.full((2, 3), 30.0), torch.full((1, 3), 30.001)
    law = LatentMixture(torch.zeros(2), DiagonalNormal(mean, torch.full((2, 3), -7.0)))
    exact = DiagonalNormal(mean[0].double(), torch.full((3,), -7.0, dtype=torch.float64)).log_prob(z.double())
    assert law.log_prob(z).item() == pytest.approx(exact.item(), abs=1e-4)


def test_a_mixture_of_any_laws_is_evaluated_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, z = posteriors.FullNormal(3)(torch.randn(5, 9)), torch.randn(7, 4, 3)
    law, sizes = LatentMixture(torch.zeros(5), parts), []
    whole, one = law.log_prob(z), type(parts).log_prob
    monkeypatch.setattr("likely.distributions.latent_mixture.MAX_CELLS", 60)
    monkeypatch.setattr(type(parts), "log_prob", lambda self, z: sizes.append(len(z)) or one(self, z))
    with torch.no_grad():
        torch.testing.assert_close(law.log_prob(z), whole)
    assert sizes == [4] * 7


def test_vamp_is_the_mean_of_q_over_rows_at_the_start() -> None:
    prior, rows = priors.Vamp(2, (3,), 4, torch.float64), torch.randn(4, 3, dtype=torch.float64)
    prior.initialise(rows)
    z = torch.randn(6, 5, 2, dtype=torch.float64)
    expected = encode(rows).log_prob(z.unsqueeze(-2)).exp().mean(-1).log()
    torch.testing.assert_close(prior(encode).log_prob(z), expected)


def test_exemplars_leave_the_row_out_in_training_and_only_there() -> None:
    prior, rows = priors.Exemplar(2, 6, neighbours=5).double(), torch.randn(6, 3, dtype=torch.float64)
    prior.initialise(rows)
    z, numbers = encode(rows).mean[[4, 1]] + 0.1 * torch.randn(7, 2, 2), torch.tensor([4, 1])
    each = DiagonalNormal(encode(rows).mean, torch.zeros(2, dtype=torch.float64)).log_prob(z.unsqueeze(-2))
    others = torch.arange(6) != numbers[:, None]
    expected = torch.where(others, each.exp(), 0).sum(-1).div(5).log()
    torch.testing.assert_close(prior(encode, numbers).log_prob(z), expected)
    prior.neighbours = 2
    assert (prior(encode, numbers).log_prob(z) < expected).all()
    torch.testing.assert_close(prior.eval()(encode, numbers).log_prob(z), each.exp().mean(-1).log())


def test_a_row_that_is_no_exemplar_is_counted_against_all_of_them() -> None:
    prior, rows = priors.Exemplar(2, 3, neighbours=2).double(), torch.randn(6, 3, dtype=torch.float64)
    prior.initialise(rows)  # rows 0, 2 and 4
    z, numbers = torch.randn(5, 2, 2, dtype=torch.float64), torch.tensor([1, 2])
    found = prior(encode, numbers).log_prob(z)
    each = DiagonalNormal(encode(rows[[0, 2, 4]]).mean, torch.zeros(2).double()).log_prob(z.unsqueeze(-2)).exp()
    assert (found[:, 0] < each[:, 0].mean(-1).log()).all()
    torch.testing.assert_close(found[:, 1], each[:, 1, [0, 2]].mean(-1).log())


def test_exemplars_follow_the_weights() -> None:
    prior = priors.Exemplar(2, 6)
    prior.initialise(torch.randn(6, 3))
    prior.eval()(encode)
    before = prior.centres.clone()
    prior.train().eval()(lambda values: DiagonalNormal(encode(values).mean + 1, torch.zeros(2)))
    torch.testing.assert_close(prior.centres, before + 1)


def test_a_prior_that_is_costly_to_make_is_made_once_per_evaluation() -> None:
    prior, x = priors.Vamp(2, (4,), 5), torch.randn(120, 4)
    prior.initialise(x)
    model = VAE(prior, Gaussian((4,), 1.0), posteriors.Normal(2), nn.Linear(4, 4), nn.Linear(2, 4))
    calls: list[int] = []
    prior.register_forward_hook(lambda *_: calls.append(1))
    whole = evidence(model, ResidentRows(x), samples=6, prior_sampling=True)
    assert len(calls) == 1
    blocks = evidence(model, ResidentRows(x), samples=6, prior_sampling=True, max_numbers=1)
    assert len(calls) == 2
    np.testing.assert_allclose(whole.terms["iwae"], blocks.terms["iwae"], rtol=1e-5)


def test_a_sampled_kl_agrees_with_the_closed_form_and_says_what_it_is() -> None:
    torch.manual_seed(2)
    x = torch.randn(30, 4)
    model = VAE(priors.StandardNormal(2), Gaussian((4,), 1.0), posteriors.Normal(2), nn.Linear(4, 4), nn.Linear(2, 4))
    facts = {"dims": 4, "split": "", "measure": "density", "seed": 0, "seconds": 0.0, "versions": {}}
    closed = ledger(evidence(model, ResidentRows(x), samples=4000), **facts)
    one = priors.Mixture(2, 1)
    with torch.no_grad():
        one.means.zero_()
        one.log_stds.zero_()
    model.p_z = one
    sampled = ledger(evidence(model, ResidentRows(x), samples=4000), **facts)
    assert sampled["kl"].samples == 4000
    assert sampled["kl"].kind == "D[Q(z|x)||P(z)], sampled"
    assert abs(sampled["kl"].nats - closed["kl"].nats) < 4 * sampled["kl"].se_mc
    terms = model.terms(Batch(x), 4000)
    error = terms.log_weight.std(0).div(4000**0.5).square().sum().sqrt().item() / 30
    assert sampled["elbo"].se_mc == pytest.approx(error, rel=0.1)
    torch.testing.assert_close(terms.kl, (terms.log_qz_x - terms.log_pz).mean(0))
