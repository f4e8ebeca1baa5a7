"""How many dimensions z has where it is integrated out and none is told: a trial on validation rows decides."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from likely.assembly import Own
from likely.assembly.grammar import Trait
from likely.assembly.models import ANY_DIMENSION
from likely.assembly.resolved import DIMENSIONS, resolve
from likely.run.learning import initialised, prepared
from likely.run.plan import Plan
from likely.run.progress import bar
from likely.run.settling import fresh
from likely.training import Schedule
from likely.training.trainer import train

__all__ = ["with_dimension"]

STEPS = 150  # of each short fit


def with_dimension(plan: Plan) -> Plan:
    """The plan with the number of dimensions whose short fit has the greater mean log P(x) of the validation rows.

    A plan of another model, or with a number that is told, is returned as it is.
    """
    model = plan.resolved.parts["model"]
    if not model.has(Trait.INTEGRATED) or model.arguments[0] != ANY_DIMENSION or plan.own.model is not None:
        return plan
    rows, found = prepared(plan), dict[int, float]()
    steps = min(STEPS, plan.config.training.steps or STEPS)
    schedule = Schedule(steps, open=False, warmup_steps=0, validate_every=max(1, steps // 3))
    with bar("choosing the dimension of z", shown=plan.progress) as tick, torch.random.fork_rng(devices=[]):
        for number, dimension in enumerate(DIMENSIONS):
            trial = _of(plan, dimension, plan.own.copied())
            initialised(trial, rows.train, None)
            config, seed = trial.config.training, trial.config.seed
            outcome = train(
                trial.model, rows.train, rows.validation, config, schedule, objective=rows.objective, seed=seed
            )
            if outcome.interrupted:
                raise KeyboardInterrupt
            found[dimension] = outcome.best if outcome.selected else -math.inf
            tick(number + 1, len(DIMENSIONS))
    best = max(found, key=lambda dimension: found[dimension])
    trials = ", ".join(f"{nats:.3f} with {dimension}" for dimension, nats in found.items())
    said = f"z has {best} dimensions: after {steps} steps the validation rows have a mean log P(x) of {trials}"
    return replace(_of(plan, best, plan.own), notices=(*plan.notices, said))


def _of(plan: Plan, dimension: int, own: Own) -> Plan:
    """The plan with so many dimensions, and fresh weights."""
    config = plan.config
    asked = replace(config, model=replace(config.model, latent=dimension))
    resolved = resolve(asked, plan.schema, own)
    return replace(plan, resolved=resolved, model=fresh(resolved))
