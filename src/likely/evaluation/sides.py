"""log P(x) beside its importance-weighted bound: annealed or exact, and the gap split, for some of the rows."""

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
from likely.models import Model

__all__ = ["NotAnnealed", "Sides", "both_sides"]

KINDS = {
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
    """Why nothing is known of log P(x) but its importance-weighted bound."""

    reason: str


@dataclass(frozen=True, eq=False)
class Sides:
    """What is known of log P(x) of some of the rows.

    Attributes
    ----------
    indices
        Numbers of these rows, ascending: those with the least keys, so that the choice depends on the rows alone.
    log_px, se_mc
        log P(x), annealed or exact: `(rows,)`, nats.
    annealed
        How, where it is annealed.
    judged
        The rows simulated from the model on which the path was chosen, bounded from both sides.
    split
        The gap, split; `None` where z is codes.
    codes
        How many there are, where z is.

    """

    indices: np.ndarray
    log_px: np.ndarray
    se_mc: np.ndarray
    annealed: Annealed | None
    judged: Bidirectional | None
    split: GapSplit | None
    codes: int | None

    @property
    def name(self) -> str:
        """`ais` or `exact`."""
        return "ais" if self.annealed is not None else "exact"

    def entries(self, measured: Evidence, *, given: bool = False) -> dict[str, Entry]:
        """Lines for the ledger: log P(x), what it adds to the importance-weighted bound, and the gap."""
        keys, name, counting = measured.keys[self.indices], self.name, measured.counting.take(self.indices)
        cells = counting.mean(measured.cells[self.indices])
        iwae, elbo = measured.terms["iwae"][self.indices], measured.terms["elbo"][self.indices]
        chains = None if self.annealed is None else self.annealed.path.chains
        kinds = {key: given_y(kind) if given else kind for key, kind in KINDS.items()}
        entries = {name: entry(self.log_px, self.se_mc, keys, counting, cells, kinds[name], chains)}
        differences = {
            f"{name}_gain": (self.log_px - iwae, np.hypot(self.se_mc, measured.se_mc["iwae"][self.indices])),
            f"{name}_gap": (self.log_px - elbo, np.hypot(self.se_mc, measured.se_mc["elbo"][self.indices])),
        }
        if self.split is not None:
            for part in ("approximation", "amortisation"):
                differences[part] = getattr(self.split, part), getattr(self.split, f"{part}_se_mc")
        for part, (nats, se_mc) in differences.items():
            samples = measured.samples if part == "amortisation" else None
            entries[part] = entry(nats, se_mc, keys, counting, cells, kinds[part], samples, divergence=True)
        return entries


def both_sides(
    model: Model,
    rows: EncodedRows,
    measured: Evidence,
    *,
    most: int,
    precise: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sides | NotAnnealed:
    """Anneal at most this many of the rows, or sum over their codes, and split the gap; or say why not.

    Parameters
    ----------
    model, rows
        As in `evidence`.
    measured
        The evidence of all of the rows, with the same seed.
    most
        Rows at most.
    precise
        Pinch simulated rows harder, with more temperatures and chains.
    seed
        Of everything.
    progress
        Called with (rows done, rows).

    """
    if most < 1:
        return NotAnnealed("no rows were asked for")
    place = np.sort(np.argsort(measured.keys, kind="stable")[:most])
    chosen = rows.take(torch.from_numpy(place))
    codes = count_codes(model)
    if codes is not None and codes > MAX_CODES:
        return NotAnnealed(
            f"annealing moves real vectors, and z is one of {codes:,} discrete codes; their sum is taken where there "
            f"are at most {MAX_CODES:,}"
        )
    if codes is not None:
        exact = enumerated(model, chosen)
        return Sides(place, exact, np.zeros_like(exact), None, None, None, codes)
    judged = tune(model, rows, precise=precise, seed=seed)
    annealed = anneal(model, chosen, judged.path, seed=seed, progress=progress)
    best = optimised(model, chosen, samples=measured.samples, seed=seed)
    split = gap_split(annealed.log_px, annealed.se_mc, best)
    return Sides(place, annealed.log_px, annealed.se_mc, annealed, judged, split, None)
