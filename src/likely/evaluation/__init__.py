"""What the model says of rows: the evidence and every term of the identity, with errors."""

from likely.evaluation.aggregate import Aggregate, aggregate
from likely.evaluation.annealing import Annealed, Schedule, anneal
from likely.evaluation.baselines import Baseline, Baselines, fit_baselines
from likely.evaluation.calibration import Calibration, Simulated, bidirectional, simulate, tune
from likely.evaluation.codes import count_codes, enumerated
from likely.evaluation.compressors import compress
from likely.evaluation.diagnosis import Diagnosis, diagnose
from likely.evaluation.evidence import Evidence, evidence, posterior_centres, posterior_means
from likely.evaluation.ledger import Entry, Ledger, given_y, ledger
from likely.evaluation.optimised import GAP_KINDS, GapSplit, Optimised, gap_split, optimised
from likely.evaluation.pit import Calibration, Uniforms, calibrations, dependence, uniforms
from likely.evaluation.splits import Outside, Overfitting, SplitElbo, compare, outside
from likely.evaluation.units import Collapse, Units, active_units, collapse

__all__ = [
    "Aggregate",
    "Annealed",
    "Baseline",
    "Baselines",
    "Calibration",
    "Calibration",
    "Collapse",
    "Diagnosis",
    "Entry",
    "Evidence",
    "GAP_KINDS",
    "GapSplit",
    "Ledger",
    "Optimised",
    "Outside",
    "Overfitting",
    "Schedule",
    "Simulated",
    "SplitElbo",
    "Uniforms",
    "Units",
    "active_units",
    "aggregate",
    "anneal",
    "bidirectional",
    "calibrations",
    "collapse",
    "compare",
    "compress",
    "count_codes",
    "dependence",
    "diagnose",
    "enumerated",
    "evidence",
    "fit_baselines",
    "gap_split",
    "given_y",
    "ledger",
    "optimised",
    "outside",
    "posterior_centres",
    "posterior_means",
    "simulate",
    "tune",
    "uniforms",
]
