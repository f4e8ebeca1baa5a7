"""Pieces of a long measurement, each kept in a file as it is done: the same command goes on where it stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from likely.data import EncodedRows
from likely.evaluation import Schedule, Simulated, anneal, bidirectional, evidence, simulate, tune
from likely.models import Model

PART, FRESH = 50, 1000
SETTINGS = {"default": False, "precise": True}
Piece = dict[str, np.ndarray]


def piece(path: Path, make: Callable[[], Mapping[str, Any]]) -> Piece:
    """What `make` gives, from its file if it was made before, with its seconds by the clock and of the processor."""
    if not path.exists():
        wall, processor = time.perf_counter(), time.process_time()
        made = dict(make())
        made |= {"wall_s": time.perf_counter() - wall, "processor_s": time.process_time() - processor}
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"draft-{path.name}")
        np.savez(draft, threads=torch.get_num_threads(), **made)
        draft.replace(path)
        if made["wall_s"] > 5:
            print(f"{path.parent.name}/{path.stem}: {made['wall_s']:.0f} s", flush=True)
    with np.load(path) as found:
        return dict(found)


def cost(*pieces: Piece) -> dict[str, Any]:
    """Seconds of all of them, and the threads that they ran with."""
    total = {name: round(float(sum(one[name] for one in pieces)), 1) for name in ("wall_s", "processor_s")}
    return {**total, "threads": sorted({int(number) for one in pieces for number in np.atleast_1d(one["threads"])})}


def joined(pieces: Sequence[Piece]) -> Piece:
    """Rows after rows; seconds are added up."""
    arrays = {name: np.concatenate([one[name] for one in pieces]) for name in pieces[0] if pieces[0][name].ndim}
    return {**arrays, **{name: np.asarray(value) for name, value in cost(*pieces).items()}}


def average(values: np.ndarray) -> dict[str, float]:
    """Mean over rows, and its standard error over rows."""
    return {"mean": float(values.mean()), "se": float(values.std(ddof=1) / math.sqrt(len(values)))}


def mean_error(errors: np.ndarray) -> float:
    """Standard error of the mean of rows whose noise is independent."""
    return float(np.sqrt(np.square(errors).sum()) / len(errors))


def table(title: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Print Markdown: a column for each name of the first line."""
    print(f"\n### {title}\n\n{_line(lines[0])}\n|{'---|' * len(lines[0])}")
    for line in lines:
        print(_line([line[name] for name in lines[0]]))
    print(flush=True)


def _line(values: Iterable[Any]) -> str:
    return f"| {' | '.join(_cell(value).replace('|', chr(92) + '|') for value in values)} |"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{round(value, 4) + 0.0:,.4f}".rstrip("0").rstrip(".")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@dataclass(frozen=True)
class Tuned:
    """A schedule that was chosen on simulated rows, and the pinch of those rows."""

    schedule: Schedule
    pinch: float
    made: Piece


@dataclass(frozen=True)
class Subject:
    """A model that is measured, in a folder of its own pieces.

    Attributes
    ----------
    like
        Rows whose form and covariates simulated rows take.

    """

    folder: Path
    model: Model
    like: EncodedRows

    def tuned(self, setting: str) -> Tuned:
        """`tune` at one of the two settings."""

        def make() -> dict[str, Any]:
            found = tune(self.model, self.like, precise=SETTINGS[setting], progress=tell)
            s = found.schedule
            facts = {"chains": s.chains, "leaps": s.leaps, "from_prior": s.from_prior, "pinch": found.pinch}
            return {"betas": np.array(s.betas), "steps": np.array(s.steps), **facts}

        def tell(temperatures: int, _: int) -> None:
            print(f"{self.folder.name}: {temperatures} temperatures tried", flush=True)

        made = piece(self.folder / f"tuned-{setting}.npz", make)
        betas, steps = (tuple(map(float, made[name])) for name in ("betas", "steps"))
        counts = int(made["chains"]), int(made["leaps"]), bool(made["from_prior"])
        return Tuned(Schedule(betas, steps, *counts), float(made["pinch"]), made)

    def annealed(self, rows: EncodedRows, schedule: Schedule, name: str) -> Piece:
        """`anneal`, part by part."""

        def make(part: EncodedRows) -> dict[str, Any]:
            found = anneal(self.model, part, schedule)
            return {key: getattr(found, key) for key in ("log_px", "se_mc", "ess", "acceptance")}

        return self.parts(rows, f"annealed-{name}", make)

    def bounds(self, rows: EncodedRows, samples: int) -> Piece:
        """`evidence`, part by part."""

        def make(part: EncodedRows) -> dict[str, Any]:
            found = evidence(self.model, part, samples=samples)
            errors = {f"{name}_se_mc": found.se_mc[name] for name in ("elbo", "iwae")}
            terms = {name: found.terms[name] for name in ("elbo", "iwae")}
            return {**terms, **errors, "pareto_k": found.pareto_k, "ess": found.ess}

        return self.parts(rows, f"bounds-{samples}", make)

    def parts(self, rows: EncodedRows, name: str, make: Callable[[EncodedRows], Mapping[str, Any]]) -> Piece:
        """Whatever is measured row by row, each 50 rows kept when they are done."""
        return self._by_parts(len(rows), name, lambda index: make(rows.take(index)))

    def pinched(self, schedule: Schedule, count: int, name: str) -> Piece:
        """`bidirectional` for fresh simulated rows: none that chose the schedule is among them."""
        drawn = simulate(self.model, self.like, count, FRESH)

        def make(index: torch.Tensor) -> dict[str, Any]:
            part = Simulated(drawn.rows.take(index), drawn.z[index.to(drawn.z.device)])
            found = bidirectional(self.model, part, schedule, seed=FRESH)
            return {key: getattr(found, key) for key in ("lower", "upper", "acceptance")}

        return self._by_parts(count, f"pinched-{name}", make)

    def _by_parts(self, count: int, name: str, make: Callable[[torch.Tensor], Mapping[str, Any]]) -> Piece:
        parts = torch.arange(count).split(PART)
        names = [f"{name}-{int(index[0])}-{len(index)}.npz" for index in parts]
        return joined([piece(self.folder / file, partial(make, i)) for file, i in zip(names, parts, strict=True)])
