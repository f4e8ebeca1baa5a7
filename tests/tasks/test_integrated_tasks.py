"""Every answer of an integrated model against another implementation: numpy and scipy, float64, point by point."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch import Tensor, nn

from likely import likelihoods, priors
from likely.data import ResidentRows
from likely.data.events import Event
from likely.errors import DataError
from likely.evaluation import evidence, ledger, posterior_means, quadrature
from likely.evaluation.proposals import ProposalRule, SeenRows
from likely.models import Integrated
from likely.tasks.anomalies import contributions
from likely.tasks.ask import ask
from likely.tasks.condition import conditional
from likely.tasks.impute import ImputeOptions, impute

POINTS, SIGMA = 48, 1.5
# The cells of a row: a category of three, a real number, 0 or 1.
CATEGORY, NUMBER, TRUTH = 0, 1, 2


class ByHand:
    """The mixture of the model's points, written down."""

    def __init__(self, model: Integrated) -> None:
        z = scipy.stats.norm.ppf(model.uniforms.numpy())
        first, _, last = model.decoder.children()
        arrays = [part.detach().numpy() for layer in (first, last) for part in (layer.weight, layer.bias)]
        out = np.tanh(z @ arrays[0].T + arrays[1]) @ arrays[2].T + arrays[3]
        self.z, self.truth, self.mean = z, scipy.special.expit(out[:, 0]), out[:, 4]
        self.category = scipy.special.softmax(out[:, 1:4], 1)

    def cells(self, row: np.ndarray) -> np.ndarray:
        """log P(x_j|z_n): `(points, 3)`."""
        return np.stack(
            [
                np.log(self.category[:, int(row[CATEGORY])]),
                scipy.stats.norm.logpdf(row[NUMBER], self.mean, SIGMA),
                np.log(self.truth if row[TRUTH] else 1 - self.truth),
            ],
            1,
        )

    def log_px(self, row: np.ndarray, seen: np.ndarray) -> float:
        return float(scipy.special.logsumexp(self.cells(row)[:, seen].sum(1)) - math.log(POINTS))

    def weights(self, row: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return np.asarray(scipy.special.softmax(self.cells(row)[:, seen].sum(1)))


@pytest.fixture
def model() -> Integrated:
    torch.manual_seed(1)
    families = [
        (likelihoods.Bernoulli((1,)), [TRUTH]),
        (likelihoods.Categorical((1,), 3, 0.0), [CATEGORY]),
        (likelihoods.Gaussian((1,), SIGMA), [NUMBER]),
    ]
    decoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 5))
    made = Integrated(priors.StandardNormal(2), likelihoods.Columns(families), decoder, 16, stored=POINTS).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(3)
    return made.eval()


def rows(missing: bool = False) -> ResidentRows:
    values = [(c, x, t) for c, t in itertools.product(range(3), range(2)) for x in (-2.0, 0.3, 4.0)]
    x = torch.tensor(values, dtype=torch.float64)
    if not missing:
        return ResidentRows(x)
    seen = torch.tensor(list(itertools.product((True, False), repeat=3)))[torch.arange(len(x)) % 8]
    return ResidentRows(x, observed=seen)


def each(some: ResidentRows) -> list[tuple[np.ndarray, np.ndarray]]:
    seen = torch.ones(some.stored().values.shape, dtype=torch.bool) if some.observed is None else some.observed
    return list(zip(some.stored().values.numpy(), seen.numpy(), strict=True))


def close(found: Tensor | np.ndarray, wanted: object) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=0, atol=1e-6)


@pytest.mark.parametrize("missing", [False, True])
def test_scores_are_exact(model: Integrated, missing: bool) -> None:
    some, hand = rows(missing), ByHand(model)
    found = evidence(model, some, samples=3, rule=ProposalRule(SeenRows.of(model, rows()), optimise=True))
    wanted = np.array([hand.log_px(*row) for row in each(some)])
    for name in ("iwae", "elbo"):
        close(found.terms[name], wanted)
    kl = [(w * np.log(POINTS * w)).sum() for w in (hand.weights(*row) for row in each(some))]
    close(found.terms["kl"], kl)
    close(found.terms["reconstruction"], wanted + kl)
    assert not any(errors.any() for errors in (*found.se_mc.values(), found.terms["gap"]))
    assert (found.ess == 3).all()
    facts = {"dims": 3, "split": "", "measure": "mixed", "seed": 0, "seconds": 0.0, "versions": {}}
    assert "exact" in ledger(found, **facts)["iwae"].kind  # type: ignore[arg-type]


def test_codes_are_means_under_the_posterior(model: Integrated) -> None:
    hand = ByHand(model)
    close(posterior_means(model, rows(True)), [hand.weights(*row) @ hand.z for row in each(rows(True))])


def test_imputed_cells_and_their_deviations_are_exact(model: Integrated) -> None:
    some, hand = rows(True), ByHand(model)
    found = impute(model, some, ImputeOptions(deviation=True))
    for number, row in enumerate(each(some)):
        w = hand.weights(*row)
        mean = w @ hand.mean
        close(found.value[number, NUMBER], mean)
        close(found.deviation[number, NUMBER], math.sqrt(SIGMA**2 + w @ hand.mean**2 - mean**2))
        share, ones = w @ hand.category, w @ hand.truth
        close(found.value[number, CATEGORY], share.argmax())
        close(found.deviation[number, CATEGORY], math.sqrt(share.max() * (1 - share.max())))
        close(found.value[number, TRUTH], round(ones))
    assert (found.ess == POINTS).all()


def test_imputed_draws_follow_the_conditional(model: Integrated) -> None:
    x = torch.tensor([[0.0, 3.0, 0.0]], dtype=torch.float64)
    seen, hand, n = torch.tensor([[False, True, False]]), ByHand(model), 20_000
    drawn = impute(model, ResidentRows(x, observed=seen), ImputeOptions(draws=n)).draws[:, 0]
    w = hand.weights(x[0].numpy(), seen[0].numpy())
    joint = np.einsum("n,nc,nt->ct", w, hand.category, np.stack([1 - hand.truth, hand.truth], 1))
    counts = np.zeros((3, 2))
    np.add.at(counts, (drawn[:, CATEGORY].long().numpy(), drawn[:, TRUTH].long().numpy()), 1)
    assert scipy.stats.chisquare(counts.ravel(), n * joint.ravel()).pvalue > 1e-3


EVENTS = [Event(CATEGORY, codes=(0, 2)), Event(NUMBER, low=-1.0, high=2.5)]


def chance(hand: ByHand) -> np.ndarray:
    """P(EVENTS|z_n)."""
    between = scipy.stats.norm.cdf(2.5, hand.mean, SIGMA) - scipy.stats.norm.cdf(-1.0, hand.mean, SIGMA)
    return np.asarray(hand.category[:, [0, 2]].sum(1) * between)


def test_probabilities_of_events_are_exact(model: Integrated) -> None:
    seen = torch.tensor([[False, False, True]]).expand(18, -1)
    some, hand = ResidentRows(rows().stored().values, observed=seen), ByHand(model)
    found = ask(model, some, EVENTS, like=torch.zeros(3, dtype=torch.float64))
    close(found.probability, [hand.weights(*row) @ chance(hand) for row in each(some)])
    assert not found.se.any()


@pytest.mark.parametrize("of_many_values", [False, True])
def test_contributions_are_exact(model: Integrated, of_many_values: bool) -> None:
    some, hand = rows(True), ByHand(model)
    if of_many_values:
        values = some.stored().values.clone()
        values[:, NUMBER] += torch.arange(len(values)) / 7
        some = ResidentRows(values, observed=some.observed)
    found = contributions(model, some, samples=2)
    for number, (row, seen) in enumerate(each(some)):
        w = hand.weights(row, seen)
        close(found.log_px[number], hand.log_px(row, seen))
        close(found.cells[number], np.where(seen, -(w @ hand.cells(row)), np.nan))
        close(found.code[number], (w * np.log(POINTS * w)).sum())


def test_rows_given_events_follow_the_conditional(model: Integrated) -> None:
    hand, n = ByHand(model), 20_000
    torch.manual_seed(0)
    found = conditional(model, EVENTS, n, None, like=torch.zeros(3, dtype=torch.float64))
    close(np.array(found.probability), chance(hand).mean())
    assert (found.se, found.effective) == (0.0, None)
    assert found.values[:, NUMBER].gt(-1).logical_and(found.values[:, NUMBER].le(2.5)).all()
    assert set(found.values[:, CATEGORY].tolist()) == {0.0, 2.0}
    w = chance(hand) / chance(hand).sum()
    ones = float(w @ hand.truth)
    assert abs(float(found.values[:, TRUTH].mean()) - ones) < 4 * math.sqrt(ones * (1 - ones) / n)
    with pytest.raises(DataError, match="impossible"):
        conditional(model, [Event(NUMBER, low=1e9, high=2e9)], 5, None, like=torch.zeros(3, dtype=torch.float64))


def test_samples_fit_log_probabilities(model: Integrated) -> None:
    """E over draws of r(x)/P(x) is 1 for a normalised r: a wrong scale or weight shows."""
    torch.manual_seed(2)
    n = 20_000
    with torch.no_grad():
        x = model.likelihood(model.prior().sample(torch.Size((n,)))).sample()
    log_px = evidence(model, ResidentRows(x), samples=1).terms["iwae"]
    near = scipy.stats.norm.logpdf(x[:, NUMBER].numpy(), float(x[:, NUMBER].mean()), 0.7 * float(x[:, NUMBER].std()))
    ratio = np.exp(near - math.log(6) - log_px)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / math.sqrt(n)
    assert ratio.std() / math.sqrt(n) < 0.05


def test_the_quadrature_beside_other_scrambles_is_what_it_says(model: Integrated) -> None:
    some = rows()
    measured = evidence(model, some, samples=1)
    found = quadrature(model, some, measured)
    assert (found.points, found.reference_points, found.rows) == (POINTS, 4 * POINTS, 18)
    z = [model.fresh_codes(4 * POINTS, 2**20 + number) for number in range(4)]
    with torch.no_grad():
        each = torch.stack([model.sums_over(some.evaluation_batch(torch.arange(18)), one).log_px for one in z])
        whole = model.sums_over(some.evaluation_batch(torch.arange(18)), torch.cat(z)).log_px.numpy()
    close(np.array(found.bias), (measured.terms["iwae"] - whole).mean())
    close(np.array(found.spread), each.mean(1).std())
    assert 0 < abs(found.bias) < 0.3
