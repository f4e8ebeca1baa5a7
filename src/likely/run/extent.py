"""How much of an evaluation is made where nobody says: all of it, or a part where a model of maps would take hours."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from likely.data import EncodedRows
from likely.evaluation import AssessOptions
from likely.evaluation.annealing.bidirectional import CHAINS, LEAPFROG_STEPS, MAX_TEMPERATURES, MIN_TEMPERATURES
from likely.models import HierarchicalVAE, Model
from likely.networks import ConvLadder

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["Extent", "asked", "extent_of", "minutes_of", "of_maps"]

TIMED_ROWS, TIMED_SAMPLES = 16, 8
GRADIENT = 3.0  # times as long as going forward
BOTH_WAYS = 50 * 2  # simulated rows that bound the annealing, from below and from above


@dataclass(frozen=True)
class Extent:
    """What an evaluation takes.

    Attributes
    ----------
    samples
        K of the importance-weighted bound.
    rows
        At most so many, chosen by their content; `None` for all.
    anneal
        At most so many rows are annealed.
    minutes
        About how long annealing may take; `None` for as long as it takes.

    """

    samples: int = 500
    rows: int | None = None
    anneal: int = 100
    minutes: float | None = None


OF_MAPS = Extent(samples=50, rows=2000, anneal=0, minutes=10)


def of_maps(model: Model) -> bool:
    """Whether a model is a hierarchy of maps."""
    return any(isinstance(one, HierarchicalVAE) and isinstance(one.topdown, ConvLadder) for one in model.members)


def extent_of(model: Model) -> Extent:
    """What an evaluation of a model takes where nobody says."""
    return OF_MAPS if of_maps(model) else Extent()


def asked(
    run: Run, samples: int | None, anneal: int | None, *, precise: bool, calibrate: bool, **others: Any
) -> tuple[AssessOptions, int | None]:
    """How rows are assessed, and of how many at most, with what is usual for the model in the place of `None`.

    Who asks for precise annealing, or for its calibration, asks for annealing; if precise, however long it takes.
    """
    usual = extent_of(run.model)
    annealed = Extent().anneal if precise or calibrate else usual.anneal
    options = AssessOptions(
        samples=usual.samples if samples is None else samples,
        anneal=annealed if anneal is None else anneal,
        precise=precise,
        calibrate=calibrate,
        minutes=None if precise else usual.minutes,
        rule=run.proposal_rule(precise=precise),
        **others,
    )
    return options, usual.rows if samples is None else None


@torch.no_grad()
def minutes_of(model: Model, rows: EncodedRows, options: AssessOptions) -> float:
    """About how many minutes L_K of the rows takes, and the annealing of some: told by a second pass over a few."""
    model.eval()
    few = rows.evaluation_batch(torch.arange(min(TIMED_ROWS, len(rows)), device=rows.device))
    for _ in range(2):
        started = time.perf_counter()
        model.terms(few, TIMED_SAMPLES, generator=torch.Generator(rows.device)).log_px_z.sum().item()
    one = (time.perf_counter() - started) / (len(few) * TIMED_SAMPLES * 60)
    annealed = options.anneal and min(options.anneal, len(rows)) + BOTH_WAYS
    each = one * annealed * CHAINS * LEAPFROG_STEPS * GRADIENT  # of a temperature
    most = each * (options.temperatures or MAX_TEMPERATURES)
    if options.minutes is not None and annealed:
        most = min(most, max(each * MIN_TEMPERATURES, options.minutes))
    return one * len(rows) * options.samples + most
