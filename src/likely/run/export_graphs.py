"""Encoder and decoder as graphs that other programs run: torch's export and ONNX, checked before they are written."""

from __future__ import annotations

import copy
import importlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from likely.data import Batch, Form, Schema, encode
from likely.data.encode import fill
from likely.data.kinds import Kind
from likely.errors import ConfigError
from likely.models import HierarchicalVAE, Model
from likely.networks.base import takes_observed

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["PARTS", "Graph", "demand_tools", "graphs", "inputs_of", "written"]

PARTS = ("encoder", "decoder")
TOOLS = ("onnx", "onnxscript", "onnxruntime")
EXAMPLES = 16  # rows that a graph is traced with, and checked on
MAX_DIFFERENCE = 1e-5  # of a graph's number from the model's, in units of the largest of its cell, or of 1
MISSING_SHARE = 0.2  # of the cells of example rows
NEEDS = {"encoder": ("encoder", "q_z_x", "topdown"), "decoder": ("decoder", "p_x_z", "topdown")}
BESIDE = ("condition", "exposure")
NO_GRAPH = (
    "its Q(z|x) is a sum over all points of z, or a closed form for each set of missing cells: no graph of one form"
)


class _Encode(nn.Module):
    """x, the mask and y in data units -> the mean of Q(z|x), `(rows, latent)`."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, observed: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        return self.model.posterior(Batch(x, observed, y)).mean


class _Decode(nn.Module):
    """z and y -> the mean of P(x|z), `(rows, *event)`, in data units, categories as codes."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.model.likelihood(z, y).mean


@dataclass(frozen=True, eq=False)
class Graph:
    """One half of a model, ready to be traced.

    Attributes
    ----------
    module
        What is traced, on the CPU, with no weights but those that it needs.
    inputs
        Name of an input -> rows of it.
    output
        The module's output for these.

    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    output: Tensor


def demand_tools() -> None:
    """Refuse to go on without the libraries that write ONNX and run it.

    Raises
    ------
    ConfigError
        If one of them is not installed.

    """
    try:
        for name in TOOLS:
            importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f'{error.name} is not installed, which export needs: pip install "likely[export]"') from error


def inputs_of(model: Model, schema: Schema) -> dict[str, tuple[str, ...]]:
    """The names of the inputs of each part that can be exported."""
    y = ("y",) if schema.conditions else ()
    if model.summed or model.closed:
        return {"decoder": ("z", *y)}
    encoder = model.topdown.encoder if isinstance(model, HierarchicalVAE) else model.encoder
    mask = ("observed",) if takes_observed(encoder) else ()  # type: ignore[arg-type]
    return {"encoder": ("x", *mask, *y), "decoder": ("z", *y)}


@torch.no_grad()
def graphs(run: Run) -> Iterator[tuple[str, Graph | str]]:
    """Each part, with its graph or the reason why there is none; of an ensemble its first member's.

    The rows that they are traced with are draws of the model, with cells left out at random: none of the data.
    """
    model, named = run.model.members[0].eval(), inputs_of(run.model.members[0], run.schema)
    given = _examples(run, model)
    for part in PARTS:
        if part not in named:
            yield part, NO_GRAPH
            continue
        module = _Encode(_alone(model, part)) if part == "encoder" else _Decode(_alone(model, part))
        inputs = {name: given[name] for name in named[part]}
        yield part, Graph(module, inputs, module(**inputs))


def _alone(model: Model, part: str) -> Model:
    """A copy on the CPU of what one part needs: a prior may hold rows of the data."""
    half = copy.copy(model)
    kept = {name: module for name, module in model.named_children() if name in (*NEEDS[part], *BESIDE)}
    half.__dict__ |= {"_modules": kept, "_buffers": {}, "_parameters": {}}
    return copy.deepcopy(half).cpu().requires_grad_(False).eval()


def _examples(run: Run, model: Model) -> dict[str, Tensor]:
    """Rows by name of input: z from P(z), x from P(x|z), a mask, and y of training rows."""
    generator = torch.Generator().manual_seed(0)
    p = model.prior()
    z = p.from_noise(torch.randn(EXAMPLES, p.noise_size, generator=generator).to(p.like))
    given: dict[str, Tensor] = {"z": z.to(next(model.parameters()).dtype)}
    if run.schema.conditions:
        if run.conditions is None:
            raise ConfigError(
                "this run keeps no y of its training rows, which are needed to trace P(x|z, y); fit again"
            )
        given["y"] = run.conditions[torch.arange(EXAMPLES) % len(run.conditions)]
    y = given["y"].to(run.device) if "y" in given else None
    with torch.random.fork_rng(devices=[run.device] if run.device.type == "cuda" else []):
        torch.manual_seed(0)
        drawn = model.likelihood(z, y).sample()
    given["x"] = drawn.to(_dtype(run.schema))
    given["observed"] = torch.rand(drawn.shape, generator=generator) >= MISSING_SHARE
    return {name: tensor.cpu() for name, tensor in given.items()}


def _dtype(schema: Schema) -> torch.dtype:
    """The type in which rows come to the encoder."""
    if schema.form == Form.TABLE or not schema.cells_alike:
        return torch.float64
    column = schema.columns[0]
    empty = column.low if column.kind == Kind.BINARY else fill(column)
    rows = encode(schema, np.full((1, *schema.given_shape), empty, dtype=column.dtype))
    return rows.binarised_once(0).evaluation_batch(torch.zeros(1, dtype=torch.int64)).values.dtype


def written(graph: Graph, folder: Path, part: str, facts: Mapping[str, str]) -> str:
    """Write `PART.pt2` and `PART.onnx`; empty, or the reason why they cannot be.

    Both are run on the example rows, all of them and one, and give what the model gives.
    """
    names = list(graph.inputs)
    given = tuple(graph.inputs.values())
    try:
        with torch.no_grad(), _quiet():
            rows = torch.export.Dim("rows", min=1)
            program = torch.export.export(graph.module, given, dynamic_shapes=tuple({0: rows} for _ in given))
            _demand_same(program.module()(*given), graph.output)
            program.example_inputs = None
            torch.export.save(program, folder / f"{part}.pt2")
            output = "z" if part == "encoder" else "x"
            # Into plain operations: onnxruntime has no softplus in float64, for one.
            simple = {**torch.export.default_decompositions(), torch.ops.aten.searchsorted.Tensor: _searchsorted}
            made: Any = torch.onnx.export(
                program.run_decompositions(simple),
                (),
                dynamo=True,
                input_names=names,
                output_names=[output],
                verbose=False,
            )
            made.model.metadata_props.update(facts)
            made.save(folder / f"{part}.onnx")
            _demand_same_by_onnx(folder / f"{part}.onnx", graph)
    except Exception as error:  # whatever a user's module, torch or ONNX says, the other part may do
        for ending in ("pt2", "onnx"):
            (folder / f"{part}.{ending}").unlink(missing_ok=True)
        return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:200]}"
    return ""


def _searchsorted(
    sorted_sequence: Tensor,
    values: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    **other: object,
) -> Tensor:
    """`torch.searchsorted`, which ONNX lacks: how many are below, or not above where `right`."""
    if any(value is not None for value in other.values()):
        raise NotImplementedError(f"searchsorted with {', '.join(other)}")
    edges, places = sorted_sequence.unsqueeze(-2), values.unsqueeze(-1)
    below = (edges <= places) if right else (edges < places)
    return below.sum(-1, dtype=torch.int32 if out_int32 else torch.int64)


def _demand_same_by_onnx(path: Path, graph: Graph) -> None:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for rows in (EXAMPLES, 1):
        given = {name: tensor[:rows].numpy() for name, tensor in graph.inputs.items()}
        known = {one.name: given[one.name] for one in session.get_inputs()}
        _demand_same(torch.from_numpy(session.run(None, known)[0]), graph.output[:rows])


def _demand_same(found: Tensor, wanted: Tensor) -> None:
    if found.shape != wanted.shape:
        raise ConfigError(f"the graph gives numbers of shape {tuple(found.shape)}, not {tuple(wanted.shape)}")
    off = (found.double() - wanted.double()).abs() / wanted.double().abs().amax(0).clamp_min(1)
    if not bool((off <= MAX_DIFFERENCE).all()):
        raise ConfigError(f"the graph's numbers differ from the model's, by {float(off.max()):.2g} of the largest")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the words of torch's exporter about its own parts."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
