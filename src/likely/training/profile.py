"""Where the time of a training step goes, and what share of the machine's rate it reaches."""

from __future__ import annotations

import copy
import math
import os
import statistics
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, record_function
from torch.utils.flop_counter import FlopCounterMode

from likely import world
from likely.config import TrainingConfig
from likely.data import EncodedRows
from likely.errors import ConfigError
from likely.models import Model
from likely.objectives import Objective
from likely.training.distributed import SharedLoss
from likely.training.preparing import with_step_constants
from likely.training.schedule import Schedule
from likely.training.trainer import Trainer

__all__ = ["Profile", "demand_profilable", "product_rate", "profiled"]

WARM_UP, STEPS, RECORDED = 3, 20, 10  # steps before, steps that are timed, steps that are recorded
SECONDS = 1.0  # of timed steps, and of recorded ones, after which none is begun
FIRST_SIZE, LARGEST_SIZE = 1024, 16384  # of the matrices whose product is timed
PRODUCT_SECONDS = 0.01  # the size is doubled while a product takes less
PRODUCT_BUDGET = 0.3  # seconds for products of a size
STEP, COMPUTES = "likely: step", "likely: computes"  # marks in the record: a step; the end of reading its batch
CONVOLUTIONS, PRODUCTS, RANDOM, ELEMENTWISE = "convolutions", "matrix_products", "random_numbers", "elementwise"
UPDATE, READING, REST = "update", "reading", "rest"
WORDS = {
    CONVOLUTIONS: "convolutions",
    PRODUCTS: "matrix products",
    RANDOM: "random numbers",
    ELEMENTWISE: "activations, other elementwise work, sums, copies",
    UPDATE: "clipping, optimiser, average",
    READING: "reading the batch",
    REST: "the rest: Python and dispatch",
}
OPERATORS = {  # of torch, by what they are for; those with "conv" in their name are convolutions, others elementwise
    PRODUCTS: "_addmm_activation addbmm addmm addmv addr baddbmm bmm dot einsum linear matmul mm mv outer vdot",
    RANDOM: "_sample_dirichlet _standard_gamma bernoulli bernoulli_ binomial cauchy_ exponential_ geometric_ "
    "log_normal_ multinomial native_dropout normal normal_ poisson rand rand_like randint randint_like randn "
    "randn_like random_ randperm uniform uniform_",
    # views, new memory
    REST: "_local_scalar_dense _reshape_alias _unsafe_view alias as_strided as_strided_ broadcast_tensors chunk conj "
    "contiguous detach diagonal empty empty_like empty_strided expand expand_as flatten item lift_fresh movedim narrow "
    "new_empty new_empty_strided permute reshape resize_ resolve_conj resolve_neg result_type select set_ slice split "
    "split_with_sizes squeeze t to transpose unbind unflatten unsafe_split unsqueeze view view_as",
}
PART_OF = {name: part for part, names in OPERATORS.items() for name in names.split()}


@dataclass(frozen=True)
class Profile:
    """Where the time of a training step goes, and what share of the machine's rate it reaches.

    Attributes
    ----------
    seconds, rows
        Of a step: the median of its wall-clock time, and the rows of its batch.
    shares
        What the step does -> its share of the time; they add to 1.
    operations
        Floating-point operations of the matrix products and convolutions of a step, forward and backward; a product
        of (n, k) and (k, m) has 2 n k m. torch counts the backward pass of grouped convolutions as if of one group.
    product_rate
        Floating-point operations a second of a large matrix product, in the same precision, with the same threads.
    precision, threads, device
        Of the step and the product.

    """

    seconds: float
    rows: int
    shares: Mapping[str, float]
    operations: int
    product_rate: float
    precision: str
    threads: int
    device: str

    @property
    def rows_per_second(self) -> float:
        """Rows of a batch over the seconds of a step."""
        return self.rows / self.seconds

    @property
    def rate(self) -> float:
        """Floating-point operations a second of a step."""
        return self.operations / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON: times in seconds, rates a second."""
        return {
            "seconds_per_step": self.seconds,
            "rows_per_second": self.rows_per_second,
            "batch_size": self.rows,
            "shares": dict(self.shares),
            "operations_per_step": self.operations,
            "operations_per_second": self.rate,
            "matrix_product_operations_per_second": self.product_rate,
            "share_of_matrix_product": self.rate / self.product_rate,
            "precision": self.precision,
            "threads": self.threads,
            "device": self.device,
        }

    def text(self) -> str:
        """A small table, to be printed; GF are 10⁹ floating-point operations."""
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        width = max(map(len, WORDS.values()))
        return "\n".join(
            (
                f"a training step of {self.rows} rows takes {1000 * self.seconds:.3g} ms, {self.rows_per_second:,.0f} "
                f"rows a second ({self.precision}, {threads}, {self.device}):",
                *(f"  {WORDS[part]:{width}} {share:6.1%}" for part, share in self.shares.items()),
                f"its products and convolutions: {self.operations / 1e9:.3g} GF, so {self.rate / 1e9:.3g} GF/s, "
                f"{self.rate / self.product_rate:.0%} of the {self.product_rate / 1e9:.3g} GF/s of a large matrix "
                "product here",
            )
        )


def demand_profilable(model: Model) -> None:
    """Refuse to profile what takes no steps, or takes them in several processes.

    Raises
    ------
    ConfigError
        If the model is fitted in closed form, or there are several processes.

    """
    if model.closed:
        raise ConfigError("a model of normals is fitted by EM, without training steps to profile; leave profile out")
    if world.size() > 1:
        raise ConfigError("a profile is of one process: leave profile out, or fit without torchrun")


def profiled(model: Model, rows: EncodedRows, config: TrainingConfig, objective: Objective, seed: int = 0) -> Profile:
    """The profile of the first steps of training, on copies: the model, and what training draws, stay as they are.

    Parameters
    ----------
    model, objective
        What would be trained, and what would be maximised.
    rows, config
        The training rows, and the options of training.
    seed
        Of the order of rows and of z.

    """
    copied, maximised = copy.deepcopy((model, objective))
    prepared = with_step_constants(copied, rows)
    far = 10**9
    schedule = Schedule(far, open=False, warmup_steps=0, validate_every=far)
    trainer = Trainer(prepared, prepared, config, schedule, objective=maximised, seed=seed)
    state = trainer.state(copied)
    copied.train()
    loss = SharedLoss(copied, maximised, prepared)
    device = state.generator.device

    def step() -> None:
        trainer.step(state, loss)
        _wait(device)

    with state.generators():
        for _ in range(WARM_UP):
            step()
        plain = list(_timed(step, STEPS))
        shares = _shares(step, loss.loss, statistics.median(one.processor for one in plain), device)
        with FlopCounterMode(display=False) as counter:
            step()
    return Profile(
        statistics.median(one.seconds for one in plain),
        state.sampler.batch,
        shares,
        int(counter.get_total_flops()),
        product_rate(trainer.precision, device),
        trainer.precision,
        torch.get_num_threads(),
        str(device),
    )


def product_rate(precision: str, device: torch.device) -> float:
    """Floating-point operations a second of a large matrix product, the fastest of those of 0.3 seconds.

    The product of two square matrices of n rows has 2 n³; n is 1024, or so many that it takes 10 ms.
    """
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    generator = torch.Generator(device).manual_seed(0)  # none of torch's own numbers
    size = FIRST_SIZE
    while True:
        left, right = (torch.rand(size, size, generator=generator, device=device).to(kind) for _ in range(2))

        def product(left: torch.Tensor = left, right: torch.Tensor = right) -> None:
            torch.mm(left, right)
            _wait(device)

        product()
        fastest = min(one.seconds for one in _timed(product, STEPS, PRODUCT_BUDGET))
        if fastest >= PRODUCT_SECONDS or size == LARGEST_SIZE:
            return 2 * size**3 / fastest
        size *= 2


class _Taken(NamedTuple):
    """What a call took: seconds by the clock, and of the processor in this thread, without those of other programs."""

    seconds: float
    processor: float


def _timed(call: Callable[[], None], most: int, budget: float = SECONDS) -> Iterator[_Taken]:
    """What each of some calls took: at most so many, and none is begun after the budget, but the first."""
    begun = time.perf_counter()
    for _ in range(most):
        started, processor = time.perf_counter(), time.thread_time()
        call()
        yield _Taken(time.perf_counter() - started, time.thread_time() - processor)
        if time.perf_counter() - begun > budget:
            return


def _wait(device: torch.device) -> None:
    """Until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _shares(step: Callable[[], None], loss: nn.Module, plain: float, device: torch.device) -> dict[str, float]:
    """What a step does -> its share of the time, by medians over steps; `plain`: the processor's of one not recorded.

    To record an operator takes time, outside its own and so within that of the operator that called it. What recorded
    steps take longer than others, in seconds of the processor, is subtracted there.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the recorder prints lines of its own otherwise

    def mark(*_: Any) -> None:
        with record_function(COMPUTES):
            pass

    def recorded() -> None:
        with record_function(STEP):
            step()

    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    hook = loss.register_forward_pre_hook(mark)
    try:
        with torch.profiler.profile(activities=activities, acc_events=True) as record:
            taken = list(_timed(recorded, RECORDED))
    finally:
        hook.remove()
    events = [event for event in record.events() or () if event.device_type.name == "CPU"]
    events.sort(key=lambda event: event.time_range.start)
    dearer = max(0.0, 1e6 * (statistics.median(one.processor for one in taken) - plain) * len(taken) / len(events))
    starts = [event.time_range.start for event in events]
    steps = [
        _parts(events[place : bisect(starts, event.time_range.end)], dearer, on_gpu=on_gpu)
        for place, event in enumerate(events)
        if event.name == STEP
    ]
    spent = {part: statistics.median(step[part] for step in steps) for part in WORDS}
    return {part: time / math.fsum(spent.values()) for part, time in spent.items()}


def _parts(events: list[FunctionEvent], dearer: float, *, on_gpu: bool) -> dict[str, float]:
    """Microseconds of the parts of a step, by its record, the first event of which is the whole; see `_shares`.

    Of an operator counts its own time, without that of the operators which it calls; on a GPU that of its kernels. The
    batch is read until the loss is called, and the weights are updated once the last gradient is there.
    """
    whole = events[0].time_range
    computes = next(place for place, event in enumerate(events) if event.name == COMPUTES)
    spent = dict.fromkeys(WORDS, 0.0)
    spent[READING] = max(0.0, events[computes].time_range.start - whole.start - dearer * computes)
    differentiated = max(event.time_range.end for event in events if event.name.startswith("autograd::"))
    for event in events[computes:]:
        part = UPDATE if event.time_range.start >= differentiated else _part(event.name)
        own = event.self_cpu_time_total - dearer * len(event.cpu_children)
        spent[part] += event.self_device_time_total if on_gpu else max(0.0, own)
    others = math.fsum(time for part, time in spent.items() if part != REST)
    return spent | {REST: max(0.0, whole.end - whole.start - dearer * len(events) - others)}


def _part(name: str) -> str:
    """What an operator is for, by its name."""
    room, _, word = name.partition("::")
    if "conv" in word:
        return CONVOLUTIONS
    return PART_OF.get(word, ELEMENTWISE) if room == "aten" else REST
