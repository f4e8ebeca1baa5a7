"""A finished fit, lengthened."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from likely import world
from likely.assembly import Resolved
from likely.config import TrainingConfig
from likely.data import DividedRows, Given, Source
from likely.errors import ConfigError, DataError, RunError
from likely.files import same_place
from likely.run.directory import REPORT, demand_new_run_folder, demand_run_copy, new_run_folder, run_copy
from likely.run.learning import continue_training
from likely.run.options import cache_beside
from likely.run.plan import Plan
from likely.run.reading import fitted_on
from likely.run.record import Stage
from likely.run.run import Run
from likely.run.settling import ending, finished
from likely.run.states import are_of, read_states
from likely.run.store import save, save_plan
from likely.run.watching import Watching
from likely.training import Monitor

__all__ = ["SHARE", "ContinueOptions", "continued"]

SHARE = 1.0  # of the first rate: measured, docs/decisions/048-finished-fit-stores-state.md


@dataclass(frozen=True)
class ContinueOptions:
    """For how long a run is trained further, and where the result is stored; see `Run.continue_training`."""

    minutes: float | None = None
    epochs: int | None = None
    steps: int | None = None
    out: str | Path | None = None
    overwrite: bool = False
    monitors: Sequence[Monitor] = ()


def continued(run: Run, data: Any, options: ContinueOptions, *, given: Given | None = None) -> Run:
    """The run trained further; see `Run.continue_training`."""
    budget, out, overwrite = _budget(run, options), options.out, options.overwrite
    earlier = _states(run)
    source = _source(run, data, given)
    if out is not None and world.first():
        _demand_place(run.directory, Path(out), source.path, overwrite=overwrite)
    plan = Plan(
        Resolved.of(run.config, run.schema, run.own),
        copy.deepcopy(run.model),
        DividedRows(source, run.division),
        run.record.data,
        run.notices,
        run.record.init,
        run.progress,
        _cache(run),
    )
    with ending(None if out is None else Path(out), "--continue") as stop:
        trained = continue_training(plan, earlier, budget, SHARE, Watching(options.monitors, stop))
        before, after = ([state["outcome"]["steps"] for state in states] for states in (earlier, trained.states))
        taken = max(end - start for start, end in zip(before, after, strict=True))
        stage = Stage(max(before), taken, SHARE, run.config.seed)
        longer = finished(plan, replace(trained, profile=run.record.profile), (*run.record.continued, stage))
        if out is not None and world.first():
            _store(longer, run.directory, Path(out), overwrite=overwrite)
        stop.exit_if_signalled(max(member.steps for member in longer.record.members))
    return longer


def _cache(run: Run) -> Path | None:
    """Where the fit kept its encoded rows; beside the run where that place is gone, as on another machine."""
    if run.record.data.cache is not None and Path(run.record.data.cache).parent.is_dir():
        return Path(run.record.data.cache)
    return None if run.directory is None else cache_beside(run.directory)


def _budget(run: Run, options: ContinueOptions) -> TrainingConfig:
    budget = {name: getattr(options, name) for name in ("minutes", "epochs", "steps")}
    if all(value is None for value in budget.values()):
        raise ConfigError("say for how long to go on: minutes, epochs or steps")
    return replace(run.config.training, **budget)


def _states(run: Run) -> Sequence[dict[str, Any]]:
    if run.record.diverged:
        raise RunError(
            "training diverged, so its last weights cannot be gone on from; start another fit from the best ones, at a "
            "lower rate: likely fit DATA --init RUN --set learning_rate=..."
        )
    if not run.states and run.directory is None:
        raise RunError("this run holds no state of its training, so it cannot be continued; fit again")
    states = run.states or read_states(run.directory or Path())
    if not are_of(states, run.record):
        raise RunError(f"{run.directory} has changed since it was loaded; load it again")
    return states[: len(run.record.members)]


def _source(run: Run, data: Any, given: Given | None) -> Source:
    if data is None and given is not None:
        raise ConfigError("what is given belongs to data in memory; give the data too")
    if data is None and run.home.source is not None:
        return run.home.source
    path = run.record.data.path
    if data is None and not path:
        raise DataError(
            "this run was fitted on data in memory, which a stored run does not keep; give the same data: "
            "run.continue_training(data, ...)"
        )
    return fitted_on(run, path if data is None else data, given)


def _demand_place(home: Path | None, out: Path, data: Path | None, *, overwrite: bool) -> None:
    """Refuse before training what could not be stored after it."""
    if home is not None and same_place(out, home):
        demand_run_copy(out)
    else:
        demand_new_run_folder(out, overwrite=overwrite, data=data)


def _store(longer: Run, home: Path | None, out: Path, *, overwrite: bool) -> None:
    own = home is not None and same_place(out, home)
    data = longer.home.source.path if longer.home.source is not None else None
    reported = own and (out / REPORT).exists()
    with run_copy(out) if own else new_run_folder(out, overwrite=overwrite, data=data) as directory:
        save_plan(directory, longer)
        save(directory, longer)
    longer.home.directory = out
    if reported:
        said = f"{out / REPORT} was of the run before and is removed; likely report {out} makes it anew"
        warnings.warn(said, stacklevel=4)
