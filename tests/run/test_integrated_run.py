"""A run whose z is integrated out: every verb takes it, and it comes back as it was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import likely
from likely.cli import main
from likely.run import dimension, learning
from likely.training.validate import validate

KIND = "integrated:2:16"


def table(rows: int = 160) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    z = draw.normal(size=rows)
    frame = pd.DataFrame(
        {
            "amount": np.round(np.exp(0.5 * z + 0.3 * draw.normal(size=rows)), 2),
            "colour": np.where(z + draw.normal(size=rows) > 0, "red", "blue"),
            "count": draw.poisson(np.exp(0.4 * z)),
        }
    )
    frame.loc[draw.random(rows) < 0.1, "colour"] = None
    return frame


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    out = tmp_path_factory.mktemp("fits") / "run"
    return likely.fit(table(), model=KIND, steps=30, out=out, progress=False)


def test_scores_have_no_error_and_validation_was_by_them(run: likely.Run) -> None:
    scores = run.score(table())
    assert (scores.se_mc == 0).all()
    assert scores.stable.all()
    np.testing.assert_array_equal(scores.log_px, scores.elbo)
    held = scores.log_px.to_numpy()[run.division.validation]
    assert run.best == pytest.approx(held.mean(), abs=1e-4)
    assert run.config.model.posterior is None
    assert "P(z|x) itself" in repr(run)


def test_it_comes_back(run: likely.Run) -> None:
    assert run.directory is not None
    loaded = likely.load(run.directory, progress=False)
    np.testing.assert_array_equal(loaded.score(table()).log_px, run.score(table()).log_px)


def test_every_verb_takes_it(run: likely.Run) -> None:
    data = table().head(12)
    data.loc[3, "amount"] = np.nan
    assert run.encode(data).shape == (12, 2)
    assert not run.impute(data).isna().any(axis=None)
    assert len(run.impute(data, draws=2)) == 2
    assert (run.ask(data, "colour=red")["colour=red se_mc"] == 0).all()
    assert set(run.sample(20, given=["colour=red"])["colour"]) == {"red"}
    assert len(run.reconstruct(data)) == 12
    assert len(run.anomalies(data)) == 12


def test_an_evaluation_says_that_it_is_exact_and_how_far_the_integral_is(
    run: likely.Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table(40).to_csv(tmp_path / "rows.csv", index=False)
    assert main(["evaluate", str(run.directory), str(tmp_path / "rows.csv")]) in (None, 0)
    said = " ".join(capsys.readouterr().out.split())
    assert "iwae: exact" in said
    assert "Quadrature: log P(x) of the model's 128 points" in said


def test_a_fit_is_the_same_again_and_goes_on(run: likely.Run) -> None:
    again = likely.fit(table(), model=KIND, steps=30, progress=False)
    np.testing.assert_array_equal(again.score(table()).log_px, run.score(table()).log_px)
    longer = again.continue_training(steps=5)
    assert longer.steps == 35


def test_the_dimension_is_chosen_on_validation_rows(tmp_path: Path) -> None:
    chosen = likely.fit(table(), model="integrated:auto:16", steps=6, out=tmp_path / "run", progress=False)
    latent = chosen.config.model.latent
    assert latent in (4, 8)
    assert chosen.config.model.kind == f"integrated:{latent}:16:128"
    assert any("z has" in notice for notice in chosen.notices)
    told = likely.fit(table(), model=f"integrated:{latent}:16", steps=6, progress=False)
    np.testing.assert_array_equal(told.score(table()).log_px, chosen.score(table()).log_px)
    assert likely.load(tmp_path / "run", progress=False).config.model.latent == latent


def test_trials_of_the_dimension_are_counted_in_the_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[float] = []
    steps_in = learning.steps_in

    def counted(minutes: float, *arguments: Any) -> int:
        budgets.append(minutes)
        return min(20, steps_in(minutes, *arguments))

    monkeypatch.setattr(learning, "steps_in", counted)
    run = likely.fit(table(), model="integrated:auto:16", minutes=1.0, progress=False)
    steps = int(re.findall(r"after (\d+) steps", " ".join(run.notices))[0])
    assert 50 <= steps <= 150
    assert 0.5 <= budgets[0] < 1.0
    assert run.config.training.minutes is None


def test_without_time_for_trials_z_has_the_fewer_dimensions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimension, "MIN_STEPS", 10**6)
    monkeypatch.setattr(learning, "steps_in", lambda *_: 3)
    run = likely.fit(table(), model="integrated:auto:16", minutes=0.2, progress=False)
    assert run.config.model.latent == 4
    assert any("no time for 1000000 steps" in notice for notice in run.notices)


def test_weights_are_compared_by_fewer_points_and_told_by_all() -> None:
    x = (np.random.default_rng(0).random((200, 6)) < np.linspace(0.2, 0.8, 6)).astype(np.uint8)
    run = likely.fit(x, model="integrated:2:16", steps=30, progress=False)
    rows = run.encoded(run.division.rows(run.training_source(), "validation"))
    roughly, whole = (validate(run.model, rows, 0, roughly=rough).elbo for rough in (True, False))
    record = run.record.members[0]
    assert record.validation_elbo == pytest.approx(whole, abs=1e-5)
    assert run.history[["val_elbo", "val_elbo_average"]].max().max() == pytest.approx(roughly, abs=1e-5)
    assert roughly != pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "vamp:20"}, "take normal, diagonal, mixture or flow"),
        ({"prior": "sphere"}, "take normal, diagonal, mixture or flow"),
        ({"posterior": "flow"}, "leave posterior flow"),
        ({"latent": 3}, "not 3"),
        ({"members": 2}, "one member"),
    ],
)
def test_what_does_not_go_with_it_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(likely.ConfigError, match=message):
        likely.fit(table(), model=KIND, steps=2, progress=False, **options)  # type: ignore[arg-type]


def test_a_condition_is_given() -> None:
    whole = table().dropna()
    fitted = likely.fit(whole, model=KIND, condition=["colour"], steps=10, progress=False)
    assert (fitted.score(whole).se_mc == 0).all()
    assert len(fitted.sample(5, given={"colour": "red"})) == 5
