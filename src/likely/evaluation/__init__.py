"""What the model says of rows: the evidence and every term of the identity, with errors.

What a score needs is imported at once, the rest at its first use, so that a score of few rows does not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from likely.evaluation.counting import Counting
from likely.evaluation.evidence import Evidence, LatentPart, evidence, posterior_centres, posterior_means
from likely.evaluation.ledger import Entry, Ledger, Origin, entry, given_y, ledger
from likely.evaluation.optimised import GAP_KINDS, GapSplit, Optimised, gap_split, optimised
from likely.evaluation.quadrature import Quadrature, quadrature

if TYPE_CHECKING:
    from likely.evaluation.annealing.bidirectional import Bidirectional, Simulated, bidirectional, simulate, tune
    from likely.evaluation.annealing.chains import Annealed, AnnealingPath, anneal
    from likely.evaluation.annealing.codes import count_codes, enumerated
    from likely.evaluation.assessment import Assessment, AssessOptions, assess
    from likely.evaluation.baselines.compressors import compress
    from likely.evaluation.baselines.fitted import Baseline, Baselines, comparable, fit_baselines
    from likely.evaluation.baselines.flow import Budget, FlowRival, fit_flow, refusal
    from likely.evaluation.diagnosis.aggregate import Aggregate, aggregate
    from likely.evaluation.diagnosis.diagnose import Diagnosis, diagnose
    from likely.evaluation.diagnosis.pit import Calibration, Uniforms, calibrations, dependence, uniforms
    from likely.evaluation.diagnosis.splits import Outside, Overfitting, SplitElbo, compare, outside
    from likely.evaluation.diagnosis.units import Collapse, Units, active_units, collapse
    from likely.evaluation.fidelity import chance_column_fidelity, chance_fidelity, column_fidelity, pair_fidelity
    from likely.evaluation.integral import Convergence, PointKind, convergence
    from likely.evaluation.log_px import LogPxEstimate, NotAnnealed, estimate_log_px
    from likely.evaluation.per_cell import cell_marginals, cell_reconstructions
    from likely.evaluation.verdicts import Headline, Stability, Verdict, against, of_annealing, of_importance

__all__ = [
    "GAP_KINDS",
    "Aggregate",
    "Annealed",
    "AnnealingPath",
    "AssessOptions",
    "Assessment",
    "Baseline",
    "Baselines",
    "Bidirectional",
    "Budget",
    "Calibration",
    "Collapse",
    "Convergence",
    "Counting",
    "Diagnosis",
    "Entry",
    "Evidence",
    "FlowRival",
    "GapSplit",
    "Headline",
    "LatentPart",
    "Ledger",
    "LogPxEstimate",
    "NotAnnealed",
    "Optimised",
    "Origin",
    "Outside",
    "Overfitting",
    "PointKind",
    "Quadrature",
    "Simulated",
    "SplitElbo",
    "Stability",
    "Uniforms",
    "Units",
    "Verdict",
    "active_units",
    "against",
    "aggregate",
    "anneal",
    "assess",
    "bidirectional",
    "calibrations",
    "cell_marginals",
    "cell_reconstructions",
    "chance_column_fidelity",
    "chance_fidelity",
    "collapse",
    "column_fidelity",
    "comparable",
    "compare",
    "compress",
    "convergence",
    "count_codes",
    "dependence",
    "diagnose",
    "entry",
    "enumerated",
    "estimate_log_px",
    "evidence",
    "fit_baselines",
    "fit_flow",
    "gap_split",
    "given_y",
    "ledger",
    "of_annealing",
    "of_importance",
    "optimised",
    "outside",
    "pair_fidelity",
    "posterior_centres",
    "posterior_means",
    "quadrature",
    "refusal",
    "simulate",
    "tune",
    "uniforms",
]

_LAZY = {
    name: f"likely.evaluation.{module}"
    for module, names in {
        "annealing.bidirectional": "Bidirectional Simulated bidirectional simulate tune",
        "annealing.chains": "Annealed AnnealingPath anneal",
        "annealing.codes": "count_codes enumerated",
        "assessment": "Assessment AssessOptions assess",
        "baselines.compressors": "compress",
        "baselines.fitted": "Baseline Baselines comparable fit_baselines",
        "baselines.flow": "Budget FlowRival fit_flow refusal",
        "integral": "Convergence PointKind convergence",
        "diagnosis.aggregate": "Aggregate aggregate",
        "diagnosis.diagnose": "Diagnosis diagnose",
        "diagnosis.pit": "Calibration Uniforms calibrations dependence uniforms",
        "diagnosis.splits": "Outside Overfitting SplitElbo compare outside",
        "diagnosis.units": "Collapse Units active_units collapse",
        "fidelity": "chance_column_fidelity chance_fidelity column_fidelity pair_fidelity",
        "log_px": "LogPxEstimate NotAnnealed estimate_log_px",
        "per_cell": "cell_marginals cell_reconstructions",
        "verdicts": "Headline Stability Verdict against of_annealing of_importance",
    }.items()
    for name in names.split()
}
_EARLIER = {"Sides": "LogPxEstimate", "both_sides": "estimate_log_px", "Part": "LatentPart"}


def __getattr__(name: str) -> Any:
    if name in _EARLIER:
        return getattr(importlib.import_module(__name__), _EARLIER[name])
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
