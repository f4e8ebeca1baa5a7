"""What a diagnosis finds, where it is known: closed forms of the linear-Gaussian model, and planted faults."""

from __future__ import annotations

import json
import math
import shlex

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hierarchies import Joined
from hierarchies import build as hierarchy
from likely import assembly, likelihoods, posteriors, priors
from likely.config import Config
from likely.data import Batch, Column, ResidentRows, Schema
from likely.distributions import DiagonalNormal, Flowed
from likely.evaluation import (
    Diagnosis,
    active_units,
    aggregate,
    collapse,
    compare,
    dependence,
    diagnose,
    evidence,
    outside,
    uniforms,
)
from likely.evaluation.diagnosis import words
from likely.evaluation.diagnosis.splits import Outside
from likely.evaluation.evidence import LatentPart
from likely.models import VAE, Model
from likely.posteriors import Normal
from likely.priors import StandardNormal
from linear_gaussian import LinearGaussian
from rooms import CELLS, DIM, POSTERIORS, PRIORS, space_of, started, stir
from schemas import schema_of

ROWS, ERRORS = 1000, 4.5


def scaled(scales: list[float], dims: int = 6, sigma: float = 0.5) -> LinearGaussian:
    exact = LinearGaussian(dims, len(scales), sigma)
    wanted = torch.tensor(scales, dtype=torch.float64)
    exact.w, exact.scales = exact.w / exact.scales * wanted, wanted
    return exact


def diagnosed(model: Model, x: Tensor, train: Tensor | None = None, held: Tensor | None = None) -> Diagnosis:
    test = ResidentRows(x)
    others = [None if some is None else ResidentRows(some) for some in (train, held)]
    return diagnose(model, schema_of(*x.shape[1:]), *others, test, evidence(model, test, samples=20))


def test_activity_is_that_of_the_closed_form() -> None:
    """The mean of P(z_u|x) has variance s²/(s² + σ²)."""
    exact = scaled([2.0, 0.5, 0.2, 0.02, 0.0])
    found = active_units(exact.vae(), ResidentRows(exact.sample(4000)))
    expected = (exact.scales.square() / (exact.scales.square() + exact.sigma**2)).numpy()
    np.testing.assert_array_less(abs(found.variance - expected), ERRORS * expected * math.sqrt(2 / 4000) + 1e-12)
    assert (found.active, found.unit, found.method) == (3, "dimension", "means")


def test_activity_by_draws_agrees_with_that_by_means() -> None:
    exact = scaled([2.0, 0.5, 0.0])
    model, x = exact.vae(), ResidentRows(exact.sample(4000))
    known = active_units(model, x).variance
    within = (exact.sigma**2 / (exact.scales.square() + exact.sigma**2)).numpy()
    model.q_z_x = Unbent(3)
    found = active_units(model, x)
    assert found.method == "draws"
    assert found.active == 2
    np.testing.assert_array_less(abs(found.variance - known), ERRORS * (within + known) / math.sqrt(16 * 4000) + 1e-3)


class Unbent(posteriors.Posterior):
    """A flow that bends nothing: a diagonal normal that does not say so."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.event_shape, self.parameter_shape = torch.Size((dim,)), torch.Size((2 * dim,))

    def forward(self, parameters: Tensor) -> Flowed:
        return Flowed(DiagonalNormal(*parameters.chunk(2, -1)), lambda _: Same())


class Same:
    """The map of z to itself."""

    @property
    def inv(self) -> Same:
        return self

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, torch.zeros_like(x[..., 0])

    def __call__(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize("scales", [[1.0], [0.7, 1.5]])
def test_information_and_distance_are_those_of_the_linear_channel(scales: list[float]) -> None:
    exact = scaled(scales)
    found = aggregate(exact.vae(), ResidentRows(exact.sample(ROWS)))
    assert found is not None
    information = 0.5 * float(torch.log1p(exact.scales.square() / exact.sigma**2).sum())
    room = ERRORS * found.kl_se
    assert found.information_least < information + room
    assert found.information_most > information - room
    assert found.information_most - found.information_least < 0.05
    assert abs(found.kl - information) < room
    assert found.divergence_least < room
    assert found.divergence_most > -room
    assert abs(found.divergence_most) < 0.05 + room
    assert found.divergence_moments == pytest.approx(0, abs=0.02)
    assert found.least < 0.02


def test_a_prior_that_is_off_is_found_by_as_much() -> None:
    exact = scaled([0.7, 1.5])
    model, prior = exact.vae(), priors.DiagonalNormal(2).double()
    with torch.no_grad():
        for weight, value in zip(prior.parameters(), ([1.0, -0.5], [0.3, 0.0]), strict=True):
            weight.copy_(torch.tensor(value))
    model.p_z = prior
    law = prior()
    normal = torch.distributions.Normal(torch.zeros(2).double(), 1.0)
    other = torch.distributions.Normal(law.mean.detach(), law.stddev.detach())
    truth = float(torch.distributions.kl_divergence(normal, other).sum())
    assert truth > 0.4
    found = aggregate(model, ResidentRows(exact.sample(ROWS)))
    assert found is not None
    # Of the mean of log N(z; 0, 1) − log P(z) over rows, whose deviation is what the errors are of.
    assert found.divergence_least - ERRORS * found.divergence_least_se < truth
    assert found.divergence_most + ERRORS * found.divergence_most_se > truth
    assert found.divergence_most - found.divergence_least < 0.1
    assert found.divergence_moments == pytest.approx(truth, abs=ERRORS * found.divergence_most_se)
    assert found.kl == pytest.approx(found.information_least + found.divergence_most, abs=1e-9)
    assert found.kl == pytest.approx(found.information_most + found.divergence_least, abs=1e-9)


def test_rows_cannot_show_more_information_than_their_logarithm() -> None:
    exact = LinearGaussian(30, 10, 0.1)
    truth = 0.5 * float(torch.log1p(exact.scales.square() / exact.sigma**2).sum())
    found = aggregate(exact.vae(), ResidentRows(exact.sample(300)))
    assert found is not None
    assert truth > 20
    assert found.information_limit == pytest.approx(math.log(300))
    assert found.information_limit - 0.01 < found.information_least <= found.information_limit + 1e-9 < truth
    assert found.information_most > truth
    assert found.divergence_least < 0 < found.divergence_most
    assert found.divergence_moments == pytest.approx(0, abs=0.15)
    assert found.least < 0.3
    assert aggregate(exact.vae(), ResidentRows(exact.sample(1))) is None


def test_copies_of_a_row_have_noise_of_their_own_and_say_nothing_of_each_other() -> None:
    exact = scaled([0.7, 1.5])
    model, x = exact.vae(), exact.sample(1)
    found = aggregate(model, ResidentRows(x.expand(400, -1)))
    assert found is not None
    kl = float(model.terms(Batch(x)).kl.detach())
    assert found.kl_se > 0
    assert found.kl == pytest.approx(kl, abs=ERRORS * found.kl_se)
    assert found.information_least == pytest.approx(0, abs=1e-9)
    assert found.divergence_least == pytest.approx(found.kl, abs=1e-9)


def test_costly_densities_see_fewer_rows_and_say_the_same() -> None:
    torch.manual_seed(2)
    exact = scaled([0.7])
    model, x = exact.vae(), ResidentRows(exact.sample(ROWS))
    model.q_z_x = Unbent(1)
    found = aggregate(model, x)
    assert found is not None
    assert found.rows == 200
    information = 0.5 * float(torch.log1p(exact.scales.square() / exact.sigma**2).sum())
    assert found.information_least - ERRORS * found.kl_se < information < found.information_most + ERRORS * found.kl_se


def deaf(dims: int, latent: int = 4) -> VAE:
    """A decoder that does not read z, and Q = P."""
    model = LinearGaussian(dims, latent).vae()
    with torch.no_grad():
        for network in (model.encoder, model.decoder):
            for weight in network.parameters():
                weight.zero_()
    model.p_x_z = likelihoods.Gaussian((dims,), "column").double()
    return model


def test_collapse_is_found_where_z_is_not_read_though_it_could_be() -> None:
    exact = LinearGaussian(6, 2)
    found = diagnosed(deaf(6), exact.sample(400) - exact.b)
    assert found.collapse.verdict == "unused"
    assert found.collapse.unused == (0, 1, 2, 3)
    assert found.collapse.is_problem
    assert found.sentences[0].startswith("posterior collapse: z is not used")
    assert "`--objective free-bits:0.1`" in found.sentences[0]
    assert found.remedies[:2] == ("--objective free-bits:0.1", "--set warmup=0.5")


def test_collapse_is_no_problem_where_there_is_nothing_to_carry() -> None:
    found = diagnosed(deaf(6), torch.randn(400, 6, dtype=torch.float64))
    assert found.collapse.verdict == "unused"
    assert not found.collapse.is_problem
    assert not any("collapse" in sentence for sentence in found.sentences)


def test_the_true_model_has_no_problem() -> None:
    exact = LinearGaussian(8, 3)
    found = diagnosed(exact.vae(), exact.sample(500), exact.sample(600), exact.sample(300))
    assert found.problems == 0
    assert found.remedies == ()
    assert found.collapse.verdict == "used"
    assert found.fit.verdict == "no over-fitting seen"
    assert found.fit.parts["train"].rows == 600


def test_a_few_unused_dimensions_are_normal() -> None:
    exact = scaled([2.0, 1.0, 0.01, 0.01])
    found = diagnosed(exact.vae(), exact.sample(500))
    assert found.collapse.verdict == "some unused"
    assert found.collapse.unused == (2, 3)
    assert found.problems == 0


def test_more_z_than_is_used_asks_for_less_of_it() -> None:
    exact = scaled([2.0, *[0.01] * 8], dims=10)
    found = diagnosed(exact.vae(), exact.sample(500))
    assert found.collapse.verdict == "mostly unused"
    assert not found.collapse.is_problem
    assert any("`--latent 2`" in sentence for sentence in found.sentences)


def test_groups_of_a_hierarchy_collapse_too() -> None:
    torch.manual_seed(1)
    model, x = hierarchy((1, 2)).double(), ResidentRows(LinearGaussian(CELLS, 2).sample(300))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "encoder" in name or "posterior" in name or "climb" in name:
                weight.zero_()
    found = evidence(model, x, samples=30)
    assert found.kl_parts is not None
    found.kl_parts[:] = (0.001, 0.005)
    told = collapse(found, active_units(model, x), dependence(uniforms(model, x).u))
    assert (told.part, told.verdict, told.unused) == ("group", "unused", (0, 1))
    assert told.is_problem
    finding = next(iter(words.of_collapse(told, active_units(model, x), 3)))
    assert "`--objective free-bits:0.5:group`" in finding.sentence
    assert finding.options[0] == words.FREE_BITS[LatentPart.GROUP]


def test_over_fitting_is_found_in_a_network_that_learns_its_rows_by_heart() -> None:
    torch.manual_seed(0)
    x, test, held = (torch.randn(count, 8, dtype=torch.float64) for count in (40, 300, 300))
    encoder = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 8))
    decoder = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 16))
    model = VAE(StandardNormal(4), likelihoods.Gaussian((8,)), Normal(4), encoder, decoder).double()
    optimiser = torch.optim.Adam(model.parameters(), 6e-3)
    batch = ResidentRows(x).evaluation_batch(torch.arange(40))
    before = diagnosed(model, test, x, held).fit
    assert before.verdict == "no over-fitting seen"
    for _ in range(250):
        terms = model.terms(batch)
        optimiser.zero_grad()
        (terms.kl - terms.reconstruction).mean().backward()
        optimiser.step()
    found = diagnosed(model, test, x, held)
    assert found.fit.verdict == "over-fitting"
    assert found.fit.difference > 3 * found.fit.difference_se
    assert found.sentences[0].startswith("over-fitting: training rows are")
    assert set(words.SMALLER) <= set(found.remedies)
    assert "validation rows chose the weights" in found.sentences[0]


def test_rows_of_another_kind_are_not_called_over_fitting() -> None:
    exact = LinearGaussian(8, 3)
    x, held, other = exact.sample(500), exact.sample(500), 1.6 * exact.sample(500)
    assert diagnosed(exact.vae(), other, x, held).fit.verdict == "other rows"
    assert diagnosed(exact.vae(), other, x).fit.verdict == "over-fitting"


def test_over_fitting_is_not_judged_without_training_rows() -> None:
    exact = LinearGaussian(8, 3)
    found = diagnosed(exact.vae(), exact.sample(50))
    assert found.fit.verdict == "not judged"
    assert math.isnan(found.fit.difference)
    assert found.to_dict()["fit"]["difference"] is None
    whole = compare(exact.vae(), {"train": None, "test": ResidentRows(exact.sample(1))}, {"train": 0, "test": 1})
    assert whole.verdict == "not judged"


def test_columns_with_most_rows_outside_are_named_first() -> None:
    columns = {name: count for count, name in enumerate("abcdefg", 1)}
    (found,) = words.of_outside(Outside(9, 20, columns, {}, 1.0, 28))
    assert "9 of 20 rows" in found.sentence
    assert "(g 7, f 6, e 5, d 4, c 3, ...)" in found.sentence
    assert not list(words.of_outside(Outside(0, 20, {}, {}, 1.0, 0)))


def test_rows_outside_inferred_ranges_are_counted() -> None:
    columns = (
        Column("real", "float64", "real", "", low=-1.0, high=1.0),
        Column("grid", "float64", "grid", "", low=0.0, high=5.0, per_unit=10),
        Column("hard", "uint8", "levels", "", low=0.0, high=9.0, per_unit=1, hard=True),
        Column("kind", "str", "categorical", "", categories=("a", "b")),
        Column("listed", "float64", "listed", "", low=0.1, high=7.0, per_unit=10, categories=(0.1, 0.3, 7.0)),
        Column("given", "float64", "real", "", low=0.0, high=2.0, condition=True),
    )
    schema = Schema("table", (5,), columns, 99, cells_alike=False)
    x = [[0, 5.04, 9, 0, 7], [2, 5.2, 9, 1, 0.2], [-1, 0, 0, -1, 9], [1, -0.1, 3, -1, 0.1], [0, 0, 0, 0, 0.3]]
    x = torch.tensor(x, dtype=torch.float64)
    rows = ResidentRows(x.double(), covariates=torch.tensor([[0.0], [1.0], [2.0], [0.0], [3.0]]).double())
    found = outside(schema, rows)
    assert found.columns == {"real": 1, "grid": 2, "kind": 2, "listed": 2, "given": 1}
    assert found.unseen == {"kind": 2, "listed": 2}
    assert (found.rows, found.of, found.beyond) == (4, 5, 4)
    assert found.expected == pytest.approx(2 / 100 * 3 * 5)
    inside = outside(schema, ResidentRows(x[4:].double()))
    assert (inside.rows, inside.columns, inside.beyond) == (0, {}, 0)
    x = torch.tensor([[[0.0, 2e3], [2e3, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    pictures = outside(schema_of(2, 2), ResidentRows(x))
    assert (pictures.rows, pictures.beyond, pictures.columns) == (1, 1, {"c0": 1})


def test_chance_explains_what_chance_does() -> None:
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(300):
        train, test = rng.normal(size=(200, 5)), rng.normal(size=(100, 5))
        columns = tuple(
            Column(f"c{i}", "float64", "real", "", low=float(train[:, i].min()), high=float(train[:, i].max()))
            for i in range(5)
        )
        found = outside(Schema("table", (5,), columns, 200, cells_alike=False), ResidentRows(torch.from_numpy(test)))
        alarms += found.is_more_than_chance
        found = outside(
            Schema("table", (5,), columns, 200, cells_alike=False), ResidentRows(torch.from_numpy(3 * test))
        )
        assert found.is_more_than_chance
    assert alarms <= 6


PAIRS = [
    *((prior, "normal") for prior in PRIORS if space_of(prior) == "real" and "one dimension" not in prior),
    *(("standard normal", posterior) for posterior in POSTERIORS if space_of(posterior) == "real"),
    ("hypersphere", "von Mises-Fisher"),
    ("circle", "von Mises"),
    ("vamp", "von Mises-Fisher"),
    ("categorical", "categorical"),
    ("vamp of codes", "categorical"),
]


@pytest.mark.parametrize(("prior", "posterior"), PAIRS)
def test_every_prior_and_posterior_goes_through(prior: str, posterior: str) -> None:
    torch.manual_seed(3)
    p, q = PRIORS[prior](), POSTERIORS[posterior]()
    latent = q.event_shape.numel()
    encoder, decoder = nn.Linear(CELLS, q.parameter_shape.numel()), nn.Linear(latent, CELLS)
    model = VAE(p, likelihoods.Gaussian((CELLS,), 0.7), q, encoder, decoder)
    x = torch.randn(60, CELLS, dtype=torch.float64)
    started(p, torch.randn(40, CELLS))
    stir(model)
    check(model, x)


def check(model: Model, x: Tensor, y: Tensor | None = None) -> Diagnosis:
    rows = ResidentRows(x, covariates=y)
    before = torch.random.get_rng_state().clone()
    found = diagnose(model, schema_of(*x.shape[1:]), rows, rows, rows, evidence(model, rows, samples=10))
    assert torch.equal(before, torch.random.get_rng_state())
    made = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert made["active_units"] == found.units.active
    assert len(made["units"]["variance"]) == len(found.units.variance)
    assert found.sentences
    split = found.aggregate
    assert split is not None
    assert split.information_least <= split.information_limit + 1e-6
    assert split.divergence_least < split.divergence_most
    return found


def test_codes_are_units_of_their_own() -> None:
    torch.manual_seed(3)
    q = POSTERIORS["categorical"]()
    model = VAE(
        PRIORS["categorical"](),
        likelihoods.Gaussian((CELLS,), 0.7),
        q,
        nn.Linear(CELLS, q.parameter_shape.numel()),
        nn.Linear(q.event_shape.numel(), CELLS),
    ).double()
    with torch.no_grad():
        model.encoder.weight[4:].zero_()
    found = active_units(model.eval(), ResidentRows(3 * torch.randn(100, CELLS).double()))
    assert (found.unit, len(found.variance), found.active) == ("code", 2, 1)


def test_hierarchies_and_conditions_go_through() -> None:
    torch.manual_seed(3)
    x, y = torch.randn(60, CELLS, dtype=torch.float64), torch.randn(60, 1, dtype=torch.float64)
    found = check(hierarchy((1, 2)).double(), x)
    assert found.collapse.part == "group"
    assert found.units.method == "draws"
    given = hierarchy((1, 2), condition=nn.Identity(), y=1).double()
    told = check(given, x, y)
    assert any("P(x|z,y)" in sentence for sentence in told.sentences)
    decoder, q = nn.Linear(DIM + 1, CELLS), POSTERIORS["normal"]()
    parts = (PRIORS["mixture"](), likelihoods.Gaussian((CELLS,), 0.7), q, Joined(CELLS + 1, 6), decoder)
    check(VAE(*parts, nn.Identity()).double(), x, y)


OPTIONS = [
    *words.FREE_BITS.values(),
    words.WARM,
    *words.SMALLER,
    *words.PRIORS.values(),
    words.PREDICTED,
    *words.WARPED,
    *(option for options in words.SHAPES.values() for option in options),
    "--latent 2",
]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_remedy_is_an_option_that_a_fit_takes(option: str) -> None:
    told: dict[str, str] = {}
    flag, value = shlex.split(option)
    name, _, setting = value.partition("=")
    told |= {name: setting} if flag == "--set" else {flag.removeprefix("--"): value}
    if "group" in option:
        told["prior"] = "ladder:2"
    if "total" in option:
        told["posterior"] = "flow"
    column = Column("x", "float64", "grid" if "logistic" in option else "real", "", low=-3.0, high=3.0, per_unit=10)
    schema = Schema("array", (4,), (column,), 100, cells_alike=True)
    resolved = assembly.resolve(Config().replace(told), schema)
    config, model, aim = resolved.config, resolved.build(), resolved.objective()
    x = torch.randn(32, 4, dtype=torch.float64).mul(10).round().div(10)
    model.initialise(ResidentRows(x).evaluation_batch(torch.arange(32)))
    value_of, _ = aim(model, ResidentRows(x).training_batch(torch.arange(32)))
    assert value_of.isfinite().all()
    for key, setting in told.items():
        stored = config.to_dict()
        assert any(str(group.get(key)).startswith(setting) for group in (stored["model"], stored["training"]))
