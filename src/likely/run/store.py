"""A run as a plain directory: JSON, CSV and safetensors."""

from __future__ import annotations

import io
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

from likely.assembly import BuildLimit, Factory, Own, resolve
from likely.config import Config
from likely.data import Division, Patterns, Schema, demand_consistent_conditions
from likely.errors import MESSAGE_ON_FILES, ConfigError, RunError, brief, quoted
from likely.evaluation.proposals import SeenRows
from likely.files import conform, demand_own_lock, parsed
from likely.models import Model
from likely.run.checksums import ChecksummedFiles
from likely.run.directory import MISSING, leftovers_notice, recover
from likely.run.home import Home
from likely.run.plan import Plan
from likely.run.record import FitRecord
from likely.run.run import Run
from likely.run.state_checks import demand_consistent_history
from likely.run.states import write_states
from likely.run.versions import versions

__all__ = ["load", "save", "save_plan", "stored_plan", "unshared"]

CONDITIONS, SEEN = "conditions.safetensors", "seen.safetensors"
# A model makes about its weights once, with 7 operations for each; modules of the user's may make more beside them.
COPIES, SLACK_BYTES, OPERATIONS, SLACK_TENSORS = 2, 2**28, 50, 100
COLUMN_OPERATIONS = 100  # most likelihoods take 20 to 25 for a column


def save_plan(directory: Path, plan: Plan | Run) -> None:
    """Write what is known before training: that this is a run, configuration, schema and the division of the rows.

    That it is not finished is said of a fit alone, which can be resumed; of a run that is stored again nothing is.
    """
    demand_own_lock(directory)
    for said in plan.own.unreachable:
        warnings.warn(said, stacklevel=2)
    record = plan.record if isinstance(plan, Run) else FitRecord(plan.data, (), init=plan.init, id=plan.id)
    index = {kind: torch.from_numpy(getattr(plan.division, kind)) for kind in ("train", "validation", "test")}
    facts = {"finished": None if isinstance(plan, Run) else False, **record.begun(), **_beside(plan)}
    ChecksummedFiles(directory, facts, {}).write({}, facts).write(
        {
            "config.json": _json(plan.config.to_dict()),
            "schema.json": _json(plan.schema.to_dict()),
            "rows.safetensors": save_tensors(index, {"origin": json.dumps(plan.division.origin)}),
        },
        facts,
    )


def save(directory: Path, run: Run, plan: Mapping[str, Any] | None = None) -> None:
    """Write what training came to: configuration with its steps, selected weights, its state, history and record.

    Parameters
    ----------
    directory, run
        Where to, and what.
    plan
        What was requested of training before its first step, to go on with after an interruption or a kill.

    """
    demand_own_lock(directory)
    files = {"config.json": _json(run.config.to_dict()), "history.csv": run.history.to_csv(index=False)}
    tensors = {"weights.safetensors": unshared(run.model.state_dict())}
    if run.patterns is not None:
        tensors[MISSING] = {name: torch.from_numpy(array) for name, array in run.patterns.to_arrays().items()}
    if run.conditions is not None:
        tensors[CONDITIONS] = {"y": run.conditions.contiguous()}
    if run.seen is not None:
        tensors[SEEN] = {name: tensor.contiguous() for name, tensor in vars(run.seen).items()}
    if run.states:
        write_states(directory, run.states, plan)
    facts = {"finished": True, **run.record.to_dict(), **_beside(run)}
    ChecksummedFiles.of(directory).write({**files, **{name: save_tensors(one) for name, one in tensors.items()}}, facts)


def _beside(plan: Plan | Run) -> dict[str, Any]:
    sample = {} if plan.division.sample_of is None else {"sample_of": plan.division.sample_of}
    return {"origin": plan.division.origin, **sample, "notices": list(plan.notices), "versions": versions()}


def unshared(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights and buffers by name; those that share memory, as tied layers do, each once more."""
    tensors: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in weights.items():
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
        If the directory is missing, not a run, unfinished, damaged, or of another version's format.
    ConfigError
        If the run has parts of the user's own that are not given, or the device cannot be used.

    """
    directory = Path(path)
    recover(directory)
    left = leftovers_notice(directory)
    try:
        run = _loaded(directory, device, factories, progress=progress)
    except RunError as error:
        raise RunError(f"{error}; {left}" if left else brief(str(error), MESSAGE_ON_FILES)) from error
    if left:
        warnings.warn(left, stacklevel=2)
    return run


def _loaded(directory: Path, device: str | None, factories: Mapping[str, Factory] | None, *, progress: bool) -> Run:
    checksummed = ChecksummedFiles.of(directory)
    facts = dict(checksummed.facts)
    if facts.pop("finished", None) is not True:
        raise RunError(
            f"{directory} has no weights: its fit did not finish; likely fit --resume {directory} finishes it, or fit "
            "again with --overwrite"
        )
    try:
        config = Config.from_dict(_object(checksummed, "config.json"))
        wanted = torch.device(device or config.device)
    except (ConfigError, RuntimeError) as error:
        if device is not None:
            raise ConfigError(f"device {quoted(device)} is not one that torch knows; try --device cpu") from error
        raise RunError(f"{directory / 'config.json'} is not one that this version wrote ({error})") from error
    schema = Schema.from_dict(_object(checksummed, "schema.json"))
    own = Own.of(factories).copied().restored(config, directory)
    weights = _tensors(checksummed, "weights.safetensors")
    try:
        with torch.random.fork_rng(devices=[]), _allowed(weights, schema):
            model = resolve(config, schema, own).build()
        model.load_state_dict(weights)
    except Exception as error:  # what others wrote makes the parts of a model raise almost anything
        reason = " ".join(str(error).split())[:200]
        raise RunError(_unfit(config, directory) + f" ({reason})") from error
    if not all(bool(weight.isfinite().all()) for weight in model.parameters() if weight.requires_grad):
        raise RunError(f"{directory / 'weights.safetensors'} is damaged: some weights are not finite; fit again")
    try:
        division = _division(checksummed, facts.pop("origin"), facts.pop("sample_of", None))
        notices = conform(tuple[str, ...], facts.pop("notices"), "notices")
        history = pd.read_csv(io.BytesIO(checksummed.read("history.csv")))
        demand_consistent_history(history)
        record = FitRecord.from_dict(facts)
        record.demand_consistent(len(model.members))
        patterns = _patterns(checksummed, schema)
        conditions = _tensors(checksummed, CONDITIONS) if CONDITIONS in checksummed else {}
        demand_consistent_conditions(schema, conditions, len(division.train))
        seen = _seen(checksummed, model, schema)
    except RunError:
        raise
    except (KeyError, ValueError, TypeError) as error:
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
        patterns,
        conditions.get("y"),
        seen,
        own,
        progress=progress,
        home=Home(directory),
    )


def stored_plan(checksummed: ChecksummedFiles, config: Mapping[str, Any] | None) -> tuple[Config, Schema, Division]:
    """The configuration, the schema and the division of the rows that a fit began with.

    Parameters
    ----------
    checksummed
        The files of the fit.
    config
        The configuration where a checkpoint has it; the one that was stored before training unless given.

    Raises
    ------
    RunError
        If they are damaged, or not there.

    """
    if "rows.safetensors" not in checksummed:
        raise RunError(
            f"{checksummed.directory} holds a fit that was killed before it began; fit again with --overwrite"
        )
    try:
        known = Config.from_dict(_object(checksummed, "config.json") if config is None else config)
        schema = Schema.from_dict(_object(checksummed, "schema.json"))
        return known, schema, _division(checksummed, checksummed.facts["origin"], checksummed.facts.get("sample_of"))
    except RunError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{checksummed.directory} is damaged ({type(error).__name__}: {error}); fit again") from error


def _allowed(weights: Mapping[str, torch.Tensor], schema: Schema) -> BuildLimit:
    """What a model may take that has these weights, and likelihoods of these columns in each of its members."""
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    operations = OPERATIONS * (len(weights) + SLACK_TENSORS)
    members = {name.split(".")[1] for name in weights if name.startswith("parts.")}
    operations += COLUMN_OPERATIONS * len(schema.modelled) * max(1, len(members))
    return BuildLimit(COPIES * size + SLACK_BYTES, operations)


def _division(checksummed: ChecksummedFiles, origin: Any, sample_of: Any) -> Division:
    index = _tensors(checksummed, "rows.safetensors")
    parts = {kind: index[kind].numpy() for kind in ("train", "validation", "test")}
    division = Division(**parts, origin=origin, sample_of=sample_of)
    division.demand_consistent()
    return division


def _unfit(config: Config, directory: Path) -> str:
    if config.factories:
        names = " and ".join(f"{role} {name}" for role, name in config.factories.items() if role != "objective")
        return f"{directory}: the weights are those of {names or 'another version'}, not of what factories make"
    return (
        f"{directory}: the weights do not fit the model that this version makes of config.json and schema.json; "
        "fit again, or load it with the version that wrote it"
    )


def _patterns(checksummed: ChecksummedFiles, schema: Schema) -> Patterns | None:
    """How cells of the training rows are missing together, where they are."""
    if not any(column.missing for column in schema.modelled):
        return None
    arrays = {name: tensor.numpy() for name, tensor in _tensors(checksummed, MISSING).items()}
    return Patterns.from_arrays(arrays, schema.event_shape)


def _seen(checksummed: ChecksummedFiles, model: Model, schema: Schema) -> SeenRows | None:
    """What the training rows were like; `None` of a run that an earlier version made."""
    if SEEN not in checksummed:
        return None
    tensors = _tensors(checksummed, SEEN)
    try:
        seen = SeenRows(**tensors)
        shapes = {tuple(seen.low.shape), tuple(seen.high.shape), tuple(seen.complete.shape)}
        sound = seen.encoded.shape[1:] == (model.encoded_size,) and bool(seen.encoded.isfinite().all())
        sound = sound and shapes == {tuple(schema.event_shape)} and seen.complete.dtype == torch.bool
        sound = sound and not bool((seen.low.isnan() | seen.high.isnan()).any())
    except (RuntimeError, TypeError):
        sound = False
    if not sound:
        raise RunError(f"{checksummed.directory / SEEN} does not fit the run's model and schema; fit again")
    return seen


def _place(model: torch.nn.Module, device: torch.device, *, given: bool) -> None:
    """Move the model where it was fitted, if that is here, or where the user says."""
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        if given:
            raise ConfigError(f"device {quoted(str(device))} cannot be used here; try --device cpu") from error


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=1) + "\n"


def _object(checksummed: ChecksummedFiles, name: str) -> dict[str, Any]:
    content = checksummed.read(name)
    try:
        values = parsed(content)
    except ValueError as error:
        raise RunError(f"{checksummed.directory / name} cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise RunError(f"{checksummed.directory / name} does not hold a JSON object")
    return values


def _tensors(checksummed: ChecksummedFiles, name: str) -> dict[str, torch.Tensor]:
    try:
        return dict(load_tensors(checksummed.read(name)))
    except SafetensorError as error:
        raise RunError(f"{checksummed.directory / name} is damaged ({error}); fit again") from error
