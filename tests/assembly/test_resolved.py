"""A fit reads each part's text once, and its training rows once."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest

import likely
from likely.assembly import by_column, choosing, resolve
from likely.config import Config
from likely.data import Division, Rows, Source, infer_schema
from likely.models import Integrated
from likely.run.learning import learn
from small import table

BITS = np.random.default_rng(0).integers(0, 2, (60, 3, 3)).astype(np.uint8)

FITS: dict[str, tuple[Any, dict[str, Any]]] = {
    "a table": (table(), {"members": 2}),
    "told parts": (table(), {"prior": "mixture:3", "likelihood": "gaussian", "objective": "iwae:2"}),
    "a hierarchy": (BITS, {"model": "hierarchy:mlp:2"}),
    "maps": (BITS, {"model": "hierarchy:conv:2x1,3x1", "latent": None}),
    "z integrated out": (BITS, {"model": "integrated:auto:8"}),
    "discrete codes": (BITS, {"posterior": "categorical:2:2"}),
    "static pictures": (BITS * 255, {"binarize": "static"}),
}


@pytest.mark.parametrize("which", FITS)
def test_a_fit_reads_each_part_and_its_training_and_validation_rows_once(
    which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: Counter[tuple[str, str]] = Counter()
    calls: Counter[str] = Counter()
    parse, named_parts, rows = choosing.parse, choosing.named_parts, Division.rows
    importlib.import_module("likely.run.fit")  # `likely` loads it at the first fit, too late to be counted there
    users = [module for name, module in sys.modules.items() if name.startswith("likely.")]

    def counted_parse(room: str, text: str, parts: Any) -> Any:
        parsed[room, text] += 1
        return parse(room, text, parts)

    def counted_named_parts(config: Config) -> Any:
        calls["named_parts"] += 1
        return named_parts(config)

    def counted_rows(division: Division, source: Source, kind: str) -> Rows:
        calls[kind] += 1
        return rows(division, source, kind)

    for module in (choosing, by_column):
        monkeypatch.setattr(module, "parse", counted_parse)
    for module in [module for module in users if getattr(module, "named_parts", None) is named_parts]:
        monkeypatch.setattr(module, "named_parts", counted_named_parts)
    monkeypatch.setattr(Division, "rows", counted_rows)
    data, options = FITS[which]
    likely.fit(data, **{"latent": 4, "width": 8, "steps": 2, **options})
    assert calls["named_parts"] == 1
    assert calls["train"] == calls["validation"] == 1
    assert max(parsed.values()) == 1
    texts = Counter(room for room, _ in parsed)
    assert max(count for room, count in texts.items() if room != "likelihood") == 1
    assert texts["likelihood"] <= 3  # one told by name, those of numbers and of categories


def test_training_rows_are_let_go_once_they_are_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr("likely.run.settling.learn", lambda plan, *told: (kept.append(plan), learn(plan, *told))[1])
    likely.fit(table(), latent=2, width=8, steps=1)
    assert not kept[0].rows._kept


def test_the_likelihood_of_each_column_is_chosen_once() -> None:
    resolved = resolve(Config().replace({"members": 2}), infer_schema(Rows(table()), "table"))
    assert resolved._pairs is resolved._pairs
    first, second = resolved.build().members
    assert first.p_x_z is not second.p_x_z


@pytest.mark.parametrize(
    ("model", "data", "stored"),
    [
        ("integrated:4:8", "bits", 64),
        ("integrated:8:8", "bits", 1024),
        ("integrated:8:8", "numbers", 64),
        ("integrated:8:8:9", "bits", 9),
        ("integrated:8:8:9", "numbers", 9),
    ],
)
def test_more_points_are_stored_where_they_are_needed_and_cost_little(model: str, data: str, stored: int) -> None:
    given = BITS.reshape(60, 9).astype(float) if data == "bits" else table()
    run = likely.fit(given, model=model, steps=2, progress=False)
    assert isinstance(run.model, Integrated)
    assert run.model.stored == stored
    assert run.config.model.kind == f"{model if model.count(':') == 3 else f'{model}:{stored}'}"


@pytest.mark.parametrize(
    ("model", "data", "told", "decay"),
    [
        ("integrated:4:8", "bits", None, 0.3),
        ("integrated:4:8", "bits", 0.0, 0.0),
        ("integrated:4:8", "numbers", None, 0.01),
        ("vae", "bits", None, 0.01),
        ("vae", "numbers", 0.2, 0.2),
    ],
)
def test_weights_decay_where_models_over_fit_unless_told(
    model: str, data: str, told: float | None, decay: float
) -> None:
    given = BITS.reshape(60, 9).astype(float) if data == "bits" else table()
    run = likely.fit(given, model=model, latent=4, width=8, steps=2, weight_decay=told, progress=False)
    assert run.config.training.weight_decay == decay
