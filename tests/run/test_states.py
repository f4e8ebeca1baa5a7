"""What training knew at its end lies in the run's directory, and the run does without it."""

from __future__ import annotations

import copy
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import likely
from likely.errors import OutputError, RunError
from likely.run import states
from likely.run.states import read_states, write_states
from small import table


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    return likely.fit(table(), out=tmp_path_factory.mktemp("states") / "run", steps=3, latent=2, width=8, members=2)


def leaves(value: object, path: str = "") -> dict[str, object]:
    if isinstance(value, (dict, list, tuple)):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for name, part in parts for k, v in leaves(part, f"{path}/{name}").items()}
    return {path: value}


def test_it_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "demand_consistent_state", lambda _: None)
    state = {
        "model": {"a.weight": torch.randn(2, 3).T, "b/c": torch.tensor(3.0)},
        "waiting": {},
        "generator": torch.Generator().get_state(),
        "outcome": {"steps": 5, "best": -math.inf, "history": [{"train_elbo": math.nan, "kl": 0.1 + 0.2}], "name": "x"},
        "none": None,
    }
    write_states(tmp_path, [state, copy.deepcopy(state)])
    json.loads((tmp_path / "checkpoints/10/state.json").read_text(), parse_constant=pytest.fail)
    for read in read_states(tmp_path):
        before, after = leaves(state), leaves(read)
        assert before.keys() == after.keys()
        assert read["waiting"] == {}
        for name, value in before.items():
            found = after[name]
            if isinstance(value, Tensor):
                assert isinstance(found, Tensor)
                assert found.dtype == value.dtype
                assert torch.equal(found, value)
            else:
                assert repr(found) == repr(value)


def test_a_later_state_takes_the_place_of_an_earlier_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "demand_consistent_state", lambda _: None)
    write_states(tmp_path, [{"outcome": {"steps": 5}}])
    with monkeypatch.context() as patch:
        patch.setattr(states, "save_tensors", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_states(tmp_path, [{"outcome": {"steps": 8}}])
    assert read_states(tmp_path)[0]["outcome"]["steps"] == 5
    write_states(tmp_path, [{"outcome": {"steps": 8}}])
    assert [entry.name for entry in (tmp_path / "checkpoints").iterdir()] == ["8"]


def test_a_fit_stores_what_it_needs_to_go_on_for_each_member(fitted: likely.Run) -> None:
    assert fitted.directory is not None
    assert [entry.name for entry in (fitted.directory / "checkpoints").iterdir()] == ["6"]
    stored, weights = read_states(fitted.directory), load_file(fitted.directory / "weights.safetensors")
    assert len(stored) == len(fitted.states) == 2
    for number, state in enumerate(stored):
        assert state["outcome"]["steps"] == 3
        assert state["optimiser"].keys() == state["averaged"].keys()
        assert all(float(moments["step"]) == 3 for moments in state["optimiser"].values())
        trained = {name: tensor for name, tensor in state["best"].items() if not name.endswith("offset")}
        assert 0 < len(state["best"]) - len(trained) < 3  # constants that are set after training
        for name, tensor in trained.items():
            torch.testing.assert_close(tensor, weights[f"parts.{number}.{name}"], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("frozen", [True, False])
def test_weights_without_a_gradient_are_no_hindrance(frozen: bool, tmp_path: Path) -> None:
    def encoder() -> torch.nn.Module:
        network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Linear(8, 4))
        if frozen:
            network[0].requires_grad_(False)
        else:
            network[0].register_parameter("unused", torch.nn.Parameter(torch.zeros(2)))
        return network

    data = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.warns(UserWarning, match="cannot be imported"):
        likely.fit(data, encoder=encoder, steps=3, out=tmp_path / "run", device="cpu")
    run = likely.load(tmp_path / "run", factories={"encoder": encoder})
    state = read_states(tmp_path / "run")[0]
    assert len(state["averaged"]) - len(state["optimiser"]) == (2 if frozen else 1)
    longer = run.continue_training(data, steps=2)
    assert longer.facts["steps"] == 5
    assert np.isfinite(longer.score(data[:3], samples=3)["log_px"]).all()


def test_a_run_does_without_it(fitted: likely.Run, tmp_path: Path) -> None:
    assert fitted.directory is not None
    place = Path(shutil.copytree(fitted.directory, tmp_path / "run"))
    shutil.rmtree(place / "checkpoints")
    scores = likely.load(place).score(table(), samples=3)
    np.testing.assert_array_equal(scores, fitted.score(table(), samples=3))
    with pytest.raises(RunError, match=r"no state of its training, so it cannot be continued.*--init"):
        read_states(place)


@pytest.mark.parametrize("name", ["state.json", "state.safetensors"])
def test_a_damaged_state_is_told(fitted: likely.Run, tmp_path: Path, name: str) -> None:
    assert fitted.directory is not None
    place = Path(shutil.copytree(fitted.directory, tmp_path / "run"))
    file = place / "checkpoints" / "6" / name
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(RunError, match="damaged"):
        read_states(place)
    file.unlink()
    with pytest.raises(RunError, match="damaged"):
        read_states(place)
    assert len(likely.load(place).sample(2)) == 2


@pytest.mark.parametrize("stray", ["checkpoints/notes.txt", "checkpoints/6/notes.txt", "checkpoints/6x/state.json"])
def test_what_is_not_ours_among_checkpoints_is_never_replaced(fitted: likely.Run, tmp_path: Path, stray: str) -> None:
    assert fitted.directory is not None
    place = Path(shutil.copytree(fitted.directory, tmp_path / "run"))
    (place / stray).parent.mkdir(exist_ok=True)
    (place / stray).write_text("mine")
    named = stray.removesuffix("/state.json")
    with pytest.raises(OutputError, match=f"holds '{named}'"):
        likely.fit(table(), out=place, steps=1, overwrite=True)
    assert (place / stray).read_text() == "mine"
