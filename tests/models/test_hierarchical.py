"""Hierarchies of latent groups: the interface, closed forms, quadrature, and what a ladder of any length must do."""

from __future__ import annotations

import copy

import pytest
import scipy.stats
import torch
from safetensors.torch import save
from torch import Tensor, nn

from hierarchies import CELLS, build
from likely.config import TrainingConfig
from likely.data import Batch, ResidentRows
from likely.distributions import DiagonalNormal
from likely.distributions.normal import kl_per_dimension
from likely.errors import ConfigError
from likely.evaluation import evidence, ledger
from likely.likelihoods import Bernoulli, Gaussian
from likely.models import HierarchicalVAE
from likely.networks import Ladder, ResidualMLP
from likely.networks.topdown import Group, Moments, TopDown
from likely.objectives import ELBO, IWAE, Beta, FreeBits, Loss
from likely.training import Schedule, train
from likely.training.validate import validate

ROWS = 30
P_VALUE = 1e-5


def test_the_interface_in_one_pass_is_the_parts_apart() -> None:
    model, x = build((1, 2, 3)).double(), torch.randn(ROWS, CELLS, dtype=torch.float64)
    batch = Batch(x)
    terms = model.terms(batch, 4)
    assert terms.z.shape == (4, ROWS, 6)
    q, p = model.posterior(batch), model.prior()
    torch.testing.assert_close(terms.log_qz_x, q.log_prob(terms.z.clone()))
    torch.testing.assert_close(terms.log_pz, p.log_prob(terms.z.clone()))
    torch.testing.assert_close(terms.log_px_z, model.log_px_z(batch, terms.z))
    torch.testing.assert_close(model.log_joint(batch, terms.z), terms.log_px_z + terms.log_pz)
    noise = torch.randn(2, ROWS, 6, dtype=torch.float64)
    torch.testing.assert_close(model.terms(batch, noise=noise, q=q).z, model.posterior(batch).from_noise(noise))
    assert terms.groups is not None
    assert terms.groups.shape == (4, ROWS, 3)
    torch.testing.assert_close(terms.kl, terms.groups.sum(-1).mean(0))
    assert terms.kl_kind == "sampled, closed form within a group"


def test_one_way_down_is_all_that_a_step_costs() -> None:
    model, batch = build((2, 2)), Batch(torch.randn(4, CELLS))
    calls = []
    model.topdown.register_forward_hook(lambda *_: calls.append(1))
    terms = model.terms(batch, 3)
    _ = terms.log_weight, terms.kl, terms.reconstruction
    assert len(calls) == 1


def test_the_reparameterised_gradient_is_the_score_function_gradient() -> None:
    model, batch = build((2, 1)).double(), Batch(torch.randn(1, CELLS, dtype=torch.float64))
    weights = [*model.topdown.path.parameters(), *model.topdown.encoder.parameters()]
    found, blocks = [], 40
    for _ in range(blocks):
        z = model.posterior(batch).rsample(torch.Size((1000,)))
        path = torch.autograd.grad(torch.sin(z + z.roll(1, -1)).sum(-1).mean(), weights, allow_unused=True)
        q = model.posterior(batch)
        z = q.sample(torch.Size((1000,))).detach()
        f = torch.sin(z + z.roll(1, -1)).sum(-1)
        score = torch.autograd.grad(((f - f.mean()) * q.log_prob(z)).mean() * 1000 / 999, weights, allow_unused=True)
        pairs = zip(path, score, strict=True)
        found.append(torch.cat([(a - b).flatten() for a, b in pairs if a is not None and b is not None]))
    difference = torch.stack(found)
    standardised = difference.mean(0) / (difference.std(0) / blocks**0.5).clamp_min(1e-12)
    assert standardised.abs().max() < scipy.stats.t.isf(P_VALUE / len(standardised), blocks - 1)


def test_evidence_agrees_with_quadrature() -> None:
    model, x = build((1, 1)).double().eval(), torch.randn(6, CELLS, dtype=torch.float64)
    axis = torch.linspace(-14, 14, 401, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        cell = 2 * torch.log(axis[1] - axis[0])
        log_px = torch.logsumexp(model.log_joint(Batch(x), z[:, None].expand(-1, 6, -1)), 0) + cell
        assert torch.logsumexp(model.prior().log_prob(z), 0) + cell == pytest.approx(0, abs=1e-6)
    found = evidence(model, ResidentRows(x), samples=20_000, prior_sampling=True)
    assert (abs(found.terms["iwae"] - log_px.numpy()) < 5 * found.se_mc["iwae"] + 1e-4).all()
    assert (found.terms["elbo"] < log_px.numpy() + 5 * found.se_mc["elbo"]).all()


def test_the_groups_of_the_kl_are_seen_and_add_up() -> None:
    model, x = build((1, 2, 2)), torch.randn(7, CELLS)
    found = evidence(model, ResidentRows(x), samples=400, max_numbers=2000)
    assert found.kl_parts is not None
    assert found.kl_parts.shape == (3,)
    assert found.kl_parts.sum() == pytest.approx(found.terms["kl"].mean(), rel=1e-5)
    entries = ledger(found, dims=CELLS, split="", measure="density", seed=0, seconds=0, versions={})
    assert entries["kl"].kind == "D[Q(z|x)||P(z)], sampled, closed form within a group"
    assert entries["kl"].se_mc > 0
    assert entries["elbo"].nats == pytest.approx(entries["reconstruction"].nats - entries["kl"].nats, abs=1e-5)
    one = validate(model, ResidentRows(x), 0)[0]
    assert abs(one - entries["elbo"].nats) < 6 * 401**0.5 * entries["elbo"].se_mc
    torch.manual_seed(0)
    terms = model.double().terms(Batch(x.double()), 4000)
    difference = (terms.log_qz_x - terms.log_pz) - terms.kl_sampled  # type: ignore[operator]
    assert (difference.mean(0).abs() < 5 * difference.std(0) / 4000**0.5).all()


def test_one_group_is_a_vae_with_a_learned_normal_prior() -> None:
    model, batch = build((3,)).double(), Batch(torch.randn(ROWS, CELLS, dtype=torch.float64))
    terms = model.terms(batch, 2)
    down = model.topdown(z=terms.z, features=model.posterior_from(model.encoded(batch)).features)
    assert (down.p_mean == down.p_mean[0, 0]).all()
    closed = kl_per_dimension(
        DiagonalNormal(down.q_mean[0], down.q_log_std[0]), DiagonalNormal(down.p_mean[0], down.p_log_std[0])
    )
    torch.testing.assert_close(terms.kl, closed.sum(-1))


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("objective", [ELBO(), Beta(2.0), FreeBits(0.01, "group"), IWAE(3)])
def test_any_number_of_groups_learns_and_survives_saving(count: int, objective: ELBO) -> None:
    model, x = build((2,) * count, stir=0.1), torch.randn(ROWS, CELLS)
    value, _ = Loss(model, objective)(Batch(x))
    value.backward()
    assert value.isfinite()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name
    state = copy.deepcopy(model.state_dict())
    assert len(save(state)) > 0  # refuses tensors that share memory
    other = build((2,) * count)
    other.load_state_dict(state)
    first, second = (evidence(one, ResidentRows(x), samples=5).terms["iwae"] for one in (model, other))
    assert (first == second).all()


def test_weights_keep_the_names_under_which_runs_were_stored() -> None:
    state = build((2, 1)).state_dict()
    first = {".".join(name.split(".")[:2]) for name in state}
    ladder = {f"ladder.{part}" for part in ("top", "up", "down", "into", "prior", "posterior")}
    apart = {
        "p_x_z.shift",
        "p_x_z.scale",
        "p_x_z.log_scale",
        "encoder.layer",
        "decoder.first",
        "decoder.blocks",
        "decoder.last",
    }
    assert first == {*apart, *ladder}
    other = build((2, 1))
    other.load_state_dict(dict(state))
    for one, again in zip(build((2, 1)).state_dict(), other.state_dict(), strict=True):
        assert one == again
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, state[name])


class Pictures(TopDown[Tensor]):
    """Groups that are pictures: one of 2 x 1 x 1 above one of 1 x 2 x 2; what moves on is a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.groups = (Group((2, 1, 1)), Group((1, 2, 2)))
        self.encoder, self.decoder = nn.Linear(CELLS, 12), nn.Linear(12, CELLS)
        self.encoded, self.decoded, self.widest = 12, 12, 12
        self.top = nn.Parameter(torch.randn(3, 2, 2))
        self.read = nn.ModuleList(nn.Conv2d(3, 2 * group.shape[0], 1) for group in self.groups)
        self.seen = nn.ModuleList(nn.Conv2d(3, 2 * group.shape[0], 1) for group in self.groups)
        self.into = nn.ModuleList(nn.Conv2d(group.shape[0], 3, 1) for group in self.groups)

    @property
    def like(self) -> Tensor:
        return self.top

    def bottom_up(self, encoded: Tensor) -> list[Tensor]:
        return [encoded.unflatten(-1, (3, 2, 2))] * 2

    def start(self, lead: torch.Size) -> Tensor:
        return self.top.expand(*lead, 3, 2, 2)

    def prior(self, level: int, state: Tensor) -> Moments:
        return self.halves(self.read[level], level, state)

    def posterior(self, level: int, state: Tensor, features: Tensor, prior: Moments) -> Moments:
        moved = self.halves(self.seen[level], level, state + features)
        return Moments(prior.mean + moved.mean, prior.log_std + moved.log_std)

    def halves(self, layer: nn.Module, level: int, state: Tensor) -> Moments:
        made = layer(state.flatten(0, -4)).unflatten(0, state.shape[:-3])
        size = self.groups[level].shape[-1]
        return Moments(*made[..., :size, :size].tanh().chunk(2, -3))

    def advance(self, level: int, state: Tensor, z: Tensor) -> Tensor:
        return state + self.into[level](z.flatten(0, -4)).unflatten(0, z.shape[:-3]).expand(*z.shape[:-3], 3, 2, 2)

    def output(self, state: Tensor) -> Tensor:
        return state.flatten(-3)


def test_groups_may_be_pictures_and_z_is_flat_at_the_interface() -> None:
    model, x = HierarchicalVAE(Gaussian((CELLS,), 0.7), Pictures()).double(), torch.randn(7, CELLS).double()
    terms = model.terms(Batch(x), 3)
    assert terms.z.shape == (3, 7, 6)
    assert terms.groups is not None
    assert terms.groups.shape == (3, 7, 2)
    torch.testing.assert_close(terms.log_qz_x, model.posterior(Batch(x)).log_prob(terms.z))
    torch.testing.assert_close(terms.log_pz, model.prior().log_prob(terms.z))
    torch.testing.assert_close(terms.log_px_z, model.log_px_z(Batch(x), terms.z))
    noise = torch.randn(4, 6).double()
    torch.testing.assert_close(model.prior().to_noise(model.prior().from_noise(noise)), noise)
    (terms.reconstruction - terms.kl).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


def test_extremes_stay_finite() -> None:
    model = build((2, 2), stir=0.3)
    x = (100 * torch.randn(8, CELLS)).requires_grad_()
    with torch.no_grad():
        for head in (*model.topdown.path.prior, *model.topdown.path.posterior):
            head.bias.copy_(100 * torch.randn_like(head.bias))
    terms = model.terms(Batch(x), 3)
    value = terms.log_weight.sum() + terms.kl.sum()
    gradients = torch.autograd.grad(value, [*model.parameters()], allow_unused=True)
    assert value.isfinite()
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


def test_training_uses_every_group_of_binary_pictures() -> None:
    torch.manual_seed(0)
    code = (torch.rand(600, 4) < 0.5).float()
    x = (code @ torch.randn(4, 16) + 0.3 * torch.randn(600, 16) > 0).float()
    ladder = Ladder(ResidualMLP(16, 32, 32, 1), ResidualMLP(32, 16, 32, 1), (2, 4), 32)
    model = HierarchicalVAE(Bernoulli((16,)), ladder)
    rows = ResidentRows(x)
    model.initialise(rows.evaluation_batch(torch.arange(len(x))))
    start = validate(model, rows, 0).elbo
    plan = Schedule(400, open=False, warmup_steps=40, validate_every=200)
    outcome = train(model, rows, rows, TrainingConfig(batch_size=64, precision="float32"), plan)
    assert outcome.best > start + 1.5
    found = evidence(model, rows, samples=50)
    assert found.terms["iwae"].mean() > found.terms["elbo"].mean()
    assert found.kl_parts is not None
    assert found.kl_parts.sum() > 1


def test_covariates_reach_q_and_the_likelihood_and_not_the_prior() -> None:
    model = build((2, 2), condition=nn.Identity(), y=1)
    x, y = torch.randn(4, CELLS), torch.zeros(4, 1)
    z = model.prior().sample(torch.Size((4,)))
    assert not torch.equal(model.likelihood(z, y).mean, model.likelihood(z, y + 1).mean)
    a, b = (model.posterior(Batch(x, covariates=one)).log_prob(z) for one in (y, y + 1))
    assert not torch.equal(a, b)
    with pytest.raises(ConfigError, match="give the covariates"):
        model.posterior(Batch(x))


def test_what_makes_no_ladder_is_refused() -> None:
    for groups in ((), (2, 0), (1,) * 21):
        with pytest.raises(ConfigError, match="1 to 20 groups"):
            build(groups)
    with pytest.raises(ConfigError, match="use the plain gradient"):
        Loss(build((2, 2)), IWAE(3, "dreg"))(Batch(torch.randn(4, CELLS)))
    with pytest.raises(ConfigError, match="no sum over dimensions"):
        Loss(build((2, 2)), FreeBits(0.1))(Batch(torch.randn(4, CELLS)))
