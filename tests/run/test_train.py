"""`likely.train`: a model of one's own and whatever rows there are, to a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import likely
import mine
from likely import likelihoods, networks, posteriors, priors
from likely.config import TrainingConfig
from likely.errors import ConfigError
from likely.run.stopping import Stopped
from stopped import Signal

ON = (np.random.default_rng(0).random((60, 6, 5)) < np.linspace(0.1, 0.9, 30).reshape(6, 5)).astype(np.float32)
FEW = TrainingConfig(steps=2)


def normal(cells: int) -> likely.VAE:
    likelihood = likelihoods.Gaussian((cells,))
    networks_of = networks.ResidualMLP(cells, 4, 8), networks.ResidualMLP(2, 2 * cells, 8)
    return likely.VAE(priors.StandardNormal(2), likelihood, posteriors.Normal(2), *networks_of)


class Pairs(Dataset[Any]):
    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(())


PICTURES = [(Tensor(row), number % 3) for number, row in enumerate(ON)]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (ON, None),
        (torch.from_numpy(ON), None),
        (TensorDataset(torch.from_numpy(ON)), None),
        (Pairs(PICTURES), 0),
        (Pairs([{"x": row.astype(bool), "y": 1} for row in ON]), "x"),
        (Pairs(list(ON)), None),
    ],
)
def test_every_form_of_the_same_rows_trains_the_same_weights(data: Any, field: int | str | None) -> None:
    torch.manual_seed(0)
    run = likely.train(mine.vae(), data, field=field, config=FEW)
    torch.manual_seed(0)
    other = likely.fit(ON, model=mine.vae(), steps=2, batch_size=128, learning_rate=2e-3)
    for mine_, theirs in zip(run.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(mine_, theirs)
    assert len(run.division.test) == 6
    tensors = isinstance(data, (torch.Tensor, TensorDataset)) or field == 0
    assert isinstance(run.sample(3), torch.Tensor) == tensors


def test_a_frame_trains_a_model_of_its_columns_and_comes_back_as_one() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=50), "b": rng.integers(0, 4, 50), "c": rng.normal(size=50).round(1)})
    run = likely.train(normal(3), frame, config=FEW)
    assert [column.kind for column in run.schema.columns].count("listed") == 0
    assert run.sample(4).columns.tolist() == ["a", "b", "c"]
    assert np.isfinite(run.score(frame, samples=3)["log_px"]).all()


def test_values_stay_in_data_units_whatever_they_are() -> None:
    two = np.random.default_rng(0).choice([3.0, 7.0], (60, 4))
    run = likely.train(normal(4), two, config=FEW)
    assert run.encoded(run.rows_of(two)[0]).stored().values.unique().tolist() == [3.0, 7.0]
    assert not any("law" in notice for notice in run.notices)


def test_validation_rows_choose_the_weights_and_all_of_the_data_trains() -> None:
    run = likely.train(mine.vae(), ON[:40], validation=ON[40:], config=FEW)
    assert (len(run.division.train), len(run.division.validation), len(run.division.test)) == (40, 20, 0)
    run = likely.train(mine.vae(), Pairs(PICTURES[:40]), field=0, validation=ON[40:], config=FEW)
    assert len(run.division.validation) == 20
    with pytest.raises(likely.ConfigError, match="validation rows and split both"):
        likely.train(mine.vae(), ON[:40], validation=ON[40:], split="random", config=FEW)


def test_a_fit_takes_data_sets_too() -> None:
    run = likely.fit(Pairs(PICTURES), field=0, steps=2, latent=2, width=8)
    same = likely.fit(torch.from_numpy(ON), steps=2, latent=2, width=8)
    assert isinstance(run.sample(2), torch.Tensor)
    assert run.facts["digest"] == same.facts["digest"]
    with pytest.raises(likely.ConfigError, match="say which is x, field=0"):
        likely.fit(Pairs(PICTURES), steps=1)
    with pytest.raises(likely.DataError, match=r"torch\.stack"):
        run.score(Pairs(PICTURES))


def test_a_model_begins_with_the_weights_it_has() -> None:
    model = mine.vae()
    last = [part for part in model.decoder.modules() if isinstance(part, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.fill_(9.0)
    likely.train(model, ON, config=TrainingConfig(steps=1, learning_rate=1e-6, weight_decay=0.0))
    torch.testing.assert_close(last.bias.detach(), torch.full((30,), 9.0), atol=1e-3, rtol=0)


def test_what_is_no_data_set_is_told_in_one_line() -> None:
    def refused(match: str, data: Any, **told: Any) -> None:
        with pytest.raises(likely.InputError, match=match):
            likely.train(mine.vae(), data, config=FEW, **told)

    refused("expected a map-style Dataset, .* got DataLoader: give its .dataset", DataLoader(Pairs(PICTURES)))
    refused("got Endless", Endless())
    refused("holds 0: Tensor, 1: int: say which is x, field=0", Pairs(PICTURES))
    refused("field 'x' is not in an item", Pairs(PICTURES), field="x")
    refused("field is for a torch Dataset", ON, field=0)
    refused("leave field out", Pairs(list(ON)), field=0)
    refused("has no items", Pairs([]))
    refused(r"item 1 has shape \(2, 5\), item 0 has \(6, 5\)", Pairs([ON[0], ON[1, :2]]))


def test_a_model_that_does_not_take_the_rows_is_told_before_training() -> None:
    model = mine.vae()
    model.encoder = nn.Linear(7, 4)
    with pytest.raises(likely.ConfigError, match=r"the model does not take rows of x, \(2, 6, 5\) of torch\.float32"):
        likely.train(model, ON, config=FEW)


def test_a_run_in_memory_is_saved(tmp_path: Path) -> None:
    run = likely.train(mine.vae(), ON, config=FEW)
    assert run.directory is None
    assert run.save(tmp_path / "a") == run.directory == tmp_path / "a"
    run.save(tmp_path / "b")
    assert run.directory == tmp_path / "a"
    for name in ("a", "b"):
        loaded = likely.load(tmp_path / name, factories={"model": mine.vae})
        pd.testing.assert_frame_equal(loaded.score(ON), run.score(ON), check_exact=True)
        assert (loaded.steps, loaded.best) == (2, run.best)
    with pytest.raises(likely.OutputError, match="exists already"):
        run.save(tmp_path / "b")
    run.save(tmp_path / "b", overwrite=True)


def test_a_model_that_was_trained_never_comes_back_worse() -> None:
    torch.manual_seed(0)
    model = mine.vae()
    first = likely.train(model, ON, config=TrainingConfig(steps=100))
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    again = likely.train(model, ON, config=TrainingConfig(steps=5, learning_rate=0.5))
    assert again.history["step"].tolist()[:2] == [0, 1]
    assert (again.best, again.selected_step) == (first.best, 0)
    assert again.history["val_elbo"][1:].max() < first.best
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, weights[name]), name


def test_training_that_was_stopped_is_finished_from_the_weights_that_the_model_had(tmp_path: Path) -> None:
    ends, x = [], np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    config = TrainingConfig(steps=8, batch_size=8, learning_rate=0.01)
    for name in ("whole", "run", "anew"):
        torch.manual_seed(0)
        model, out = normal(3), tmp_path / name
        if name == "whole":
            likely.train(model, x, validation=x[:20], config=config, out=out)
        else:
            with pytest.raises(Stopped):
                likely.train(model, x, validation=x[:20], config=config, out=out, monitors=[Signal(3)])
            if name == "anew":
                shutil.rmtree(out / "checkpoints")
            torch.manual_seed(1)
            model = normal(3)
            with pytest.raises(ConfigError, match="set by the fit that is resumed"):
                likely.train(model, x, validation=x[:20], resume=out, seed=1)
            likely.train(model, x, validation=x[:20], resume=out)
        ends.append((out / "weights.safetensors").read_bytes())
        assert not (out / "start.safetensors").exists()
    assert ends[0] == ends[1] == ends[2]
