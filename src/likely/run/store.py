"""A run as a plain directory: JSON, CSV and safetensors."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from likely.assembly import Factory, Own, resolve
from likely.config import Config
from likely.data import Division, Patterns, Schema
from likely.errors import ConfigError, InputError, RunError
from likely.files import left_beside, write
from likely.run.directory import EARLIER_MISSING, MISSING
from likely.run.home import Home
from likely.run.plan import Plan
from likely.run.record import FitRecord
from likely.run.run import Run
from likely.run.states import write_states
from likely.run.versions import versions

__all__ = ["load", "save", "save_plan"]

CONDITIONS = "conditions.safetensors"


def save_plan(directory: Path, plan: Plan | Run) -> None:
    """Write what is known before training: that this is a run, configuration, schema and the division of the rows."""
    for said in plan.own.unreachable:
        warnings.warn(said, stacklevel=2)
    write(directory / "run.json", _json({"finished": False, "versions": versions()}))
    write(directory / "config.json", _json(plan.config.to_dict()))
    write(directory / "schema.json", _json(plan.schema.to_dict()))
    index = {kind: torch.from_numpy(getattr(plan.division, kind)) for kind in ("train", "validation", "test")}
    write(directory / "rows.safetensors", save_tensors(index, {"origin": json.dumps(plan.division.origin)}))


def save(directory: Path, run: Run) -> None:
    """Write what training came to: configuration with its steps, selected weights, its state, history and record."""
    write(directory / "config.json", _json(run.config.to_dict()))
    write(directory / "history.csv", run.history.to_csv(index=False))
    if run.patterns is not None:
        arrays = {name: torch.from_numpy(array) for name, array in run.patterns.to_arrays().items()}
        write(directory / MISSING, save_tensors(arrays))
    if run.conditions is not None:
        write(directory / CONDITIONS, save_tensors({"y": run.conditions.contiguous()}))
    if run.states:
        write_states(directory, run.states)
    write(directory / "weights.safetensors", save_tensors(_unshared(run.model)))
    facts = {
        "finished": True,
        **run.record.to_dict(),
        "origin": run.division.origin,
        "notices": list(run.notices),
        "versions": versions(),
    }
    write(directory / "run.json", _json(facts))


def _unshared(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights and buffers by name; those that share memory, as tied layers do, each once more."""
    tensors: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict().items():
        plain = tensor.detach().cpu().contiguous()
        place = plain.untyped_storage().data_ptr()
        tensors[name] = plain.clone() if place in seen else plain
        seen.add(place)
    return tensors


def load(
    path: str | Path,
    *,
    device: str | None = None,
    factories: Mapping[str, Factory] | None = None,
    progress: bool = True,
) -> Run:
    """Read a stored run; on the same kind of device it scores what the fitted one did, bit for bit.

    Nothing but numbers and texts is read: of what the user brought (`fit(encoder=...)`) a run holds weights and names.

    Parameters
    ----------
    path
        The run's directory.
    device
        Where to put the model; where it was fitted, if that is here, unless given.
    factories
        For a run with parts of the user's own: `encoder`, `decoder`, `model` or `objective` -> a function without
        arguments that makes it, the module itself, or `"module:callable"`, which is imported because you say so here.
    progress
        Whether verbs draw a bar, in a terminal or a notebook, where they take more than two seconds.

    Raises
    ------
    RunError
        If the directory is missing, not a run, unfinished or damaged.
    ConfigError
        If the run has parts of the user's own that are not given, or the device cannot be used.

    """
    left = left_beside(Path(path))
    try:
        run = _loaded(Path(path), device, factories, progress=progress)
    except RunError as error:
        raise RunError(f"{error}; {left}" if left else str(error)) from error
    if left:
        warnings.warn(left, stacklevel=2)
    return run


def _loaded(directory: Path, device: str | None, factories: Mapping[str, Factory] | None, *, progress: bool) -> Run:
    if not directory.is_dir():
        raise RunError(f"no run directory at {directory}; make one with: likely fit DATA -o {directory}")
    try:
        config = Config.from_dict(_read(directory / "config.json"))
        wanted = torch.device(device or config.device)
    except (ConfigError, RuntimeError) as error:
        if device is not None:
            raise ConfigError(f"device {device!r} is not one that torch knows; try --device cpu") from error
        raise RunError(f"{directory / 'config.json'} is not one that this version wrote ({error})") from error
    schema = Schema.from_dict(_read(directory / "schema.json"))
    facts = _read(directory / "run.json")
    if not facts.pop("finished", True) or not (directory / "weights.safetensors").exists():
        raise RunError(f"{directory} has no weights: its fit did not finish; fit again with --overwrite")
    own = Own.of(factories).apart().restored(config, directory)
    weights = _tensors(directory / "weights.safetensors")
    try:
        with torch.random.fork_rng(devices=[]):
            model = resolve(config, schema, own).build()
        model.load_state_dict(weights)
    except (RuntimeError, InputError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(_unfit(config, directory) + f" ({reason})") from error
    index = _tensors(directory / "rows.safetensors")
    try:
        parts = {kind: index[kind].numpy() for kind in ("train", "validation", "test")}
        division = Division(**parts, origin=facts.pop("origin"))
        notices = tuple(facts.pop("notices"))
        history = pd.read_csv(directory / "history.csv")
        record = FitRecord.from_dict(facts)
    except (KeyError, OSError, ValueError, TypeError) as error:
        raise RunError(f"{directory} is damaged ({type(error).__name__}: {error}); fit again") from error
    _place(model, wanted, given=device is not None)
    return Run(
        config,
        schema,
        model.eval(),
        history,
        record,
        division,
        notices,
        _patterns(directory, schema),
        _conditions(directory / CONDITIONS),
        own,
        progress=progress,
        home=Home(directory),
    )


def _unfit(config: Config, directory: Path) -> str:
    if config.factories:
        names = " and ".join(f"{role} {name}" for role, name in config.factories.items() if role != "objective")
        return f"{directory}: the weights are those of {names or 'another version'}, not of what factories make"
    return (
        f"{directory}: the weights do not fit the model that this version makes of config.json and schema.json; "
        "fit again, or load it with the version that wrote it"
    )


def _conditions(path: Path) -> torch.Tensor | None:
    """y of the training rows; `None` where there is none, or an earlier version did not write it."""
    return _tensors(path).get("y") if path.exists() else None


def _patterns(directory: Path, schema: Schema) -> Patterns | None:
    """How cells of the training rows are missing together, where they are; earlier versions named the file `holes`."""
    if not any(column.missing for column in schema.modelled):
        return None
    path, earlier = directory / MISSING, directory / EARLIER_MISSING
    if earlier.exists() and not path.exists():
        path = earlier
    try:
        arrays = {name: tensor.numpy() for name, tensor in _tensors(path).items()}
        return Patterns.from_arrays(arrays, schema.event_shape)
    except (KeyError, ValueError) as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}: {error}); fit again") from error


def _place(model: torch.nn.Module, device: torch.device, *, given: bool) -> None:
    """Move the model where it was fitted, if that is here, or where the user says."""
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        if given:
            raise ConfigError(f"device {str(device)!r} cannot be used here; try --device cpu") from error


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=1) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise RunError(f"{path.parent} is not a run directory: it has no {path.name}") from error
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise RunError(f"{path} does not hold a JSON object")
    return values


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(load_tensors(path.read_bytes()))
    except FileNotFoundError as error:
        raise RunError(f"{path.parent} is damaged: it has no {path.name}") from error
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} is damaged ({error}); fit again") from error
