"""An exported run gives the codes and means that the run gives, from raw rows by what is written beside the graphs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

import likely
from likely.cli import main
from likely.errors import ConfigError, OutputError
from likely.run import export_graphs

ort = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
SMALL = {"steps": 30, "width": 8, "blocks": 1, "latent": 2, "progress": False}


def _table(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "real": rng.normal(50, 9, rows),
            "price": rng.lognormal(3, 1.5, rows).round(2),
            "count": rng.poisson(4, rows),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "day": pd.Timestamp("2024-02-28") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"),
        }
    )
    frame.loc[rng.random(rows) < 0.2, "real"] = np.nan
    frame.loc[rng.random(rows) < 0.2, "colour"] = None
    return frame


def _prepared(frame: pd.DataFrame, steps: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Raw rows as the encoder takes them, by the program of docs/export.md."""
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    program = re.search(r"```python\n(import numpy.*?def prepared.*?)```", text, re.DOTALL)
    assert program
    names: dict[str, Any] = {}
    exec(program[1], names)
    x, observed = names["prepared"](frame, steps)
    return x, observed


def _run(folder: Path, part: str, **inputs: np.ndarray) -> np.ndarray:
    return np.asarray(ort.InferenceSession(str(folder / f"{part}.onnx")).run(None, inputs)[0])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[likely.Run, Path]:
    folder = tmp_path_factory.mktemp("export") / "table"
    run = likely.fit(_table(), **SMALL)
    return run, run.export(folder)


@pytest.mark.parametrize("rows", [120, 1])
def test_a_table_is_encoded_from_its_raw_rows(table: tuple[likely.Run, Path], rows: int) -> None:
    run, folder = table
    frame = _table().head(rows)
    x, observed = _prepared(frame, json.loads((folder / "preprocessing.json").read_text()))
    z = _run(folder, "encoder", x=x, observed=observed)
    np.testing.assert_allclose(z, run.encode(frame), atol=1e-5)
    by_torch = torch.export.load(folder / "encoder.pt2").module()(torch.from_numpy(x), torch.from_numpy(observed))
    np.testing.assert_allclose(by_torch.numpy(), z, atol=1e-5)


def test_a_table_is_decoded_to_data_units(table: tuple[likely.Run, Path]) -> None:
    run, folder = table
    z = np.random.default_rng(1).normal(size=(37, 2)).astype(np.float32)
    means, wanted = _run(folder, "decoder", z=z), run.decode(z)
    steps = {column["name"]: column for column in json.loads((folder / "preprocessing.json").read_text())["x"]}
    np.testing.assert_allclose(means[:, steps["real"]["place"]], wanted["real"], rtol=1e-5)
    on_grid = np.round(means[:, steps["price"]["place"]] * 100) / 100
    np.testing.assert_allclose(on_grid, wanted["price"], atol=0.0101)
    codes = means[:, steps["colour"]["place"]].astype(int)
    assert [steps["colour"]["values"][code] for code in codes] == wanted["colour"].tolist()
    days = np.datetime64(steps["day"]["origin"]) + np.rint(means[:, steps["day"]["place"]]).astype("m8[D]")
    assert (days == wanted["day"].to_numpy("M8[D]")).all()


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (np.random.default_rng(0).normal(size=(80, 4)) @ np.diag([1.0, 5.0, 0.1, 2.0]), {}),
        (load_digits().images[:100].astype(np.uint8), {"network": "conv"}),
        (load_digits().images[:100].astype(np.uint8), {"network": "mlp", "model": "hierarchy:mlp:2"}),
    ],
    ids=["reals", "conv", "dense hierarchy"],
)
def test_arrays_and_pictures_are_encoded_and_decoded(rows: np.ndarray, options: dict[str, Any], tmp_path: Path) -> None:
    run = likely.fit(rows, **(SMALL | options))
    folder = run.export(tmp_path / "out")
    steps = json.loads((folder / "preprocessing.json").read_text())
    x = rows[:23].astype(steps["encoder"]["inputs"]["x"]["dtype"])
    z = _run(folder, "encoder", x=x, observed=np.ones(x.shape, bool))
    np.testing.assert_allclose(z, run.encode(rows[:23]), atol=1e-5)
    np.testing.assert_allclose(_run(folder, "decoder", z=z), run.decode(z), rtol=1e-5, atol=1e-5)


def test_no_training_row_is_in_the_graphs(table: tuple[likely.Run, Path]) -> None:
    _, folder = table
    held = b"".join(
        (folder / f"{part}.{ending}").read_bytes() for part in ("encoder", "decoder") for ending in ("onnx", "pt2")
    )
    values = _table()["real"].dropna().to_numpy()
    knots = sum(held.count(value.tobytes()) > 0 for value in values)
    assert knots <= 0.1 * len(values)


def test_the_card_says_what_was_fitted_and_what_is_private(table: tuple[likely.Run, Path]) -> None:
    run, folder = table
    card = (folder / "model_card.md").read_text()
    assert run.record.id in card
    assert f"{run.best:.4f} nats" in card
    assert "| colour | categorical | 3 categories |" in card
    assert "read both before you publish them" in card


def test_what_has_no_graph_is_left_out_and_told(tmp_path: Path) -> None:
    run = likely.fit(_table()[["real", "count"]].dropna(), model="integrated:2:32", steps=5, progress=False)
    with pytest.warns(UserWarning, match="the encoder is left out: its Q"):
        folder = run.export(tmp_path / "out")
    assert not (folder / "encoder.onnx").exists()
    assert "**The encoder is left out**" in (folder / "model_card.md").read_text()
    assert list(json.loads((folder / "preprocessing.json").read_text())["decoder"]["inputs"]) == ["z"]


def test_an_export_replaces_nothing_but_an_export(table: tuple[likely.Run, Path], tmp_path: Path) -> None:
    run, folder = table
    with pytest.raises(OutputError, match="exists already"):
        run.export(folder)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"'mine.txt', which is of no export"):
        run.export(tmp_path, overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_without_the_libraries_the_error_names_the_extra(
    table: tuple[likely.Run, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_graphs, "TOOLS", ("onnx_that_is_not_there",))
    with pytest.raises(ConfigError, match=r'pip install "likely\[export\]"'):
        table[0].export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_the_folder_and_says_where(
    table: tuple[likely.Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likely.run.export.written", lambda *_: "")  # what is tested above
    table[0].save(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    assert (tmp_path / "out" / "model_card.md").exists()
