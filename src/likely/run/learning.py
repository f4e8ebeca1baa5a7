"""Training by a plan: its rows are encoded and given to the trainer, for one member of the model after another.

A plan (`plan.py`) is all that is settled of a fit before its first step. Of it `resolved` has the configuration with
every part and size, `own` the modules that the user brought, `division` the row numbers of the three parts (`train`,
`validation` and `test`), and `division.origin` the split of the source that each part is taken from.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from likely import world
from likely.config import Config, TrainingConfig, default_max_steps
from likely.data import EncodedRows, Patterns
from likely.data.kinds import Binarize, Form
from likely.data.mapped import MappedRows
from likely.errors import ConfigError, RunError
from likely.evaluation.proposals import SeenRows
from likely.models import VAE, Ensemble, Model, Normals
from likely.objectives import Objective
from likely.priors import FromPosterior
from likely.run.encoded_rows import encoded_rows, encoded_sample
from likely.run.extent import of_maps
from likely.run.plan import Plan
from likely.run.progress import bar, tell
from likely.run.record import MemberRecord
from likely.run.state_checks import demand_same_tensors
from likely.run.watching import Watching, batch_size_errors_explained
from likely.training import Outcome, Schedule, Trainer, TrainingState, match_shares, maximise
from likely.training.distributed import demand_shareable
from likely.training.profile import demand_profilable, profiled
from likely.training.timing import steps_in
from likely.training.trainer import validation_elbo

__all__ = ["Trained", "continue_training", "initialised", "learn", "prepared"]

MAX_START_ROWS, MIN_START_ROWS = 10_000, 500  # rows that initialise a model; the minimum holds where rows are wide
VALIDATION_SHARE = 10  # steps take so many times as long as validations
PASSES = 2 / 3  # of a step on as many rows: a validation goes forward twice, a step forward and back
MAX_COUNTED_ROWS = 2**18  # whose missing cells are counted at once
MAX_MINUTES = 30  # of a fit of pictures that is told no budget
LONG = 1e13  # operations of a fit from which it is timed, seconds of any processor
MAX_START_CELLS = 2**23  # cells of those rows: 32 MiB in float32


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of training: the model with the selected weights, and how it came to them.

    Attributes
    ----------
    config
        With the steps that a budget in minutes became, and the members that are kept.
    model
        With the selected weights.
    members, history, states
        The outcome of each member, one row per validation, and the state of training at its end.
    seconds, interrupted, notices
        Wall-clock seconds, whether training was interrupted, and notices for the user.
    patterns, conditions
        The patterns of missing cells among the training rows; y of the training rows, encoded.
    seen
        What the training rows were like, by which rows are told that the encoder never was trained for.
    profile
        Where the time of a step goes, where the plan asks for it.

    """

    config: Config
    model: Model
    members: tuple[MemberRecord, ...]
    history: pd.DataFrame
    states: tuple[dict[str, Any], ...]
    seconds: float
    interrupted: bool
    notices: tuple[str, ...]
    patterns: Patterns | None
    conditions: Tensor | None
    seen: SeenRows
    profile: Mapping[str, Any] | None = None


def learn(
    plan: Plan,
    watching: Watching,
    weights: dict[str, Tensor] | None = None,
) -> Trained:
    """The result of training the plan's model from its first step.

    Parameters
    ----------
    plan
        What is settled of the fit; its model is trained in place.
    watching
        The user's monitors, the signals, and the checkpoints of this fit. Where these have states of an earlier
        process, training goes on from them.
    weights
        What training begins with, instead of fresh weights.

    """
    _demand_shareable(plan)
    if plan.profile:
        demand_profilable(plan.model)
    rows = prepared(plan)
    initialised(plan, rows.train, weights)
    world.same_weights(plan.model)
    bounded = plan if watching.resumed else _bounded(plan, rows)
    schedule, config = _schedule(bounded, rows)
    resolved = replace(plan.resolved, config=replace(plan.config, training=config))
    profile = _told_profile(plan, rows) if plan.profile else None
    minutes_became_steps = config is not plan.config.training
    watching.begin(replace(plan, resolved=resolved), write_now=minutes_became_steps)
    states = _train_members(plan, rows, schedule, watching)
    trained = _collected(replace(plan, resolved=resolved), rows.sample, states)
    trained = _finished(trained, rows, plan.config.seed)
    notices = _missing_notices(plan, rows.train) + trained.notices
    if bounded is not plan:
        notices = (f"no budget was told: the fit was planned for {MAX_MINUTES} minutes; --minutes gives more", *notices)
    return replace(trained, notices=notices, profile=profile)


def continue_training(
    plan: Plan,
    earlier_states: Sequence[dict[str, Any]],
    budget: TrainingConfig,
    peak_rate_factor: float,
    watching: Watching,
) -> Trained:
    """The result of training a model on from where its training ended.

    Where training is interrupted, members of an ensemble whose turn had not come stay as they were.

    Parameters
    ----------
    plan
        That of the run's fit.
    earlier_states
        The state of each member at the end of its training.
    budget
        For how long, in steps, epochs or minutes.
    peak_rate_factor
        The share of the fit's learning rate to which the rate rises.
    watching
        The user's monitors and the signals.

    Raises
    ------
    RunError
        If the states are not those of this model.

    """
    if plan.model.closed:
        raise RunError(f"model {plan.config.model.kind} is at its maximum, and is not trained on; fit again")
    _demand_shareable(plan)
    rows = prepared(plan)
    initialised(plan, rows.train, plan.model.state_dict())
    first, _ = _schedule(plan, rows, budget)
    schedule = Schedule.further(first.total_steps, peak_rate_factor, first.validate_every)
    watching.begin(plan)
    states = _train_members(plan, rows, schedule, watching, earlier_states)
    trained = _collected(plan, rows.sample, states, keep_interrupted=True)
    return _finished(trained, rows, plan.config.seed)


def _told_profile(plan: Plan, rows: Prepared) -> dict[str, Any]:
    """Where the time of a training step goes, printed; of an ensemble of a step of the first member."""
    with batch_size_errors_explained(plan.config):
        found = profiled(plan.model.members[0], rows.train, plan.config.training, rows.objective, plan.config.seed)
    tell(found.text())
    return found.to_dict()


def _demand_shareable(plan: Plan) -> None:
    """Refuse, before rows are encoded, what several processes cannot train together."""
    count = plan.division.training_rows
    demand_shareable(plan.model, plan.resolved.objective(count), plan.config.training.batch_size or count)


def _finished(trained: Trained, rows: Prepared, seed: int) -> Trained:
    """The result after `match_shares`, with the validation bounds as they are at the end.

    Some likelihoods (`matches_shares`) have constants that training does not learn: offsets of the probabilities of
    round numbers, or, of a column that takes only some listed numbers, of each of them. They are set so that these
    numbers have the share in draws of x that they have in the training rows. Where z is summed over, training compared
    weights by some of the points.
    """
    model = trained.model
    if not model.p_x_z.matches_shares and not model.summed:
        return trained
    if model.p_x_z.matches_shares:
        match_shares(model, rows.train, seed)
    precision = trained.config.training.precision
    members = tuple(
        replace(record, validation_elbo=validation_elbo(member, rows.validation, seed + number, precision))
        if record.selected
        else record
        for number, (member, record) in enumerate(zip(model.members, trained.members, strict=True))
    )
    return replace(trained, members=members)


@dataclass(frozen=True)
class Prepared:
    """Encoded rows on the device, and the objective; of very many training rows a sample, else all, is `sample`."""

    train: EncodedRows
    validation: EncodedRows
    sample: EncodedRows
    objective: Objective


def prepared(plan: Plan) -> Prepared:
    """The rows of a plan, encoded, and its objective."""
    encoded = encoded_rows(plan)
    validation = encoded["validation"].binarised_once(plan.config.seed).to(plan.device)
    rows = (
        encoded["train"]
        if plan.schema.binarize == Binarize.DYNAMIC
        else encoded["train"].binarised_once(plan.config.seed)
    )
    if plan.model.closed and isinstance(rows, MappedRows):
        raise ConfigError(
            f"model {plan.config.model.kind} is fitted to all rows at once, and these do not fit into memory; give "
            "fewer rows, or leave the model out"
        )
    rows = rows.to(plan.device)
    return Prepared(rows, validation, encoded_sample(plan, rows), plan.resolved.objective(len(rows)))


def initialised(plan: Plan, rows: EncodedRows, weights: dict[str, Tensor] | None) -> None:
    """Initialise the model by training rows; if it is the user's or has weights, only priors that store rows.

    Of the priors made of Q(z|x) at some rows (`FromPosterior`) these are the ones that know training rows by their
    numbers (`knows_rows`), such as the exemplar prior: the rows are not among the weights.
    """
    first = torch.arange(min(len(rows), _initial_row_count(plan)), device=plan.device)
    batch = rows.take(first).binarised_once(plan.config.seed).evaluation_batch(first)
    if weights is not None:
        plan.model.load_state_dict(weights)
    elif plan.own.model is None:
        plan.model.initialise(batch)
        return
    for member in plan.model.members:
        if isinstance(member, VAE) and isinstance(member.p_z, FromPosterior) and member.p_z.knows_rows:
            member.p_z.initialise(batch.values, batch.covariates, batch.observed)


def _train_members(
    plan: Plan,
    rows: Prepared,
    schedule: Schedule,
    watching: Watching,
    earlier_states: Sequence[dict[str, Any]] = (),
) -> list[TrainingState]:
    """The states of the members at the end of their training, which may be that of the earlier states lengthened."""
    states: list[TrainingState] = []
    checkpoints = watching.checkpoints
    members, interrupted = plan.model.members, False
    for number, member in enumerate(members):
        what = f"fitting {number + 1} of {len(members)}" if len(members) > 1 else "fitting"
        with bar(what, shown=plan.progress) as tick:
            trainer = Trainer(
                rows.train,
                rows.validation,
                plan.config.training,
                schedule,
                objective=rows.objective,
                seed=plan.config.seed + number,
                # of a mass, the bar shows no ELBO above 0: only chance gives one
                monitors=watching.of(tick, plan.model.p_x_z.measure),
                # weights that are not fresh, of the run `plan.init` or of the user's model, may be the best ones
                validate_start=(plan.init is not None or plan.own.model is not None) and not earlier_states,
                columns=() if plan.schema.cells_alike else [column.name for column in plan.schema.modelled],
            )
            state = trainer.state(member)
            checkpointed = None if checkpoints is None else checkpoints.register(state)
            if earlier_states or checkpointed is not None:
                _load_state(state, earlier_states[number] if checkpointed is None else checkpointed)
            if earlier_states:
                state.restart_schedule()
            if interrupted:
                state.finish()
            elif isinstance(member, Normals):
                interrupted = _maximised(member, rows, plan.config, state)
            else:
                with batch_size_errors_explained(plan.config):
                    interrupted = trainer.run(state).interrupted
        states.append(state)
        if interrupted and not earlier_states:
            break
    watching.end()
    return states


def _maximised(model: Normals, rows: Prepared, config: Config, state: TrainingState) -> bool:
    """Fit a model by EM, and record it as one validation; whether it was interrupted."""
    outcome, started = state.outcome, time.perf_counter()
    told, minutes = config.training.steps or config.training.epochs, config.training.minutes
    try:
        fitted = maximise(model, rows.train, rows.validation, seed=config.seed, steps=told, minutes=minutes)
    except KeyboardInterrupt:  # before the first step
        outcome.interrupted = True
        return True
    bound = validation_elbo(model, rows.validation, config.seed, "float32")
    outcome.steps = outcome.selected_step = fitted.steps
    outcome.selected, outcome.best, outcome.seconds = "weights", bound, time.perf_counter() - started
    unknown = dict.fromkeys(("objective", "train_elbo", "reconstruction", "kl"), math.nan)
    state.keep_as_best(state.weights)
    record = {"step": fitted.steps, "epoch": float(fitted.steps), "seconds": outcome.seconds, **unknown}
    record |= {"kl_weight": 1.0, "learning_rate": 0.0, "val_elbo": bound, "val_elbo_average": bound}
    outcome.history.append(record)
    outcome.interrupted = fitted.interrupted
    state.finish()
    return fitted.interrupted


def _load_state(state: TrainingState, stored: dict[str, Any]) -> None:
    try:
        _demand_state_of(state, stored)
        state.load_state_dict(stored)
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise RunError(f"the stored state of training is not that of the run's model ({reason}); fit again") from error


def _demand_state_of(state: TrainingState, stored: dict[str, Any]) -> None:
    """Refuse what is of another model, or of batches of other rows; loading would fill in what is lacking."""
    weights = dict(zip(state.names, state.weights, strict=True))
    demand_same_tensors(stored["averaged"], weights, "averaged")
    demand_same_tensors(stored["best"], state.best_weights, "best")
    for name, moments in stored["optimiser"].items():
        of_weight = {moment: weights[name] for moment in moments if moment != "step"}
        demand_same_tensors(moments, {"step": torch.zeros(()), **of_weight}, f"moments of {name}")
    sampler = stored["sampler"]
    if sampler["seed"] != state.sampler.seed or sampler["position"] != stored["outcome"]["steps"] * state.sampler.batch:
        raise ValueError("the order of rows is another one")
    for tensors in (stored["model"], stored["averaged"], stored["best"]):
        for name, weight in weights.items():
            if weight.requires_grad and name in tensors and not tensors[name].isfinite().all():
                raise ValueError(f"{name} is not finite")


def _initial_row_count(plan: Plan) -> int:
    """How many rows initialise a model: fewer where they are wide, unless the prior is made of Q(z|x) at some."""
    model = plan.model.members[0]
    if isinstance(model, VAE) and isinstance(model.p_z, FromPosterior):
        return MAX_START_ROWS
    return min(MAX_START_ROWS, max(MIN_START_ROWS, MAX_START_CELLS // plan.schema.dims))


def _collected(
    plan: Plan, rows: EncodedRows, states: Sequence[TrainingState], *, keep_interrupted: bool = False
) -> Trained:
    """The result of training; after an interrupt the members that were trained to their end, unless all are kept."""
    kept = [state for state in states if keep_interrupted or not state.outcome.interrupted] or states[:1]
    config, model, notices = plan.config, plan.model, list[str]()
    if len(kept) < len(model.members):
        notices = [f"training was interrupted: {len(kept)} of {len(model.members)} members are kept"]
        config = replace(config, model=replace(config.model, members=len(kept)))
        model = model.members[0] if len(kept) == 1 else Ensemble(model.members[: len(kept)])
    outcomes = [state.outcome for state in kept]
    notices += [_left_out_notice(outcome) for outcome in outcomes if outcome.left_out]
    return Trained(
        config,
        model,
        tuple(_member_record(outcome) for outcome in outcomes),
        _history(outcomes),
        tuple(state.state_dict() for state in states),
        round(sum(state.outcome.seconds for state in states), 2),
        any(state.outcome.interrupted for state in states),
        tuple(notices),
        None if rows.observed is None else Patterns.of(rows.observed),
        None if rows.covariates is None else rows.covariates.cpu(),
        SeenRows.of(model, rows),
    )


def _history(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    records = [
        {**({"member": number} if len(outcomes) > 1 else {}), **record}
        for number, outcome in enumerate(outcomes)
        for record in outcome.history
    ]
    history = pd.DataFrame(records, columns=None if records else ["step", "val_elbo"])
    count_columns = {name: history[name].fillna(0).astype(int) for name in ("left_out", "returns") if name in history}
    return history.assign(**count_columns)


def _left_out_notice(outcome: Outcome) -> str:
    """A notice of the steps of training that were left out, and of what came of it."""
    notice = (
        f"{outcome.left_out} of {outcome.steps} steps were left out, as their loss or gradient norm was not finite or "
        "far too large"
    )
    if outcome.returns:
        times = f"{outcome.returns} time(s)"
        notice += f"; training went back to its best weights {times}, each time at a tenth of the rate"
    if outcome.diverged:
        notice += f", and diverged after step {outcome.steps}; the best weights until then are kept: {outcome.cause}"
    return notice


def _member_record(outcome: Outcome) -> MemberRecord:
    return MemberRecord(
        outcome.steps,
        outcome.selected,
        outcome.selected_step,
        outcome.best if outcome.selected else None,
        outcome.diverged,
    )


def _missing_notices(plan: Plan, train: EncodedRows) -> tuple[str, ...]:
    if train.observed is None:
        return ()
    cells, present, rows = len(train) * plan.schema.dims, 0, 0
    for part in train.observed.split(MAX_COUNTED_ROWS):
        known = part.flatten(1).sum(1)
        present, rows = present + int(known.sum()), rows + int((known < plan.schema.dims).sum())
    missing = cells - present
    return (
        f"{missing:,} of {cells:,} cells ({missing / cells:.1%}) are missing, in {rows:,} of {len(train):,} "
        "training rows: log P(x) is that of the observed ones",
    )


def _bounded(plan: Plan, rows: Prepared) -> Plan:
    """The plan, in steps where it is one of pictures for which no budget was told and which would take too long."""
    config, model, schema = plan.config.training, plan.model, plan.schema
    if config.minutes or config.steps or config.epochs or schema.form == Form.TABLE or not schema.cells_alike:
        return plan
    most = config.max_steps or default_max_steps(len(rows.train))
    weights = sum(weight.numel() for weight in model.parameters())
    if not of_maps(model) and 6 * weights * most * (config.batch_size or len(rows.train)) < LONG:
        return plan
    schedule, timed = _schedule(plan, rows, replace(config, minutes=float(MAX_MINUTES)))
    if schedule.total_steps >= most:
        return plan
    return replace(plan, resolved=replace(plan.resolved, config=replace(plan.config, training=timed)))


def _schedule(plan: Plan, rows: Prepared, budget: TrainingConfig | None = None) -> tuple[Schedule, TrainingConfig]:
    config = plan.config.training if budget is None else budget
    apart = _steps_of_a_validation(plan, rows)
    if plan.model.closed:  # EM ends by itself, by steps or by the clock
        return Schedule.make(replace(config, minutes=None), len(rows.train)), config
    if config.minutes is None:
        return Schedule.make(config, len(rows.train), apart=apart), config
    members = plan.model.members
    minutes = config.minutes / len(members)
    with batch_size_errors_explained(plan.config):
        steps = steps_in(minutes, members[0], rows.train, rows.validation, config, rows.objective, apart)
    schedule = Schedule.make(config, len(rows.train), steps, apart)
    return schedule, replace(config, minutes=None, steps=steps)


def _steps_of_a_validation(plan: Plan, rows: Prepared) -> int:
    """How many steps take ten times as long as a validation, where that counts: of maps, and where z is summed over."""
    batches = len(rows.validation) / (plan.config.training.batch_size or len(rows.train))
    if plan.model.summed:
        return VALIDATION_SHARE * math.ceil(batches)
    return max(1, round(VALIDATION_SHARE * PASSES * batches)) if of_maps(plan.model) else 1
