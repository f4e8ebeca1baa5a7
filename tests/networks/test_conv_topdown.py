"""Hierarchies of maps: the start, the interface, any size of picture, closed forms, bounds, bfloat16."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from likely.data import Batch, ResidentRows
from likely.errors import ConfigError
from likely.evaluation import AnnealingPath, anneal, evidence
from likely.likelihoods import Categorical, DiscretisedLogisticMixture, Gaussian, Likelihood
from likely.models import HierarchicalVAE
from likely.networks import ConvLadder, Level, PatchDecoder, PatchEncoder
from likely.networks.conv_topdown import patches_of
from maps import build_maps, levels_of

EVENTS = [(8, 8), (9, 7, 3), (13, 5), (28, 28), (5, 6, 4)]
LEVELS = {"low": 0.0, "high": 255.0, "shift": 120.0, "scale": 60.0}
ROWS = 5


def bits(event: tuple[int, ...], rows: int = ROWS) -> Tensor:
    return (torch.rand(rows, *event) < 0.4).double()


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_at_the_start_every_conditional_is_standard_normal_and_the_kl_is_zero(event: tuple[int, ...]) -> None:
    model, batch = build_maps(event), Batch(bits(event).float())
    terms = model.terms(batch, 3)
    assert terms.kl.abs().max() == 0
    assert terms.groups is not None
    assert terms.groups.shape == (3, ROWS, 3)
    noise = torch.randn(2, ROWS, model.latent)
    for law in (model.prior(), model.posterior(batch)):
        assert torch.equal(law.from_noise(noise), noise)
    model.topdown.decoder.start(torch.linspace(-2, 2, model.topdown.decoder.outputs))
    off = model.decoded(noise) - torch.linspace(-2, 2, model.topdown.decoder.outputs)
    assert 0 < off.std() < 0.5


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_the_interface_in_one_pass_is_the_parts_apart(event: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model, batch = build_maps(event, stir=0.1).double(), Batch(bits(event))
    terms, q, p = model.terms(batch, 3), model.posterior(batch), model.prior()
    torch.testing.assert_close(terms.log_qz_x, q.log_prob(terms.z.clone()))
    torch.testing.assert_close(terms.log_pz, p.log_prob(terms.z.clone()))
    torch.testing.assert_close(terms.log_px_z, model.log_px_z(batch, terms.z))
    noise = torch.randn(4, model.latent).double()
    torch.testing.assert_close(p.to_noise(p.from_noise(noise)), noise)
    assert p.sample().shape == (model.latent,)
    alone = Batch(batch.values[2:3])
    noise = torch.randn(2, ROWS, model.latent).double()
    whole = model.terms(batch, noise=noise)
    one = model.terms(alone, noise=noise[:, 2:3])
    torch.testing.assert_close(one.log_weight[:, 0], whole.log_weight[:, 2])
    torch.testing.assert_close(q.at(torch.tensor([2])).log_prob(whole.z[:, 2:3])[:, 0], whole.log_qz_x[:, 2])
    (terms.reconstruction - terms.kl).sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    model, batch = build_maps((5, 6), stir=0.1).double(), Batch(bits((5, 6)))
    noise = torch.randn(2, ROWS, model.latent).double()
    weights = [*model.parameters()]

    def bound() -> Tensor:
        terms = model.terms(batch, noise=noise)
        return (terms.reconstruction - terms.kl).mean()

    gradients = torch.autograd.grad(bound(), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        way = torch.randn_like(weight)
        with torch.no_grad():
            ends = []
            for step in (1e-5, -2e-5):
                weight.add_(step * way)
                ends.append(bound())
            weight.add_(1e-5 * way)
        torch.testing.assert_close((ends[0] - ends[1]) / 2e-5, (gradient * way).sum(), rtol=1e-4, atol=1e-6)


def test_evidence_and_annealing_agree_with_quadrature() -> None:
    torch.manual_seed(0)
    model = build_maps((2, 2), [Level(1, 2, 1)], likelihood=Gaussian((2, 2), 0.7), stir=0.3).double().eval()
    x = torch.randn(2, 2, 2).double()
    axis = torch.linspace(-12, 12, 121, dtype=torch.float64)
    z, cell = torch.cartesian_prod(axis, axis), 2 * torch.log(axis[1] - axis[0])
    with torch.no_grad():
        assert torch.logsumexp(model.prior().log_prob(z), 0) + cell == pytest.approx(0, abs=1e-6)
        log_px = torch.logsumexp(model.log_joint(Batch(x), z[:, None].expand(-1, 2, -1)), 0) + cell
    found = evidence(model, ResidentRows(x), samples=2000)
    assert (abs(found.terms["iwae"] - log_px.numpy()) < 5 * found.se_mc["iwae"] + 1e-4).all()
    assert (found.terms["elbo"] < log_px.numpy() + 5 * found.se_mc["elbo"]).all()
    path = AnnealingPath(tuple(np.linspace(0, 1, 17)), (0.4,) * 17, 16, 3)
    annealed = anneal(model, ResidentRows(x), path)
    assert (abs(annealed.log_px - log_px.numpy()) < 5 * annealed.se_mc + 0.02).all()
    assert annealed.acceptance.mean() > 0.5


LAWS: dict[str, Likelihood] = {
    "grey": DiscretisedLogisticMixture((6, 5), 2, **LEVELS),
    "colour": DiscretisedLogisticMixture((6, 5, 3), 3, coupled=True, **LEVELS),
    "few levels": Categorical((6, 5), 4),
}


@pytest.mark.parametrize("name", LAWS)
def test_any_likelihood_of_pictures_starts_at_its_marginals_and_learns(name: str) -> None:
    torch.manual_seed(0)
    law = copy.deepcopy(LAWS[name])
    top = 3 if name == "few levels" else 255
    bright = torch.rand(60, *[1] * len(law.event_shape))
    x = (top * (0.8 * bright + 0.2 * torch.rand(60, *law.event_shape))).round()
    model = build_maps(law.event_shape, likelihood=law)
    model.topdown.encoder.first.shift.fill_(top / 2)
    model.topdown.encoder.first.scale.fill_(top / 3)
    model.initialise(Batch(x))
    marginals = law(law.initial(x)).log_prob(x).flatten(1).sum(1).mean()
    torch.testing.assert_close(model.terms(Batch(x), 5).reconstruction.mean(), marginals, rtol=0.03, atol=0.0)
    optimiser = torch.optim.Adam(model.parameters(), 4e-3)
    for _ in range(40):
        terms = model.terms(Batch(x))
        optimiser.zero_grad()
        (terms.kl - terms.reconstruction).mean().backward()
        optimiser.step()
    found = evidence(model, ResidentRows(x), samples=10)
    assert found.terms["elbo"].mean() > marginals + 3
    assert found.kl_parts is not None
    assert found.kl_parts.sum() > 1
    assert model.likelihood(model.prior().sample(torch.Size((2,)))).sample().shape == (2, *law.event_shape)


def test_the_decoder_gives_one_parameter_of_all_cells_after_the_other() -> None:
    likelihood = Gaussian((5, 6, 3))
    decoder = PatchDecoder(likelihood.parameter_shape, 1, blocks=0)
    with torch.no_grad():
        decoder.last.weight.zero_()
        decoder.last.weight[4 * (1 * 3 + 2) + 2, 0, 1, 1] = 1.0  # parameter 1 of blue, lower left of the patch
    state = torch.zeros(7, 2, 3, 3)
    state[:, :, 1, 2] = 3.0
    mean, log_scale = likelihood.split(decoder(state.flatten(2)))
    lit = torch.zeros(5, 6, 3, dtype=torch.bool)
    lit[3, 4, 2] = True
    assert mean.abs().max() == 0
    assert ((log_scale > 1) == lit).all()


def test_the_encoder_reads_pictures_channels_last_and_pads_them_with_zeros() -> None:
    encoder = PatchEncoder((5, 4, 3), 2)
    with torch.no_grad():
        kept = torch.zeros_like(encoder.first.weight)
        kept[:, 4 + 1, 1, 1] = 1.0  # green, upper right of the patch itself
        encoder.first.weight.mul_(kept)
    x = torch.randn(1, 5, 4, 3, requires_grad=True)
    made = encoder(x.flatten(1))
    assert made.shape == (1, 3 * 2 * 2)
    made.sum().backward()
    seen = torch.zeros(5, 4, 3, dtype=torch.bool)
    seen[::2, 1::2, 1] = True
    assert x.grad is not None
    assert ((x.grad[0] != 0) == seen).all()


def test_masks_and_covariates_reach_q_and_the_likelihood_and_not_the_prior() -> None:
    torch.manual_seed(0)
    model = build_maps((6, 5), stir=0.1, condition=nn.Identity(), y=2, masked=True)
    x, y = bits((6, 5)).float(), torch.zeros(ROWS, 2)
    z = model.prior().sample(torch.Size((ROWS,)))
    assert not torch.equal(model.likelihood(z, y).mean, model.likelihood(z, y + 1).mean)
    observed = torch.rand(x.shape) < 0.7
    batches = Batch(x, covariates=y), Batch(x, covariates=y + 1), Batch(x, observed, covariates=y)
    densities = [model.posterior(batch).log_prob(z) for batch in batches]
    assert not torch.equal(densities[0], densities[1])
    assert not torch.equal(densities[0], densities[2])
    hidden = Batch(torch.where(observed, x, 1 - x), observed, covariates=y)
    torch.testing.assert_close(model.posterior(hidden).log_prob(z), densities[2])
    noise = torch.randn(1, ROWS, model.latent)
    torch.testing.assert_close(
        model.terms(hidden, noise=noise).log_weight, model.terms(batches[2], noise=noise).log_weight
    )


def test_in_bfloat16_maps_stay_in_it_and_channels_last_and_numbers_are_near() -> None:
    torch.manual_seed(0)
    model, batch = build_maps((14, 13), width=16), Batch(bits((14, 13)).float())
    with torch.no_grad():
        for head in (*model.topdown.path.prior, *model.topdown.path.posterior):
            head.weight.normal_(std=0.02)
    kept: list[Tensor] = []
    for block in (*model.topdown.path.up, *model.topdown.path.down):
        block.register_forward_hook(lambda _, __, made: kept.append(made))
    noise = torch.randn(1, ROWS, model.latent)
    exact = model.terms(batch, noise=noise)
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in kept)
    kept.clear()
    with torch.autocast("cpu", torch.bfloat16):
        rough = model.terms(batch, noise=noise)
        (rough.reconstruction - rough.kl).mean().backward()
    assert {one.dtype for one in kept} == {torch.bfloat16}
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in kept)
    assert rough.kl.dtype == torch.float32
    torch.testing.assert_close(rough.kl, exact.kl, rtol=0.05, atol=0.05)
    torch.testing.assert_close(rough.reconstruction, exact.reconstruction, rtol=0.02, atol=0.5)
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def test_above_the_top_group_there_is_one_state_for_all_draws_and_one_q_for_each_row() -> None:
    model, batch = build_maps((8, 8)), Batch(bits((8, 8)).float())
    rows: list[int] = []
    model.topdown.path.posterior[0].register_forward_hook(lambda _, __, made: rows.append(len(made)))
    model.topdown.path.prior[0].register_forward_hook(lambda _, __, made: rows.append(len(made)))
    model.terms(batch, 7)
    assert rows == [1, ROWS]


def test_extremes_stay_finite_and_keep_a_gradient() -> None:
    torch.manual_seed(0)
    model = build_maps((8, 8), likelihood=Gaussian((8, 8)), stir=0.1)
    with torch.no_grad():
        for head in (*model.topdown.path.prior, *model.topdown.path.posterior):
            head.bias.copy_(20 * torch.randn_like(head.bias))
    terms = model.terms(Batch(100 * torch.randn(ROWS, 8, 8)), 2)
    down = model.topdown(noise=torch.randn(3, model.latent))
    assert down.p_log_std.abs().max() <= 5
    value = terms.log_weight.sum() + terms.kl.sum()
    gradients = torch.autograd.grad(value, [*model.parameters()])
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_weights_are_stored_as_they_are() -> None:
    one, other = build_maps((9, 7, 3), stir=0.1), build_maps((9, 7, 3))
    other.load_state_dict(load(save(one.state_dict())))
    x = ResidentRows(bits((9, 7, 3)).float())
    first, second = (evidence(model, x, samples=5).terms["iwae"] for model in (one, other))
    assert (first == second).all()


def test_a_long_chain_starts_with_a_variance_that_does_not_grow_with_its_length() -> None:
    torch.manual_seed(0)
    sizes = []
    for count in (1, 16):
        ladder = build_maps((8, 8), [Level(4, count, 2)], width=16).topdown
        with torch.no_grad():
            down = ladder(noise=torch.zeros(1, sum(ladder.sizes)) + torch.eye(1, sum(ladder.sizes)) * 10)
        sizes.append(float(down.output.std()))
    assert sizes[1] < 3 * sizes[0]


@pytest.mark.parametrize("event", [(28, 28), (33, 17, 3), (1, 1), (128, 100)])
def test_patches_are_powers_of_two_and_their_maps_cover_the_picture(event: tuple[int, ...]) -> None:
    longest = max(event[:2])
    sides = sorted({-(-longest // 2**power) for power in range(9)})
    assert patches_of(event, [Level(side, 1, 1) for side in sides])[-1] == 1
    for side, patch in zip(sides, patches_of(event, [Level(side, 1, 1) for side in sides]), strict=True):
        assert patch & (patch - 1) == 0
        assert side * patch >= longest > (side - 1) * patch


def test_maps_that_do_not_fit_are_refused() -> None:
    ends = PatchEncoder((28, 28), 4), PatchDecoder((28, 28, 1), 4)
    for levels, told in (
        ([Level(8, 1, 1)], "side 28, 14, 7, 4, 2, 1; got 8"),
        ([Level(14, 1, 1), Level(7, 1, 1)], "coarse to fine, each size once, got 14 then 7"),
        ([], "got none"),
        ([Level(14, 101, 1)], "1 to 100 groups"),
        ([Level(14, 1, 0)], "at least one channel"),
    ):
        with pytest.raises(ConfigError, match=told):
            ConvLadder(*ends, levels, (28, 28), 4)
    with pytest.raises(ConfigError, match=r"pictures \(H, W\) or \(H, W, C\), got \(9,\)"):
        PatchEncoder((9,), 4)
    with pytest.raises(ConfigError, match="encoder PatchEncoder gives 784 numbers per row; the ladder needs 196"):
        HierarchicalVAE(Gaussian((28, 28)), ConvLadder(*ends, [Level(7, 1, 1)], (28, 28), 4))
    with pytest.raises(ConfigError, match="takes 784 numbers per row, flat"):
        ends[0](torch.zeros(2, 28, 28))
    assert levels_of((28, 28)) == [Level(7, 2, 3), Level(14, 1, 2)]
