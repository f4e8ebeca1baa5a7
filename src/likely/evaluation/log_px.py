"""log P(x) of some of the rows, better than by its importance-weighted bound: annealed, or exact for few codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import torch

from likely import world
from likely.data import EncodedRows
from likely.evaluation.annealing.bidirectional import Bidirectional, tune
from likely.evaluation.annealing.chains import Annealed, AnnealingPath, anneal
from likely.evaluation.annealing.clock import Clock, Limit
from likely.evaluation.annealing.codes import MAX_CODES, count_codes, enumerated
from likely.evaluation.evidence import Evidence
from likely.evaluation.ledger import Entry, entry, given_y
from likely.evaluation.optimised import GAP_KINDS, GapSplit, Optimised, gap_split, optimised
from likely.evaluation.sampling import DEFAULT_CHUNK_ROWS, Progress
from likely.models import Integrated, Model

__all__ = ["LogPxEstimate", "NotAnnealed", "estimate_log_px"]

Found = TypeVar("Found", Annealed, Optimised)

DESCRIPTIONS = {  # of the lines of the ledger
    "ais": "annealed importance sampling: a lower bound on log P(x) in expectation",
    "exact": "log P(x), summed over every code z",
    "ais_gain": "ais - iwae on the same rows: what iwae misses at least",
    "exact_gain": "exact - iwae on the same rows",
    "ais_gap": GAP_KINDS["total"],
    "exact_gap": "D[Q(z|x)||P(z|x)]: exact - elbo",
    "approximation": GAP_KINDS["approximation"],
    "amortisation": GAP_KINDS["amortisation"],
}


@dataclass(frozen=True)
class NotAnnealed:
    """The reason why log P(x) is not estimated beyond its importance-weighted bound."""

    reason: str


@dataclass(frozen=True, eq=False)
class LogPxEstimate:
    """log P(x) of some of the rows, annealed or exact, and the split of the gap between it and the ELBO.

    Attributes
    ----------
    indices
        Indices of these rows, ascending: the rows with the smallest keys, so that the choice depends on the rows alone.
    log_px, se_mc
        log P(x) and its standard error from the chains: `(rows,)`, nats.
    annealed
        The annealed estimates; `None` where log P(x) is exact.
    simulated_bounds
        Lower and upper bounds for the rows simulated from the model on which the path was chosen; `None` where log P(x)
        is exact.
    gap_split
        What the family of Q and the encoder each add to the gap; `None` where z is discrete.
    code_count
        How many values z has, where it is discrete.
    limit
        The limit of time, and what came of it; `None` where there was none.

    """

    indices: np.ndarray
    log_px: np.ndarray
    se_mc: np.ndarray
    annealed: Annealed | None
    simulated_bounds: Bidirectional | None
    gap_split: GapSplit | None
    code_count: int | None
    limit: Limit | None = None

    @property
    def name(self) -> str:
        """The name of the estimator: `ais` or `exact`."""
        return "ais" if self.annealed is not None else "exact"

    def entries(self, measured: Evidence, *, given: bool = False) -> dict[str, Entry]:
        """The lines of the ledger: log P(x), its gain over the importance-weighted bound, the gap and its parts."""
        keys, name, counting = measured.keys[self.indices], self.name, measured.counting.take(self.indices)
        cells = counting.mean(measured.cells[self.indices])
        iwae, elbo = measured.terms["iwae"][self.indices], measured.terms["elbo"][self.indices]
        chains = None if self.annealed is None else self.annealed.path.chains
        texts = {key: given_y(text) if given else text for key, text in DESCRIPTIONS.items()}
        entries = {name: entry(self.log_px, self.se_mc, keys, counting, cells, texts[name], chains)}
        differences = {
            f"{name}_gain": (self.log_px - iwae, np.hypot(self.se_mc, measured.se_mc["iwae"][self.indices])),
            f"{name}_gap": (self.log_px - elbo, np.hypot(self.se_mc, measured.se_mc["elbo"][self.indices])),
        }
        if self.gap_split is not None:
            for part in ("approximation", "amortisation"):
                differences[part] = getattr(self.gap_split, part), getattr(self.gap_split, f"{part}_se_mc")
        for part, (nats, se_mc) in differences.items():
            samples = measured.samples if part == "amortisation" else None
            entries[part] = entry(nats, se_mc, keys, counting, cells, texts[part], samples, divergence=True)
        return entries


def estimate_log_px(
    model: Model,
    rows: EncodedRows,
    measured: Evidence,
    *,
    max_rows: int,
    precise: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    temperatures: int | None = None,
    minutes: float | None = None,
) -> LogPxEstimate | NotAnnealed:
    """log P(x) of at most `max_rows` of the rows, by annealing or by summing over all codes; or why not.

    Parameters
    ----------
    model, rows
        As in `evidence`.
    measured
        The evidence of all rows, with the same seed.
    max_rows
        How many rows are annealed at most.
    precise
        Bring the bounds of simulated rows closer together, with more temperatures and chains.
    seed
        Of all random numbers.
    progress
        Called with (rows done, rows).
    temperatures
        At most so many, in the place of what `tune` takes.
    minutes
        About how long annealing may take, a positive number: it decides the temperatures, and how many of the rows are
        annealed. At least 8 temperatures, and 50 rows (or all, of fewer) for each process, however long these take.

    """
    if max_rows < 1:
        return NotAnnealed("no rows were asked for (--anneal)")
    clock, order = Clock(minutes), np.argsort(measured.keys, kind="stable")[:max_rows]
    if isinstance(model, Integrated):
        return NotAnnealed(f"log P(x) is exact here, a sum over {model.stored:,} points of z")
    codes = count_codes(model)
    if codes is not None and codes > MAX_CODES:
        return NotAnnealed(
            f"annealing moves real vectors, and z is one of {codes:,} discrete codes; their sum is taken where there "
            f"are at most {MAX_CODES:,}"
        )
    if codes is not None:
        indices = np.sort(order)
        exact = enumerated(model, rows.take(torch.from_numpy(indices)))
        return LogPxEstimate(indices, exact, np.zeros_like(exact), None, None, None, codes)
    bounds = tune(model, rows, precise=precise, seed=seed, most=temperatures, clock=clock)
    indices, annealed, best = _within(
        clock, model, rows, order, bounds.path, samples=measured.samples, seed=seed, progress=progress
    )
    split = gap_split(annealed.log_px, annealed.se_mc, best)
    return LogPxEstimate(indices, annealed.log_px, annealed.se_mc, annealed, bounds, split, None, clock.limit)


def _within(
    clock: Clock,
    model: Model,
    rows: EncodedRows,
    order: np.ndarray,
    path: AnnealingPath,
    *,
    samples: int,
    seed: int,
    progress: Progress | None,
) -> tuple[np.ndarray, Annealed, Optimised]:
    """As many of the rows, in this order, as there is time for: their indices, ascending, and what was found of them.

    A row's numbers do not depend on which others there are.
    """
    size = max(1, len(order)) if clock.minutes is None else DEFAULT_CHUNK_ROWS * world.size()
    parts: list[tuple[np.ndarray, Annealed, Optimised]] = []
    taken = clock.lap()
    for first in range(0, len(order), size):
        if parts and not clock.allows(taken):
            break
        indices = np.sort(order[first : first + size])
        chosen = rows.take(torch.from_numpy(indices))

        def tick(done: int, _: int, before: int = first) -> None:
            if progress:
                progress(before + done, len(order))

        annealed = anneal(model, chosen, path, seed=seed, progress=tick)
        parts.append((indices, annealed, optimised(model, chosen, samples=samples, seed=seed)))
        taken = clock.lap()
    found, annealing, best = zip(*parts, strict=True)
    indices = np.concatenate(found)
    places = np.argsort(indices)
    return indices[places], _joined(annealing, places), _joined(best, places)


def _joined(parts: Sequence[Found], places: np.ndarray) -> Found:
    """The arrays of several parts as one, in the order of `places`."""
    names = [each.name for each in fields(parts[0]) if isinstance(getattr(parts[0], each.name), np.ndarray)]
    return replace(
        parts[0], **{name: np.concatenate([getattr(part, name) for part in parts])[places] for name in names}
    )
