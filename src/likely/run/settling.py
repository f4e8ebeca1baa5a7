"""What depends on the machine and on where rows came from; and a planned run, trained and stored."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from likely import world
from likely.assembly import Resolved
from likely.config import Config
from likely.data import Schema, Source, Split, digest, sources
from likely.errors import ConfigError, PeerError, quoted
from likely.files import demand_own_lock
from likely.models import Model
from likely.networks.precision import native_bfloat16
from likely.run.checkpoints import Checkpoints
from likely.run.checksums import ChecksummedFiles, write_with_checksum
from likely.run.directory import REPORT, RIVALS, START, can_resume, new_run_folder
from likely.run.forms import form_of
from likely.run.home import Home
from likely.run.learning import Trained, learn
from likely.run.options import FitOptions
from likely.run.plan import Plan
from likely.run.reading import weighed
from likely.run.record import DataRecord, FitRecord, Stage
from likely.run.run import Run
from likely.run.stopping import Stop, Stopped, signals_handled
from likely.run.store import save, save_plan, unshared
from likely.run.watching import Watching
from likely.training import Monitor

__all__ = ["carried_out", "data_of", "ending", "finished", "fresh", "settle", "trained_in"]

MIN_WIDE = 256  # units and rows of a batch from which bfloat16 is faster: docs/decisions/022-bfloat16.md
MIN_CHANNELS = 24  # of maps from which it is: docs/decisions/079-maps.md


def data_of(data: Any, source: Source, schema: Schema, split: Split, options: FitOptions) -> DataRecord:
    """Where the rows came from, digests of them and of what lies beside an array, how they were divided, their form.

    And what was told of the memory that they may fill.
    """
    return DataRecord(
        digest(source, labels=[column.name for column in schema.beside]),
        digest(source) if schema.beside else None,
        None if source.path is None else _absolute(data),
        weighed(schema, source),
        str(split) if isinstance(split, str | Path) else "given",
        **form_of(data, source),
        memory=options.memory,
        cache=None if options.cache is None else str(Path(options.cache).absolute()),
    )


def carried_out(plan: Plan, options: FitOptions, weights: dict[str, Tensor] | None = None) -> Run:
    """The run that a plan becomes, trained from fresh weights or from these, and stored where an output is given."""
    if options.out is None:
        with ending() as stop:
            run = finished(plan, learn(plan, Watching(options.monitors, stop), weights))
            stop.exit_if_signalled()
        return run
    out = Path(options.out)
    if not world.first():  # it trains with the first one, which alone stores
        with ending(out) as stop:
            return trained_in(out, plan, options.monitors, weights, Checkpoints(out, stop))
    with ending(out) as stop, new_run_folder(out, overwrite=options.overwrite, data=plan.rows.source.path) as directory:
        save_plan(directory, plan)
        if weights is not None or plan.own.model is not None:
            start = plan.model.state_dict() if weights is None else weights
            write_with_checksum(directory / START, unshared(start), plan.id)
        run = trained_in(directory, plan, options.monitors, weights, Checkpoints(directory, stop))
    run.home.directory = out
    return run


def trained_in(
    directory: Path,
    plan: Plan,
    monitors: Sequence[Monitor],
    weights: dict[str, Tensor] | None,
    checkpoints: Checkpoints,
) -> Run:
    """The run that a plan becomes, stored in a directory that has the plan, or the run until it was interrupted."""
    run = finished(plan, learn(plan, Watching(monitors, checkpoints.stop, checkpoints), weights))
    if not world.first():
        return run
    demand_own_lock(directory)
    checksummed = ChecksummedFiles.of(directory)
    if checksummed.facts.get("finished"):
        for name in (REPORT, RIVALS):  # they are of the training before
            (directory / name).unlink(missing_ok=True)
        checksummed.write({}, {**checksummed.facts, "finished": False})
    save(directory, run, checkpoints.plan)
    if not run.record.interrupted:
        (directory / START).unlink(missing_ok=True)
    return run


@contextmanager
def ending(out: Path | None = None, option: str = "--resume") -> Iterator[Stop]:
    """Within it signals are handled; where one stops the process, the message says how the fit goes on."""
    with signals_handled() as stop:
        try:
            yield stop
        except Stopped as stopped:
            if stopped.step is not None and out is not None:
                stopped.text = f"stopped after step {stopped.step}; likely fit {option} {out} goes on"
            else:
                stopped.text += _way_on(out)
            if stopped.number == signal.SIGINT:
                raise KeyboardInterrupt(stopped.text) from stopped
            raise
        except PeerError as lost:
            raise PeerError(str(lost) + _way_on(out)) from lost
        except KeyboardInterrupt as interrupt:
            if not str(interrupt) and _way_on(out):
                raise KeyboardInterrupt("interrupted" + _way_on(out)) from interrupt
            raise


def _way_on(out: Path | None) -> str:
    """What can be done with a fit that was stopped outside its training; empty where nothing can."""
    return f"; {out} holds a fit that likely fit --resume {out} finishes" if out is not None and can_resume(out) else ""


def finished(plan: Plan, trained: Trained, continued: tuple[Stage, ...] = ()) -> Run:
    """The run of a plan that was carried out."""
    record = FitRecord(
        plan.data,
        trained.members,
        trained.seconds,
        trained.interrupted,
        plan.init,
        continued,
        plan.id,
        trained.profile,
    )
    return Run(
        trained.config,
        plan.schema,
        trained.model,
        trained.history,
        record,
        plan.division,
        plan.notices + trained.notices,
        trained.patterns,
        trained.conditions,
        trained.seen,
        plan.own,
        trained.states,
        plan.progress,
        Home(source=plan.rows.source),
    )


def _absolute(data: Any) -> str:
    file, member = sources.place_of(str(data))
    return str(file.resolve()) + (f":{member}" if member is not None else "")


def settle(config: Config) -> Config:
    """Fix what depends on the machine: the device, and bfloat16 where it is native and the networks are wide."""
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {quoted(device)} cannot be used here; try --device cpu") from error
    precision = config.training.precision
    if precision == "auto":
        width, maps = config.model.width or 0, (config.model.kind or "").startswith("hierarchy:conv")
        wide = width >= MIN_CHANNELS if maps else min(width, config.training.batch_size or 0) >= MIN_WIDE
        wide = wide and not config.factories
        precision = "bfloat16" if wide and kind == "cpu" and native_bfloat16() else "float32"
    return replace(config, device=device, training=replace(config.training, precision=precision))


def fresh(resolved: Resolved) -> Model:
    """The model with weights by the seed, on its device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(resolved.config.seed)
        return resolved.build().to(resolved.config.device)
