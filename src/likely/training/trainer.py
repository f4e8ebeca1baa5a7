"""The training loop: from the first step to the selected weights."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from likely.config import WEIGHT_DECAY, TrainingConfig
from likely.data import Batch, EncodedRows
from likely.errors import ConfigError, InputError
from likely.models import Model
from likely.networks.precision import autocast
from likely.objectives import ELBO, Objective
from likely.training.causes import cause_of
from likely.training.distributed import SharedLoss, demand_shareable
from likely.training.monitors import Monitor
from likely.training.preparing import with_step_constants
from likely.training.schedule import DEFAULT_RATE, Schedule
from likely.training.state import DEFAULT_BETA2, MAX_FAILURES_IN_A_ROW, MAX_RETURNS, Outcome, TrainingState
from likely.training.validate import validate

__all__ = ["Trainer", "take_step", "train", "validation_elbo"]

SPIKE, NORM_WEIGHT = 1000.0, 0.02  # times the usual norm of the gradient; of a step in that average
MAX_CAUSE_ROWS = 1000  # validation rows in which the cause of a diverged training is looked for


class Trainer:
    """Maximises an objective over training rows; validation rows choose the weights, by the ELBO.

    Parameters
    ----------
    rows, validation
        Training rows, and the rows that choose weights and stopping (already binarised where that applies).
    config, schedule
        The options of training, and the schedule for this number of rows. A fit has chosen all options; where a model
        is trained without one, `learning_rate` and `weight_decay` may be `None` (`DEFAULT_RATE`, `WEIGHT_DECAY`),
        `batch_size` `None` (all rows) and `precision` `auto` (float32).
    objective
        What is maximised; the ELBO unless chosen otherwise. Validation always reports the ELBO.
    seed
        Seed of the order of rows, of their binarisation, of z, and of the noise in validation.
    monitors
        Called after every step, every validation and the end.
    validate_start
        Whether the weights before the first step are validated too, as candidates for the best.
    columns
        Names of the cells of a row, where they have names, for messages.

    Raises
    ------
    ConfigError
        If learning rate times weight decay is 1 or more, so that a step would turn the sign of weights.

    """

    def __init__(
        self,
        rows: EncodedRows,
        validation: EncodedRows,
        config: TrainingConfig,
        schedule: Schedule,
        *,
        objective: Objective | None = None,
        seed: int = 0,
        monitors: Sequence[Monitor] = (),
        validate_start: bool = False,
        columns: Sequence[str] = (),
    ) -> None:
        self.rows, self.validation, self.config, self.schedule = rows, validation, config, schedule
        self.objective, self.seed, self.monitors = objective or ELBO(), seed, tuple(monitors)
        self.validate_start, self.columns = validate_start, columns
        self.base_rate = config.learning_rate or DEFAULT_RATE  # the schedule's factors multiply it
        self.weight_decay = WEIGHT_DECAY if config.weight_decay is None else config.weight_decay
        self.precision = "float32" if config.precision == "auto" else config.precision
        if self.base_rate * schedule.peak * self.weight_decay >= 1:
            raise ConfigError(
                f"weight_decay={self.weight_decay:g} at learning_rate={self.base_rate:g} subtracts "
                f"{self.base_rate * self.weight_decay:g} times each weight from it in a step; the product must be "
                f"below 1: set weight_decay below {1 / (self.base_rate * schedule.peak):g}, or a smaller learning_rate"
            )

    def state(self, model: Model) -> TrainingState:
        """The state before the first step."""
        batch = self.config.batch_size or len(self.rows)
        beta2 = self.config.beta2 or DEFAULT_BETA2
        rates = self.base_rate, self.weight_decay
        return TrainingState(model, len(self.rows), batch, *rates, self.seed, beta2, self.config.block_rows)

    def run(self, state: TrainingState) -> Outcome:
        """Train to the end of the schedule; leave in the model the weights with the best validation ELBO.

        A step whose loss or gradient norm is not finite, or whose norm is 1,000 times the usual one, is left out. After
        some of them in a row it returns to the best weights, at a smaller rate; where that has not helped it stops, and
        the best weights are kept (`Outcome.diverged`).

        Raises
        ------
        InputError
            If the validation ELBO never was finite; it names the likely cause.
        ConfigError
            If what is trained is not for several processes, and there are several.

        """
        demand_shareable(state.model, self.objective, state.sampler.batch)
        outcome, started = state.outcome, time.perf_counter() - state.outcome.seconds
        outcome.interrupted = False
        # What each step needs of the rows but no step changes, such as places on the warped axis, is computed once.
        self.rows, self.validation = (with_step_constants(state.model, rows) for rows in (self.rows, self.validation))
        state.model.train()
        loss = SharedLoss(state.model, self.objective, self.rows)
        with state.generators():
            try:
                if self.validate_start and not outcome.history:
                    self._validate_start(state)
                # the schedule counts steps from `state.start`: 0, or the step at which a continued training began anew
                while not outcome.diverged and state.step - state.start < self.schedule.end(state.decay_from):
                    relaxed = self.step(state, loss)
                    outcome.seconds = time.perf_counter() - started
                    if self._is_validation_step(state):
                        self._validate(state, relaxed)
                    end = state.start + self.schedule.end(state.decay_from)
                    for monitor in self.monitors:
                        monitor.on_step(state.step, end)
            except KeyboardInterrupt:
                outcome.interrupted = True
                state.sampler.rewind(state.step)  # a step that was cut short has taken no rows
        if not outcome.selected and not outcome.interrupted:
            raise InputError(
                f"training diverged before step {outcome.steps}, with no finite bound on the validation rows: "
                f"{self._cause(state)}; look for extreme values, or try --set learning_rate={self.base_rate / 3:g}"
            )
        state.finish()
        outcome.seconds = time.perf_counter() - started
        _refresh_for_evaluation(state.model)
        for monitor in self.monitors:
            monitor.on_end(outcome)
        return outcome

    def step(self, state: TrainingState, loss: SharedLoss) -> bool:
        """Take one step; return whether z in it was relaxed codes, under which the ELBO is no bound."""
        position = state.step - state.start
        for group in state.optimiser.param_groups:
            group["lr"] = self.base_rate * self.schedule.rate(position, state.decay_from) * state.rate_factor
        numbers = state.sampler.next().to(state.generator.device)
        if state.sampler.window_begun:
            self.rows.expect(state.sampler.coming())
        batch = loss.batch(numbers, state.generator)
        state.seed_dropout()
        with autocast(self.precision, state.generator.device):
            loss_value, terms = loss(batch, self.schedule.kl_weight(position), state.generator)
        for weight in state.weights:
            weight.grad = None
        means = loss.backward(loss_value, terms)
        if take_step(state.optimiser, state.weights, self.config.clip, means.loss, state.usual_norm):
            with torch.no_grad():
                decay = min(self.config.ema_decay, (state.step + 1) / (state.step + 10))
                torch._foreach_lerp_(state.ema_weights, state.weights, 1 - decay)
            state.meter.add(means)
            state.failures = 0
        else:
            self._handle_failure(state, batch)
        state.outcome.steps += 1
        return bool(terms.relaxed)

    def _handle_failure(self, state: TrainingState, batch: Batch) -> None:
        """Count a step that was left out; after several in a row return to the best weights, or give up."""
        state.count_failure()
        if state.failures < MAX_FAILURES_IN_A_ROW:
            return
        if state.outcome.returns == MAX_RETURNS:
            state.outcome.diverged = True
            state.outcome.cause = cause_of(state.model, batch, self.columns, self.base_rate * state.rate_factor)
        else:
            state.return_to_best()

    def _cause(self, state: TrainingState) -> str:
        if state.outcome.cause:
            return state.outcome.cause
        state.model.eval()
        first = torch.arange(min(MAX_CAUSE_ROWS, len(self.validation)), device=self.validation.device)
        return cause_of(
            state.model, self.validation.evaluation_batch(first), self.columns, self.base_rate * state.rate_factor
        )

    def _is_validation_step(self, state: TrainingState) -> bool:
        position = state.step - state.start
        return position % self.schedule.validate_every == 0 or position >= self.schedule.end(state.decay_from)

    def _validate(self, state: TrainingState, relaxed: bool) -> None:
        """Validate the weights and their average, keep the better if it is the best so far, and record it."""
        outcome, record = state.outcome, self._record(state)
        if relaxed:
            record["train_elbo"] = math.nan
        with autocast(self.precision, state.generator.device):
            record["val_elbo"] = validate(state.model, self.validation, self.seed, roughly=True).elbo
            current = [weight.detach().clone() for weight in state.weights]
            state.set_weights(state.ema_weights)
            try:
                record["val_elbo_average"] = validate(state.model, self.validation, self.seed, roughly=True).elbo
            finally:
                state.set_weights(current)
        state.since_best += 1
        for name, weights, bound in (
            ("weights", current, record["val_elbo"]),
            ("average", state.ema_weights, record["val_elbo_average"]),
        ):
            if bound > outcome.best:
                outcome.best, outcome.selected, outcome.selected_step = bound, name, state.step
                state.keep_as_best(weights)
                state.since_best = 0
        outcome.history.append(record)
        position = state.step - state.start
        if state.decay_from is None and self.schedule.decay_begins(position, state.since_best):
            state.decay_from = position
        for monitor in self.monitors:
            monitor.on_validation(record)

    def _validate_start(self, state: TrainingState) -> None:
        """Validate the weights before the first step: the record of step 0, with NaN for what training measures."""
        with autocast(self.precision, state.generator.device):
            bound = validate(state.model, self.validation, self.seed, roughly=True).elbo
        if bound > state.outcome.best:
            state.outcome.best, state.outcome.selected, state.outcome.selected_step = bound, "weights", state.step
            state.keep_as_best(state.weights)
        unknown = dict.fromkeys(("objective", "train_elbo", "reconstruction", "kl"), math.nan)
        record = {
            "step": state.step,
            "epoch": 0.0,
            "seconds": 0.0,
            **unknown,
            "kl_weight": self.schedule.kl_weight(0),
            "learning_rate": 0.0,
            "val_elbo": bound,
            "val_elbo_average": bound,
        }
        state.outcome.history.append(record)
        for monitor in self.monitors:
            monitor.on_validation(record)

    def _record(self, state: TrainingState) -> dict[str, float]:
        loss_value, reconstruction, kl = state.meter.means().tolist()
        batch, position = self.config.batch_size or len(self.rows), state.step - state.start - 1
        return {
            "step": state.step,
            "epoch": state.step * batch / len(self.rows),
            "seconds": state.outcome.seconds,
            "objective": -loss_value,
            "train_elbo": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "kl_weight": self.schedule.kl_weight(position),
            "learning_rate": self.base_rate * self.schedule.rate(position, state.decay_from) * state.rate_factor,
            **state.outcome.failure_counts,
        }


def take_step(optimiser: Any, weights: list[Tensor], max_norm: float, loss: Tensor, usual_norm: Tensor) -> bool:
    """Step by clipped gradients, unless they are to be left out; whether it was done.

    Left out is a step whose loss or gradient norm is not finite, or whose norm is 1,000 times the usual one (an average
    over about the last 50 steps, which this updates in place): such a step says nothing of the other rows (Child 2021,
    Very deep VAEs, section 3.3, skips by a fixed norm).

    The fused optimiser is given what to divide the gradients by, so that their joint norm is at most `max_norm`, and
    divides while it steps: this takes no pass over the gradients of its own. The norm is in float32, so that from
    entries of about 1.8e19 on it is infinite, and the step is left out though each entry is finite. On a processor the
    norm is at hand, and what is not needed is not computed; elsewhere to wait for it before the step would cost more.
    """
    norm = torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None], foreach=True)
    step = _step_by_known_norm if norm.is_cpu else _step_on_device
    return step(optimiser, norm, max_norm, loss, usual_norm)


def _step_by_known_norm(optimiser: Any, norm: Tensor, max_norm: float, loss: Tensor, usual_norm: Tensor) -> bool:
    size, usual = norm.item(), usual_norm.item()
    if not math.isfinite(size + 0 * loss.item()) or size > SPIKE * usual:
        return False
    usual_norm.fill_(size if math.isinf(usual) else usual + NORM_WEIGHT * (size - usual))
    optimiser.grad_scale = (norm / max_norm).to(torch.float32) if size > max_norm else None  # the type it takes
    optimiser.step()
    return True


def _step_on_device(optimiser: Any, norm: Tensor, max_norm: float, loss: Tensor, usual_norm: Tensor) -> bool:
    optimiser.grad_scale = (norm / max_norm).clamp_min(1.0).to(torch.float32)
    measured = norm.detach().to(usual_norm)
    left_out = (norm + 0 * loss).isfinite().logical_not() | (measured > SPIKE * usual_norm)
    known = torch.where(usual_norm.isfinite(), usual_norm.lerp(measured, NORM_WEIGHT), measured)
    usual_norm.copy_(torch.where(left_out, usual_norm, known))
    optimiser.found_inf = left_out.to(torch.float32)
    optimiser.step()
    return not left_out.item()  # the one sync of a step; the copy of the next row numbers would wait as long


def _refresh_for_evaluation(model: Model) -> None:
    """Change to evaluation: priors that store encoded rows encode them anew, even if a validation was interrupted.

    They do so at a change from training to evaluation. An interrupted validation leaves the model in evaluation with
    rows encoded by other weights; so it first changes to training, as `eval` alone would change nothing.
    """
    model.train()
    model.eval()
    with torch.no_grad():
        model.prior()


def validation_elbo(model: Model, validation: EncodedRows, seed: int, precision: str) -> float:
    """Mean ELBO of validation rows under a model whose training has ended, in nats."""
    with autocast(precision, validation.device):
        elbo = validate(model, validation, seed).elbo
    _refresh_for_evaluation(model)
    return elbo


def train(
    model: Model,
    rows: EncodedRows,
    validation: EncodedRows,
    config: TrainingConfig,
    schedule: Schedule,
    **options: Any,
) -> Outcome:
    """Train a model from its first step (see `Trainer`)."""
    trainer = Trainer(rows, validation, config, schedule, **options)
    return trainer.run(trainer.state(model))
