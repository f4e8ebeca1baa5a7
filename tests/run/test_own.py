"""A model of one's own is a run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import likely
import mine
from likely.networks.own import OwnDecoder
from likely.training import Monitor, TrainingState
from quick import quick_reports

ON = (np.random.default_rng(0).random((80, 6, 5)) < np.linspace(0.1, 0.9, 30).reshape(6, 5)).astype(np.uint8)
OWN: dict[str, Any] = {"encoder": mine.encoder, "decoder": mine.decoder}
FRAME = pd.DataFrame({"a": np.arange(60.0) % 7 + 0.25, "b": np.arange(60) % 5, "town": ["Bath", "York", "Ely"] * 20})


def test_a_run_with_parts_of_ones_own_has_every_verb_and_loads_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = likely.fit(ON, **OWN, objective=mine.Halved(), steps=4, out=tmp_path / "run")
    assert run.config.model.latent == 2
    assert run.aim == "mine:Halved, no bound on log P(x)"
    names = {"encoder": "mine:encoder", "decoder": "mine:decoder", "objective": "mine:Halved"}
    assert json.loads((tmp_path / "run" / "config.json").read_text())["factories"] == names
    assert "mine:encoder and mine:decoder" in repr(run)
    scores = run.score(ON[:5], samples=5)
    assert run.encode(ON[:5]).shape == (5, 2)
    assert run.reconstruct(ON[:5]).shape == run.sample(5).shape == (5, 6, 5)
    assert run.evaluate(samples=5, anneal=2).rows == 8
    quick_reports(monkeypatch)
    assert run.report(tmp_path / "page.html").exists()
    np.save(tmp_path / "x.npy", ON[:5])
    code = (
        "import sys, likely, mine, numpy; r = likely.load(sys.argv[1], factories={'encoder': mine.encoder, "
        "'decoder': 'mine:decoder'}); print(r.score(numpy.load(sys.argv[2]), samples=5).to_csv(index=False))"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "run"), str(tmp_path / "x.npy")]
    path = {"PYTHONPATH": f"{Path(likely.__file__).parents[1]}:{Path(mine.__file__).parent}"}
    found = subprocess.run(words, check=True, capture_output=True, text=True, env=path, cwd=tmp_path)
    assert found.stdout.strip() == scores.to_csv(index=False).strip()


def test_batches_of_one_row_that_a_batch_normalisation_cannot_take_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    encoder = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))
    decoder = nn.Linear(2, 45)
    for budget in ({"steps": 2}, {"minutes": 0.01}):
        with pytest.raises(likely.ConfigError, match="make batch_size 2 or more"):
            likely.fit(x, encoder=encoder, decoder=decoder, batch_size=1, **budget)


def test_nothing_is_imported_or_called_unless_the_user_passes_it(tmp_path: Path) -> None:
    run = likely.fit(ON, **OWN, steps=1, out=tmp_path / "run")
    with pytest.raises(
        likely.ConfigError, match=r"encoder mine:encoder and decoder mine:decoder of its own, .* factories={'encoder'"
    ):
        likely.load(tmp_path / "run")
    with pytest.raises(likely.ConfigError, match="decoder mine:decoder of its own"):
        likely.load(tmp_path / "run", factories={"encoder": mine.encoder})
    with pytest.raises(likely.ConfigError, match="has its objective by name"):
        likely.load(tmp_path / "run", factories={**OWN, "objective": mine.Halved})
    with pytest.raises(likely.ConfigError, match=r"factories are for encoder, .*, not 'network'"):
        likely.load(tmp_path / "run", factories={"network": mine.encoder})
    with pytest.raises(likely.ConfigError, match=r"'mine:missing' is no MODULE:CALLABLE"):
        likely.load(tmp_path / "run", factories={**OWN, "encoder": "mine:missing"})
    other = nn.Sequential(nn.Flatten(), nn.Linear(30, 4))
    with pytest.raises(likely.RunError, match="the weights are those of encoder mine:encoder"):
        likely.load(tmp_path / "run", factories={**OWN, "encoder": other})
    module = mine.encoder()
    loaded = likely.load(tmp_path / "run", factories={**OWN, "encoder": module})
    pd.testing.assert_frame_equal(loaded.score(ON), run.score(ON), check_exact=True)


def test_a_module_is_given_pictures_with_channels_in_front_in_numbers_of_order_one() -> None:
    seen: list[Tensor] = []

    class Looks(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return super().forward(x.flatten(1))

    x = np.random.default_rng(0).integers(0, 256, (60, 4, 5, 3), dtype=np.uint8)
    run = likely.fit(x, encoder=Looks(60, 4), decoder=mine.colours(), steps=1)
    assert {tuple(part.shape[1:]) for part in seen} == {(3, 4, 5)}
    seen.clear()
    run.encode(x)
    scaled = (x - run.schema.columns[0].mean) / run.schema.columns[0].scale
    np.testing.assert_allclose(seen[0][: len(x)], np.moveaxis(scaled, -1, 1), rtol=1e-4, atol=1e-5)


def test_a_decoder_of_pictures_gives_parameter_after_parameter_colour_after_colour() -> None:
    class Given(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return torch.arange(6.0).view(1, 6, 1, 1).expand(len(z), 6, 4, 5)

    made = OwnDecoder(Given(), 2, (4, 5, 3), 120, "two a cell")(torch.zeros(7, 2))
    parameters = made.view(7, 2, 4, 5, 3)
    assert parameters[:, 0].unique().tolist() == [0, 1, 2]
    assert parameters[0, 1, 0, 0].tolist() == [3, 4, 5]


def test_a_table_with_missing_cells_and_a_condition_tells_a_module_of_both() -> None:
    class Told(nn.Linear):
        def forward(self, x: Tensor, y: Tensor, observed: Tensor | None = None) -> Tensor:
            assert observed is not None
            assert y.shape == (len(x), 3)
            assert observed.shape == (len(x), 2)
            assert (x[~observed] == 0).all()
            return super().forward(torch.cat([x, y], 1))

    frame = FRAME.assign(a=FRAME["a"].where(np.arange(60) % 4 > 0))
    run = likely.fit(frame, encoder=Told(5, 4), condition="town", likelihood="gaussian", steps=2)
    assert run.score(frame, samples=3)["log_px"].notna().all()


def test_what_does_not_fit_is_told_in_one_line() -> None:
    def refused(match: str, data: Any = ON, **options: Any) -> None:
        with pytest.raises(likely.InputError, match=match):
            likely.fit(data, steps=1, **options)

    refused(r"does not take two rows of x, \(2, 1, 6, 5\)", encoder=nn.Conv2d(3, 4, 3))
    refused(r"gives 4 numbers per row; under posterior normal z of 9 needs 18", encoder=mine.encoder, latent=9)
    refused(r"does not take two rows of z, \(2, 8\) \(latent= says", decoder=mine.decoder)
    refused(r"gives rows of \(31,\); Bernoulli .* needs \(30,\) or \(1, 6, 5\)", decoder=nn.Linear(2, 31), latent=2)
    refused("encoder must be a torch.nn.Module", encoder=lambda: 3)
    refused("one tensor .* is expected", encoder=Pair())
    refused("members need a model each", members=2, encoder=mine.encoder())
    refused("a model is whole", model=mine.vae, encoder=mine.encoder)
    refused("model must be a likely.VAE", model=mine.encoder)
    refused("objective must be a likely.objectives.Objective", objective=mine.encoder)
    refused(r"the model is of rows of shape \(6, 5\); the data has rows of \(6, 4\)", ON[:, :, :4], model=mine.vae)
    refused("the model has no condition", model=mine.vae, condition={"label": np.arange(80) % 2})
    refused(r"train rows: row \d+, cell .* is 0.5, which Bernoulli gives no mass", ON * 0.5, model=mine.vae)


class Pair(nn.Module):
    """What many write."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1)[:, :2], x.flatten(1)[:, 2:4]


def test_a_whole_model_is_trained_in_place_in_data_units_and_loads_again(tmp_path: Path) -> None:
    model = mine.vae()
    run = likely.fit(ON, model=model, steps=3, out=tmp_path / "run")
    assert run.model is model
    assert run.sample(4).dtype == ON.dtype
    with pytest.raises(likely.ConfigError, match=r"model likely\.models\.vae:VAE of its own"):
        likely.load(tmp_path / "run")
    loaded = likely.load(tmp_path / "run", factories={"model": mine.vae})
    pd.testing.assert_frame_equal(loaded.score(ON), run.score(ON), check_exact=True)


def test_what_has_no_name_to_import_is_told_when_it_is_stored_and_when_it_is_loaded(tmp_path: Path) -> None:
    made = {"encoder": lambda: nn.Sequential(nn.Flatten(), nn.Linear(30, 4)), "decoder": mine.decoder}
    run = likely.fit(ON, steps=1, **made)
    with pytest.warns(UserWarning, match=r"encoder test_own:.*<lambda> is a name .*: define it at the top of a module"):
        run.save(tmp_path / "run")
    told = r"{'encoder': make_encoder, 'decoder': decoder}.*<lambda> cannot be imported: define"
    with pytest.raises(likely.ConfigError, match=told):
        likely.load(tmp_path / "run")
    loaded = likely.load(tmp_path / "run", factories=made)
    pd.testing.assert_frame_equal(loaded.score(ON), run.score(ON), check_exact=True)


def test_tied_layers_are_stored_and_selected_once(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(2, 30)
            self.second = self.first

        def forward(self, z: Tensor) -> Tensor:
            return self.first(z) + self.second(z)

    with pytest.warns(UserWarning, match=r"decoder test_own:.*<locals>\.Tied is a name that cannot be imported"):
        run = likely.fit(ON, decoder=Tied, latent=2, steps=30, learning_rate=0.05, out=tmp_path / "run")
    state = TrainingState(run.model, len(ON), 8, 0.1, 0.0, 0)
    state.keep_as_best([torch.full_like(weight, 0.5) for weight in state.weights])
    assert (state.best_weights["decoder.module.first.weight"] == 0.5).all()
    assert (state.best_weights["decoder.module.second.weight"] == 0.5).all()
    loaded = likely.load(tmp_path / "run", factories={"decoder": Tied})
    pd.testing.assert_frame_equal(loaded.score(ON), run.score(ON), check_exact=True)


def test_monitors_are_told_of_a_fit() -> None:
    class Counts(Monitor):
        def __init__(self) -> None:
            self.steps, self.records = list[tuple[int, int]](), list[Mapping[str, float]]()

        def on_step(self, step: int, total: int) -> None:
            self.steps.append((step, total))

        def on_validation(self, record: Mapping[str, float]) -> None:
            self.records.append(record)

    counts = Counts()
    run = likely.fit(ON, steps=6, latent=2, width=8, monitors=[counts])
    assert counts.steps == [(step, 6) for step in range(1, 7)]
    assert [record["val_elbo"] for record in counts.records] == run.history["val_elbo"].tolist()
