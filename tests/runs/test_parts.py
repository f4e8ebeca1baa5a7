"""Parts by name: every one of the table is fitted, stored, loaded and scored."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.assembly import PARTS, build, chosen, objective, resolve
from likely.config import Config
from likely.data import Rows, infer_schema
from likely.training import loop

ROWS = 40


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(size=ROWS)
    return pd.DataFrame(
        {
            "real": size,
            "grid": (4 + size).round(1),
            "count": rng.poisson(np.exp(0.5 * size) + 1),
            "town": np.where(size > 0, "Bath", "York"),
        }
    )


def fitted(folder: Path, data: Any = None, **options: Any) -> likely.Run:
    """A run of three steps that scores, once stored and loaded, what it scored before."""
    data = table() if data is None else data
    run = likely.fit(data, out=folder / "run", steps=3, latent=2, width=16, **options)
    loaded = likely.load(folder / "run")
    before, after = run.score(data, samples=3), loaded.score(data, samples=3)
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert np.isfinite(before["log_px"]).all()
    assert len(run.sample(2)) == 2
    assert loaded.config == run.config
    return run


PRIORS = ["normal", "diagonal", "mixture:3", "vamp:5", "exemplar:6:3"]
PRIORS += ["flow:1:coupling", "flow:1:spline", "flow:1:autoregressive"]
POSTERIORS = ["normal", "full", "mixture:2", "flow:1:iaf", "flow:1:coupling"]


@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("prior", PRIORS)
def test_every_prior_with_every_posterior(prior: str, posterior: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, prior=prior, posterior=posterior)
    assert (run.config.model.prior, run.config.model.posterior) == (prior, posterior)


OBJECTIVES = {
    "elbo": likely.objectives.ELBO(),
    "elbo:sampled": likely.objectives.ELBO(kl="sampled"),
    "beta:4": likely.objectives.Beta(4.0),
    "capacity:5": likely.objectives.Capacity(5.0),
    "capacity:5:10": likely.objectives.Capacity(5.0, 10.0),
    "free-bits:0.1": likely.objectives.FreeBits(0.1),
    "free-bits:2:total": likely.objectives.FreeBits(2.0, "total"),
    "iwae:3": likely.objectives.IWAE(3),
    "iwae:3:stl": likely.objectives.IWAE(3, "stl"),
    "iwae:3:dreg": likely.objectives.IWAE(3, "dreg"),
    "miwae:2:3": likely.objectives.MIWAE((2, 3)),
    "miwae:2:3:dreg": likely.objectives.MIWAE((2, 3), "dreg"),
    "beta-tc:3": likely.objectives.BetaTC(3.0, 32),
    "mmd": likely.objectives.MMD(1000.0),
    "mmd:10:1": likely.objectives.MMD(10.0, 1.0),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective(name: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, objective=name)
    assert objective(run.config, run.schema) == OBJECTIVES[name]
    assert bool(run.aim) == (not name.startswith("elbo"))
    row = run.history.iloc[-1]
    assert row["train_elbo"] == pytest.approx(row["reconstruction"] - row["kl"])


TABLE = {  # likelihood -> the columns of the table that it fits
    "gaussian:1": "real grid count",
    "gaussian:shared": "real grid count",
    "gaussian:column": "real grid count",
    "gaussian": "real grid count",
    "laplace": "real grid count",
    "student": "real grid count",
    "logistic": "real grid count",
    "logistic-mixture:2": "grid count",
    "mixture:2": "real grid count",
    "mixture:2:laplace": "real grid count",
    "mixture:2:logistic": "real grid count",
    "lognormal": "grid",
    "gamma": "grid",
    "poisson": "count",
    "negative-binomial": "count",
    "zero-inflated:poisson": "count",
    "zero-inflated:negative-binomial": "count",
    "truncated": "grid count",
    "truncated:laplace": "grid count",
    "truncated:logistic": "grid count",
    "categorical": "count",
}


@pytest.mark.parametrize("name", TABLE)
def test_every_likelihood_takes_the_columns_it_fits(name: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, likelihood=name)
    keeping = [word for word in ("real", "grid", "count") if word not in TABLE[name].split()]
    kept = [notice for notice in run.notices if "keep their own" in notice]
    assert bool(kept) == bool(keeping)
    for notice in kept:
        assert re.findall(r"(\w+) \(\w+\)", notice) == keeping
    law = run.model.likelihood(torch.zeros(1, 2))
    names = [[run.schema.columns[int(i)].name for i in places] for places in law.places]  # type: ignore[attr-defined]
    assert any(set(TABLE[name].split()) <= set(group) and not {*keeping} & {*group} for group in names)


ARRAYS = {
    "bernoulli": np.random.default_rng(0).integers(0, 2, (ROWS, 3, 3)).astype(np.uint8),
    "beta": np.random.default_rng(0).uniform(0.1, 0.9, (ROWS, 3, 3)),
    "logistic-mixture:2:coupled": np.random.default_rng(0).integers(0, 256, (ROWS, 2, 2, 3), dtype=np.uint8),
    "truncated:gaussian": np.random.default_rng(0).integers(0, 256, (ROWS, 2, 2), dtype=np.uint8),
    "logistic": np.random.default_rng(0).normal(size=(ROWS, 2, 2)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_likelihoods_of_arrays(name: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, ARRAYS[name], likelihood=name)
    assert run.measure == ("mass" if name in ("bernoulli", "logistic-mixture:2:coupled") else "density")


@pytest.mark.parametrize("prior", ["vamp:4", "exemplar:4"])
@pytest.mark.parametrize("binarize", [None, "dynamic", "static"])
def test_priors_made_of_pictures(prior: str, binarize: Any, tmp_path: Path) -> None:
    fitted(tmp_path, ARRAYS["logistic-mixture:2:coupled"], prior=prior, binarize=binarize)


def test_every_name_of_the_table_is_tested() -> None:
    tested = {
        "prior": PRIORS,
        "posterior": POSTERIORS,
        "likelihood": [*TABLE, *ARRAYS],
        "objective": OBJECTIVES,
        "network": ["mlp"],
    }
    for room, parts in PARTS.items():
        assert {name.partition(":")[0] for name in tested[room]} == set(parts), room


SIGNED = np.random.default_rng(0).normal(size=(ROWS, 2))
UNFIT = {
    "bernoulli": (SIGNED, "needs binary values; 'x0' is real"),
    "categorical": (SIGNED, "needs categorical or binary or levels values"),
    "logistic-mixture": (SIGNED, "needs binary or levels or grid values"),
    "logistic-mixture:2:coupled": (ARRAYS["truncated:gaussian"], "coupled channels need (H, W, 3), got (2, 2)"),
    "lognormal": (SIGNED, "needs values above 0; 'x0' is real, from -2."),
    "gamma": (ARRAYS["truncated:gaussian"], "needs values above 0; 'x' is levels, from 0 to 255"),
    "beta": (1 + SIGNED**2, "needs values strictly between 0 and 1"),
    "poisson": (SIGNED, "needs counts 0, 1, 2, ...; 'x0' is real"),
    "negative-binomial": (np.round(9 * SIGNED), "needs counts 0, 1, 2, ...; 'x0' is levels, from -"),
    "zero-inflated:poisson": (ARRAYS["bernoulli"], "needs levels or grid values; 'x' is binary"),
    "truncated": (SIGNED, "needs values on one side of 0, or limits that are law"),
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


def test_logistic_is_a_mass_on_a_grid_and_a_density_on_reals() -> None:
    assert likely.fit(table()[["grid", "count"]], likelihood="logistic", steps=1).measure == "mass"
    assert likely.fit(table()[["real"]], likelihood="logistic", steps=1).measure == "density"
    both = likely.fit(table(), likelihood="logistic", steps=1)
    assert both.measure == "mixed"
    assert not both.notices


def test_a_range_seen_in_training_does_not_truncate() -> None:
    run = likely.fit(table()[["grid"]], likelihood="truncated", steps=3)
    scores = run.score(pd.DataFrame({"grid": [0.0, 4.0, 20.0, -0.1]}), samples=3)["log_px"]
    assert np.isfinite(scores[:3]).all()
    assert scores[3] == -np.inf


def test_dreg_on_a_likelihood_that_is_scored_in_float64(tmp_path: Path) -> None:
    fitted(tmp_path, table()[["grid"]], likelihood="gamma", objective="iwae:3:dreg", prior="vamp:4")


def test_as_many_pseudo_inputs_and_exemplars_as_rows_at_most() -> None:
    schema = infer_schema(Rows(table()), "table")
    for prior, kept in (("vamp:7", 7), ("vamp", ROWS), ("exemplar:7", 7), ("exemplar", ROWS)):
        made = build(Config().replace({"prior": prior}), schema).p_z
        assert len(made.start if "vamp" in prior else made.centres) == kept


def test_a_resolved_configuration_says_every_argument(tmp_path: Path) -> None:
    likely.fit(table(), out=tmp_path / "run", steps=2, prior="flow", likelihood="mixture", objective="capacity:2.5")
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    told = {name: stored["model"][name] for name in ("prior", "posterior", "likelihood", "network")}
    assert told == {
        "prior": "flow:3:coupling",
        "posterior": "normal",
        "likelihood": "mixture:5:gaussian",
        "network": "mlp",
    }
    assert stored["training"]["objective"] == "capacity:2.5:1000"
    config = Config.from_dict(stored)
    schema = likely.load(tmp_path / "run").schema
    assert resolve(config, schema) == config


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
        chosen(Config().replace({room: text}))
    assert repr(text) in str(caught.value)


def test_numbers_out_of_range_name_their_part() -> None:
    for options in ({"objective": "beta:-1"}, {"objective": "free-bits:-1"}, {"likelihood": "gaussian:-1"}):
        ((room, text),) = options.items()
        with pytest.raises(likely.ConfigError, match=f"^{room} {text}"):
            likely.fit(table(), steps=3, **options)  # type: ignore[arg-type]


def test_objectives_that_need_another_posterior_say_so() -> None:
    with pytest.raises(likely.ConfigError, match="β-TC needs a diagonal normal posterior"):
        likely.fit(table(), steps=3, objective="beta-tc:2", posterior="full")
    with pytest.raises(likely.ConfigError, match="use free bits per total"):
        likely.fit(table(), steps=3, objective="free-bits:1", prior="vamp:4")


def test_a_budget_of_minutes_is_timed_with_the_objective_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = loop.loss

    def spy(model: Any, batch: Any, aim: Any, kl_weight: float = 1.0) -> Any:
        seen.append(aim)
        return original(model, batch, aim, kl_weight)

    monkeypatch.setattr(loop, "loss", spy)
    run = likely.fit(table(), minutes=0.02, objective="iwae:3")
    assert len(seen) > run.facts["steps"]
    assert set(seen) == {likely.objectives.IWAE(3)}
