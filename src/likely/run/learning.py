"""The rows of a run to the trainer, and what it did back to the run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from likely.assembly import objective, supported
from likely.config import TrainingConfig
from likely.data import EncodedRows, Patterns, encode, weights_of, with_labels
from likely.errors import ConfigError, DataError, RunError
from likely.models import VAE, Ensemble
from likely.objectives import Objective
from likely.priors import FromPosterior
from likely.run.progress import bar
from likely.run.run import Run
from likely.run.states import on_cpu
from likely.run.support import demand_mass
from likely.training import Monitor, Outcome, Progress, Schedule, Trainer, TrainingState, match_shares
from likely.training.timing import steps_in
from likely.training.trainer import bound_of

__all__ = ["go_on", "learn"]

START_ROWS, START_LEAST, START_CELLS = 10_000, 500, 2**23


def _encoded(run: Run) -> dict[str, EncodedRows]:
    """Training and validation rows; test rows that could never be evaluated are told of now, not after training."""
    made, source = {}, run.training_source()
    for kind in ("train", "validation", "test"):
        if not len(getattr(run.division, kind)):
            continue
        part, whole = run.division.rows(source, kind), source.splits[run.division.origin[kind]].read()
        try:
            spare = run.schema.uniform and not np.may_share_memory(part.values, whole.values)
            if kind == "test":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # what there is to say of them is said when they are evaluated
                    encode(run.schema, part.values, with_labels(run.schema, part), spare=spare)
            else:
                rows = encode(run.schema, part.values, with_labels(run.schema, part), spare=spare)
                made[kind] = rows.weighted(weights_of(run.schema, part))
                if run.own.model is None:
                    supported(run.config, run.schema, made[kind])
                else:
                    fixed = made[kind].fixed(run.config.seed).to(run.device)
                    demand_mass(run.model, fixed, getattr(run.division, kind))
        except DataError as error:
            raise DataError(f"{kind} rows: {error}") from error
    return made


def learn(run: Run, monitors: Sequence[Monitor] = (), weights: dict[str, Tensor] | None = None) -> None:
    """Train a run's model from its first step, from fresh weights or from these."""
    rows = _prepared(run)
    _note_holes(run, rows.train)
    _begin(run, rows.train, weights)
    schedule, config = _schedule(run, rows)
    states = _trained(run, rows, schedule, monitors)
    run.config = replace(run.config, training=config)
    _keep(run, states)
    _match(run, rows)


def go_on(
    run: Run, earlier: Sequence[dict[str, Any]], budget: TrainingConfig, peak: float, monitors: Sequence[Monitor] = ()
) -> int:
    """Train a run's model on from where its training ended; how many steps more each member was given.

    Of an ensemble whose training is interrupted the members that were not reached stay as they were.

    Raises
    ------
    RunError
        If the states are not those of this model.

    """
    rows = _prepared(run)
    _begin(run, rows.train, run.model.state_dict())
    schedule = Schedule.further(_schedule(run, rows, budget)[0].total_steps, peak)
    states = _trained(run, rows, schedule, monitors, earlier)
    _tell(run, states)
    _match(run, rows)
    return schedule.total_steps


def _match(run: Run, rows: _Prepared) -> None:
    """Match constants that training does not; the validation bound of the facts is then told as that with them."""
    if not run.model.p_x_z.matches:
        return
    match_shares(run.model, rows.train, run.config.seed)
    members = run.facts.get("members", [run.facts])
    for number, (member, told) in enumerate(zip(run.model.members, members, strict=True)):
        if told["selected"]:
            seed = run.config.seed + number
            told["validation_elbo"] = bound_of(member, rows.validation, seed, run.config.training.precision)
    run.facts["validation_elbo"] = members[0]["validation_elbo"]


@dataclass(frozen=True)
class _Prepared:
    """Encoded rows on the device, and what is maximised over them."""

    train: EncodedRows
    validation: EncodedRows
    objective: Objective


def _prepared(run: Run) -> _Prepared:
    encoded = _encoded(run)
    validation = encoded["validation"].fixed(run.config.seed).to(run.device)
    rows = encoded["train"] if run.schema.binarize == "dynamic" else encoded["train"].fixed(run.config.seed)
    run.conditions = None if encoded["train"].covariates is None else encoded["train"].covariates.cpu()
    aim = objective(run.config, replace(run.schema, rows=len(rows)), run.own)
    return _Prepared(rows.to(run.device), validation, aim)


def _begin(run: Run, rows: EncodedRows, weights: dict[str, Tensor] | None) -> None:
    """Start from training rows; where weights are known, or the model is the user's, only what is made of rows does."""
    first = torch.arange(min(len(rows), _starting(run)), device=run.device)
    batch = rows.take(first).fixed(run.config.seed).whole(first)
    if weights is not None:
        run.model.load_state_dict(weights)
    elif run.own.model is None:
        run.model.initialise(batch)
        return
    for member in run.model.members:
        if isinstance(member, VAE) and isinstance(member.p_z, FromPosterior) and member.p_z.knows_rows:
            member.p_z.initialise(batch.values, batch.covariates, batch.observed)


def _trained(
    run: Run,
    rows: _Prepared,
    schedule: Schedule,
    monitors: Sequence[Monitor],
    earlier: Sequence[dict[str, Any]] = (),
) -> list[TrainingState]:
    """The states of the members at the end of their training, which may be that of the earlier states lengthened."""
    states: list[TrainingState] = []
    members, interrupted = run.model.members, False
    for number, member in enumerate(members):
        what = f"fitting {number + 1} of {len(members)}" if len(members) > 1 else "fitting"
        with bar(what, shown=run.progress) as tick:
            trainer = Trainer(
                rows.train,
                rows.validation,
                run.config.training,
                schedule,
                objective=rows.objective,
                seed=run.config.seed + number,
                monitors=[Progress(tick), *monitors],
            )
            state = trainer.state(member)
            if earlier:
                _take(state, earlier[number])
            if interrupted:
                state.finish()
            else:
                with _normalised():
                    interrupted = trainer.run(state).interrupted
        states.append(state)
        if interrupted and not earlier:
            break
    return states


@contextmanager
def _normalised() -> Iterator[None]:
    """Within it a batch of one row that a batch normalisation cannot take is refused in one line."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ConfigError(
            "batch_size=1: a batch normalisation takes mean and deviation over the rows of a batch; make batch_size 2 "
            "or more, or use another normalisation"
        ) from error


def _take(state: TrainingState, earlier: dict[str, Any]) -> None:
    try:
        state.load_state_dict(earlier)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise RunError(f"the stored state of training is not that of the run's model ({reason}); fit again") from error
    state.begin_again()


def _starting(run: Run) -> int:
    """How many rows a model starts from; fewer wide ones, unless its prior is made of them."""
    model = run.model.members[0]
    if isinstance(model, VAE) and isinstance(model.p_z, FromPosterior):
        return START_ROWS
    return min(START_ROWS, max(START_LEAST, START_CELLS // run.schema.dims))


def _keep(run: Run, states: Sequence[TrainingState]) -> None:
    """Of an ensemble whose training was interrupted, the members that were trained to their end."""
    whole = [state for state in states if not state.outcome.interrupted] or states[:1]
    members = run.model.members
    if len(whole) < len(members):
        run.model = members[0] if len(whole) == 1 else Ensemble(members[: len(whole)])
        run.config = replace(run.config, model=replace(run.config.model, members=len(whole)))
        run.notices += (f"training was interrupted: {len(whole)} of {len(members)} members are kept",)
    _tell(run, whole)
    run.facts |= {
        "interrupted": any(state.outcome.interrupted for state in states),
        "seconds": round(sum(state.outcome.seconds for state in states), 2),
    }


def _tell(run: Run, states: Sequence[TrainingState]) -> None:
    """What training did, and what it needs to go on."""
    outcomes = [state.outcome for state in states]
    records = [
        {**({"member": number} if len(outcomes) > 1 else {}), **record}
        for number, outcome in enumerate(outcomes)
        for record in outcome.history
    ]
    run.history = pd.DataFrame(records, columns=None if records else ["step", "val_elbo"])
    for outcome in outcomes:
        if outcome.diverged:
            run.notices += (f"training diverged after step {outcome.steps}; the best weights until then are kept",)
    told = [_told(outcome) for outcome in outcomes]
    run.facts |= {
        "interrupted": any(outcome.interrupted for outcome in outcomes),
        **told[0],
        "diverged": any(outcome.diverged for outcome in outcomes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 2),
        **({"members": told} if len(told) > 1 else {}),
    }
    run.states = tuple(on_cpu(state.state_dict()) for state in states)


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "diverged": outcome.diverged,
        "steps": outcome.steps,
        "selected": outcome.selected,
        "selected_step": outcome.selected_step,
        "validation_elbo": outcome.best if outcome.selected else None,
    }


def _note_holes(run: Run, train: EncodedRows) -> None:
    if train.observed is not None:
        cells = len(train) * run.schema.dims
        missing, rows = cells - int(train.cells.sum()), int((train.cells < run.schema.dims).sum())
        run.patterns = Patterns.of(train.observed)
        run.notices += (
            f"{missing:,} of {cells:,} cells ({missing / cells:.1%}) are missing, in {rows:,} of {len(train):,} "
            "training rows: log P(x) is that of the observed ones",
        )


def _schedule(run: Run, rows: _Prepared, budget: TrainingConfig | None = None) -> tuple[Schedule, TrainingConfig]:
    config = run.config.training if budget is None else budget
    if config.minutes is None:
        return Schedule.make(config, len(rows.train)), config
    members = run.model.members
    minutes = config.minutes / len(members)
    with _normalised():
        steps = steps_in(minutes, members[0], rows.train, rows.validation, config, rows.objective)
    return Schedule.make(config, len(rows.train), steps), replace(config, minutes=None, steps=steps)
