"""How many dimensions z has where it is integrated out and none is told: a trial on validation rows decides."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from itertools import pairwise

import torch

from likely import world
from likely.assembly import Own
from likely.assembly.grammar import AUTO, Trait
from likely.assembly.resolved import DIMENSIONS, resolve
from likely.run.learning import Prepared, initialised, prepared
from likely.run.plan import Plan
from likely.run.progress import bar
from likely.run.settling import fresh
from likely.training import Outcome, Schedule
from likely.training.trainer import train
from likely.training.validate import validate

__all__ = ["with_dimension"]

STEPS, MIN_STEPS = 150, 50  # of each short fit; fewer tell nothing
MAX_JUDGES = 500  # validation rows whose log P(x), over all stored points, decides
SHARE = 0.1  # of a budget in minutes, for each of them
TIMED_STEPS = 2, 10


def with_dimension(plan: Plan) -> Plan:
    """The plan with the number of dimensions whose short fit has the greater mean log P(x) of the validation rows.

    A plan of another model, or with a number that is told, is returned as it is.
    """
    model = plan.resolved.parts["model"]
    if not model.has(Trait.INTEGRATED) or model.arguments[0] != AUTO or plan.own.model is not None:
        return plan
    rows, found, started = prepared(plan), dict[int, float](), time.perf_counter()
    judges = rows.validation.take(torch.arange(min(MAX_JUDGES, len(rows.validation)), device=rows.validation.device))
    with bar("choosing the dimension of z", shown=plan.progress) as tick, torch.random.fork_rng(devices=[]):
        steps = _steps(plan, rows)
        for number, dimension in enumerate(DIMENSIONS if steps else ()):
            trial = _of(plan, dimension, plan.own.copied())
            ended = _trained(trial, rows, steps)
            found[dimension] = validate(trial.model, judges, plan.config.seed).elbo if ended.selected else -math.inf
            tick(number + 1, len(DIMENSIONS))
    best = max(found, key=lambda dimension: found[dimension]) if found else DIMENSIONS[0]
    trials = ", ".join(f"{nats:.3f} with {dimension}" for dimension, nats in found.items())
    reason = f"after {steps} steps {len(judges):,} validation rows have a mean log P(x) of {trials}"
    if not found:
        reason = f"there was no time for {MIN_STEPS} steps with each of {' and '.join(map(str, DIMENSIONS))}"
    said = f"z has {best} dimensions: {reason}"
    spent = world.of_first(time.perf_counter() - started) / 60
    return replace(_of(_with_minutes_less(plan, spent), best, plan.own), notices=(*plan.notices, said))


def _steps(plan: Plan, rows: Prepared) -> int:
    """How many steps each short fit has: fewer where a budget in minutes would not leave most of it, or none."""
    training = plan.config.training
    if training.minutes is None:
        return min(STEPS, Schedule.make(training, len(rows.train)).total_steps)
    trial, ends = _of(plan, DIMENSIONS[0], plan.own.copied()), [time.perf_counter()]
    for steps in TIMED_STEPS:
        _trained(trial, rows, steps)
        ends.append(time.perf_counter())
    short, long = (after - before for before, after in pairwise(ends))
    seconds = max(1e-6, world.of_first(long - short) / (TIMED_STEPS[1] - TIMED_STEPS[0]))
    affordable = int(SHARE * 60 * training.minutes / seconds)
    return min(STEPS, affordable) if affordable >= MIN_STEPS else 0


def _trained(trial: Plan, rows: Prepared, steps: int) -> Outcome:
    initialised(trial, rows.train, None)
    schedule = Schedule(steps, open=False, warmup_steps=0, validate_every=max(1, steps // 3))
    config, seed = trial.config.training, trial.config.seed
    outcome = train(trial.model, rows.train, rows.validation, config, schedule, objective=rows.objective, seed=seed)
    if outcome.interrupted:
        raise KeyboardInterrupt
    return outcome


def _with_minutes_less(plan: Plan, spent: float) -> Plan:
    """The plan with what is left of its minutes, at least half of them."""
    minutes = plan.config.training.minutes
    if minutes is None:
        return plan
    training = replace(plan.config.training, minutes=max(minutes / 2, minutes - spent))
    return replace(plan, resolved=replace(plan.resolved, config=replace(plan.config, training=training)))


def _of(plan: Plan, dimension: int, own: Own) -> Plan:
    """The plan with so many dimensions, and fresh weights."""
    config = plan.config
    asked = replace(config, model=replace(config.model, latent=dimension))
    resolved = resolve(asked, plan.schema, own)
    return replace(plan, resolved=resolved, model=fresh(resolved))
