"""How much of an evaluation is made where nobody says: all of it, or a part where a model of maps would take hours."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from likely.data import EncodedRows
from likely.evaluation import AssessOptions
from likely.evaluation.annealing.bidirectional import CHAINS, LEAPFROG_STEPS, MAX_TEMPERATURES, MIN_TEMPERATURES
from likely.models import HierarchicalVAE, Model
from likely.networks import ConvLadder

if TYPE_CHECKING:
    from likely.run.run import Run

__all__ = ["Extent", "asked", "extent_of", "minutes_of", "of_maps", "within_minutes"]

TIMED_ROWS, TIMED_SAMPLES = 16, 8
GRADIENT = 3.0  # times as long as going forward
BOTH_WAYS = 50 * 2  # simulated rows that bound the annealing, from below and from above
ANNEALING_MINUTES = 10  # of a hierarchy of maps
TRIES = 2  # times that the most temperatures bound the simulated rows, those with fewer counted
TUNING = 2 * 9 * 12 * 8  # rows of as many chains, of two paths: transitions at some temperatures that tune the steps


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

    """

    samples: int = 500
    rows: int | None = None
    anneal: int = 100


OF_MAPS = Extent(samples=50, rows=2000, anneal=0)


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

    Who asks for precise annealing, or for its calibration, asks for annealing.
    """
    usual = extent_of(run.model)
    annealed = Extent().anneal if precise or calibrate else usual.anneal
    options = AssessOptions(
        samples=usual.samples if samples is None else samples,
        anneal=annealed if anneal is None else anneal,
        precise=precise,
        calibrate=calibrate,
        rule=run.proposal_rule(precise=precise),
        **others,
    )
    return options, usual.rows if samples is None else None


def within_minutes(model: Model, rows: EncodedRows, options: AssessOptions) -> AssessOptions:
    """The options, with as many temperatures at most as `ANNEALING_MINUTES` allow, of a hierarchy of maps.

    Whoever asks for precise annealing, or tells the temperatures, gets what was asked for.
    """
    if not of_maps(model) or not options.anneal or options.precise or options.temperatures is not None:
        return options
    one = _seconds_of_a_draw(model, rows) * GRADIENT * CHAINS * LEAPFROG_STEPS
    chains = min(options.anneal, len(rows)) + TRIES * BOTH_WAYS
    left = ANNEALING_MINUTES * 60 - one * TUNING
    return replace(options, temperatures=min(MAX_TEMPERATURES, max(MIN_TEMPERATURES, int(left / (one * chains)))))


def minutes_of(model: Model, rows: EncodedRows, options: AssessOptions) -> float:
    """About how many minutes L_K of the rows takes, and the annealing of some: told by a pass over a few."""
    one = _seconds_of_a_draw(model, rows)
    chains = options.anneal and min(options.anneal, len(rows)) + BOTH_WAYS
    gradients = chains * CHAINS * (options.temperatures or MAX_TEMPERATURES) * LEAPFROG_STEPS * GRADIENT
    return one * (len(rows) * options.samples + gradients) / 60


@torch.no_grad()
def _seconds_of_a_draw(model: Model, rows: EncodedRows) -> float:
    """Seconds of a row and a draw of z going forward."""
    model.eval()
    few = rows.evaluation_batch(torch.arange(min(TIMED_ROWS, len(rows)), device=rows.device))
    started = time.perf_counter()
    model.terms(few, TIMED_SAMPLES, generator=torch.Generator(rows.device)).log_px_z.sum().item()
    return (time.perf_counter() - started) / (len(few) * TIMED_SAMPLES)
