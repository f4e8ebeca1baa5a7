"""What models, priors and diagnosis make of missing cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import likely
from likely import likelihoods, networks, posteriors, priors
from likely.assembly import resolve
from likely.config import Config, TrainingConfig
from likely.data import Batch, Column, Patterns, ResidentRows, Schema
from likely.errors import DataError
from likely.evaluation import calibrations, dependence, evidence, outside, uniforms
from likely.models import VAE, HierarchicalVAE
from linear_gaussian import LinearGaussian, Oblique
from rooms import LIKELIHOODS, OBJECTIVES, rows_of

COLUMNS = (
    Column("a", "float64", "real", "", 1.0, 2.0, low=-5.0, high=7.0, missing=3),
    Column("b", "str", "categorical", "", categories=("p", "q", "r"), reserve=0.01, missing=2),
    Column("c", "float64", "real", "", 0.0, 1.0, low=-3.0, high=3.0),
)
TABLE = Schema("table", (3,), COLUMNS, 100, cells_alike=False)
SMALL = Config().replace({"latent": 2, "width": 8, "blocks": 1})


def batch(fill: float = 0.0) -> Batch:
    values = torch.tensor([[1.0, 2, 0.5], [fill, 0, 1], [3, -1, 0.2], [2, 1, fill]], dtype=torch.float64)
    observed = torch.tensor([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=torch.bool)
    return Batch(values, observed)


def built(config: Config = SMALL, schema: Schema = TABLE) -> likely.models.Model:
    return resolve(config, schema).build().eval()


@pytest.mark.parametrize("prior", ["normal", "ladder:2", "categorical:2:3"])
def test_q_does_not_see_what_fills_a_hole_and_is_told_where_it_is(prior: str) -> None:
    model = built(Config().replace({"width": 8, "blocks": 1, "prior": prior}))
    seen = model.encoded(batch())
    torch.testing.assert_close(model.encoded(batch(4.0)), seen)
    encoder = model.topdown.encoder if isinstance(model, HierarchicalVAE) else model.encoder
    first = encoder.first
    whole = Batch(batch().values)
    assert encoder.body.inputs == first.outputs + 2
    full = Batch(whole.values, torch.ones(4, 3, dtype=torch.bool))
    torch.testing.assert_close(model.encoded(full), model.encoded(whole))
    # A mean at the place of a hole is told from a mean that was observed.
    at_mean = Batch(torch.tensor([[1.0, 2, 0.5]] * 2).double(), torch.tensor([[1, 1, 1], [0, 1, 1]]).bool())
    one, other = model.encoded(at_mean)
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("shape", [(5, 4), (4, 4, 3)])
def test_pictures_come_with_their_mask(network: str, shape: tuple[int, ...]) -> None:
    column = Column("x", "float64", "real", "", 0.0, 1.0, low=-3.0, high=3.0, missing=9)
    schema = Schema("images", shape, (column,), 50, cells_alike=True)
    model = built(SMALL.replace({"network": network}), schema)
    x, observed = torch.randn(3, *shape), torch.rand(3, *shape) > 0.3
    seen = model.encoded(Batch(x, observed))
    torch.testing.assert_close(model.encoded(Batch(torch.where(observed, x, 7.0), observed)), seen)
    zeros = Batch(torch.where(observed, x, 0.0))
    assert not torch.allclose(model.encoded(zeros), seen)


def test_an_encoder_of_the_users_sees_the_fill_or_asks_for_the_mask() -> None:
    class Asks(nn.Module):
        def forward(self, values: Tensor, observed: Tensor | None = None) -> Tensor:
            return torch.zeros(len(values), 4) if observed is None else observed.float()

    def vae(encoder: nn.Module) -> VAE:
        likelihood = likelihoods.Gaussian((4,), "shared")
        return VAE(priors.StandardNormal(2), likelihood, posteriors.Normal(2), encoder, networks.ResidualMLP(2, 4, 8))

    rows = Batch(torch.full((2, 4), 3.0), torch.tensor([[1, 0, 1, 1], [1, 1, 1, 1]]).bool())
    torch.testing.assert_close(vae(Asks()).encoded(rows), rows.observed.float() if rows.observed is not None else None)
    shaped = networks.Shaped(nn.Identity(), (4,), (4,))
    torch.testing.assert_close(vae(shaped).encoded(rows), rows.values)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_filled_cells_add_nothing_and_pass_finite_gradients(name: str) -> None:
    likelihood = LIKELIHOODS[name]()
    x = rows_of(likelihood, 6)
    observed = torch.rand(x.shape) > 0.5
    mean = x.double().mean(0)
    for fill in (mean.round(), torch.zeros_like(mean), -torch.ones_like(mean)):
        filled = Batch(torch.where(observed, x, fill.to(x.dtype)), observed)
        parameters = torch.randn(6, likelihood.parameter_shape.numel(), requires_grad=True)
        found = filled.sum_observed(likelihood(parameters).log_prob(filled.values).unsqueeze(0))
        (gradient,) = torch.autograd.grad(found.sum(), parameters)
        assert gradient.isfinite().all()
        if name == "coupled":  # a channel there is conditioned on the ones before it
            continue
        exact = likelihood(parameters).log_prob(x)
        torch.testing.assert_close(found[0], torch.where(observed, exact, 0.0).flatten(1).sum(1))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_finite_on_rows_with_missing_cells_and_do_not_see_the_fill(name: str) -> None:
    if "group" in name:
        return
    model, found = built(SMALL.replace({"prior": "normal"})).train(), []
    for fill in (0.0, 5.0):
        torch.manual_seed(3)
        value, _ = OBJECTIVES[name][0](model, batch(fill))
        model.zero_grad()
        (-value.mean()).backward()
        assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())
        found.append(value.detach())
    torch.testing.assert_close(*found)


def test_a_decoder_starts_at_the_marginals_of_observed_cells() -> None:
    x, observed = torch.randn(400, 2).double() * 3 + 10, torch.rand(400, 2) > 0.6
    likelihood = likelihoods.Gaussian((2,), "predicted", 10.0, 3.0)
    for model in (
        VAE(
            priors.StandardNormal(1), likelihood, posteriors.Normal(1), networks.ResidualMLP(2, 2, 8),
            networks.ResidualMLP(1, 4, 8),
        ),
        HierarchicalVAE(
            likelihood, networks.Ladder(networks.ResidualMLP(2, 4, 8), networks.ResidualMLP(4, 4, 8), (1,), 4)
        ),
    ):  # fmt: skip
        model.initialise(Batch(torch.where(observed, x, 0.0), observed))
        with torch.no_grad():
            law = model.likelihood(torch.zeros(1, model.latent))
        for cell in range(2):
            known = x[observed[:, cell], cell]
            assert float(law.mean[0, cell]) == pytest.approx(float(known.mean()), abs=0.3)
            assert float(law.variance[0, cell].sqrt()) == pytest.approx(float(known.std()), rel=0.1)


def test_priors_made_of_rows_keep_their_missing_cells() -> None:
    x, observed = torch.randn(20, 3).double(), torch.rand(20, 3) > 0.5
    rows = Batch(torch.where(observed, x, 0.0), observed)

    def q(values: Tensor, observed: Tensor | None = None) -> likely.distributions.DiagonalNormal:
        seen = torch.ones_like(values, dtype=torch.bool) if observed is None else observed
        mean = torch.where(seen, values, 0.0).sum(-1, keepdim=True)
        return likely.distributions.DiagonalNormal(mean.expand(-1, 2), -0.5 * seen.sum(-1, keepdim=True).expand(-1, 2))

    exemplar = priors.Exemplar(2, 20).double()
    vamp = priors.Vamp(2, (3,), 20, torch.float64, missing=True).double()
    for prior in (exemplar, vamp):
        prior.initialise(rows.values, observed=rows.observed)
        law = prior.eval()(q)
        wanted = torch.where(observed, x, 0.0).sum(-1).mean()
        torch.testing.assert_close(law.mean, wanted.expand(2))
    again = priors.Vamp(2, (3,), 20, torch.float64, missing=True).double()
    again.load_state_dict(vamp.state_dict())
    z = torch.randn(5, 2).double()
    torch.testing.assert_close(again(q).log_prob(z), vamp(q).log_prob(z))
    known = torch.stack([x[observed[:, cell], cell].std(correction=0) for cell in range(3)])
    torch.testing.assert_close(vamp.scale, known, rtol=0.35, atol=0)


@pytest.mark.parametrize("prior", ["vamp:10", "exemplar:10:3", "mixture:5", "flow:2"])
def test_models_with_these_priors_train_on_rows_with_missing_cells(prior: str) -> None:
    model = built(SMALL.replace({"prior": prior}))
    x = torch.stack([torch.randn(60), torch.randint(0, 3, (60,)).float(), torch.randn(60)], 1).double()
    observed = torch.rand(60, 3) > 0.4
    x[:, 1] = torch.where(observed[:, 1], x[:, 1], -1.0)
    rows = ResidentRows(torch.where(observed, x, torch.tensor([1.0, -1, 0])), observed=observed)
    model.initialise(rows.evaluation_batch(torch.arange(60)))
    likely.train(model, rows, validation=rows, config=TrainingConfig(steps=10, batch_size=20))
    assert np.isfinite(evidence(model, rows, samples=10).terms["iwae"]).all()


def test_calibration_is_of_observed_cells() -> None:
    exact = Oblique(6, 2)
    x, observed = exact.sample(800), torch.rand(800, 6) > 0.5
    observed[:, 5] = False
    rows = ResidentRows(torch.where(observed, x, 50.0), observed=observed)
    found = uniforms(exact.vae_with_missing(), rows)
    columns = tuple(Column(f"x{i}", "float64", "real", "") for i in range(6))
    table = calibrations(Schema("table", (6,), columns, 800, cells_alike=False), found)
    assert [one.name for one in table] == ["x0", "x1", "x2", "x3", "x4"]
    assert [one.numbers for one in table] == observed.sum(0)[:5].tolist()
    assert all(one.verdict == "" and one.p_value > 1e-3 for one in table)
    whole = calibrations(Schema("array", (6,), columns[:1], 800, cells_alike=True), found)[0]
    assert whole.numbers == int(observed.sum())
    assert abs(whole.shift) < 4 * whole.shift_se
    assert abs(whole.spread - 1) < 4 * whole.spread_se
    largest, limit = dependence(found.u)
    assert largest < limit
    some = torch.randperm(800)
    some = some[observed[some].any(1)]  # rows without any value are copies of each other, told apart by their order
    again = uniforms(exact.vae_with_missing(), rows.take(some))
    np.testing.assert_allclose(again.u, found.u[some.numpy()], atol=1e-6)


def test_a_wrong_distribution_is_seen_through_missing_cells() -> None:
    exact = LinearGaussian(6, 2, sigma=0.5)
    x, observed = exact.sample(800), torch.rand(800, 6) > 0.5
    wide = LinearGaussian(6, 2, sigma=0.8)
    found = uniforms(wide.vae_with_missing(), ResidentRows(torch.where(observed, x, 50.0), observed=observed))
    whole = calibrations(Schema("array", (6,), (Column("x", "float64", "real", ""),), 800, cells_alike=True), found)[0]
    assert whole.verdict == "too wide"


def test_holes_are_not_outside_of_anything() -> None:
    rows = batch(1e9)
    found = outside(TABLE, ResidentRows(rows.values, observed=rows.observed))
    assert (found.rows, dict(found.columns), dict(found.unseen), found.beyond) == (0, {}, {}, 0)
    assert found.expected == pytest.approx(2 * 3 / 98 + 2 * 3 / 101)
    told = SMALL.replace({"likelihood": "lognormal"})
    column = Column("x", "float64", "real", "", 2.0, 1.0, low=0.5, high=9.0, missing=1)
    schema = Schema("array", (2,), (column,), 10, cells_alike=True)
    x, observed = torch.tensor([[1.0, -1], [2, 3]]), torch.tensor([[1, 0], [1, 1]]).bool()
    resolve(told, schema).demand_rows_in_requested_support(ResidentRows(x, observed=observed))
    with pytest.raises(DataError, match="lognormal"):
        resolve(told, schema).demand_rows_in_requested_support(ResidentRows(x))


def test_patterns_of_holes_come_back_as_often_as_rows_have_them() -> None:
    observed = torch.tensor([[1, 1, 0]] * 30 + [[1, 1, 1]] * 10 + [[0, 0, 0]] * 60).bool()
    found = Patterns.of(observed[torch.randperm(100)])
    assert sorted(found.counts.tolist()) == [10, 30, 60]
    again = Patterns.from_arrays(found.to_arrays(), (3,))
    drawn = again.draw(4000)
    share = {tuple(mask): int((drawn == torch.tensor(mask)).all(1).sum()) / 4000 for mask in again.observed.tolist()}
    assert share[True, True, False] == pytest.approx(0.3, abs=0.03)
    assert share[False, False, False] == pytest.approx(0.6, abs=0.03)
    many = Patterns.of(torch.rand(12_000, 4, 5) > 0.5)
    assert many.observed.shape[1:] == (4, 5)
    assert len(many.observed) <= 10_000
    assert int(many.counts.sum()) == 10_000


def test_half_of_the_cells_missing_costs_less_than_dropping_rows_or_filling_means() -> None:
    exact = LinearGaussian(5, 2, sigma=0.3)
    x, test = exact.sample(1200).float(), ResidentRows(exact.sample(500).float())
    observed = torch.rand(x.shape) > 0.5
    incomplete = torch.where(observed, x, torch.nan)
    mean = incomplete.nanmean(0)
    ways = {
        "incomplete": incomplete,
        "complete rows": incomplete[observed.all(1)],
        "means": torch.where(observed, x, mean),
    }
    scores = {}
    for name, rows in ways.items():
        torch.manual_seed(0)
        column = Column("x", "float64", "real", "", 0.0, 1.3, low=-9.0, high=9.0, missing=int(name == "incomplete"))
        schema = Schema("array", (5,), (column,), len(rows), cells_alike=True)
        model = built(SMALL.replace({"width": 32}), schema)
        config = TrainingConfig(steps=250, learning_rate=1e-2, batch_size=min(100, len(rows)))
        likely.train(model, rows, config=config)
        scores[name] = evidence(model, test, samples=30).terms["iwae"].mean()
    truth = float(exact.log_px(test.stored().values.double()).mean())
    lost = {name: truth - score for name, score in scores.items()}
    assert -0.2 < lost["incomplete"] < 0.5 * min(lost["means"], lost["complete rows"]), lost
