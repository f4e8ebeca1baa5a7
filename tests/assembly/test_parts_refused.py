"""Parts that cannot be: unknown names, arguments of another kind, pairs that contradict, data that do not fit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import likely
from likely.assembly import named_parts
from likely.config import Config
from small import ARRAYS, ROWS, SIGNED, table

MISSPELT = {
    "prior": ("vmap", "unknown prior 'vmap'; did you mean 'vamp'?"),
    "posterior": ("fulll", "unknown posterior 'fulll'; did you mean 'full'?"),
    "likelihood": ("negative_binomial", "did you mean 'negative-binomial'?"),
    "objective": ("info-vae", "unknown objective 'info-vae'; did you mean 'mmd'?"),
    "network": ("transformer", "unknown network 'transformer'; known: mlp"),
}
ARGUMENTS = {
    "a word for a number": ("prior", "vamp:x", "K must be a whole number from 1 to 10000, got 'x'; write vamp[:K]"),
    "a fraction": ("prior", "vamp:1.5", "got '1.5'"),
    "none at all": ("prior", "vamp:0", "from 1 to 10000, got '0'"),
    "too many": ("prior", "mixture:20000", "from 1 to 10000, got '20000'"),
    "a single exemplar": ("prior", "exemplar:1", "from 2 to 10000"),
    "nothing after a colon": ("prior", "vamp:", "got ''"),
    "one too much": ("prior", "vamp:3:4", "vamp is written vamp[:K]; there is no place for '4'"),
    "one where none is": ("posterior", "full:2", "full takes no argument"),
    "a misspelt word": ("objective", "iwae:5:drag", "did you mean 'dreg'?"),
    "a missing one": ("objective", "iwae", "K must be given; write iwae:K[:plain|stl|dreg]"),
    "no number": ("objective", "beta:nan", "B must be a number, got 'nan'"),
    "a missing word": ("likelihood", "zero-inflated", "write zero-inflated:poisson|negative-binomial"),
    "a misspelt way": ("likelihood", "gaussian:colum", "did you mean 'column'?"),
}


@pytest.mark.parametrize("room", MISSPELT)
def test_misspelt_names_are_told_before_the_data_is_read(room: str) -> None:
    name, message = MISSPELT[room]
    with pytest.raises(likely.ConfigError, match=re.escape(message)):
        likely.fit("nowhere.csv", **{room: name})


@pytest.mark.parametrize("what", ARGUMENTS)
def test_arguments_are_typed(what: str) -> None:
    room, text, message = ARGUMENTS[what]
    with pytest.raises(likely.ConfigError, match=re.escape(message)) as caught:
        named_parts(Config().replace({room: text}))
    assert repr(text) in str(caught.value)


def test_numbers_out_of_range_name_their_part() -> None:
    for options in ({"objective": "beta:-1"}, {"objective": "free-bits:-1"}, {"likelihood": "gaussian:-1"}):
        ((room, text),) = options.items()
        with pytest.raises(likely.ConfigError, match=f"^{room} {text}"):
            likely.fit(table(), steps=3, **options)  # type: ignore[arg-type]


CONTRADICTIONS = [
    ("sphere", "categorical:2:3:0.5"),
    ("sphere", "mixture:2"),
    ("mixture:3", "sphere"),
    ("exemplar:6:3", "categorical:2:3:0.5"),
    ("categorical:2:3:0.5", "full"),
    ("categorical:2:3:0.5", "categorical:3:2:0.5"),
    ("ladder:2", "ladder:3"),
    ("ladder:2", "flow:1:iaf"),
    ("vamp:5", "ladder:2"),
]


@pytest.mark.parametrize(("prior", "posterior"), CONTRADICTIONS)
def test_contradictory_pairs_are_refused(prior: str, posterior: str, tmp_path: Path) -> None:
    message = f"prior {prior} and posterior {posterior} do not go together; tell one of them alone"
    with pytest.raises(likely.ConfigError, match=re.escape(message) + "$"):
        likely.fit(table(), prior=prior, posterior=posterior, steps=3, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sizes_that_a_pair_cannot_have() -> None:
    for name, latent, message in (
        ("sphere", 1, "prior sphere: a hypersphere needs dimension 2 at least, got 1"),
        ("categorical:2:3", 7, "2 codes of 3 make z of 6, not 7; leave latent out"),
        ("ladder:5", 4, "prior ladder:5: 5 groups need as many latent dimensions at least, got 4; see --latent"),
    ):
        with pytest.raises(likely.ConfigError, match=f"^{message}$"):
            likely.fit(table(), prior=name, latent=latent, steps=3)


def test_convolutions_are_for_pictures() -> None:
    for data, shape in ((table(), "(4,)"), (SIGNED, "(2,)")):
        with pytest.raises(likely.ConfigError, match="network conv: this is for pictures") as caught:
            likely.fit(data, network="conv", steps=3)
        assert str(caught.value).endswith(f"rows here have shape {shape}; take mlp")


UNFIT = {
    "bernoulli": (SIGNED, "needs binary values; 'x0' is real"),
    "categorical": (SIGNED, "needs categorical or ordered or constant or binary or levels values"),
    "logistic-mixture": (SIGNED, "needs binary or levels or count or grid or date values"),
    "logistic-mixture:2:coupled": (ARRAYS["truncated:gaussian"], "coupled channels need (H, W, 3), got (2, 2)"),
    "lognormal": (SIGNED, "needs values above 0; 'x0' is real, from -2."),
    "gamma": (ARRAYS["truncated:gaussian"], "needs values above 0; 'x' is levels, from 0 to 255"),
    "beta": (1 + SIGNED**2, "needs values strictly between 0 and 1"),
    "poisson": (SIGNED, "needs counts 0, 1, 2, ...; 'x0' is real"),
    "negative-binomial": (np.round(9 * SIGNED), "needs counts 0, 1, 2, ...; 'x0' is levels, from -"),
    "zero-inflated:poisson": (ARRAYS["bernoulli"], "needs levels or count or grid values; 'x' is binary"),
    "truncated": (SIGNED, "needs values on one side of 0, or hard limits"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_likelihoods_are_refused_where_they_fit_nothing(name: str, tmp_path: Path) -> None:
    data, message = UNFIT[name]
    with pytest.raises(likely.ConfigError, match=re.escape(message)) as caught:
        likely.fit(data, likelihood=name, steps=3, out=tmp_path / "run")
    assert str(caught.value).startswith(f"likelihood {name.partition(':')[0]}")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_row_outside_the_support_is_told_before_training() -> None:
    x = 1 + np.random.default_rng(0).gamma(2.0, 1.0, (ROWS, 1))
    division = likely.fit(x, steps=1).division
    x[division.validation[0]] = -1.0
    with pytest.raises(likely.DataError, match="validation rows: likelihood gamma needs values above 0; 'x0' is real"):
        likely.fit(x, likelihood="gamma", steps=3)


def test_a_table_without_numbers_takes_no_likelihood() -> None:
    with pytest.raises(likely.ConfigError, match="likelihood gamma needs numbers; the table has none"):
        likely.fit(table()[["town"]], likelihood="gamma", steps=3)


def test_objectives_that_need_another_posterior_say_so() -> None:
    with pytest.raises(likely.ConfigError, match="β-TC needs a diagonal normal posterior"):
        likely.fit(table(), steps=3, objective="beta-tc:2", posterior="full")
    with pytest.raises(likely.ConfigError, match="use free bits per total"):
        likely.fit(table(), steps=3, objective="free-bits:1", prior="vamp:4")
    with pytest.raises(likely.ConfigError, match="no sum over groups of a hierarchy; use free bits per total"):
        likely.fit(table(), steps=3, objective="free-bits:1:group")
    with pytest.raises(likely.ConfigError, match="cannot hold Q's parameters constant; use the plain gradient"):
        likely.fit(table(), steps=3, objective="iwae:2:dreg", prior="ladder:2")


def test_a_likelihood_that_does_not_keep_declared_limits_is_refused() -> None:
    with pytest.raises(
        likely.InputError, match=r"'real' has declared limits, which likelihood gaussian\S* does not keep"
    ):
        likely.fit(table(), likelihood="gaussian", limits={"real": (-99, None)}, steps=1)
