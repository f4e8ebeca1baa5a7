"""Run directories that others wrote, with checksums that fit: one line, before memory is taken."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

import likely
from likely.errors import LikelyError, RunError
from likely.run.states import read_states
from resigned import signed

Change = Callable[[dict[str, Any]], object]


def changed(folder: Path, name: str, change: Change) -> None:
    values = json.loads((folder / name).read_text())
    change(values)
    (folder / name).write_text(json.dumps(values))
    signed(folder)


def refusal(folder: Path) -> str:
    start = time.process_time()
    with pytest.raises(LikelyError) as told:
        likely.load(folder)
    assert time.process_time() - start < 5
    assert len(str(told.value)) <= 300
    assert "\n" not in str(told.value)
    return str(told.value)


def column(**values: object) -> Change:
    return lambda schema: schema["columns"][0].update(values)


def model(**values: object) -> Change:
    return lambda config: config["model"].update(values)


SCHEMAS: dict[str, tuple[Change, str]] = {
    "a scale of text": (column(scale="wide"), "columns[0].scale is 'wide', expected a number"),
    "a scale below 0": (column(scale=-1.0), "columns[0].scale is -1.0, expected 0 to"),
    "a truth as a number": (column(missing=True), "columns[0].missing is True, expected a whole number"),
    "a kind that is none": (column(kind="odd"), "columns[0].kind is 'odd', expected Kind"),
    "an unknown field": (column(more=1), "columns[0] has an unknown field 'more'"),
    "a type that is none": (column(dtype="x" * 5000), "not one that this version wrote"),
    "a type of many bytes": (column(dtype="V1000000000"), "is of type 'V1000000000'"),
    "knots of three": (column(knots=[[1, 2, 3]]), "columns[0].knots has 3 values, expected 2"),
    "knots that fall": (column(knots=[[1, 2], [0, 3]]), "has knots that do not rise"),
    "a range upside down": (column(low=2.0, high=1.0), "goes from 2.0 to 1.0"),
    "a hard limit without the other": (column(hard=True, low=None, high=1.0), "has hard limits, and not both ends"),
    "dates since no day": (column(kind="date", origin="NaT", unit="D"), "has dates since 'NaT', which is none"),
    "limits of one": (column(limits=[1]), "not one that this version wrote"),
    "a field that is lacking": (lambda schema: schema["columns"][0].pop("kind"), "columns[0] lacks kind"),
    "no columns": (lambda schema: schema.pop("columns"), "columns"),
    "columns of numbers": (lambda schema: schema.update(columns=[1, 2]), "not one that this version wrote"),
    "a name twice": (lambda schema: schema["columns"].append(schema["columns"][0]), "two columns have one name"),
    "absurd rows": (lambda schema: schema.update(event_shape=[2**40, 2**40]), "rows of shape"),
    "rows of another width": (lambda schema: schema.update(event_shape=[7]), "modelled columns for rows of shape"),
    "absurd counts": (
        lambda schema: schema.update(rows=2**60),
        "the schema.rows is 1152921504606846976, expected 1 to",
    ),
}
MODELS: dict[str, Change] = {
    "latent": model(latent=2**20),
    "width": model(width=2**20),
    "blocks": model(blocks=10_000),
    "members": model(members=1000),
    "prior": model(prior="vamp:10000", width=100_000),
    "posterior": model(posterior="flow:10000"),
    "likelihood": model(likelihood="mixture:10000", width=100_000),
    "kind": model(kind="hierarchy:mlp:20", width=100_000),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_fields_of_a_schema_are_checked(name: str, run: Path) -> None:
    change, told = SCHEMAS[name]
    changed(run, "schema.json", change)
    assert told in refusal(run)


@pytest.mark.parametrize("name", MODELS)
def test_sizes_are_bounded_by_the_weights(name: str, run: Path) -> None:
    changed(run, "config.json", MODELS[name])
    refusal(run)


@pytest.mark.parametrize(
    "document",
    [b'{"x": NaN}', b'{"x": 1e999}', b'{"x": 1, "x": 2}', b"[" * 10**5, b'{"x":' * 10**4, b"1" * 10**5, b"\xff", b"[]",
     b'{"x": ' + b"9" * 30 + b"}", b""]
)  # fmt: skip
@pytest.mark.parametrize("name", ["config.json", "schema.json"])
def test_documents_that_are_none_are_refused(document: bytes, name: str, run: Path) -> None:
    (run / name).write_bytes(document)
    signed(run)
    assert name in refusal(run)
    (run / "run.json").write_bytes(document)
    assert "run.json" in refusal(run)


@pytest.mark.parametrize(
    "rows",
    [{"train": torch.tensor([0, 1, 1])}, {"train": torch.tensor([-1])}, {"train": torch.zeros(3)}, {"train": None},
     {"train": torch.tensor([[0]])}]
)  # fmt: skip
def test_row_numbers_are_checked(rows: dict[str, torch.Tensor | None], run: Path) -> None:
    parts: dict[str, torch.Tensor | None] = {
        "train": torch.arange(3),
        "validation": torch.arange(3, 5),
        "test": torch.arange(5, 7),
    }
    kept = {name: part for name, part in (parts | rows).items() if part is not None}
    (run / "rows.safetensors").write_bytes(save(kept))
    signed(run)
    assert "is damaged" in refusal(run)


def test_facts_of_the_fit_are_checked(run: Path) -> None:
    for fact, value in (("seconds", "long"), ("origin", []), ("notices", "x"), ("steps", None), ("digest", 1)):
        before = (run / "run.json").read_bytes()
        changed(run, "run.json", lambda facts, fact=fact, value=value: facts.update({fact: value}))
        assert "is damaged" in refusal(run)
        (run / "run.json").write_bytes(before)


def test_masks_of_other_rows_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cells = np.where(rng.random((40, 3)) < 0.2, np.nan, rng.normal(size=(40, 3)))
    likely.fit(cells, out=tmp_path / "run", steps=5)
    masks = {"patterns": torch.zeros(2, 900, dtype=torch.uint8), "counts": torch.ones(2, dtype=torch.int64)}
    (tmp_path / "run" / "missing.safetensors").write_bytes(save(masks))
    signed(tmp_path / "run")
    assert "patterns of shape (2, 900)" in refusal(tmp_path / "run")


def test_a_fit_of_absurd_size_is_refused_before_it_is_made() -> None:
    start = time.process_time()
    for sizes in ({"width": 2**20}, {"latent": 2**20, "width": 2**19}, {"width": 2**18, "prior": "vamp:10000"}):
        with pytest.raises(likely.ConfigError, match="choose a smaller latent, width, blocks or members"):
            likely.fit(np.random.default_rng(0).normal(size=(40, 3)), steps=5, **sizes)
    assert time.process_time() - start < 10


def test_what_is_refused_is_no_fault_of_ours(run: Path) -> None:
    changed(run, "schema.json", column(scale=None))
    with pytest.raises(RunError):
        likely.load(run)


@pytest.mark.parametrize("name", ["state.json", "state.safetensors", "SHA256SUMS"])
def test_pipes_devices_and_large_files_in_a_checkpoint_are_refused(name: str, run: Path) -> None:
    place = next((run / "checkpoints").iterdir()) / name
    place.unlink()
    for made in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()):
        made(place)
        with pytest.raises(RunError, match=f"{place.parent.name} is damaged") as told:
            read_states(run)
        assert len(str(told.value)) <= 300
        place.rmdir() if place.is_dir() else place.unlink()


@pytest.mark.parametrize("name", ["run.json", "config.json", "weights.safetensors", "history.csv"])
def test_pipes_devices_and_large_files_in_a_run_are_refused(name: str, run: Path) -> None:
    place = run / name
    place.unlink()
    os.mkfifo(place)
    refusal(run)
    place.unlink()
    place.symlink_to("/dev/zero")
    refusal(run)
    place.unlink()
    with place.open("wb") as file:
        file.truncate(2**36)
    refusal(run)


def test_a_device_that_torch_does_not_know_is_named(run: Path) -> None:
    with pytest.raises(likely.ConfigError, match="device 'abacus' is not one that torch knows; try --device cpu"):
        likely.load(run, device="abacus")
