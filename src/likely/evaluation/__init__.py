"""What the model says of rows: the evidence and every term of the identity, with errors; and what is wrong with it."""

from likely.evaluation.aggregate import Aggregate, aggregate
from likely.evaluation.diagnosis import Diagnosis, diagnose
from likely.evaluation.evidence import Evidence, evidence, posterior_centres, posterior_means
from likely.evaluation.ledger import Entry, Ledger, given_y, ledger
from likely.evaluation.pit import Calibration, Uniforms, calibrations, dependence, uniforms
from likely.evaluation.splits import Outside, Overfitting, SplitElbo, compare, outside
from likely.evaluation.units import Collapse, Units, active_units, collapse

__all__ = [
    "Aggregate",
    "Calibration",
    "Collapse",
    "Diagnosis",
    "Entry",
    "Evidence",
    "Ledger",
    "Outside",
    "Overfitting",
    "SplitElbo",
    "Uniforms",
    "Units",
    "active_units",
    "aggregate",
    "calibrations",
    "collapse",
    "compare",
    "dependence",
    "diagnose",
    "evidence",
    "given_y",
    "ledger",
    "outside",
    "posterior_centres",
    "posterior_means",
    "uniforms",
]
