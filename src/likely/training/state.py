"""The complete state of training between two steps, and its outcome."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from likely import world
from likely.data.drawing import BatchGenerator
from likely.models import Model
from likely.training.meter import Meter
from likely.training.sampler import Sampler

__all__ = ["MAX_FAILURES_IN_A_ROW", "MAX_RETURNS", "Outcome", "TrainingState"]

Tensors = dict[str, Tensor]
MAX_FAILURES_IN_A_ROW = 10  # where one step in four failed by chance, ten in a row would come once in a million
RETURN_RATE_FACTOR = 0.1  # what the rate is multiplied by at a return to the best weights
BETA1, DEFAULT_BETA2 = 0.9, 0.999  # of AdamW
MAX_RETURNS = 3  # to the best weights: three of them lower a rate that is up to 1,000 times too high


@dataclass
class Outcome:
    """What training did: one record per validation, and which step's weights are kept.

    Attributes
    ----------
    history
        One record per validation, in nats.
    steps
        How many were taken.
    selected, selected_step, best
        Whether the kept weights are the `weights` of a step or their `average`; which step's; their validation ELBO.
    seconds
        Wall-clock time.
    interrupted, diverged
        Whether training stopped before its end: because of an interrupt, or because steps failed again and again.
    left_out, returns
        Steps whose loss or gradient norm was not finite, or far beyond the usual, which changed nothing; how often
        training returned to the best weights because of them, each time at a tenth of the rate.
    cause
        Why training diverged, in words.

    """

    history: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    selected_step: int = 0
    selected: str = ""
    best: float = float("-inf")
    seconds: float = 0.0
    interrupted: bool = False
    diverged: bool = False
    left_out: int = 0
    returns: int = 0
    cause: str = ""

    @property
    def failure_counts(self) -> dict[str, float]:
        """`left_out` and `returns` until now, for the history; empty where no step was left out."""
        return {"left_out": self.left_out, "returns": self.returns} if self.left_out else {}


class TrainingState:
    """The complete state of training between two steps: from its `state_dict` training goes on as if never stopped.

    Attributes
    ----------
    model
        Its weights are those of the last step, until training ends; then the best.
    optimiser
        AdamW; it has no moments of a weight that never had a gradient: one that is frozen, or that no network uses.
    ema_weights
        The exponential moving average of the weights, in the order of `model.parameters()`.
    best_weights
        The weights and buffers that validated best, by name.
    last_weights
        Those of the last step, once training has ended.
    sampler, generator
        The order of rows, and the random numbers of a step: of its binarisation, then of z.
    meter
        Means over the steps since the last validation.
    usual_norm
        The average norm of the gradients of about the last 50 steps; infinite before the first.
    start, decay_from
        The step at which this schedule began: 0, or where a continued training began its own (`restart_schedule`); the
        step of this schedule at which the rate began to decay, where no number of steps, epochs or minutes was given.
    since_best
        Validations since the best one.
    failures
        Steps left out in a row.
    outcome
        What training did so far.

    """

    def __init__(
        self,
        model: Model,
        row_count: int,
        batch_size: int,
        rate: float,
        weight_decay: float,
        seed: int,
        beta2: float = DEFAULT_BETA2,
        block: int | None = None,
    ) -> None:
        self.model = model
        self.weights: list[Tensor] = list(model.parameters())
        # Checkpoints name weights as `state_dict` does; a hierarchical model gives some of them other names there than
        # in `named_parameters`.
        stored_names: dict[int, str] = {}
        for name, tensor in model.state_dict(keep_vars=True).items():
            stored_names.setdefault(id(tensor), name)
        self.names = [stored_names.get(id(weight), name) for name, weight in model.named_parameters()]
        device = self.weights[0].device
        self.optimiser = torch.optim.AdamW(
            self.weights, lr=rate, betas=(BETA1, beta2), weight_decay=weight_decay, fused=True
        )
        self.ema_weights = [weight.detach().clone() for weight in self.weights]
        self.best_weights = _copies(model.state_dict())
        self.last_weights: Tensors | None = None
        self.generator = BatchGenerator(device)
        self.generator.manual_seed(seed)
        self.sampler = Sampler(row_count, batch_size, seed, block)
        self.meter = Meter(device)
        self.usual_norm = torch.tensor(math.inf, device=device)
        self.start, self.since_best, self.failures = 0, 0, 0
        self.decay_from: int | None = None
        self.outcome = Outcome()
        self._torch_rng_states: Tensors = {}
        self._running, self._seed = False, seed

    @property
    def step(self) -> int:
        """Steps taken."""
        return self.outcome.steps

    @property
    def rate_factor(self) -> float:
        """Factor of the learning rate, which falls at each return to the best weights."""
        return RETURN_RATE_FACTOR**self.outcome.returns

    def count_failure(self) -> None:
        """Count a failed step, which changed no weights, and restore buffers that it left not finite, such as means."""
        self.outcome.left_out += 1
        self.failures += 1
        for name, buffer in self.model.named_buffers():
            best = self.best_weights.get(name)
            if best is not None and best.isfinite().all() and not buffer.isfinite().all():
                buffer.copy_(best)

    def return_to_best(self) -> None:
        """Load the best weights and buffers, or those of the start; the moments and the average restart from there."""
        self.model.load_state_dict(self.best_weights)
        for average, weight in zip(self.ema_weights, self.weights, strict=True):
            average.copy_(weight.detach())
        self.optimiser.state.clear()
        self.usual_norm.fill_(math.inf)
        self.failures = 0
        self.outcome.returns += 1

    def keep_as_best(self, weights: list[Tensor]) -> None:
        """Remember these weights, and the present buffers, as the best so far."""
        new = {id(weight): tensor for weight, tensor in zip(self.weights, weights, strict=True)}
        for name, tensor in self.model.state_dict(keep_vars=True).items():
            self.best_weights[name].copy_(new.get(id(tensor), tensor).detach())

    def set_weights(self, weights: list[Tensor]) -> None:
        """Give the model these weights."""
        with torch.no_grad():
            for weight, tensor in zip(self.weights, weights, strict=True):
                weight.copy_(tensor)

    def finish(self) -> None:
        """End training: load the best weights and buffers, and remember the last ones."""
        self.last_weights = _copies(self.model.state_dict())
        if self.outcome.selected:
            self.model.load_state_dict(self.best_weights)

    def restart_schedule(self) -> None:
        """Start a new schedule at this step, from the last weights and buffers, after training has ended."""
        if self.last_weights is not None:
            self.model.load_state_dict(self.last_weights)
            self.last_weights = None
        self.start, self.decay_from, self.since_best, self.failures = self.step, None, 0, 0

    @contextmanager
    def generators(self) -> Iterator[None]:
        """Within it torch's own generator is this state's, for modules that draw from it; after it the caller's."""
        device = self.generator.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self._seed)
            if "torch" in self._torch_rng_states:
                torch.set_rng_state(self._torch_rng_states["torch"])
            if "torch_cuda" in self._torch_rng_states and device.type == "cuda":
                torch.cuda.set_rng_state(self._torch_rng_states["torch_cuda"], device)
            self._running = True
            try:
                yield
            finally:
                self._running, self._torch_rng_states = False, _torch_rng_states(device)

    def seed_dropout(self) -> None:
        """Make torch's own generator, as of dropout, another one in each process; in the first it goes on."""
        if not world.first():
            torch.manual_seed((self._seed * 0x9E3779B97F4A7C15 + self.step * world.size() + world.rank()) % 2**63)

    def state_dict(self) -> dict[str, Any]:
        """Nested dictionaries of tensors, numbers, texts and lists of records; all tensors are copies.

        They are in the main memory: a device that training fills has no room for them.
        """
        moments = self.optimiser.state_dict()["state"]
        torch_rng_states = _torch_rng_states(self.generator.device) if self._running else self._torch_rng_states
        return {  # keys are as the first versions stored them: "averaged" is `ema_weights`, "best" `best_weights`
            "model": _on_cpu(self.model.state_dict() if self.last_weights is None else self.last_weights),
            "averaged": _on_cpu(dict(zip(self.names, self.ema_weights, strict=True))),
            "best": _on_cpu(self.best_weights),
            "optimiser": {name: _on_cpu(moments[place]) for place, name in enumerate(self.names) if place in moments},
            "sampler": self.sampler.state_dict(),
            "meter": self.meter.state_dict(),
            "generator": self.generator.get_state(),
            **torch_rng_states,
            "schedule": {"start": self.start, "decay_from": self.decay_from, "since_best": self.since_best},
            "failures": self.failures,
            "usual_norm": self.usual_norm.to("cpu", copy=True),
            "outcome": asdict(self.outcome),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave, with a model of the same parts; another kind of device draws otherwise."""
        self.model.load_state_dict(state["model"])
        self.ema_weights = [
            state["averaged"][name].to(weight, copy=True) for name, weight in zip(self.names, self.weights, strict=True)
        ]
        for name, tensor in state["best"].items():
            self.best_weights[name].copy_(tensor)
        groups = self.optimiser.state_dict()["param_groups"]
        stored = state["optimiser"]
        moments = {place: stored[name] for place, name in enumerate(self.names) if name in stored}
        self.optimiser.load_state_dict(
            {"state": {place: _copies(one) for place, one in moments.items()}, "param_groups": groups}
        )
        self.sampler.load_state_dict(state["sampler"])
        self.meter.load_state_dict(state["meter"])
        if state["generator"].shape == self.generator.get_state().shape:
            self.generator.set_state(state["generator"])
        else:
            self.generator.manual_seed(self._seed + state["outcome"]["steps"])
        self._torch_rng_states = {name: state[name] for name in ("torch", "torch_cuda") if name in state}
        self.start, self.since_best = state["schedule"]["start"], state["schedule"]["since_best"]
        self.decay_from, self.failures = state["schedule"]["decay_from"], state.get("failures", 0)
        self.usual_norm.copy_(state.get("usual_norm", self.usual_norm))
        self.outcome = Outcome(**copy.deepcopy(state["outcome"]))
        self.last_weights = None


def _torch_rng_states(device: torch.device) -> Tensors:
    """The states of torch's own generators: the processor's, and that of a GPU that trains."""
    cuda = {"torch_cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"torch": torch.get_rng_state(), **cuda}


def _on_cpu(tensors: dict[str, Any]) -> Tensors:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _copies(tensors: dict[str, Any]) -> Tensors:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
