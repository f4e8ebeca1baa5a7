"""The integrated model is a finite mixture: its sums against another implementation, in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from likely import likelihoods, models, priors
from likely.data import Batch
from likely.distributions import Points
from likely.errors import ConfigError
from likely.models import Exposure, Integrated, Sums, tables
from likely.models.integrated import uniform_points
from likely.objectives import ELBO, IWAE, MIWAE, MMD, Loss, Objective
from likely.priors import FromPosterior, Prior
from rooms import LIKELIHOODS, PRIORS, rows_of, space_of, stir

LATENT, POINTS, ROWS = 2, 16, 23
QUANTILE = [name for name in PRIORS if space_of(name) == "real" and name not in ("vamp", "exemplar")]


def made(likelihood: str = "bernoulli", stored: int = 40, **parts: nn.Module) -> Integrated:
    torch.manual_seed(4)
    p_x_z = LIKELIHOODS[likelihood]()
    inputs = LATENT + (1 if "condition" in parts else 0)
    decoder = nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, p_x_z.parameter_shape.numel()))
    return Integrated(priors.StandardNormal(LATENT), p_x_z, decoder, POINTS, stored=stored, **parts).double()


def by_hand(model: Integrated, batch: Batch) -> Tensor:
    """log P(x|z_n), row by row and point by point: `(rows, points)`."""
    z = torch.as_tensor(scipy.stats.norm.ppf(model.uniforms.numpy()))
    found = torch.empty(len(batch), len(z), dtype=torch.float64)
    for (i, values), (n, point) in itertools.product(enumerate(batch.values), enumerate(z)):
        y = None if batch.covariates is None else batch.covariates[i : i + 1]
        cells = model.likelihood(point.unsqueeze(0), y).log_prob(values.unsqueeze(0))[0].flatten()
        seen = torch.ones(len(cells), dtype=torch.bool) if batch.observed is None else batch.observed[i].flatten()
        found[i, n] = cells[seen].sum()
    return found


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_at_every_point_and_row(likelihood: str, missing: bool) -> None:
    model = made(likelihood).eval()
    values = rows_of(model.p_x_z, ROWS)
    observed = torch.rand(values.shape) > 0.4 if missing else None
    batch = Batch(values, observed)
    with torch.no_grad():
        close(model.encoded(batch), by_hand(model, batch))


def test_few_and_many_distinct_cells_and_parts_of_the_points_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made("columns of masses")
    batch = Batch(rows_of(model.p_x_z, ROWS))
    wanted, slopes = _value_and_slopes(model, batch)
    monkeypatch.setattr(models.integrated, "MAX_NUMBERS", 100)
    for most in (0, 10**6):
        monkeypatch.setattr(tables, "MAX_DENSE", most)
        found, others = _value_and_slopes(model, batch)
        close(found, wanted)
        for one, other in zip(slopes, others, strict=True):
            close(one, other)


def _value_and_slopes(model: Integrated, batch: Batch) -> tuple[Tensor, list[Tensor]]:
    value, _ = Loss(model, ELBO())(batch, 1.0, torch.Generator().manual_seed(3))
    return value.detach(), list(torch.autograd.grad(value, list(model.parameters())))


def test_a_value_without_mass_is_no_matter_to_the_other_rows() -> None:
    model = made("bernoulli").eval()
    values = rows_of(model.p_x_z, ROWS).double()
    values[3, 0, 0] = 0.5
    with torch.no_grad():
        log_px = model.posterior(Batch(values)).log_total
    assert log_px[3] == -math.inf
    assert log_px.isfinite().sum() == ROWS - 1


@pytest.mark.parametrize("each", [2, 12])
def test_with_a_condition_and_an_exposure(each: int) -> None:
    """Few rows of each y, and many."""

    class Condition(nn.Module):
        outputs, covariates = 1, None

        def forward(self, y: Tensor) -> Tensor:
            return y[:, :1].double() / 3

    model = made("poisson", condition=Condition(), exposure=Exposure(1, 2.0)).eval()
    torch.manual_seed(2)
    values = rows_of(LIKELIHOODS["poisson"](), 24)
    y = torch.stack([torch.arange(24) % (24 // each), 1 + torch.arange(24) % (24 // each)], 1).double()
    batch = Batch(values, None, y)
    with torch.no_grad():
        close(model.encoded(batch), by_hand(model, batch))


def test_the_terms_are_sums_and_their_difference_is_the_evidence() -> None:
    model = made("discretised logistic").eval()
    batch = Batch(rows_of(model.p_x_z, ROWS))
    with torch.no_grad():
        each = by_hand(model, batch)
        log_px = each.logsumexp(1) - math.log(40)
        w = (each - each.logsumexp(1, keepdim=True)).exp()
        terms = model.terms(batch, 7)
        close(terms.reconstruction, (w * each).sum(1))
        close(terms.kl, (w * (40 * w).log()).sum(1))
        close(terms.log_weight, log_px.expand(7, -1))
        close(model.posterior(batch).mean, w @ model.prior().points)


def test_a_step_maximises_the_mean_over_the_points_of_a_new_scramble() -> None:
    model = made()
    batch = Batch(rows_of(model.p_x_z, ROWS))
    draw = torch.Generator().manual_seed(1)
    first, second = (Loss(model, ELBO())(batch, 1.0, draw)[0] for _ in range(2))
    assert first != second
    seed = int(torch.randint(2**31 - 1, (), generator=torch.Generator().manual_seed(1)))
    z = torch.as_tensor(scipy.stats.norm.ppf(uniform_points(POINTS, LATENT, seed).numpy()))
    each = torch.stack([model.log_px_z(batch, one.expand(1, ROWS, -1))[0] for one in z])
    wanted = -(each.logsumexp(0) - math.log(POINTS)).mean()
    close(first, wanted)
    weights = list(model.parameters())
    for one, other in zip(torch.autograd.grad(first, weights), torch.autograd.grad(wanted, weights), strict=True):
        close(one, other)
    iwae = Loss(model, IWAE(5))(batch, 1.0, torch.Generator().manual_seed(1))[0]
    close(iwae, wanted)


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_gradients_at_drawn_points_are_on_average_those_at_all(beta: float, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made("gaussian")
    batch = Batch(rows_of(model.p_x_z, ROWS))
    z = torch.randn(POINTS, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(model, "fresh_codes", lambda *_: z)
    generator = torch.Generator().manual_seed(0)

    def slopes(sums: Sums) -> Tensor:
        model.zero_grad()
        (sums.reconstruction - beta * sums.kl).mean().backward()
        return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])

    expected = slopes(model.sums_over(batch, z))
    drawn = []
    for _ in range(1000):
        terms = model.terms(batch, generator=generator)
        assert terms.sums is not None
        drawn.append(slopes(terms.sums))
    each = torch.stack(drawn)
    errors = each.std(0) / len(each) ** 0.5
    assert float(errors.max()) < 0.05 * float(expected.abs().max())
    assert bool(((each.mean(0) - expected).abs() < 4.5 * errors + 1e-9).all())


def test_weights_are_all_the_evidence_and_carry_its_gradient() -> None:
    model = made("gaussian")
    terms = model.terms(Batch(rows_of(model.p_x_z, ROWS)), 3)
    assert terms.log_weight.shape == (3, ROWS)
    assert bool((terms.log_weight == terms.log_weight[0]).all())
    assert terms.log_weight.requires_grad
    found = terms.log_px_z + terms.log_pz - terms.log_qz_x
    close(found.detach(), terms.log_weight.detach())


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("objective", [ELBO(kl="sampled"), IWAE(3), MIWAE((2, 2))])
def test_objectives_take_the_sums_and_not_draws_of_fixed_points(objective: Objective, likelihood: str) -> None:
    model = made(likelihood)
    batch = Batch(rows_of(model.p_x_z, ROWS))

    def slopes(some: Objective) -> list[Tensor]:
        loss = Loss(model, some)(batch, 0.3, torch.Generator().manual_seed(1))[0]
        return [loss, *torch.autograd.grad(loss, list(model.parameters()))]

    for found, wanted in zip(slopes(objective), slopes(ELBO()), strict=True):
        close(found, wanted)


def test_an_objective_that_moves_samples_of_z_is_refused() -> None:
    model = made()
    with pytest.raises(ConfigError, match="fixed points; take elbo"):
        MMD(10.0)(model, Batch(rows_of(model.p_x_z, ROWS)))


def test_a_row_that_no_point_could_have_made_has_no_divergence() -> None:
    model = made().eval()
    values = rows_of(model.p_x_z, ROWS).double()
    values[3, 0, 0] = 0.5
    sums = model.sums(Batch(values))
    assert sums.log_px[3] == sums.reconstruction[3] == -math.inf
    assert sums.kl[3] == 0


def test_a_decoder_with_dropout_has_the_gradient_of_all_points() -> None:
    model = made("gaussian")
    batch = Batch(rows_of(model.p_x_z, ROWS))
    assert not model.terms(batch).q.logits.requires_grad
    model.decoder = nn.Sequential(nn.Dropout(0.3), model.decoder)
    assert model.terms(batch).q.logits.requires_grad


@pytest.mark.parametrize("name", QUANTILE)
def test_points_follow_the_prior(name: str) -> None:
    prior = PRIORS[name]()
    assert isinstance(prior, Prior)
    stir(prior)
    model = Integrated(prior, LIKELIHOODS["bernoulli"](), nn.Linear(prior.event_shape[0], 6), 512, seed=3).double()
    with torch.no_grad():
        z, law = model.prior().points, prior()
        drawn = law.sample(torch.Size((200_000,)))
    for mine, theirs in zip(z.T, drawn.T, strict=True):
        assert scipy.stats.ks_2samp(mine.numpy(), theirs.numpy()).statistic < 0.01
    torch.testing.assert_close(z.mean(0), drawn.mean(0), rtol=0, atol=0.03)
    value, _ = Loss(model.train(), ELBO())(Batch(rows_of(model.p_x_z, 5)))
    value.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in prior.parameters())


def test_points_are_within_the_cube_and_a_seed_gives_the_same() -> None:
    u = uniform_points(4096, 5, 0)
    assert 0 < u.min() < 1e-3
    assert 1 - 1e-3 < u.max() < 1
    assert torch.equal(u, uniform_points(4096, 5, 0))
    assert not torch.equal(u, uniform_points(4096, 5, 1))


@pytest.mark.parametrize("prior", [name for name in PRIORS if name not in QUANTILE])
def test_other_priors_are_refused(prior: str) -> None:
    p: Prior | FromPosterior = PRIORS[prior]()
    with pytest.raises(ConfigError, match="take normal, diagonal, mixture or flow"):
        Integrated(p, LIKELIHOODS["bernoulli"](), nn.Linear(p.event_shape[0], 6))


CHANGES: dict[str, Callable[[], Integrated]] = {
    "a point of z at least": lambda: Integrated(
        priors.StandardNormal(2), likelihoods.Bernoulli((3,)), nn.Linear(2, 3), points=0
    ),
    "decoder": lambda: Integrated(priors.StandardNormal(2), likelihoods.Bernoulli((3,)), _Stated(), 4),
}


class _Stated(nn.Linear):
    inputs, outputs, widest = 2, 4, 4

    def __init__(self) -> None:
        super().__init__(2, 4)


@pytest.mark.parametrize("what", CHANGES)
def test_what_does_not_fit_is_refused(what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        CHANGES[what]()


def test_samples_fit_log_probabilities() -> None:
    """Every row of few 0/1 cells is drawn as often as its probability says."""
    model, n = made().eval(), 100_000
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=6))).view(-1, 2, 3)
    with torch.no_grad():
        log_px = model.posterior(Batch(every)).log_total - math.log(40)
        assert float(log_px.exp().sum()) == pytest.approx(1, abs=1e-9)
        torch.manual_seed(0)
        drawn = model.likelihood(model.prior().sample(torch.Size((n,)))).sample().flatten(1)
    code = (drawn * 2.0 ** torch.arange(5, -1, -1)).sum(1).long()
    counts = torch.bincount(code, minlength=64).double()
    assert scipy.stats.chisquare(counts.numpy(), (n * log_px.exp()).numpy()).pvalue > 1e-3


def test_its_posterior_is_over_its_points() -> None:
    model = made().eval()
    batch = Batch(rows_of(model.p_x_z, 4))
    q, p = model.posterior(batch), model.prior()
    assert isinstance(q, Points)
    z = q.sample(torch.Size((5,)))
    close(p.log_prob(z), torch.full((5, 4), -math.log(40), dtype=torch.float64))
    close(model.log_px_z(batch, z) + p.log_prob(z) - q.log_prob(z), (q.log_total - math.log(40)).expand(5, -1))
    with pytest.raises(ConfigError, match="what its posterior and prior give"):
        model.terms(batch, q=priors.StandardNormal(2)())
