"""Another fit starts from a run's weights, on rows of its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import likely
from likely.cli import main
from likely.errors import ConfigError, DataError
from likely.objectives import Loss
from quick import quick_reports
from small import table

SIZES: dict[str, Any] = {"latent": 2, "width": 8}
PICTURES = np.random.default_rng(0).integers(0, 2, (60, 3, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> likely.Run:
    return likely.fit(table(), out=tmp_path_factory.mktemp("starting") / "run", steps=30, seed=3, **SIZES)


def test_it_starts_from_the_selected_weights_under_the_same_schema(
    begun: likely.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    weights: list[float] = []

    def watched(loss: Loss, batch: Any, kl_weight: float, generator: Any) -> Any:
        seen.append({name: tensor.clone() for name, tensor in loss.model.state_dict().items()})
        weights.append(kl_weight)
        return real(loss, batch, kl_weight, generator)

    real = Loss.forward
    monkeypatch.setattr(Loss, "forward", watched)
    before = {name: tensor.clone() for name, tensor in begun.model.state_dict().items()}
    other = likely.fit(table()[::-1].reset_index(drop=True), init=begun, steps=5)
    for name, tensor in before.items():
        torch.testing.assert_close(seen[0][name], tensor, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(begun.model.state_dict()[name], tensor, rtol=0, atol=0, equal_nan=True)
    assert weights == [1.0] * 5
    assert other.schema == begun.schema
    assert other.config.model == begun.config.model
    assert other.facts["steps"] == 5
    assert other.history["step"].tolist() == list(range(6))
    assert other.facts["init"] == str(begun.directory)
    assert other.config.seed == 0


def test_rows_that_trained_stay_training_rows_or_it_is_told(begun: likely.Run) -> None:
    def told(run: likely.Run) -> bool:
        return any("may have trained the run" in said for said in run.notices)

    same = likely.fit(table(), init=begun, steps=1, seed=8)
    for kind in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(same.division, kind), getattr(begun.division, kind))
    assert not told(same)
    parts = ["train"] * 30 + ["val"] * 5 + ["test"] * 5
    divided = likely.fit(table(), init=begun, steps=1, split=parts)
    assert list(divided.division.test) == list(range(35, 40))
    other = likely.fit(table()[::-1].reset_index(drop=True), init=begun, steps=1)
    later = likely.fit(table(), init=divided, steps=1, seed=8)
    assert list(later.division.test) == list(divided.division.test)
    assert told(divided)
    assert told(other)
    assert told(later)


def test_what_was_learned_is_there_at_once(begun: likely.Run) -> None:
    once = {"steps": 1, "learning_rate": 1e-6}
    from_it = likely.fit(table(), init=begun, seed=3, **once).facts["validation_elbo"]
    afresh = likely.fit(table(), seed=3, **once, **SIZES).facts["validation_elbo"]
    assert from_it == pytest.approx(begun.facts["validation_elbo"], abs=0.01)
    assert from_it > afresh + 0.5


def test_the_weights_that_it_starts_from_are_kept_where_training_makes_them_worse(
    begun: likely.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = likely.fit(table(), init=begun, seed=3, steps=5, learning_rate=3.0, out=tmp_path / "run")
    first = worse.history.iloc[0]
    assert (first["step"], first["val_elbo"], first["learning_rate"]) == (0, first["val_elbo_average"], 0)
    assert worse.history["val_elbo"].iloc[1:].max() < first["val_elbo"] - 1
    assert worse.record.members[0].selected_step == 0
    assert worse.best == pytest.approx(begun.best, abs=1e-6)
    for name, tensor in begun.model.state_dict().items():
        if name in dict(begun.model.named_parameters()):
            torch.testing.assert_close(worse.model.state_dict()[name], tensor, rtol=0, atol=0)
    assert likely.load(tmp_path / "run").best == worse.best
    quick_reports(monkeypatch)
    assert worse.report(tmp_path / "report.html").exists()


@pytest.mark.parametrize("prior", ["exemplar:10", "vamp:5"])
def test_a_prior_that_is_made_of_rows_takes_the_new_ones_and_the_run_is_stored(prior: str, tmp_path: Path) -> None:
    first = likely.fit(PICTURES[:30], prior=prior, steps=4, **SIZES)
    likely.fit(PICTURES, init=first, steps=4, out=tmp_path / "run")
    other = likely.load(tmp_path / "run")
    assert np.isfinite(other.score(PICTURES[:5], samples=3)["log_px"]).all()
    assert other.continue_training(PICTURES, steps=2).facts["steps"] == 6


def test_the_column_is_named_where_the_schema_differs(begun: likely.Run) -> None:
    rows = table()

    def refused(frame: pd.DataFrame, words: str) -> None:
        with pytest.raises(DataError, match=words):
            likely.fit(frame, init=begun, steps=1)

    refused(rows.drop(columns="grid"), "column 'grid' is missing")
    refused(rows.assign(more=1.5), "column 'more' is not one of the run")
    refused(rows.assign(town="Leeds"), "column 'town'")
    refused(rows.assign(town=np.resize(["Bath", "York", "Leeds"], len(rows))), r"column 'town': \d+ of 32 .* never met")
    refused(rows.assign(count=np.resize([1, 977], len(rows))), "column 'count': .* never met")
    refused(rows.assign(grid=rows["grid"] + 0.05), "column 'grid': .* off the recorded grid")
    refused(rows.assign(real=rows["real"].where(np.arange(len(rows)) % 4 > 0)), "column 'real' has missing cells")
    refused(rows.assign(real=rows["real"] + 9), "column 'real': .* lie outside")
    refused(rows.assign(real="x"), "column 'real'")
    with pytest.raises(DataError, match="of the form array"):
        likely.fit(PICTURES, init=begun, steps=1)


def test_few_cells_beyond_the_range_are_told(begun: likely.Run) -> None:
    rows = pd.concat([table()] * 3, ignore_index=True)
    inside = rows[rows["real"].between(begun.schema.columns[0].low, begun.schema.columns[0].high)]
    rows = pd.concat([inside, inside.iloc[:2].assign(real=9.0)], ignore_index=True)
    other = likely.fit(rows, init=begun, steps=1, split=["train"] * (len(rows) - 4) + ["val", "val", "train", "train"])
    share = 2 / len(other.division.train)
    assert share < 0.05
    assert any(f"column 'real': {share:.2%} of the training cells lie outside" in said for said in other.notices)


def test_what_the_run_has_already_is_not_told_again(begun: likely.Run) -> None:
    for told, words in (
        ({"latent": 5}, "latent is 2 in the run"),
        ({"prior": "normal"}, "prior is mixture"),
        ({"column": {"count": "real"}}, "column is set by the run"),
        ({"limits": {"real": (0, None)}}, "limits is set by the run"),
        ({"condition": "town"}, "condition 'town'"),
        ({"exposure": "real"}, "exposure 'real'"),
    ):
        with pytest.raises(ConfigError, match=words):
            likely.fit(table(), init=begun, steps=1, **told)  # type: ignore[arg-type]
    same = likely.fit(table(), init=begun, steps=1, latent=2, objective="iwae:3", batch_size=8)
    assert same.config.training.objective.startswith("iwae:3")
    assert same.config.training.batch_size == 8


def test_labels_in_memory_are_given_again() -> None:
    labels = np.arange(60) % 2
    first = likely.fit(PICTURES, condition={"label": labels}, steps=2, **SIZES)
    other = likely.fit(PICTURES[::-1].copy(), init=first, condition={"label": labels}, steps=2)
    assert [column.name for column in other.schema.conditions] == ["label"]
    with pytest.raises(likely.InputError, match="label"):
        likely.fit(PICTURES, init=first, steps=2)
    with pytest.raises(DataError, match="was not seen in training"):
        likely.fit(PICTURES, init=first, condition={"label": labels + 1}, steps=2)


def test_the_command_line_starts_from_a_directory(
    begun: likely.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    words = ["fit", str(tmp_path / "t.csv"), "--init", str(begun.directory), "-o", str(tmp_path / "run")]
    assert main([*words, "--set", "steps=3"]) == 0
    assert f"starts from the weights of {begun.directory}" in capsys.readouterr().err
    assert likely.load(tmp_path / "run").facts["init"] == str(begun.directory)
    assert main(["fit", "--help"]) == 0
    assert "--init RUN starts another fit" in " ".join(capsys.readouterr().out.split())
    assert main([*words, "--overwrite", "--latent", "7"]) == 2
    assert "latent is 2" in capsys.readouterr().err
