"""log P(x) of some of the rows, better than by its importance-weighted bound: annealed, or exact for few codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from likely.data import EncodedRows
from likely.evaluation.annealing.bidirectional import Bidirectional, tune
from likely.evaluation.annealing.chains import Annealed, anneal
from likely.evaluation.annealing.codes import MAX_CODES, count_codes, enumerated
from likely.evaluation.evidence import Evidence
from likely.evaluation.ledger import Entry, entry, given_y
from likely.evaluation.optimised import GAP_KINDS, GapSplit, gap_split, optimised
from likely.evaluation.sampling import Progress
from likely.models import Integrated, Model

__all__ = ["LogPxEstimate", "NotAnnealed", "estimate_log_px"]

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

    """

    indices: np.ndarray
    log_px: np.ndarray
    se_mc: np.ndarray
    annealed: Annealed | None
    simulated_bounds: Bidirectional | None
    gap_split: GapSplit | None
    code_count: int | None

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

    """
    if max_rows < 1:
        return NotAnnealed("no rows were asked for (--anneal)")
    indices = np.sort(np.argsort(measured.keys, kind="stable")[:max_rows])
    chosen = rows.take(torch.from_numpy(indices))
    if isinstance(model, Integrated):
        return NotAnnealed(f"log P(x) is exact here, a sum over {model.stored:,} points of z")
    codes = count_codes(model)
    if codes is not None and codes > MAX_CODES:
        return NotAnnealed(
            f"annealing moves real vectors, and z is one of {codes:,} discrete codes; their sum is taken where there "
            f"are at most {MAX_CODES:,}"
        )
    if codes is not None:
        exact = enumerated(model, chosen)
        return LogPxEstimate(indices, exact, np.zeros_like(exact), None, None, None, codes)
    bounds = tune(model, rows, precise=precise, seed=seed, most=temperatures)
    annealed = anneal(model, chosen, bounds.path, seed=seed, progress=progress)
    best = optimised(model, chosen, samples=measured.samples, seed=seed)
    split = gap_split(annealed.log_px, annealed.se_mc, best)
    return LogPxEstimate(indices, annealed.log_px, annealed.se_mc, annealed, bounds, split, None)
