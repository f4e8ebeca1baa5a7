"""Maximise the objective: the loop, from first step to selected weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from likely.config import TrainingConfig
from likely.data import EncodedRows
from likely.errors import LikelyError
from likely.models import Model, Terms
from likely.networks.precision import autocast
from likely.objectives import ELBO, Objective, loss
from likely.training.schedule import RATE, Plan
from likely.training.validate import validate

__all__ = ["Monitor", "Outcome", "train"]

Monitor = Callable[[int, int, float | None], None]
TICK = 25


@dataclass
class Outcome:
    """What training did: one record per validation, and where the kept weights come from."""

    history: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    selected_step: int = 0
    selected: str = ""
    best: float = float("-inf")
    seconds: float = 0.0
    interrupted: bool = False
    diverged: bool = False


def order(rows: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Row numbers of one batch after the other: every row once per epoch, every batch full, none left over."""
    rest = torch.empty(0, dtype=torch.int64, device=generator.device)
    while True:
        while len(rest) < batch:
            rest = torch.cat([rest, torch.randperm(rows, generator=generator, device=generator.device)])
        yield rest[:batch]
        rest = rest[batch:]


def clip(optimiser: Any, weights: list[Tensor], largest: float) -> None:
    """Hand the fused optimiser what to divide the gradients by, so that their joint norm is at most `largest`.

    It divides while it steps: no pass over the gradients of its own. A step whose gradient is not finite is left out.
    """
    norm = torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None], foreach=True)
    optimiser.grad_scale = (norm / largest).clamp_min(1.0)
    optimiser.found_inf = norm.isfinite().logical_not().to(torch.float32)


class Meter:
    """Means over steps of the loss, the reconstruction term and the KL, without a sync or a kernel in most steps."""

    def __init__(self, device: torch.device) -> None:
        self.sums, self.count = torch.zeros(3, device=device), 0
        self.waiting: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, loss: Tensor, terms: Terms) -> None:
        """Take in one step."""
        self.waiting.append((loss.detach(), terms.log_px_z.detach(), terms.kl.detach()))
        if len(self.waiting) == TICK:
            self._fold()

    def means(self) -> Tensor:
        """The three means since the last call."""
        self._fold()
        means = self.sums / max(1, self.count)
        self.sums, self.count = torch.zeros_like(self.sums), 0
        return means

    def _fold(self) -> None:
        for column, tensors in enumerate(zip(*self.waiting, strict=True)):
            self.sums[column] += torch.stack(tensors).flatten().mean() * len(tensors)
        self.count += len(self.waiting)
        self.waiting = []


def train(
    model: Model,
    rows: EncodedRows,
    validation: EncodedRows,
    config: TrainingConfig,
    plan: Plan,
    *,
    objective: Objective | None = None,
    seed: int = 0,
    monitor: Monitor | None = None,
) -> Outcome:
    """Maximise the objective over the training rows; leave in the model the weights with the best validation ELBO.

    Parameters
    ----------
    model
        Trained in place, on the device where the rows are.
    rows, validation
        Training rows, and the rows that choose weights and stopping (already binarised where that applies).
    config, plan
        How; `config` must be resolved, and the plan made for the number of rows.
    objective
        What is maximised; the ELBO unless chosen otherwise. Validation always reports the ELBO.
    seed
        Of the order of rows, of their binarisation and of z.
    monitor
        Called every few steps with (steps done, steps planned, latest validation ELBO).

    Raises
    ------
    LikelyError
        If the validation ELBO never was finite. If the objective stops being finite later, training stops there and the
        best weights are kept (`Outcome.diverged`).

    """
    objective, device = objective or ELBO(), rows.values.device
    rate = config.learning_rate or RATE
    precision = "float32" if config.precision == "auto" else config.precision
    weights: list[Tensor] = list(model.parameters())
    averaged = [weight.detach().clone() for weight in weights]
    optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=config.weight_decay, fused=True)
    generator = torch.Generator(device).manual_seed(seed)
    batches = order(len(rows), config.batch_size or len(rows), generator)
    outcome, since_best, meter = Outcome(), 0, Meter(device)
    kept = [weight.detach().clone() for weight in weights]
    started = time.perf_counter()
    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        try:
            while outcome.steps < plan.last:
                step = outcome.steps
                kl_weight = plan.kl_weight(step)
                for group in optimiser.param_groups:
                    group["lr"] = rate * plan.rate(step)
                with autocast(precision, device):
                    value, terms = loss(model, rows.batch(next(batches), generator), objective, kl_weight)
                optimiser.zero_grad()
                value.backward()
                clip(optimiser, weights, config.clip)
                optimiser.step()
                with torch.no_grad():
                    keep = min(config.average, (step + 1) / (step + 10))
                    torch._foreach_lerp_(averaged, weights, 1 - keep)
                meter.add(value, terms)
                outcome.steps += 1
                if monitor and outcome.steps % TICK == 0:
                    monitor(outcome.steps, plan.last, outcome.history[-1]["val_elbo"] if outcome.history else None)
                if outcome.steps % plan.every and outcome.steps < plan.last:
                    continue
                record = _record(outcome.steps, config, len(rows), plan, meter.means(), started)
                if terms.relaxed:
                    record["train_elbo"] = math.nan
                if not math.isfinite(record["objective"]):
                    outcome.diverged = True
                    break
                with autocast(precision, device):
                    improved = _select(model, weights, averaged, kept, validation, seed, outcome, record)
                since_best = 0 if improved else since_best + 1
                plan.heed(outcome.steps, since_best)
        except KeyboardInterrupt:
            outcome.interrupted = True
    if outcome.selected:
        _load(weights, kept)
    elif not outcome.interrupted:
        raise LikelyError(
            f"training diverged before step {outcome.steps}: no finite bound on the validation rows; "
            f"look for extreme values, or try --set learning_rate={rate / 3:g}"
        )
    outcome.seconds = time.perf_counter() - started
    model.train()  # also where a validation was interrupted: a prior that stores encoded rows is renewed after training
    model.eval()
    with torch.no_grad():
        model.prior()
    return outcome


def _record(
    steps: int, config: TrainingConfig, rows: int, plan: Plan, means: Tensor, started: float
) -> dict[str, float]:
    value, reconstruction, kl = means.tolist()
    return {
        "step": steps,
        "epoch": steps * (config.batch_size or rows) / rows,
        "seconds": time.perf_counter() - started,
        "objective": -value,
        "train_elbo": reconstruction - kl,
        "reconstruction": reconstruction,
        "kl": kl,
        "kl_weight": plan.kl_weight(steps - 1),
        "learning_rate": (config.learning_rate or RATE) * plan.rate(steps - 1),
    }


def _select(
    model: Model,
    weights: list[Tensor],
    averaged: list[Tensor],
    kept: list[Tensor],
    validation: EncodedRows,
    seed: int,
    outcome: Outcome,
    record: dict[str, float],
) -> bool:
    """Validate the weights and their average, keep the better if it is the best so far, and write the record."""
    record["val_elbo"] = validate(model, validation, seed)[0]
    current = [weight.detach().clone() for weight in weights]
    _load(weights, averaged)
    record["val_elbo_average"] = validate(model, validation, seed)[0]
    improved = False
    for name, source, bound in (
        ("weights", current, record["val_elbo"]),
        ("average", averaged, record["val_elbo_average"]),
    ):
        if bound > outcome.best:
            outcome.best, outcome.selected, outcome.selected_step = bound, name, outcome.steps
            for target, tensor in zip(kept, source, strict=True):
                target.copy_(tensor)
            improved = True
    _load(weights, current)
    outcome.history.append(record)
    return improved


@torch.no_grad()
def _load(weights: list[Tensor], source: list[Tensor]) -> None:
    for weight, tensor in zip(weights, source, strict=True):
        weight.copy_(tensor)
