"""A finished fit goes on from its last weights, and keeps the best ones unless it beats them."""

from __future__ import annotations

import copy
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.cli.show import fitted
from likely.errors import ConfigError, DataError, OutputError, RunError
from likely.run.states import read_states
from likely.run.stopping import Stopped
from likely.training.validate import Validation
from small import table
from stopped import Signal

SIZES: dict[str, Any] = {"latent": 2, "width": 8, "steps": 12}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("continuing")
    table().to_csv(made / "t.csv", index=False)
    likely.fit(str(made / "t.csv"), out=made / "run", **SIZES)
    return made


@pytest.fixture
def place(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder / "run", tmp_path / "run"))


def test_it_goes_on_from_the_last_step_and_the_first_run_stays_as_it_was(place: Path) -> None:
    run = likely.load(place)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    longer = run.continue_training(steps=20)
    assert longer.facts["steps"] == 32
    assert longer.facts["continued"] == [{"from_step": 12, "steps": 20, "peak": 1.0, "seed": 0}]
    pd.testing.assert_frame_equal(longer.history[: len(run.history)].reset_index(drop=True), run.history)
    added = longer.history[len(run.history) :]
    assert added["step"].min() > 12
    assert added["step"].max() == 32
    rate = run.config.training.learning_rate
    assert rate is not None
    assert 0.8 * rate < added["learning_rate"].max() <= rate
    assert added["learning_rate"].iloc[-1] < 0.02 * rate
    assert (added["kl_weight"] == 1).all()
    assert longer.states[0]["outcome"]["best"] == pytest.approx(
        longer.history[["val_elbo", "val_elbo_average"]].max().max()
    )
    for name, tensor in run.model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0, equal_nan=True)
    assert run.facts["steps"] == 12
    again = run.continue_training(steps=20)
    pd.testing.assert_frame_equal(longer.history.drop(columns="seconds"), again.history.drop(columns="seconds"))
    assert longer.directory is None
    assert longer.continue_training(steps=2).facts["steps"] == 34


def test_what_is_loaded_goes_on_as_what_was_never_stored_does(folder: Path, place: Path) -> None:
    fresh = likely.fit(str(folder / "t.csv"), **SIZES).continue_training(steps=9)
    stored = likely.load(place).continue_training(steps=9)
    for name, tensor in fresh.model.state_dict().items():
        torch.testing.assert_close(stored.model.state_dict()[name], tensor, rtol=0, atol=0, equal_nan=True)
    pd.testing.assert_frame_equal(fresh.history.drop(columns="seconds"), stored.history.drop(columns="seconds"))


def test_the_best_weights_stay_unless_they_are_beaten(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from likely.training import trainer

    run = likely.load(place)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "validate", lambda *_, **__: Validation(-1e9, 0.0, 0.0))
        worse = run.continue_training(steps=5)
    assert worse.facts["selected_step"] == run.facts["selected_step"]
    assert worse.states[0]["outcome"]["best"] == pytest.approx(
        run.history[["val_elbo", "val_elbo_average"]].max(axis=None)
    )
    np.testing.assert_array_equal(worse.score(table(), samples=3), run.score(table(), samples=3))
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "validate", lambda *_, **__: Validation(1e9, 0.0, 0.0))
        better = run.continue_training(steps=5)
    assert 12 < better.facts["selected_step"] <= 17


def test_the_directory_is_renewed_whole_and_what_else_it_holds_stays(place: Path) -> None:
    (place / "notes.txt").write_text("mine")
    (place / "report.html").write_text("of the earlier weights")
    with pytest.warns(UserWarning, match=r"report.html was of the run before and is removed"):
        longer = likely.load(place).continue_training(steps=5, out=place)
    assert not list(place.parent.glob(".*"))
    assert (place / "notes.txt").read_text() == "mine"
    assert not (place / "report.html").exists()
    again = likely.load(place)
    assert again.facts["steps"] == 17
    np.testing.assert_array_equal(again.score(table(), samples=3), longer.score(table(), samples=3))
    assert read_states(place)[0]["outcome"]["steps"] == 17
    assert again.continue_training(steps=1).facts["continued"][1]["from_step"] == 17


@pytest.mark.parametrize(
    ("stray", "words"),
    [
        ("checkpoints/notes.txt", "holds 'checkpoints/notes.txt'"),
        ("checkpoints/12/notes.txt", "holds 'checkpoints/12/notes.txt'"),
        ("report.html/thesis.tex", "holds 'report.html'"),
        (None, "current folder"),
    ],
)
def test_what_could_not_be_renewed_is_told_before_training(
    stray: str | None, words: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = likely.load(place)
    if stray is None:
        monkeypatch.chdir(place)
    else:
        (place / stray).parent.mkdir(exist_ok=True)
        (place / stray).write_text("mine")
    content = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    _never_trained(monkeypatch)
    with pytest.raises(OutputError, match=words):
        run.continue_training(steps=1, out=place)
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == content
    assert [entry.name for entry in place.parent.iterdir()] == ["run"]


def test_another_place_that_cannot_be_taken_is_told_before_training(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = likely.load(place)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    _never_trained(monkeypatch)
    for out, overwrite, words in (
        ("other", False, "exists already"),
        ("other", True, "holds 'notes.txt'"),
        ("file/run", False, "no folder that you may write to"),
    ):
        with pytest.raises(OutputError, match=words):
            run.continue_training(steps=1, out=tmp_path / out, overwrite=overwrite)
    monkeypatch.setattr("os.access", lambda _, mode: not mode & os.W_OK)
    for out in (place, tmp_path / "new"):
        with pytest.raises(OutputError, match="no folder that you may write to"):
            run.continue_training(steps=1, out=out)


def _never_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    from likely.run import continuing

    monkeypatch.setattr(continuing, "continue_training", lambda *_: pytest.fail("trained"))


def test_a_run_saved_after_its_directory_was_lengthened_holds_no_state_of_other_weights(
    place: Path, tmp_path: Path
) -> None:
    run = likely.load(place)
    run.save(tmp_path / "before")
    assert read_states(tmp_path / "before")[0]["outcome"]["steps"] == 12
    likely.load(place).continue_training(steps=1, out=place)
    run.save(tmp_path / "after")
    assert likely.load(tmp_path / "after").facts["steps"] == 12
    with pytest.raises(RunError, match="no state of its training"):
        read_states(tmp_path / "after")


def test_a_failure_leaves_the_directory_as_it_was(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from likely.run import continuing

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    run = likely.load(place)
    content = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    monkeypatch.setattr(continuing, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        run.continue_training(steps=1, out=place)
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == content
    assert not list(place.parent.glob(".*"))


def test_another_place_is_taken_as_a_fit_takes_it(place: Path, tmp_path: Path) -> None:
    run = likely.load(place)
    other = run.continue_training(steps=1, out=tmp_path / "other")
    assert likely.load(tmp_path / "other").facts["steps"] == other.facts["steps"] == 13
    assert likely.load(place).facts["steps"] == 12
    with pytest.raises(OutputError, match="exists already"):
        run.continue_training(steps=1, out=tmp_path / "other")


def test_rows_in_memory_are_given_again_and_must_be_the_same(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 9, (40, 3, 3)).astype(np.uint8)
    labels = np.arange(40) % 2
    likely.fit(pictures, condition={"label": labels}, out=tmp_path / "run", **SIZES)
    run = likely.load(tmp_path / "run")
    with pytest.raises(DataError, match=r"in memory.*give the same data"):
        run.continue_training(steps=1)
    assert run.continue_training(pictures, given={"label": labels}, steps=1).facts["steps"] == 13
    for rows, given in ((pictures[::-1], labels), (pictures, 1 - labels)):
        with pytest.raises(DataError, match="not the rows that the run was fitted on"):
            run.continue_training(rows, given={"label": given}, steps=1)


def test_weights_beside_an_array_are_given_again_and_must_be_the_same(tmp_path: Path) -> None:
    rows, w = np.random.default_rng(0).normal(size=(40, 3)), np.linspace(0.5, 2, 40)
    likely.fit(rows, weight=w, out=tmp_path / "run", **SIZES)
    run = likely.load(tmp_path / "run")
    for given in (None, {"sample_weight": w[::-1]}):
        with pytest.raises(DataError, match=r"with weights beside the array.*given=\{'sample_weight': weights\}"):
            run.continue_training(rows, given=given, steps=1)
    assert run.continue_training(rows, given={"sample_weight": w}, steps=1).facts["steps"] == 13
    plain = likely.fit(rows, **SIZES)
    with pytest.raises(DataError, match="without weights"):
        plain.continue_training(rows, given={"sample_weight": w}, steps=1)


def test_a_changed_file_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "t.csv", tmp_path / "t.csv")
    likely.fit(str(tmp_path / "t.csv"), out=tmp_path / "run", **SIZES)
    run = likely.load(tmp_path / "run")
    table()[1:].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"t.csv: these are not the rows.*--init RUN"):
        run.continue_training(steps=1)
    assert run.continue_training(str(folder / "t.csv"), steps=1).facts["steps"] == 13


def test_members_go_on_each_from_its_own_end_and_an_interrupt_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from likely.objectives import Loss

    run = likely.fit(table(), members=3, **SIZES)
    before = copy.deepcopy(run.states)
    longer = run.continue_training(steps=4)
    assert str(before) == str(run.states)
    assert [told["steps"] for told in longer.facts["members"]] == [16, 16, 16]
    steps, real = 0, Loss.forward

    def interrupted(*arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 6:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(Loss, "forward", interrupted)
    cut = run.continue_training(steps=4, out=tmp_path / "run")
    monkeypatch.undo()
    assert cut.facts["interrupted"]
    assert [told["steps"] for told in cut.facts["members"]] == [16, 13, 12]
    assert len(cut.model.members) == 3
    loaded = likely.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.score(table(), samples=3), cut.score(table(), samples=3))
    assert [told["steps"] for told in cut.continue_training(steps=1).facts["members"]] == [17, 14, 13]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_and_stores_what_there_is(
    number: int, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, monitors = likely.load(place), [Signal(3, number)]
    if number == signal.SIGINT:
        cut = run.continue_training(steps=20, out=place, monitors=monitors)
        fitted(cut, json=False)
        assert f"are kept; likely fit --continue {place} goes on" in capsys.readouterr().err
    else:
        with pytest.raises(Stopped, match=f"{128 + number}") as told:
            run.continue_training(steps=20, out=place, monitors=monitors)
        assert told.value.text == f"stopped after step 15; likely fit --continue {place} goes on"
    longer = likely.load(place)
    assert longer.facts["interrupted"]
    assert longer.facts["continued"] == [{"from_step": 12, "steps": 3, "peak": 1.0, "seed": 0}]
    assert not list(place.parent.glob(".*"))
    with pytest.raises(RunError, match=r"interrupted while it was lengthened.*--continue"):
        likely.fit(resume=place)
    assert not longer.continue_training(steps=2).record.interrupted


def test_what_cannot_go_on_says_so_in_one_line(place: Path) -> None:
    run = likely.load(place)
    with pytest.raises(ConfigError, match="minutes, epochs or steps"):
        run.continue_training()
    with pytest.raises(ConfigError, match="one budget"):
        run.continue_training(steps=1, minutes=1)
    with pytest.raises(ConfigError, match="must be positive"):
        run.continue_training(steps=-1)
    for change, message in ({"diverged": True}, "diverged"), ({"steps": 11}, "has changed since it was loaded"):
        members = tuple(replace(member, **change) for member in run.record.members)
        with pytest.raises(RunError, match=message):
            replace(run, record=replace(run.record, members=members)).continue_training(steps=1)
    shutil.rmtree(place / "checkpoints")
    with pytest.raises(RunError, match="earlier version"):
        likely.load(place).continue_training(steps=1)
