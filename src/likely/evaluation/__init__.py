"""What the model says of rows: the evidence and every term of the identity, with errors."""

from likely.evaluation.evidence import Evidence, evidence, posterior_centres, posterior_means
from likely.evaluation.ledger import Entry, Ledger, given_y, ledger
from likely.evaluation.optimised import GAP_KINDS, GapSplit, Optimised, gap_split, optimised

__all__ = [
    "GAP_KINDS",
    "Entry",
    "Evidence",
    "GapSplit",
    "Ledger",
    "Optimised",
    "evidence",
    "gap_split",
    "given_y",
    "ledger",
    "optimised",
    "posterior_centres",
    "posterior_means",
]
