"""What depends on the machine and on where rows came from; and a planned run, trained and stored."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from likely.config import Config
from likely.data import Schema, Source, Split, digest, sources
from likely.errors import ConfigError, quoted
from likely.networks.precision import native_bfloat16
from likely.run.directory import claim
from likely.run.forms import form_of
from likely.run.home import Home
from likely.run.learning import Trained, learn
from likely.run.options import FitOptions
from likely.run.plan import Plan
from likely.run.reading import weighed
from likely.run.record import DataRecord, FitRecord, Stage
from likely.run.run import Run
from likely.run.store import save, save_plan

__all__ = ["carried_out", "data_of", "finished", "settle"]

MIN_WIDE = 256  # units and rows of a batch from which bfloat16 is faster: docs/decisions/022-bfloat16.md


def data_of(data: Any, source: Source, schema: Schema, split: Split) -> DataRecord:
    """Where the rows came from, digests of them and of what lies beside an array, how they were divided, their form."""
    return DataRecord(
        digest(source, labels=[column.name for column in schema.beside]),
        digest(source) if schema.beside else None,
        None if source.path is None else _absolute(data),
        weighed(schema, source),
        str(split) if isinstance(split, str | Path) else "given",
        **form_of(data, source),
    )


def carried_out(plan: Plan, options: FitOptions, weights: dict[str, Tensor] | None = None) -> Run:
    """The run that a plan becomes, trained from fresh weights or from these, and stored where an output is given."""
    out = options.out
    place = nullcontext() if out is None else claim(Path(out), overwrite=options.overwrite, data=plan.rows.source.path)
    with place as directory:
        if directory is not None:
            save_plan(directory, plan)
        run = finished(plan, learn(plan, options.monitors, weights))
        if directory is not None:
            save(directory, run)
    if out is not None:
        run.home.directory = Path(out)
    return run


def finished(plan: Plan, trained: Trained, continued: tuple[Stage, ...] = ()) -> Run:
    """The run of a plan that was carried out."""
    record = FitRecord(plan.data, trained.members, trained.seconds, trained.interrupted, plan.init, continued, plan.id)
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
        wide = min(config.model.width or 0, config.training.batch_size or 0) >= MIN_WIDE and not config.factories
        precision = "bfloat16" if wide and kind == "cpu" and native_bfloat16() else "float32"
    return replace(config, device=device, training=replace(config.training, precision=precision))
