"""Fits of several members, whose mixture is the run's P(X)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import likely
from likely.errors import ConfigError
from likely.objectives import Loss
from quick import quick_reports
from small import fitted, table


def test_it_is_stored_and_loaded_and_every_verb_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fitted(tmp_path, members=3)
    assert len(run.model.members) == 3
    assert run.history["member"].unique().tolist() == [0, 1, 2]
    assert [told["steps"] for told in run.facts["members"]] == [3, 3, 3]
    x = table()
    each = [likely.Run(**{**vars(run), "model": one}) for one in run.model.members]
    scores = [one.score(x[:10], samples=3000) for one in each]
    whole = run.score(x[:10], samples=9000)
    mixture = np.logaddexp.reduce([one["log_px"] for one in scores]) - np.log(3)
    errors = whole["se_mc"] + np.max([one["se_mc"] for one in scores], 0)
    assert (np.abs(whole["log_px"] - mixture) < 5 * errors).all()
    assert np.median(errors) < 0.1
    pd.testing.assert_frame_equal(run.encode(x), each[0].encode(x))
    pd.testing.assert_frame_equal(run.reconstruct(x), each[0].reconstruct(x))
    assert run.sample(40).shape == x.shape
    ledger = run.evaluate(samples=20, anneal=0)
    assert ledger["elbo"].nats < 0 < ledger["gap"].nats
    quick_reports(monkeypatch)
    assert "3 members" in run.report().read_text()


def test_members_differ_and_the_seed_says_how() -> None:
    runs = [likely.fit(table(), steps=3, latent=2, width=8, members=2, seed=seed) for seed in (0, 0, 1)]
    first = [run.encode(table()).to_numpy() for run in runs]
    np.testing.assert_array_equal(first[0], first[1])
    assert not np.allclose(first[0], first[2])
    assert not np.allclose(*[run.history["val_elbo"].iloc[-1] for run in runs[1:]])
    assert runs[0].history.groupby("member")["val_elbo"].last().nunique() == 2


@pytest.mark.parametrize(("stop", "kept"), [(2, 1), (7, 1), (12, 2)])
def test_an_interrupted_fit_keeps_the_members_that_are_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stop: int, kept: int
) -> None:
    steps = 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == stop:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    real = Loss.forward
    monkeypatch.setattr(Loss, "forward", interrupted)
    run = likely.fit(table(), steps=5, latent=2, width=8, members=4, out=tmp_path / "run")
    monkeypatch.undo()
    assert run.facts["interrupted"]
    assert len(run.model.members) == run.config.model.members == kept
    assert any(f"{kept} of 4 members" in notice for notice in run.notices)
    loaded = likely.load(tmp_path / "run")
    pd.testing.assert_frame_equal(loaded.score(table(), samples=5), run.score(table(), samples=5))


@pytest.mark.parametrize("options", [{"prior": "ladder:2"}, {"posterior": "categorical:2:2"}, {"members": 0}])
def test_what_has_no_members_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="members"):
        likely.fit(table(), steps=1, **({"members": 2} | options))
