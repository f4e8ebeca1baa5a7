"""A neural spline flow on the model's own axis, trained for as long as the model was: a rival that is not plain."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from likely.data import EncodedRows, Schema
from likely.data.noise import Stream, uniform
from likely.errors import RunError
from likely.evaluation.baselines.boxes import Boxes
from likely.evaluation.baselines.cells import NumericCells
from likely.evaluation.baselines.scored import Baseline, bits_per_dim
from likely.evaluation.baselines.support import two_valued
from likely.evaluation.sampling import Progress
from likely.priors import Flow

__all__ = ["Budget", "FlowRival", "Trained", "boxes_of", "fit_flow", "refusal", "spline_flow", "train_flow"]

NAME = "neural_spline_flow"
TRANSFORMS, HIDDEN = 3, (64, 64)
LEARNING_RATE, WARM_STEPS, WEIGHT_DECAY, BATCH, MAX_NORM = 2e-3, 50, 1e-4, 128, 5.0
AVERAGE = 0.99  # of the weights' running mean
VALIDATIONS, HELD_POINTS, MAX_HELD = 20, 8, 2000  # how often, on how many points of a row and in all
TIMED, TIMED_SHARE = 20, 0.05  # steps on a copy, for a share of the seconds, that tell how many fit into these
POINTS = 256  # of a row's boxes, at which the density is averaged
CHUNK = 2**17  # points whose density is taken at once


def refusal(schema: Schema, *rows: EncodedRows) -> str:
    """Why no flow can be fitted to such rows, empty where it can."""
    if schema.cells_alike:
        return "they are for tables, and this run is of an array or of pictures"
    for column in schema.modelled:
        if not column.numeric and not two_valued(column):
            return f"they need numeric columns, and {column.name!r} is {column.kind}"
        if column.measure == "mixed":
            return f"they have no masses at single numbers, as column {column.name!r} has at {column.atoms[0]:g}"
    return "they need rows without missing cells" if any(part.observed is not None for part in rows) else ""


@dataclass(frozen=True)
class Budget:
    """How long a flow is trained.

    Attributes
    ----------
    seconds, clock
        So many seconds by this clock.
    seed
        Of the starting weights, the points and the batches.
    progress
        Called with (steps done, steps).

    """

    seconds: float
    seed: int = 0
    clock: Callable[[], float] = time.perf_counter
    progress: Progress | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """A flow after training: its steps, and the one whose weights were kept."""

    flow: nn.Module
    steps: int
    kept: int


@dataclass(frozen=True, eq=False)
class FlowRival:
    """A density f of y, and the masses that it gives to rows.

    A share 1/(n + 1), n the training rows, is that of the marginals, as for unseen values, so that no row has P = 0.

    Attributes
    ----------
    cells
        With y on the warped axis.
    flow
        f; its call returns the distribution.
    rows
        n.
    name, kind
        What it is called, and what it is.

    """

    cells: NumericCells
    flow: nn.Module
    rows: int
    name: str
    kind: str

    def score(
        self, rows: EncodedRows, marginals: np.ndarray, *, seed: int = 0, progress: Progress | None = None
    ) -> Baseline:
        """log of the mean density over 256 points of each row's boxes, times their volume: a lower bound on log P(x).

        The points are uniform and keyed by (seed, row), so that the mean is unbiased; its log is a lower bound in
        expectation.

        Parameters
        ----------
        rows
            Encoded by the schema.
        marginals
            log P(x) of the rows under independent marginals.
        seed
            Of the points.
        progress
            Called with (rows done, rows).

        """
        rows, share = rows.to("cpu"), 1 / (self.rows + 1)
        keys, size = rows.keys(seed), max(1, CHUNK // POINTS)
        parts = []
        for first in range(0, len(rows), size):
            parts.append(self._bound(rows.stored(first, first + size).values, keys[first : first + size]))
            if progress is not None:
                progress(min(first + size, len(rows)), len(rows))
        bound = torch.cat(parts).numpy()
        nats = np.logaddexp(math.log1p(-share) + bound, math.log(share) + marginals)
        return Baseline(self.name, nats, bits_per_dim(nats, rows), self.kind, bound=True)

    @torch.no_grad()
    def _bound(self, values: Tensor, keys: Tensor) -> Tensor:
        seen = self.cells.read(values)
        boxes, size = Boxes.of(seen), len(self.cells)
        u = uniform(keys, Stream.RIVAL, 0, POINTS, 2 * size).to(torch.float64)
        y = boxes.at(u[..., :size], u[..., size:])
        log_f = self.flow().log_prob(y.flatten(0, 1).float()).to(torch.float64).view(POINTS, -1)
        log_f = torch.where(log_f.isnan(), -torch.inf, log_f)
        bound = torch.logsumexp(log_f, 0) - math.log(POINTS) + boxes.log_volume
        return torch.where(seen.excluded.any(1), -torch.inf, bound)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The weights, and what the flow is."""
        text = json.dumps({"rows": self.rows, "kind": self.kind}).encode()
        weights = {name: value.numpy() for name, value in self.flow.state_dict().items()}
        return {f"flow.{name}": value for name, value in weights.items()} | {"facts": np.frombuffer(text, np.uint8)}

    @classmethod
    def from_arrays(cls, schema: Schema, arrays: Mapping[str, np.ndarray]) -> FlowRival:
        """Read what `to_arrays` made.

        Raises
        ------
        RunError
            If these are other arrays.

        """
        try:
            facts: dict[str, Any] = json.loads(np.asarray(arrays["facts"]).tobytes())
            cells = _cells(schema)
            flow = spline_flow(len(cells))
            named = {name.removeprefix("flow."): torch.tensor(value) for name, value in arrays.items()}
            flow.load_state_dict({name: value for name, value in named.items() if name != "facts"})
            return cls(cells, flow, int(facts["rows"]), NAME, str(facts["kind"]))
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                "the rivals are not ones that this version wrote; remove rivals.safetensors, and they are fitted again"
            ) from error


def fit_flow(schema: Schema, train: EncodedRows, validation: EncodedRows | None, budget: Budget) -> FlowRival:
    """A neural spline flow (Durkan et al. 2019) of y; see `train_flow`.

    Parameters
    ----------
    schema
        Says what each cell is, and has the knots of the axis.
    train, validation
        Rows without missing cells, repeated by their weights; validation rows choose the weights that are kept.
    budget
        For how long.

    """
    cells, seed = _cells(schema), budget.seed
    boxes, held = boxes_of(cells, train, seed), None if validation is None else boxes_of(cells, validation, seed)
    made = train_flow(lambda: spline_flow(len(cells)), boxes, held, budget)
    kind = (
        f"lower bound: a neural spline flow on the model's axis, {made.steps} steps in the {budget.seconds:.1f} s of "
        f"the model's training, weights of step {made.kept}; mean density over {POINTS} points of a row's box"
    )
    kind += "; of P(x), without y" if schema.conditions else ""
    return FlowRival(cells, made.flow, len(train), NAME, kind)


def spline_flow(size: int) -> Flow:
    """zuko's NSF, with weights near the identity: 3 transforms, of networks of 64 and 64 units."""
    return Flow(size, TRANSFORMS, "spline", HIDDEN)


def boxes_of(cells: NumericCells, rows: EncodedRows, seed: int) -> Boxes:
    """The boxes of rows, repeated by their weights; without rows that the axis does not hold."""
    seen = cells.read(rows.to("cpu").counted(seed).stored().values)
    return Boxes.of(seen).take((~seen.excluded.any(1)).nonzero()[:, 0])


def train_flow(make: Callable[[], nn.Module], boxes: Boxes, held: Boxes | None, budget: Budget) -> Trained:
    """Maximise E log f(y), y uniform in the boxes of the rows, by AdamW with a rate that falls to 0 as a cosine.

    E log f(y) + log volume is a lower bound on log P(x) (dequantisation: Theis, van den Oord, Bethge 2016, section
    3.1). Twenty times on the way held-out rows, at fixed points of their boxes, judge the weights and their running
    mean; the best of all are kept. The seconds become a number of steps after a short timing on a copy; these and the
    seed decide everything else.

    Parameters
    ----------
    make
        Makes the flow, whose call returns the distribution.
    boxes, held
        Of training rows, and of those that choose; without the latter the last running mean is kept.
    budget
        For how long.

    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(budget.seed)
        flow = make()
    points = _held_points(held, budget.seed)
    steps = _steps(_Training(copy.deepcopy(flow), boxes, points, TIMED, budget.seed), budget)
    training = _Training(flow, boxes, points, steps, budget.seed)
    for done in range(1, steps + 1):
        training.step()
        if done * VALIDATIONS // steps > (done - 1) * VALIDATIONS // steps:
            training.validate()
        if budget.progress is not None:
            budget.progress(done, steps)
    flow.load_state_dict(training.best)
    return Trained(flow.requires_grad_(requires_grad=False), steps, training.kept)


def _steps(trial: _Training, budget: Budget) -> int:
    """How many steps fit into the seconds beside the validations, by a few of them on a copy."""
    for _ in range(3):
        trial.step()
    first, started = trial.done, budget.clock()
    while trial.done < first + TIMED or budget.clock() < started + TIMED_SHARE * budget.seconds:
        trial.step()
    stepped = budget.clock()
    trial.validate()
    each, check = (stepped - started) / (trial.done - first), budget.clock() - stepped
    return max(VALIDATIONS, int((budget.seconds - VALIDATIONS * check) / each))


class _Training:
    """The state of a training, and its best weights so far."""

    def __init__(self, flow: nn.Module, boxes: Boxes, points: Tensor | None, steps: int, seed: int) -> None:
        self.flow, self.boxes, self.points, self.steps = flow, boxes, points, steps
        self.average = copy.deepcopy(flow)
        self.generator = torch.Generator().manual_seed(seed)
        self.optimiser = torch.optim.AdamW(flow.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self.done, self.kept, self.score = 0, 0, -math.inf
        self.best = copy.deepcopy(flow.state_dict())

    def step(self) -> None:
        """One step; one whose loss is not finite is left out."""
        size = min(BATCH, len(self.boxes))
        index = torch.randint(len(self.boxes), (size,), generator=self.generator)
        y = self.boxes.take(index).points(self.generator)[0].float()
        rate = LEARNING_RATE * min(1, (self.done + 1) / WARM_STEPS)
        rate *= 0.5 * (1 + math.cos(math.pi * min(1, self.done / self.steps)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = -self.flow().log_prob(y).mean()
        self.optimiser.zero_grad()
        self.done += 1
        if not loss.isfinite():
            return
        loss.backward()
        nn.utils.clip_grad_norm_(self.flow.parameters(), MAX_NORM)
        self.optimiser.step()
        share = 1 - min(AVERAGE, (self.done + 1) / (self.done + 10))
        with torch.no_grad():
            for mean, weight in zip(self.average.parameters(), self.flow.parameters(), strict=True):
                mean.lerp_(weight, share)

    @torch.no_grad()
    def validate(self) -> None:
        """Keep the weights or their mean if held-out rows like them best so far."""
        for one in (self.flow, self.average):
            score = float(self.done) if self.points is None else float(one().log_prob(self.points).mean())
            if score >= self.score:
                self.score, self.kept, self.best = score, self.done, copy.deepcopy(one.state_dict())


def _held_points(held: Boxes | None, seed: int) -> Tensor | None:
    if held is None or not len(held):
        return None
    held = held.take(torch.arange(min(len(held), MAX_HELD)))
    count = max(1, min(HELD_POINTS, MAX_HELD // len(held)))
    return held.points(torch.Generator().manual_seed(seed + 1), count).flatten(0, 1).float()


def _cells(schema: Schema) -> NumericCells:
    return NumericCells.of(schema, lambda column: column.numeric or two_valued(column)).on_axis(schema)
