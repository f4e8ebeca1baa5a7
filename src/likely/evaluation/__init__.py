"""What the model says of rows: the evidence and every term of the identity, with errors."""

from likely.evaluation.annealing import Annealed, Schedule, anneal
from likely.evaluation.calibration import Calibration, Simulated, bidirectional, simulate, tune
from likely.evaluation.codes import count_codes, enumerated
from likely.evaluation.evidence import Evidence, evidence, posterior_centres, posterior_means
from likely.evaluation.ledger import Entry, Ledger, given_y, ledger

__all__ = [
    "Annealed",
    "Calibration",
    "Entry",
    "Evidence",
    "Ledger",
    "Schedule",
    "Simulated",
    "anneal",
    "bidirectional",
    "count_codes",
    "enumerated",
    "evidence",
    "given_y",
    "ledger",
    "posterior_centres",
    "posterior_means",
    "simulate",
    "tune",
]
