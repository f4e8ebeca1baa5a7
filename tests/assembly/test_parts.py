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
from likely.assembly import PARTS, resolve
from likely.config import Config
from likely.data import Rows, infer_schema
from likely.objectives import Loss
from small import ARRAYS, ROWS, fitted, table

PRIORS = ["normal", "diagonal", "mixture:3", "vamp:5", "exemplar:6:3"]
PRIORS += ["flow:1:coupling", "flow:1:spline", "flow:1:autoregressive"]
POSTERIORS = ["normal", "full", "mixture:2", "flow:1:iaf", "flow:1:coupling"]


# Each prior with two posteriors, each posterior with three priors at least.
MET = [(prior, POSTERIORS[(i + step) % len(POSTERIORS)]) for i, prior in enumerate(PRIORS) for step in (0, 2)]


@pytest.mark.parametrize(("prior", "posterior"), MET)
def test_priors_and_posteriors_of_real_vectors(prior: str, posterior: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, prior=prior, posterior=posterior)
    assert (run.config.model.prior, run.config.model.posterior) == (prior, posterior)


# What tells of a pair -> the latent dimensions that go with it.
PAIRS: dict[str, int | None] = {"sphere": 3, "categorical:2:3:0.5": None, "ladder:2": 3}


@pytest.mark.parametrize("name", PAIRS)
def test_to_tell_one_side_of_a_pair_is_to_tell_both(name: str, tmp_path: Path) -> None:
    by_prior = fitted(tmp_path / "p", prior=name, latent=PAIRS[name])
    by_posterior = fitted(tmp_path / "q", posterior=name, latent=PAIRS[name])
    assert by_prior.config == by_posterior.config
    assert (by_prior.config.model.prior, by_prior.config.model.posterior) == (name, name)
    assert by_prior.model.latent == (PAIRS[name] or 6)
    scores = [one.score(table(), samples=3) for one in (by_prior, by_posterior)]
    pd.testing.assert_frame_equal(*scores, check_exact=True)
    assert resolve(Config().replace({"prior": name, "posterior": name}), by_prior.schema).config.model.prior == name


@pytest.mark.parametrize("posterior", ["sphere", "categorical:2:3:0.5"])
def test_a_vamp_prior_on_a_sphere_and_of_codes(posterior: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, prior="vamp:5", posterior=posterior, latent=PAIRS[posterior])
    assert (run.config.model.prior, run.config.model.posterior) == ("vamp:5", posterior)


@pytest.mark.parametrize("name", ["sphere", "categorical:2:3:0.5"])
def test_reconstructions_are_decoded_from_points_of_the_space(name: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, table()[["real"]], prior=name, latent=PAIRS[name], likelihood="gaussian")
    z = torch.tensor(run.encode(table()[["real"]]).to_numpy())
    if name == "sphere":
        assert (z.norm(dim=-1) < 0.999).all()
        points = torch.nn.functional.normalize(z, dim=-1)
    else:
        torch.testing.assert_close(z.unflatten(-1, (2, 3)).sum(-1), torch.ones(ROWS, 2))
        points = torch.nn.functional.one_hot(z.unflatten(-1, (2, 3)).argmax(-1), 3).flatten(-2).float()
    with torch.no_grad():
        at_points, at_means = (run.model.likelihood(place).mean.squeeze(-1).numpy() for place in (points, z))
    made = run.reconstruct(table()[["real"]])["real"]
    np.testing.assert_allclose(made, at_points, atol=1e-5)
    assert abs(at_points - at_means).max() > 1e-3


@pytest.mark.parametrize("prior", [*PRIORS, *PAIRS])
def test_conditional_models_with_every_prior(prior: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, condition="town", prior=prior, latent=PAIRS.get(prior, 2))
    assert [column.name for column in run.schema.conditions] == ["town"]
    bath, york = (run.score(table(), given={"town": town}, samples=3)["log_px"] for town in ("Bath", "York"))
    assert (bath != york).all()


OBJECTIVES = {
    "elbo": likely.objectives.ELBO(),
    "elbo:sampled": likely.objectives.ELBO(kl="sampled"),
    "beta:4": likely.objectives.Beta(4.0),
    "capacity:5": likely.objectives.Capacity(5.0),
    "capacity:5:10": likely.objectives.Capacity(5.0, 10.0),
    "trimmed:0.3": likely.objectives.Trimmed(0.3),
    "free-bits:0.1": likely.objectives.FreeBits(0.1),
    "free-bits:2:total": likely.objectives.FreeBits(2.0, "total"),
    "free-bits:0.1:group": likely.objectives.FreeBits(0.1, "group"),
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
    run = fitted(tmp_path, objective=name, prior="ladder:2" if name.endswith("group") else "normal")
    assert resolve(run.config, run.schema).objective() == OBJECTIVES[name]
    assert bool(run.aim) == (not name.startswith("elbo"))
    row = run.history.iloc[-1]
    assert row["train_elbo"] == pytest.approx(row["reconstruction"] - row["kl"])


TABLE = {  # likelihood -> the columns of the table that it fits
    "gaussian:1": "real grid count",
    "gaussian:shared": "real grid count",
    "gaussian:column": "real grid count",
    "gaussian": "real grid count",
    "kernel:0.3": "real grid count",
    "laplace": "real grid count",
    "student": "real grid count",
    "logistic": "real grid count",
    "logistic-mixture:2": "grid count",
    "warped:2": "real grid count",
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


@pytest.mark.parametrize("name", ARRAYS)
def test_likelihoods_of_arrays(name: str, tmp_path: Path) -> None:
    run = fitted(tmp_path, ARRAYS[name], likelihood=name)
    assert run.measure == ("mass" if name in ("bernoulli", "logistic-mixture:2:coupled") else "density")


@pytest.mark.parametrize("prior", ["vamp:4", "exemplar:4"])
@pytest.mark.parametrize("binarize", [None, "dynamic", "static"])
def test_priors_made_of_pictures(prior: str, binarize: Any, tmp_path: Path) -> None:
    fitted(tmp_path, ARRAYS["logistic-mixture:2:coupled"], prior=prior, binarize=binarize)


@pytest.mark.parametrize("shape", [(5, 7), (6, 5, 3)])
@pytest.mark.parametrize("prior", ["vamp:4", *PAIRS])
def test_convolutions(prior: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (ROWS, *shape), dtype=np.uint8)
    run = fitted(tmp_path, pictures, network=NETWORKS[1], prior=prior, latent=PAIRS.get(prior, 2))
    assert (run.config.model.network, run.config.model.blocks) == ("conv", 1)
    assert run.reconstruct(pictures[:2]).shape == (2, *shape)


def test_a_hierarchy_is_named_as_a_model_and_by_its_first_spelling(tmp_path: Path) -> None:
    by_model, by_prior = (fitted(tmp_path / n, latent=3, **{n: t}) for n, t in SPELLINGS.items())
    assert by_model.config.model == by_prior.config.model
    assert by_model.config.model.kind == "hierarchy:mlp:2"
    assert isinstance(by_model.model, likely.HierarchicalVAE)
    weights = (tmp_path / "model/run/weights.safetensors").read_bytes()
    assert weights == (tmp_path / "prior/run/weights.safetensors").read_bytes()
    again = likely.load(tmp_path / "prior/run").score(table())
    pd.testing.assert_frame_equal(again, by_model.score(table()), check_exact=True)
    plain = likely.fit(table(), model="vae", prior="normal", latent=2, width=16, steps=1)
    assert isinstance(plain.model, likely.VAE)
    for told in ({"model": "vae", "prior": "ladder:2"}, {"model": "hierarchy:mlp:2", "posterior": "full"}):
        with pytest.raises(likely.ConfigError, match="do not go together; tell one of them alone"):
            likely.fit(table(), **told)


SPELLINGS = {"model": "hierarchy:mlp:2", "prior": "ladder:2"}
# mlp is the default, in every other test here; of linear see tests/models/test_components.py
NETWORKS = ["mlp", "conv", "linear"]


def test_every_name_of_the_table_is_tested() -> None:
    tested = {
        "prior": [prior for prior, _ in MET] + list(PAIRS),
        "posterior": [posterior for _, posterior in MET] + list(PAIRS),
        "likelihood": [*TABLE, *ARRAYS],
        "objective": OBJECTIVES,
        "network": NETWORKS,
        # of hierarchy:conv see tests/run/test_maps_run.py; of the last two, test_integrated_run.py, test_normals_run.py
        "model": ["vae", "hierarchy:mlp", "integrated", "normals"],
    }
    for room, parts in PARTS.items():
        assert {name.partition(":")[0] for name in tested[room]} == set(parts), room


@pytest.mark.parametrize("name", ["logistic", "warped", None])
def test_it_is_a_mass_on_a_grid_and_a_density_on_reals(name: str | None) -> None:
    assert likely.fit(table()[["grid", "count"]], likelihood=name, steps=1).measure == "mass"
    assert likely.fit(table()[["real"]], likelihood=name, steps=1).measure == "density"
    both = likely.fit(table(), likelihood=name, steps=1)
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
        made = resolve(Config().replace({"prior": prior}), schema).build().p_z
        assert len(made.start if "vamp" in prior else made.centres) == kept


def test_a_resolved_configuration_says_every_argument(tmp_path: Path) -> None:
    likely.fit(table(), out=tmp_path / "run", steps=2, prior="flow", likelihood="mixture", objective="capacity:2.5")
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    told = {name: stored["model"][name] for name in ("prior", "posterior", "likelihood", "network")}
    assert told == {
        "prior": "flow:4:coupling",
        "posterior": "normal",
        "likelihood": "mixture:5:gaussian",
        "network": "mlp",
    }
    assert stored["training"]["objective"] == "capacity:2.5:1000"
    config = Config.from_dict(stored)
    schema = likely.load(tmp_path / "run").schema
    assert resolve(config, schema).config == config


def test_relaxed_codes_make_no_bound_of_what_training_maximises() -> None:
    for aim in ("elbo", "iwae:3"):
        run = likely.fit(table(), steps=3, objective=aim, prior="categorical:2:3")
        assert run.aim.startswith(aim)
        assert run.aim.endswith(", no bound on log P(x) while z is relaxed")
        assert run.evaluate(table(), samples=3, anneal=0)["elbo"].kind.startswith("lower bound on log P(x)")


def test_a_budget_of_minutes_is_timed_with_the_objective_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = Loss.forward

    def spy(self: Any, *arguments: Any) -> Any:
        seen.append(self.objective)
        return original(self, *arguments)

    monkeypatch.setattr(Loss, "forward", spy)
    run = likely.fit(table(), minutes=0.02, objective="iwae:3")
    assert len(seen) > run.facts["steps"]
    assert set(seen) == {likely.objectives.IWAE(3)}
