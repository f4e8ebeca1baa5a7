"""Whether what lies in a run's directory beside its model is what training could have stored there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from likely.files import built
from likely.training import Outcome

__all__ = ["demand_consistent_history", "demand_consistent_plan", "demand_consistent_state", "demand_same_tensors"]

MOST = 2**53  # steps, rows and counts: what a float64 holds
COUNTS = ("member", "step", "left_out", "returns")  # columns of a history that are whole numbers
MEASURED = (
    "epoch", "seconds", "objective", "train_elbo", "reconstruction", "kl", "kl_weight", "learning_rate", "val_elbo",
    "val_elbo_average",
)  # fmt: skip
SELECTED = ("", "weights", "average")


@dataclass(frozen=True)
class _Plan:
    config: Mapping[str, Any] | None = None
    notices: tuple[str, ...] = ()
    threads: int | None = None


@dataclass(frozen=True)
class _Sampler:
    seed: int
    position: int


@dataclass(frozen=True)
class _Meter:
    sums: Tensor
    count: int
    waiting: Mapping[str, Tensor]


@dataclass(frozen=True)
class _Schedule:
    start: int
    decay_from: int | None
    since_best: int


@dataclass(frozen=True)
class _State:
    model: Mapping[str, Tensor]
    averaged: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    optimiser: Mapping[str, Mapping[str, Tensor]]
    sampler: Mapping[str, Any]
    meter: Mapping[str, Any]
    generator: Tensor
    schedule: Mapping[str, Any]
    outcome: Mapping[str, Any]
    torch: Tensor | None = None
    torch_cuda: Tensor | None = None
    failures: int = 0
    usual_norm: Tensor | None = None


def demand_consistent_plan(plan: Any) -> None:
    """Check what a checkpoint says was requested of training.

    Raises
    ------
    ValueError
        If it is something else.

    """
    built(_Plan, plan, "the plan", {"threads": (1, 2**20)})


def demand_consistent_state(state: Any) -> None:
    """Check the types and the ranges of what training knew; whether its tensors are those of a model is not known here.

    Raises
    ------
    ValueError
        If it is no state, or one that training cannot come to.

    """
    stored = built(_State, state, "the state", {"failures": (0, MOST)})
    outcome = built(Outcome, stored.outcome, "the outcome", dict.fromkeys(("steps", "returns"), (0, MOST)))
    steps = {"start": (0, outcome.steps), "decay_from": (0, outcome.steps), "since_best": (0, MOST)}
    built(_Schedule, stored.schedule, "the schedule", steps)
    built(_Sampler, stored.sampler, "the sampler", {"position": (0, 2**63)})
    meter = built(_Meter, stored.meter, "the meter", {"count": (0, MOST)})
    counts = {"selected_step": outcome.selected_step, "left_out": outcome.left_out}
    for name, count in counts.items():
        if not 0 <= count <= outcome.steps:
            raise ValueError(f"{name} is {count} after {outcome.steps} steps")
    if outcome.selected not in SELECTED or bool(outcome.selected) != (outcome.best > -math.inf):
        raise ValueError(f"{outcome.selected!r} weights were kept, with a bound of {outcome.best}")
    if not 0 <= outcome.seconds < math.inf:
        raise ValueError(f"training took {outcome.seconds} seconds")
    if meter.sums.shape != (3,) or len({len(part) for part in meter.waiting.values() if part.ndim}) > 1:
        raise ValueError("the meter's sums are not three, or its steps are not as many of each")
    for name in ("generator", "torch", "torch_cuda"):
        numbers = getattr(stored, name)
        if numbers is not None and (numbers.dtype != torch.uint8 or numbers.ndim != 1):
            raise ValueError(f"{name} is no state of random numbers")
    usual = stored.usual_norm
    if usual is not None and (usual.shape or not usual.is_floating_point() or not usual >= 0):
        raise ValueError("usual_norm is no norm of a gradient")
    for record in outcome.history:
        _demand_known(record, f"step {record.get('step')}")
    _demand_rising([record["step"] for record in outcome.history], outcome.steps)


def demand_consistent_history(history: pd.DataFrame) -> None:
    """Check a table of validations.

    Raises
    ------
    ValueError
        If its columns are others, or hold something else than numbers.

    """
    _demand_known(history.columns, "the history")
    if not len(history):
        return
    for name, column in history.items():
        if column.dtype.kind not in ("iu" if name in COUNTS else "iuf"):
            raise ValueError(f"the history's {name} is of type {column.dtype}")
    for _, part in history.groupby("member") if "member" in history else [(0, history)]:
        _demand_rising(part["step"].tolist(), MOST)


def demand_same_tensors(stored: Mapping[str, Tensor], known: Mapping[str, Tensor], what: str) -> None:
    """Check that stored tensors have the names, shapes and types of known ones.

    Raises
    ------
    ValueError
        If they have others.

    """
    if stored.keys() != known.keys():
        other = min(stored.keys() ^ known.keys())
        raise ValueError(f"{what}: {other} is {'unknown' if other in stored else 'not there'}")
    for name, tensor in stored.items():
        if tensor.shape != known[name].shape or tensor.dtype != known[name].dtype:
            raise ValueError(f"{what}: {name} is of shape {tuple(tensor.shape)} and type {tensor.dtype}")


def _demand_known(names: Any, where: str) -> None:
    other = [name for name in names if name not in (*COUNTS, *MEASURED)]
    lacking = [name for name in ("step", "val_elbo") if name not in names]
    if other or lacking:
        raise ValueError(f"{where} has {other[0]!r}" if other else f"{where} lacks {lacking[0]}")


def _demand_rising(steps: list[Any], last: int) -> None:
    whole = all(math.isfinite(step) and step == int(step) for step in steps)
    if not whole or any(one >= other for one, other in pairwise([*steps, last + 1])):
        raise ValueError("the steps of the history do not rise, or go beyond the last")
