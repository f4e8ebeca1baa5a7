"""A run's encoder and decoder for other programs: graphs, what comes before them, and a model card."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from likely.errors import ConfigError, OutputError
from likely.files import filled_folder, refuse_existing, refuse_unwritable, write
from likely.run.export_card import model_card
from likely.run.export_graphs import PARTS, demand_tools, graphs, inputs_of, written
from likely.run.export_steps import preprocessing
from likely.run.versions import versions

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["FILES", "export_as"]

CARD, SCHEMA, STEPS = "model_card.md", "schema.json", "preprocessing.json"
FILES = (*(f"{part}.{ending}" for part in PARTS for ending in ("onnx", "onnx.data", "pt2")), CARD, SCHEMA, STEPS)


def export_as(run: Run, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write encoder and decoder as graphs that run without likely, with a model card; the folder.

    `encoder.onnx` and `encoder.pt2` give the mean of Q(z|x), `decoder.onnx` and `decoder.pt2` the mean of P(x|z), for
    any number of rows; each is run by onnxruntime and torch and compared with the model before it is kept.
    `schema.json` and `preprocessing.json` say what x is, and how raw rows become it. Of an ensemble it is the first
    member, as in `encode`. A part that torch or ONNX cannot hold is left out, and a warning and the card say why.

    Parameters
    ----------
    path
        The folder.
    overwrite
        Whether an earlier export there may be replaced.

    Raises
    ------
    ConfigError
        If no part can be exported, or the libraries of `likely[export]` are not installed.
    OutputError
        If the folder exists and may not be replaced, or cannot be written.

    """
    place = Path(path)
    refuse_existing(place, overwrite=overwrite)
    _demand_export(place)
    refuse_unwritable(place)
    demand_tools()
    with filled_folder(place, remove=shutil.rmtree) as folder:
        inputs, left_out, dtype = inputs_of(run.model.members[0], run.schema), dict[str, str](), "float64"
        facts = {"likely": versions()["likely"], "run": run.record.id}
        for part, graph in graphs(run):
            why = graph if isinstance(graph, str) else written(graph, folder, part, facts)
            if why:
                left_out[part] = why
            elif not isinstance(graph, str) and "x" in graph.inputs:
                dtype = str(graph.inputs["x"].dtype).removeprefix("torch.")
        if len(left_out) == len(PARTS):
            raise ConfigError(f"neither encoder nor decoder of this model can be exported: {left_out[PARTS[-1]]}")
        kept = {part: names for part, names in inputs.items() if part not in left_out}
        steps = facts | preprocessing(run.schema, kept, run.model.members[0].latent, dtype)
        write(folder / SCHEMA, json.dumps(run.schema.to_dict(), indent=1))
        write(folder / STEPS, json.dumps(steps, indent=1))
        write(folder / CARD, model_card(run, kept, left_out))
    for part, why in left_out.items():
        warnings.warn(f"the {part} is left out: {why}", stacklevel=2)
    return place


def _demand_export(place: Path) -> None:
    """Refuse to replace anything but a folder that holds an export and nothing else."""
    if place.is_file():
        raise OutputError(f"{place} is a file; an export is a folder: name another")
    if place.is_dir():
        foreign = sorted(entry.name for entry in place.iterdir() if entry.name not in FILES)
        if foreign:
            raise OutputError(f"{place} holds {foreign[0]!r}, which is of no export; name another folder")
