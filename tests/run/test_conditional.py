"""P(x|y): y is given at every verb, is never modelled, and the numbers are those of the conditional law."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import likely
from likely import likelihoods, networks, posteriors, priors
from likely.data import ResidentRows, Warp, condition_values
from likely.evaluation import evidence, given_y
from likely.priors import FromPosterior, Prior
from quick import quick_reports

SHARE = {"a": 0.5, "b": 0.3, "c": 0.2}
MEAN = {"a": (0.0, 0.0), "b": (3.0, 0.0), "c": (0.0, 4.0)}
SIGMA = np.array([1.0, 0.5])


def law(x: np.ndarray, kind: str) -> np.ndarray:
    """log P(x|y): two independent normal columns."""
    z = (x - MEAN[kind]) / SIGMA
    return np.asarray(-0.5 * (z**2).sum(1) - np.log(2 * np.pi * SIGMA.prod()))


def kinds(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    kind = rng.choice(list(SHARE), rows, p=list(SHARE.values()))
    x = np.array([MEAN[name] for name in kind]) + SIGMA * rng.normal(size=(rows, 2))
    return pd.DataFrame({"u": x[:, 0], "kind": kind, "v": x[:, 1]})


@pytest.fixture(scope="module")
def by_kind(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    out = tmp_path_factory.mktemp("kinds") / "run"
    return likely.fit(kinds(1200, 0), condition="kind", out=out, steps=250, latent=1, likelihood="gaussian")


def test_samples_follow_the_label_and_come_back_with_it(by_kind: likely.Run) -> None:
    for kind, mean in MEAN.items():
        drawn = by_kind.sample(2000, given={"kind": kind})
        assert drawn.columns.tolist() == ["u", "kind", "v"]
        assert drawn.dtypes.tolist() == kinds(3, 0).dtypes.tolist()
        assert (drawn["kind"] == kind).all()
        np.testing.assert_allclose(drawn[["u", "v"]].mean(), mean, atol=0.25)
        np.testing.assert_allclose(drawn[["u", "v"]].std(), SIGMA, atol=0.15)
    each = by_kind.sample(600, given={"kind": ["a", "b", "c"] * 200})
    np.testing.assert_allclose(each.groupby("kind")["u"].mean(), [0, 3, 0], atol=0.35)


def test_log_px_is_that_of_the_conditional_law_and_gains_the_mutual_information(by_kind: likely.Run) -> None:
    fresh = kinds(600, 1)
    x, kind = fresh[["u", "v"]].to_numpy(), fresh["kind"].to_numpy()
    laws = {name: law(x, name) for name in SHARE}
    truth = np.array([laws[name][i] for i, name in enumerate(kind)])
    marginal = np.log(sum(SHARE[name] * np.exp(laws[name]) for name in SHARE))
    found = by_kind.score(fresh, samples=20)["log_px"]
    assert found.mean() == pytest.approx(truth.mean(), abs=0.1)
    unconditional = likely.fit(kinds(1200, 0).drop(columns="kind"), steps=250, latent=2)
    gain = found.mean() - unconditional.score(fresh, samples=20)["log_px"].mean()
    assert gain == pytest.approx((truth - marginal).mean(), abs=0.25)
    told = np.stack([by_kind.score(fresh, given={"kind": name}, samples=20)["log_px"] for name in SHARE])
    guess = np.array(list(SHARE))[(told + np.log(list(SHARE.values()))[:, None]).argmax(0)]
    best = np.array(list(SHARE))[np.stack([laws[name] + np.log(SHARE[name]) for name in SHARE]).argmax(0)]
    assert (guess == best).mean() > 0.95


def test_a_loaded_run_does_the_same_bit_for_bit(by_kind: likely.Run) -> None:
    assert by_kind.directory is not None
    loaded, fresh = likely.load(by_kind.directory), kinds(40, 2)
    pd.testing.assert_frame_equal(by_kind.score(fresh), loaded.score(fresh), check_exact=True)
    given = {"kind": "b"}
    pd.testing.assert_frame_equal(by_kind.sample(9, given=given), loaded.sample(9, given=given), check_exact=True)
    pd.testing.assert_frame_equal(by_kind.reconstruct(fresh), loaded.reconstruct(fresh), check_exact=True)
    assert (loaded.reconstruct(fresh)["kind"] == fresh["kind"]).all()
    decoded = loaded.decode(loaded.encode(fresh), given={"kind": fresh["kind"]})
    pd.testing.assert_frame_equal(decoded, loaded.reconstruct(fresh), check_exact=True)
    pd.testing.assert_frame_equal(by_kind.encode(fresh), loaded.encode(fresh), check_exact=True)


def test_the_ledger_and_the_report_say_what_is_given(by_kind: likely.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_kind.evaluate(samples=20, anneal=5)
    assert found.given == ("kind",)
    assert found.to_dict()["given"] == ("kind",)
    assert found["iwae"].kind == "importance-weighted lower bound on log P(x|y)"
    assert found["kl"].kind == "D[Q(z|x,y)||P(z)], closed form"
    quick_reports(monkeypatch)
    page = by_kind.report(overwrite=True).read_text()
    assert "P(X | kind) of data in memory" in page
    assert "The model is conditional on y: <b>kind</b>." in page
    assert given_y("log P(X) - D[Q(z|X)||P(z|X)] = E_Q[log P(X|z)] - D[Q(z|X)||P(z)]") == (
        "log P(X|y) - D[Q(z|X,y)||P(z|X,y)] = E_Q[log P(X|z,y)] - D[Q(z|X,y)||P(z)]"
    )


def test_a_regression_on_a_number_is_recovered() -> None:
    rng = np.random.default_rng(0)
    age, smokes = rng.integers(20, 61, 1000), rng.random(1000) < 0.3
    frame = pd.DataFrame({"age": age, "x": 0.1 * age + 2.0 * smokes + 0.5 * rng.normal(size=1000), "smokes": smokes})
    run = likely.fit(frame, condition=["age", "smokes"], steps=400, latent=1)
    assert [column.name for column in run.schema.modelled] == ["x"]
    for at, flag in ((25, False), (40, True), (55, False)):
        drawn = run.sample(2000, given={"age": at, "smokes": flag})
        assert drawn.dtypes.tolist() == frame.dtypes.tolist()
        assert set(drawn["age"]) == {at}
        assert drawn["x"].mean() == pytest.approx(0.1 * at + 2.0 * flag, abs=0.2)
        assert drawn["x"].std() == pytest.approx(0.5, abs=0.1)
    exact = -0.5 * np.log(2 * np.pi * np.e * 0.25)
    assert run.score(frame, samples=10)["log_px"].mean() == pytest.approx(exact, abs=0.08)
    assert set(run.sample(3, given={"age": 30, "smokes": "True"})["smokes"]) == {True}
    with pytest.warns(UserWarning, match=r"20 to 60, so P\(x\|y\) at 80 is extrapolated"):
        run.sample(2, given={"age": 80, "smokes": False})
    with pytest.raises(likely.DataError, match=r"'age' is an integer \(int64\), got 30.5"):
        run.sample(2, given={"age": 30.5, "smokes": False})


def test_digits_drawn_for_a_label_are_that_digit() -> None:
    digits = load_digits()
    x = torch.from_numpy(digits.images)
    run = likely.fit(x, condition={"label": digits.target}, steps=300)
    judge = LogisticRegression().fit(digits.data / 16, digits.target)
    for label in (3, 7):
        drawn = run.sample(100, given={"label": label})
        assert isinstance(drawn, torch.Tensor)
        assert (judge.predict(drawn.flatten(1).numpy() / 16) == label).mean() > 0.8
    labels = digits.target[:30]
    told = run.score(x[:30], given={"label": labels}, samples=20)["log_px"]
    assert told.mean() > run.score(x[:30], given={"label": (labels + 1) % 10}, samples=20)["log_px"].mean() + 2
    assert run.evaluate(samples=5, anneal=0).rows == 179
    assert run.reconstruct(x[:4], given={"label": 3}).shape == (4, 8, 8)
    with pytest.raises(likely.DataError, match="no value is given: say --given label=VALUE"):
        run.score(x[:30])
    with pytest.raises(likely.ConfigError, match="one for each of 30 rows; got shape"):
        run.score(x[:30], given={"label": labels[:5]})
    with pytest.raises(
        likely.ConfigError, match=r"shape \(1797, 2\); give each its name, condition=\{'a': label\[:, 0\]"
    ):
        likely.fit(x, condition={"label": np.zeros((len(x), 2))}, steps=1)


@pytest.mark.parametrize("form", ["classes", "columns"])
def test_labels_that_came_beside_the_rows_are_used(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    if form == "classes":
        for i in range(40):
            folder = tmp_path / "data" / ("dark" if i % 2 else "light")
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 100 if i % 2 else 256, (4, 5)).astype("uint8")).save(folder / f"{i}.png")
        data, given, shape = tmp_path / "data", {"label": "dark"}, (6, 4, 5)
    else:
        data, given, shape = tmp_path / "d.npz", {"label": 0.5, "x1": 2}, (6, 3)
        np.savez(data, x=np.column_stack([rng.normal(size=(60, 2)), rng.random(60)]), target=rng.random(60))
    run = likely.fit(data, condition=list(given), steps=20, width=32, out=tmp_path / "run")
    loaded = likely.load(tmp_path / "run")
    assert loaded.evaluate(samples=5, anneal=0).given == tuple(sorted(given, reverse=True))
    assert len(loaded.score(data, samples=5)) == len(run.encode(data)) == len(loaded.reconstruct(data))
    assert loaded.sample(6, given=given).shape == shape
    if form == "columns":
        np.testing.assert_array_equal(loaded.sample(6, given=given)[:, 1], 2.0)
        np.savez(data, x=np.load(data)["x"], target=rng.random(60))
        with pytest.raises(likely.DataError, match="has changed since the fit"):
            likely.load(tmp_path / "run").evaluate(samples=5, anneal=0)
        rows = run.rows_of(data)[0]
        found = condition_values(run.schema, rows)
        assert set(found) == {"label", "x1"}
        np.testing.assert_array_equal(found["x1"], np.load(data)["x"][:, 1])
        np.testing.assert_array_equal(found["label"], np.load(data)["target"])
    else:
        quick_reports(monkeypatch)
        assert "conditional on y" in run.report().read_text()


PRIORS: dict[str, Callable[[], Prior | FromPosterior]] = {
    "normal": lambda: priors.StandardNormal(1),
    "vamp": lambda: priors.Vamp(1, (1,), 5, covariates=1),
    "exemplar": lambda: priors.Exemplar(1, 100),
}


@pytest.mark.parametrize("prior", PRIORS)
def test_a_composed_model_is_trained_on_rows_with_covariates(prior: str) -> None:
    rng = torch.Generator().manual_seed(0)
    y = torch.randn(400, 1, generator=rng, dtype=torch.float64)
    x = (2 * y + torch.randn(400, 1, generator=rng)).float()
    vae = likely.VAE(
        PRIORS[prior](),
        likelihoods.Gaussian((1,), "shared"),
        posteriors.Normal(1),
        networks.Encoder(networks.Standardise(0.0, 2.0, 1), networks.ResidualMLP(2, 2, 16)),
        networks.ResidualMLP(2, 1, 16),
        networks.Features([0], Warp([((0.0, 0.0), (1.0, 1.0))], [False]), []),
    )
    rows = ResidentRows(x, covariates=y)
    train, held = rows.take(torch.arange(300)), rows.take(torch.arange(300, 400))
    vae.initialise(train.evaluation_batch(torch.arange(300)))
    config = likely.config.TrainingConfig(steps=200)
    run = likely.train(vae, x[:300], validation=x[300:], condition={"y": y[:, 0]}, config=config)
    assert run.sample(2, given={"y": 1.0}).shape == (2, 1)
    marginal = torch.distributions.Normal(0.0, 5**0.5).log_prob(held.stored().values).mean().item()
    assert evidence(vae, held, samples=20).terms["iwae"].mean() > marginal + 0.25
    z = vae.prior().sample(torch.Size((300,)))
    low, high = (vae.likelihood(z, torch.full((300, 1), at)).mean.mean().item() for at in (-1.0, 1.0))
    assert high - low == pytest.approx(4, abs=1)
