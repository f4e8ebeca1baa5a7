"""A fit that was stopped before its end, gone on with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from likely import world
from likely.assembly import Own, Resolved
from likely.data import DividedRows, Schema, Source, sources
from likely.data.kinds import Form
from likely.errors import ConfigError, DataError, RunError
from likely.run.checkpoints import Checkpoints
from likely.run.checksums import ChecksummedFiles, read_with_checksum
from likely.run.describing import placed
from likely.run.directory import START, recover, resumed_folder, unfinished_fit
from likely.run.options import FitOptions
from likely.run.plan import Plan
from likely.run.reading import beside, demand_same, reading_of
from likely.run.record import DataRecord
from likely.run.run import Run
from likely.run.settling import ending, fresh, settle, trained_in
from likely.run.state_checks import demand_same_tensors
from likely.run.states import Checkpoint, last_checkpoint
from likely.run.store import load, stored_plan
from likely.run.versions import versions

__all__ = ["resumed"]


def resumed(directory: Path, data: Any, options: FitOptions) -> Run:
    """The run that a fit becomes which was killed, stopped or interrupted; see `likely.fit`."""
    _demand_nothing_new(options)
    options = replace(options, out=directory)
    if world.first():
        recover(directory)
    world.barrier()
    if unfinished_fit(directory) is None:
        return _finished(directory, options)
    with ending(directory) as stop, _folder(directory) as folder:
        checksummed = ChecksummedFiles.of(folder)
        ended = checksummed.facts.get("finished") is True and checksummed.facts.get("interrupted") is False
        if ended:
            checksummed.demand_undamaged()
        world.barrier()  # all have read it, before the first process moves it or writes to it
        if not ended:
            run = _gone_on(folder, checksummed, data, options, stop)
    if ended:
        world.barrier()
        return _finished(directory, options)
    run.home.directory = directory
    return run


@contextmanager
def _folder(directory: Path) -> Iterator[Path]:
    """The folder of the unfinished fit, which the first of several processes alone writes to and moves."""
    if world.first():
        with resumed_folder(directory) as folder:
            world.barrier()
            yield folder
        return
    found = unfinished_fit(directory)
    world.barrier()
    if found is None:
        raise RunError(f"{directory} holds no fit that was not finished")
    yield found


def _finished(directory: Path, options: FitOptions) -> Run:
    own = Own(options.encoder, options.decoder, options.own_model, options.own_objective)
    run = load(directory, factories=own.by_role or None, progress=options.progress)
    warnings.warn(f"{directory} is finished already, so that there is nothing to go on with", stacklevel=4)
    return run


def _gone_on(folder: Path, checksummed: ChecksummedFiles, data: Any, options: FitOptions, stop: Any) -> Run:
    left = last_checkpoint(folder)
    if checksummed.facts.get("continued"):
        raise RunError(
            f"{folder} was interrupted while it was lengthened, and is a whole run; lengthen it again: likely fit "
            f"--continue {folder} --minutes 5"
        )
    if checksummed.facts.get("finished") and (left is None or not left.plan):
        raise RunError(f"{folder} was interrupted and has no checkpoint; start another fit with --init {folder}")
    plan = _plan(folder, checksummed, left, data, options)
    _tell_other(checksummed, left)
    start = _start(folder / START, plan) if (folder / START).exists() else None
    if start is None and left is None and (plan.init or plan.own.model is not None):
        raise RunError(f"{folder} was killed before its first weights were stored; give its command again, --overwrite")
    checkpoints = Checkpoints(folder, stop, () if left is None else left.states)
    return trained_in(folder, plan, options.monitors, start, checkpoints)


def _start(path: Path, plan: Plan) -> dict[str, Tensor]:
    """The weights that the fit started from."""
    weights = read_with_checksum(path, plan.id)
    try:
        demand_same_tensors(weights, plan.model.state_dict(), "weights")
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); fit again") from error
    return weights


def _plan(folder: Path, checksummed: ChecksummedFiles, left: Checkpoint | None, data: Any, options: FitOptions) -> Plan:
    facts, began = checksummed.facts, {} if left is None else left.plan
    config, schema, division = stored_plan(checksummed, began.get("config"))
    notices = began.get("notices", facts.get("notices", ()))
    own = Own(options.encoder, options.decoder, options.own_model, options.own_objective).copied()
    try:
        record = DataRecord(**{item.name: facts[item.name] for item in fields(DataRecord) if item.name in facts})
        options = replace(
            options,
            memory=record.memory if options.memory is None else options.memory,
            cache=record.cache if options.cache is None else options.cache,
        )
        resolved = Resolved.of(settle(config), schema, own.restored(config, folder))
        source = _source(record, schema, data, options)
        return Plan(
            resolved,
            fresh(resolved),
            DividedRows(source, division),
            record,
            tuple(notices),
            facts.get("init"),
            options.progress,
            options.cache_folder,
            str(facts["id"]),
            options.profile,
        )
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder} is damaged ({type(error).__name__}: {error}); fit again") from error


def _source(record: DataRecord, schema: Schema, data: Any, options: FitOptions) -> Source:
    """The rows of the fit, read again from their path, or given again, and the same ones."""
    if data is None and not record.path:
        raise DataError(
            "this fit was of data in memory, which no directory keeps; give the same: likely.fit(data, resume=RUN)"
        )
    data = record.path if data is None else data
    if isinstance(data, str) and not sources.place_of(data)[0].exists():
        raise DataError(f"the data of this fit is gone from {data}; give the rows: likely fit DATA --resume RUN")
    pictured = schema.form == Form.IMAGES
    resize, background = (schema.resize, schema.background) if pictured else (None, None)
    about = options.data
    source = sources.open_source(
        data, resize=resize, background=background, reading=reading_of(schema), memory=options.most_bytes
    )
    if isinstance(about.condition, Mapping):
        source = beside(source, about.condition)
    source = placed(source, about.exposure, about.weight)[0]
    demand_same(source, schema, record, data, ("start another fit: likely fit DATA -o OTHER", "weight=weights"))
    return source


def _demand_nothing_new(options: FitOptions) -> None:
    """Refuse what a fit that goes on has already."""
    about = options.data
    given = [*options.assigned, *about.of_schema]
    given += ["config"] if options.config is not None else []
    given += ["condition"] if about.condition and not isinstance(about.condition, Mapping) else []
    given += [name for name in ("exposure", "weight") if isinstance(getattr(about, name), str)]
    given += [] if isinstance(about.split, str) and about.split == "random" else ["split"]
    if given:
        raise ConfigError(f"{given[0]} is set by the fit that is resumed; leave it out")


def _tell_other(checksummed: ChecksummedFiles, left: Checkpoint | None) -> None:
    """Say what keeps the rest of the training from being what it would have been, to the bit."""
    was, now = checksummed.facts.get("versions"), versions()
    other = [name for name in now if isinstance(was, dict) and was.get(name) != now[name]]
    threads = None if left is None else left.plan.get("threads")
    changed = [f"{name} {now[name]}" for name in other]
    changed += [f"{torch.get_num_threads()} thread(s)"] if threads not in (None, torch.get_num_threads()) else []
    if changed:
        warnings.warn(
            f"the fit began with another number or version of: {', '.join(changed)}; what follows may differ in the "
            "last digits from what it would have been",
            stacklevel=5,
        )
