"""What training left in a run, as others may have written it with checksums that fit: one line, or as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load, save

import likely
from likely.errors import LikelyError, RunError
from likely.run.states import read_states
from resigned import signed
from small import table
from stopped import Signal

Change = Callable[[dict[str, Any]], object]
Tensors = dict[str, torch.Tensor]
FIRST = "averaged/encoder.body.first.weight"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untrusted")
    table().assign(years=1.5).to_csv(folder / "t.csv", index=False)
    told: dict[str, Any] = {"latent": 2, "width": 8, "steps": 6, "condition": "town", "device": "cpu"}
    likely.fit(folder / "t.csv", out=folder / "run", **told)
    with pytest.raises(SystemExit):
        likely.fit(folder / "t.csv", out=folder / "half", monitors=[Signal(4)], **told)
    return folder


@pytest.fixture
def run(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored / "run", tmp_path / "run"))


@pytest.fixture
def half(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored / "half", tmp_path / "half"))


def refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(LikelyError, match=words) as told:
        call()
    assert len(str(told.value)) <= 300
    assert "\n" not in str(told.value)


def restated(folder: Path, change: Change | None = None, retensor: Callable[[Tensors], object] | None = None) -> None:
    """The run's checkpoint changed, with checksums that fit."""
    place = next((folder / "checkpoints").iterdir())
    document, tensors = json.loads((place / "state.json").read_text()), load((place / "state.safetensors").read_bytes())
    (change or (lambda _: None))(document)
    (retensor or (lambda _: None))(tensors)
    (place / "state.json").write_text(json.dumps(document))
    (place / "state.safetensors").write_bytes(save(tensors))
    sums = [
        f"{sha256((place / name).read_bytes()).hexdigest()}  {name}\n" for name in ("state.json", "state.safetensors")
    ]
    (place / "SHA256SUMS").write_text("".join(sums))


def state(part: str, **values: object) -> Change:
    return lambda document: (document["states"][0][part] if part else document["states"][0]).update(values)


STATES: dict[str, tuple[Change, str]] = {
    "no states": (lambda document: document.update(states=[{}]), "is damaged"),
    "a state of a list": (lambda document: document.update(states=[[1]]), "is no object"),
    "a plan of a list": (lambda document: document.update(plan=[1]), "the plan is no object"),
    "notices of a number": (lambda document: document["plan"].update(notices=3), "the plan.notices is 3"),
    "threads of a text": (lambda document: document["plan"].update(threads="2"), "the plan.threads is '2'"),
    "another step": (state("outcome", steps=7), "it is of another step"),
    "steps below 0": (state("outcome", steps=-6), "the outcome.steps is -6"),
    "steps that are true": (state("outcome", steps=True), "the outcome.steps is True"),
    "a word that none is selected by": (state("outcome", selected="odd"), "'odd' weights were kept"),
    "a selected step beyond the last": (state("outcome", selected_step=7), "selected_step is 7 after 6 steps"),
    "a bound of text": (state("outcome", best="high"), "the outcome.best is 'high'"),
    "a bound of nothing that was kept": (state("outcome", selected=""), "'' weights were kept"),
    "seconds below 0": (state("outcome", seconds=-1.0), "training took -1.0 seconds"),
    "a history of a number": (state("outcome", history=3), "the outcome.history is 3"),
    "a history of other columns": (state("outcome", history=[{"step": 1, "odd": 2}]), "has 'odd'"),
    "a history without bounds": (state("outcome", history=[{"step": 1}]), "lacks val_elbo"),
    "a history of texts": (state("outcome", history=[{"step": 1, "val_elbo": "x"}]), "is 'x', expected a number"),
    "a history that falls": (state("outcome", history=[{"step": n, "val_elbo": 1.0} for n in (3, 2)]), "do not rise"),
    "a history beyond its end": (state("outcome", history=[{"step": 7, "val_elbo": 1.0}]), "do not rise, or go beyond"),
    "a start beyond the last step": (state("schedule", start=7), "the schedule.start is 7, expected 0 to 6"),
    "a decay of text": (state("schedule", decay_from="now"), "the schedule.decay_from is 'now'"),
    "failures of text": (state("", failures="many"), "the state.failures is 'many'"),
    "a field that is unknown": (state("", more=1), "unknown field 'more'"),
    "a tensor for a nest": (state("", optimiser={"tensor": FIRST}), "is damaged"),
    "a nest for a tensor": (state("", generator={"x": 1}), "the state.generator is"),
    "a number for a tensor": (state("averaged", **{"encoder.body.first.weight": 1.0}), "the state.averaged is 1.0"),
    "a name of no tensor": (state("", generator={"tensor": "none"}), "is damaged"),
    "a name that is a list": (state("", generator={"tensor": []}), "is damaged"),
    "random numbers of floats": (state("", generator={"tensor": "0/meter/sums"}), "generator is no state"),
}


@pytest.mark.parametrize("name", STATES)
def test_the_structure_of_a_checkpoint_is_checked(name: str, run: Path) -> None:
    change, words = STATES[name]
    restated(run, change)
    refused(lambda: read_states(run), words)


MISFITS: dict[str, tuple[Change | None, Callable[[Tensors], object] | None, str]] = {
    "averages of one number": (
        None, lambda tensors: tensors.update({f"0/{FIRST}": torch.ones(1)}), "averaged: encoder.body.first.weight is of"
    ),
    "best weights of one number": (
        None, lambda tensors: tensors.update({"0/best/encoder.body.first.weight": torch.ones(1)}), "best: encoder.body"
    ),
    "best weights that are not there": (
        lambda document: document["states"][0]["best"].pop("encoder.body.first.weight"), None, "best: .* is not there"
    ),
    "moments of another shape": (
        None,
        lambda tensors: tensors.update({"0/optimiser/encoder.body.first.weight/exp_avg": torch.ones(3)}),
        "moments of encoder.body.first.weight",
    ),
    "weights that are not finite": (
        None, lambda tensors: tensors["0/model/encoder.body.first.weight"].fill_(torch.nan), "is not finite"
    ),
    "another order of rows": (state("sampler", position=0), None, "the order of rows is another"),
    "another seed": (state("sampler", seed=1), None, "the order of rows is another"),
    "steps of the meter without names": (
        state("meter", waiting={"odd": {"tensor": "0/meter/sums"}}), None, "stored state of training is not that"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_a_state_of_another_model_is_refused_before_training(name: str, half: Path, run: Path) -> None:
    change, retensor, words = MISFITS[name]
    restated(half, change, retensor)
    restated(run, change, retensor)
    refused(lambda: likely.fit(resume=half), words)
    refused(lambda: likely.load(run).continue_training(steps=1), words)


HISTORIES = {
    "nothing": ("", "is damaged"),
    "text": ("step,val_elbo\n1,high\n", "the history's val_elbo is of type"),
    "another column": ("step,val_elbo,odd\n1,2,3\n", "the history has 'odd'"),
    "no bounds": ("step,kl\n1,2\n", "the history lacks val_elbo"),
    "broken steps": ("step,val_elbo\n1.5,2\n", "the history's step is of type float64"),
    "steps that fall": ("step,val_elbo\n2,2\n1,2\n", "do not rise"),
    "no table": ("step,val_elbo\n1,2,3,4\n1\n\x00,,,,,\n", "is damaged"),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_the_history_is_checked(name: str, run: Path) -> None:
    content, words = HISTORIES[name]
    (run / "history.csv").write_text(content)
    signed(run)
    refused(lambda: likely.load(run), words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y[:-1], "not 1 numbers for each of 32 rows"),
        (lambda y: y.expand(-1, 2), "not 1 numbers"),
        (lambda y: y.flatten(), "not 1 numbers"),
        (lambda y: y.float(), "not 1 numbers"),
        (lambda y: y + 0.5, "codes of the condition 'town' that are no categories"),
        (lambda y: y - 1, "codes of the condition 'town'"),
        (lambda y: y + 100, "codes of the condition 'town'"),
        (lambda y: y * torch.nan, "conditions that are not finite"),
    ],
)
def test_conditions_are_checked(change: Callable[[torch.Tensor], torch.Tensor], words: str, run: Path) -> None:
    y = load((run / "conditions.safetensors").read_bytes())["y"]
    (run / "conditions.safetensors").write_bytes(save({"y": change(y).contiguous()}))
    signed(run)
    refused(lambda: likely.load(run), words)


def test_exposures_are_checked(tmp_path: Path) -> None:
    rows = pd.DataFrame({"claims": range(40), "years": [1.0, 2.0] * 20})
    likely.fit(rows, out=tmp_path / "run", exposure="years", column={"claims": "count"}, latent=1, width=8, steps=2)
    y = load((tmp_path / "run/conditions.safetensors").read_bytes())["y"]
    (tmp_path / "run/conditions.safetensors").write_bytes(save({"y": -y}))
    signed(tmp_path / "run")
    refused(lambda: likely.load(tmp_path / "run"), "exposures 'years' that are not above 0")


@pytest.mark.parametrize(
    ("fact", "value"), [("selected", "odd"), ("selected_step", 99), ("steps", -1), ("members", [])]
)
def test_what_training_came_to_is_checked(fact: str, value: object, run: Path) -> None:
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {fact: value}))
    signed(run)
    refused(lambda: likely.load(run), "is damaged")


def test_a_division_of_more_rows_than_there_are_is_refused(run: Path) -> None:
    parts = load((run / "rows.safetensors").read_bytes())
    (run / "rows.safetensors").write_bytes(save(parts | {"test": torch.tensor([10**6])}))
    signed(run)
    refused(lambda: likely.load(run).evaluate(samples=2), "test rows that the data does not have")
    (run / "rows.safetensors").write_bytes(save(parts | {"validation": torch.zeros(0, dtype=torch.int64)}))
    signed(run)
    refused(lambda: likely.load(run), "none that validate")


def test_a_damaged_start_is_told(stored: Path, tmp_path: Path) -> None:
    from likely.run.checksums import read_with_checksum, write_with_checksum

    place = tmp_path / "begun"
    with pytest.raises(SystemExit):
        likely.fit(stored / "t.csv", init=stored / "run", out=place, steps=6, monitors=[Signal(1)])
    run_id = json.loads((place / "run.json").read_text())["id"]
    weights = read_with_checksum(place / "start.safetensors", run_id)
    for change in ({"odd": torch.ones(1)}, {next(iter(weights)): torch.ones(7, 7)}):
        write_with_checksum(place / "start.safetensors", weights | change, run_id)
        with pytest.raises(RunError, match=r"start\.safetensors is damaged"):
            likely.fit(resume=place)
